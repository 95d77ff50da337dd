"""Reconciliation: sessions, cases, reports and alerts."""
