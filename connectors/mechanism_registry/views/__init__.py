"""Pull and view: queries that arrive, the registry's own books, and signed answers."""
