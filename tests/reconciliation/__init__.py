"""Tests of the comparison between the ledger and a registry."""
