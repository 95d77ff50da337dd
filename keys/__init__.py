"""Whose key is it, and since when? Key ids, trust, rotation, verification and signing."""
