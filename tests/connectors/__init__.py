"""Tests of what a registry runs on its side."""
