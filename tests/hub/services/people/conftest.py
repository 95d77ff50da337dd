"""Doors on a database of either kind."""

from collections.abc import Iterator

import pytest

from hub.store.database import Database
from tests.hub.services.people.people_world import PeopleWorld


@pytest.fixture
def people(either: Database) -> PeopleWorld:
    """Return a door on a database of its own, of either kind."""
    return PeopleWorld(either)


@pytest.fixture
def sqlite_people(sqlite: Database) -> Iterator[PeopleWorld]:
    """Return a door on a SQLite database of its own."""
    world = PeopleWorld(sqlite)
    yield world
    world.sessions.close()
