"""Hubs on databases of both kinds.

Starting a hub takes longer than most tests, so a module's tests share one hub of each kind of
database (``hub``); they keep out of each other's way by taking ids and serials from ``fresh``. A
test that kills its hub, or needs special settings, starts its own (``hubs``).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.databases import postgres_url
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import Peer

StartHub = Callable[..., Awaitable[HubUnderTest]]
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def new_database_url(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    """Return the URL of an empty database of a kind."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/hub.db"
    return postgres_url(request.getfixturevalue("postgres_server"))


@pytest.fixture(scope="module", params=KINDS)
def hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubUnderTest]:
    """Run one hub for a module, with THA01, CHE01, GHA01 and XMR01 registered and active.

    A module may name settings in ``HUB_ENVIRONMENT``, and who has a key for XML in ``XML_KEYS``: if
    the hub is among them, it takes XML. After its last test the database must still prove itself.
    """
    folder = tmp_path_factory.mktemp("hub")
    url = new_database_url(request, request.param, folder)
    xml = getattr(request.module, "XML_KEYS", ())
    register(url, xml=xml)
    environment = getattr(request.module, "HUB_ENVIRONMENT", {})
    running = HubUnderTest(
        url, folder, environment=environment, speaks_xml="XHB01" in xml
    ).start_now()
    yield running
    running.kill_now()
    running.prove()


@pytest.fixture
async def hubs(tmp_path: Path) -> AsyncIterator[StartHub]:
    """Return a function that starts a hub on a database, with settings; all are killed after."""
    started: list[HubUnderTest] = []

    async def start(database_url: str, **environment: str) -> HubUnderTest:
        folder = tmp_path / f"hub{len(started)}"
        folder.mkdir()
        hub = HubUnderTest(database_url, folder, environment=environment)
        started.append(hub)
        return await hub.start()

    yield start
    for one in started:
        one.kill_now()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP client."""
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=400)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
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
