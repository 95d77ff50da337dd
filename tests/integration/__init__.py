"""Real processes, real HTTP, real databases: what must hold whatever happens."""
