"""The tests: this package mirrors the source, one test module a module."""
