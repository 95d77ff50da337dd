"""The hub under fire is the one the integration tests start."""

from tests.integration.conftest import http, hub, hubs

__all__ = ["http", "hub", "hubs"]
