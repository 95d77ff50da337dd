"""Tests of the evidence of a transfer."""
