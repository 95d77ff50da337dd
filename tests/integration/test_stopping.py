"""A hub that is told to stop ends soon, and answers whoever waits at that moment."""

import asyncio
import time

import aiohttp

from tests.integration.conftest import StartHub
from tests.integration.hub_process import register
from tests.integration.peers import Peer


async def test_a_stopping_hub_keeps_no_fetcher_waiting(
    database_url: str, hubs: StartHub, http: aiohttp.ClientSession
) -> None:
    """A long fetch is answered with what there is, and the process ends long before its time."""
    register(database_url)
    hub = await hubs(database_url)
    fetch = asyncio.create_task(Peer("THA01", hub.address, http).fetch(0, wait_seconds=30))
    await asyncio.sleep(1)
    assert not fetch.done(), "there is nothing to fetch, so it waits"
    asked_at = time.monotonic()
    assert await hub.stop() == 0
    assert await fetch is None
    assert time.monotonic() - asked_at < 15
