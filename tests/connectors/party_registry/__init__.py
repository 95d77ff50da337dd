"""Tests of the Party registry connector, its reference registry and its simulator."""
