"""Reconciliation as the hub does it: nights, sessions, cases, what is frozen and who is told.

The comparison itself is pure and lies in ``reconciliation``; here it meets the ledger, the
mailboxes, the log and the clock. In the order of what happens: ``ledger`` keeps the hub's side
ready, ``runs`` asks and compares (``statements`` where a registry hands in a file), ``cases`` ends
a session, ``reports`` and ``alerts`` tell of it.
"""
