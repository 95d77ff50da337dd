"""Killed at every commit boundary, and at any moment under load, everyone converges alone.

No receipt without its message, no message without its receipt, no unit in two places or in none,
and nothing stuck: every transfer ends, every reservation is released (``traffic`` compares it all).
"""

import asyncio
import random
from pathlib import Path

import aiohttp
import pytest

from hub.protocol.signed_objects import Binding, binding_of
from hub.services.crash_points import EXCHANGE_POINTS
from tests.integration.conftest import StartHub
from tests.integration.hub_process import HubUnderTest, register, xml_key_variables
from tests.integration.postgres_process import PostgresUnderTest
from tests.integration.traffic import Traffic, keep_alive, wait_for_traffic

SETTINGS = {
    "ITMO_HUB_EXPIRY_SWEEP_SECONDS": "0.2",
    "ITMO_HUB_RETRY": '{"base_seconds": 0.1, "cap_seconds": 1.0}',
}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_hub_killed_at_every_commit_boundary_converges(
    hubs: StartHub, http: aiohttp.ClientSession, database_url: str, run_seed: int
) -> None:
    """Before and after each commit, each receipt and each acknowledgement, one after the other."""
    register(database_url)
    hub = await hubs(database_url, **SETTINGS)
    traffic = Traffic(hub, http, run_seed)
    chosen = random.Random(run_seed)
    places = [f"{place}:{chosen.randint(1, 4)}" for place in EXCHANGE_POINTS]
    async with traffic.flowing(sender_count=4):
        await keep_alive(hub, places)
    await traffic.check()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_hub_killed_at_every_commit_boundary_converges_in_xml(
    hubs: StartHub, http: aiohttp.ClientSession, tmp_path: Path, run_seed: int
) -> None:
    """Receipts and pushed deliveries in XML are kept and repeated byte for byte as in JSON."""
    url = f"sqlite:///{tmp_path}/hub.db"
    register(url, xml=("XHB01", "THA01"))
    hub = await hubs(url, **SETTINGS, **xml_key_variables())
    traffic = Traffic(hub, http, run_seed, in_xml=True)
    chosen = random.Random(run_seed)
    places = [f"{place}:{chosen.randint(1, 4)}" for place in EXCHANGE_POINTS]
    async with traffic.flowing(sender_count=4):
        await keep_alive(hub, places)
    await traffic.check()
    said = traffic.receipts.items()
    assert all(binding_of(receipt) is binding_of(raw) for raw, receipt in said)
    assert {binding_of(raw) for raw in traffic.deliveries.values()} == {Binding.XML}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_three_kills_under_load_leave_nothing_stuck(
    hubs: StartHub, http: aiohttp.ClientSession, database_url: str, run_seed: int
) -> None:
    """Thirty-two senders, three kills at random moments: every transfer ends, all is released."""
    register(database_url)
    hub = await hubs(database_url, **SETTINGS)
    traffic = Traffic(hub, http, run_seed)
    chosen = random.Random(run_seed)
    async with traffic.flowing(sender_count=32):
        for _ in range(3):
            await wait_for_traffic(traffic, 40)
            await asyncio.sleep(chosen.random() / 2)
            hub.kill_now()
            await hub.start()
        await wait_for_traffic(traffic, 40)
    await traffic.check()


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_when_the_leading_process_is_killed_another_takes_over(
    hubs: StartHub, http: aiohttp.ClientSession, postgres_database_url: str, run_seed: int
) -> None:
    """Pushing and sweeping go on from the process that is left, without a restart."""
    register(postgres_database_url)
    leader = await hubs(postgres_database_url, **SETTINGS)
    other = await hubs(postgres_database_url, **SETTINGS)
    assert [await leads(http, hub) for hub in (leader, other)] == [True, False]
    traffic = Traffic(other, http, run_seed)
    async with traffic.flowing(sender_count=4):
        await wait_for_traffic(traffic, 20)
        leader.kill_now()
        await wait_for_traffic(traffic, 20)
    assert await leads(http, other)
    await traffic.check()


async def leads(http: aiohttp.ClientSession, hub: HubUnderTest) -> bool:
    """Tell whether a hub process says that it leads."""
    async with http.get(hub.address + "/health/ready") as response:
        return bool((await response.json())["leads"])


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(300)
async def test_a_killed_postgresql_server_costs_waiting_and_nothing_else(
    hubs: StartHub, http: aiohttp.ClientSession, run_seed: int
) -> None:
    """The hub answers "later" while its server is away, and goes on by itself when it is back."""
    server = PostgresUnderTest()
    try:
        register(server.url)
        hub = await hubs(server.url, **SETTINGS)
        traffic = Traffic(hub, http, run_seed)
        chosen = random.Random(run_seed)
        async with traffic.flowing(sender_count=16):
            for _ in range(3):
                await wait_for_traffic(traffic, 20)
                await asyncio.sleep(chosen.random() / 2)
                await asyncio.to_thread(server.kill)
                ready = hub.address + "/health/ready"
                async with http.get(ready) as response:
                    assert response.status == 503
                assert hub.returncode is None
                await asyncio.to_thread(server.start)
            await wait_for_traffic(traffic, 20)
        await traffic.check()
    finally:
        server.close()
