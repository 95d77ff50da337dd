"""Registries: where each stands, its keys, what is suspended; the hub itself."""
