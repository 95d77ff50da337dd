"""Worlds: a hub on SQLite, or on either database where SQL differs."""

from collections.abc import Iterator

import pytest

from hub.store.database import Database
from tests.hub.world import World


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    """Return a hub on a SQLite database of its own."""
    database = Database(sqlite_url)
    yield World(database)
    database.dispose()


@pytest.fixture
def either_world(registered_url: str) -> Iterator[World]:
    """Return a hub on a database of its own, of either kind."""
    database = Database(registered_url)
    yield World(database)
    database.dispose()
