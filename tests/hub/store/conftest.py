"""Open databases, empty but for their schema, or with the participants registered."""

import shutil
from collections.abc import Iterator

import pytest

from hub.store.database import Database
from tests.databases import postgres_url

POSTGRES = pytest.mark.postgres


@pytest.fixture
def database(registered_url: str) -> Iterator[Database]:
    """Open a database with THA01, CHE01, GHA01 and XMR01 registered, of either kind."""
    opened = Database(registered_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=POSTGRES)])
def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """Open such a database for all tests that roll back whatever they do (``rolled_back``)."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("shared") / "hub.db"
        shutil.copy(request.getfixturevalue("registered_file"), path)
        url = f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgres_server")
        url = postgres_url(server, request.getfixturevalue("registered_template"))
    opened = Database(url)
    yield opened
    opened.dispose()


@pytest.fixture
def empty_database(database_url: str) -> Iterator[Database]:
    """Open a database without a single table, of either kind."""
    opened = Database(database_url)
    yield opened
    opened.dispose()
