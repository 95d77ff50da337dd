"""May this message have effect? Pure checks in an ordered list."""
