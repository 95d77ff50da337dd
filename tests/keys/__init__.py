"""Tests of the package `keys`."""
