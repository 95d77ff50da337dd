"""The console: pages on which the secretariat sees the exchange and works the discrepancies.

It runs as a process of its own, beside the hub, on the same database. It signs nothing: acts are
signed by people, in their browsers, with keys of their own.
"""
