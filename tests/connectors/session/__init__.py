"""Tests of the exchange from the peer's end."""
