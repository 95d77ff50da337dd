"""A feed, from bytes to rows: its three forms, the mapping, its fields, and what was refused."""
