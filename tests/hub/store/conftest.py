"""Open databases, empty but for their schema, or with the participants registered."""

from collections.abc import Iterator

import pytest

from hub.store.database import Database


@pytest.fixture
def database(registered_url: str) -> Iterator[Database]:
    """Open a database with THA01, CHE01, GHA01 and XMR01 registered, of either kind."""
    opened = Database(registered_url)
    yield opened
    opened.dispose()


@pytest.fixture
def empty_database(database_url: str) -> Iterator[Database]:
    """Open a database without a single table, of either kind."""
    opened = Database(database_url)
    yield opened
    opened.dispose()
