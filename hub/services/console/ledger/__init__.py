"""The ledger: who holds what in sums, and the life of a serial."""
