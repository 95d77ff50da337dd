"""Tests of the hub, one module a module."""
