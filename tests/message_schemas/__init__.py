"""Tests of the words both ends share."""
