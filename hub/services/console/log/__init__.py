"""The transparency log: checkpoints, witnesses, entries, and the keys it is known by."""
