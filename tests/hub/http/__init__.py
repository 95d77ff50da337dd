"""What HTTP adds: problem documents, the description, TLS."""
