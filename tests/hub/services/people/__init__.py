"""Tests of people: who they are, and how they sign in."""
