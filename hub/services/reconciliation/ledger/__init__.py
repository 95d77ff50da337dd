"""The hub's side: digests folded from the journal, books as of any index, its own books."""
