"""Acts as people prepare, sign, approve and read them back; people and their keys."""
