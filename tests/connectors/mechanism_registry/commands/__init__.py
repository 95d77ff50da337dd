"""Tests of the mechanism registry's connector: commands."""
