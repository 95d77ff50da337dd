"""Holdings statements: files of registries that implement nothing, read and compared."""
