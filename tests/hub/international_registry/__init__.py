"""Tests of the core of the international registry, one module a module."""
