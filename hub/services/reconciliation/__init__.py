"""Reconciliation as the hub does it: nights, sessions, cases, what is frozen and who is told.

The comparison itself is pure and lies in ``reconciliation``; here it meets the ledger, the
mailboxes, the log and the clock.
"""
