"""SQL on both databases, against naive models."""
