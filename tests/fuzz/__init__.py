"""Bytes nobody thought of, at the door of a real hub."""
