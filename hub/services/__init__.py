"""The use cases: one file, one transaction over a batch of messages."""
