"""Hubs on databases of both kinds, and the peers that speak to them."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import Peer


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
