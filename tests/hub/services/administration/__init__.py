"""Tests of hub.services.administration."""
