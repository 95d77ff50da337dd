"""The protocol, pure: every row of its tables, every fault at the door."""
