"""A mechanism registry that lives from a seed, serves its feed and books, and misbehaves."""
