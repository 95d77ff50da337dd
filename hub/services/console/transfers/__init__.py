"""Transfers: found, told from the first message to the last, and proved."""
