"""Worlds: a hub on SQLite, or on either database where SQL differs."""

from collections.abc import Iterator

import pytest

from hub.store.database import Database
from tests.hub.world import World


@pytest.fixture
def either(registered_url: str) -> Iterator[Database]:
    """Open a database of either kind, with the participants registered."""
    opened = Database(registered_url)
    yield opened
    opened.dispose()


@pytest.fixture
def world(sqlite: Database) -> World:
    """Return a hub on a SQLite database of its own."""
    return World(sqlite)


@pytest.fixture
def either_world(either: Database) -> World:
    """Return a hub on a database of its own, of either kind."""
    return World(either)
