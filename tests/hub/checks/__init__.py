"""Tests of the checks: one module a family, and the table they stand in."""
