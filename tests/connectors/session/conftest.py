"""A hub, a peer with its own file, and ways to wait for what must come."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.session.alarms import Alarm, list_alarms
from connectors.session.database import Database
from connectors.session.handler import RegistryHandler
from connectors.session.log.witness import WitnessKey
from connectors.session.session import Session, open_database
from connectors.session.settings import SessionSettings
from tests.connectors.fake_hub import FakeHub
from tests.connectors.session.ledger_handler import LEDGER_METADATA
from tests.connectors.worlds import Clock, make_signer

WAIT_SECONDS_MAX = 10.0
PARTICIPANTS = ("THA01", "CHE01", "GHA01")


async def until(condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; fail the test if it never does."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS_MAX
    while True:
        result = condition()
        if isinstance(result, Awaitable):
            result = await result
        if result:
            return
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(0.005)


class World:
    """One hub, and the peers that a test starts."""

    def __init__(self, hub: FakeHub, folder: Path, stack: AsyncExitStack, seed: int) -> None:
        self.hub = hub
        self.folder = folder
        self.stack = stack
        self.random = random.Random(seed)

    def database(self, participant: str) -> Database:
        """Open the file of a participant; closed at the end of the test."""
        database = open_database(self.folder / f"{participant}.sqlite", LEDGER_METADATA)
        self.stack.callback(database.close)
        return database

    async def peer(
        self,
        participant: str = "THA01",
        *,
        handler: RegistryHandler | None = None,
        witness_keys: Sequence[WitnessKey] = (),
        **settings: Any,
    ) -> Session:
        """Start a peer that retries fast; stopped at the end of the test."""
        chosen = {
            "delivery_mode": "none",
            "retry_delay_seconds_min": 0.02,
            "retry_delay_seconds_max": 0.1,
            "participants_refresh_seconds_min": 0.0,
            "fetch_wait_seconds": 1,
            "request_seconds_max": 2.0,
            "binding": self.hub.binding(participant),
            **settings,
        }
        session = Session(
            SessionSettings(participant=participant, hub_url=self.hub.url, **chosen),
            self.database(participant),
            [make_signer(participant, self.hub.label(participant))],
            self.hub.anchor,
            handler,
            clock=self.hub.clock,
            random_source=self.random,
            witness_keys=witness_keys,
        )
        return await self.stack.enter_async_context(session)


async def alarms_of(session: Session) -> list[Alarm]:
    """Return the open alarms of a session, the newest first."""
    return await session.database.read(
        lambda connection: list_alarms(connection, open_only=True, limit=100)
    )


in_each_binding = pytest.mark.parametrize(
    "world",
    [(), PARTICIPANTS, ("CHE01",), ("THA01",)],
    ids=["json", "xml", "json-to-xml", "xml-to-json"],
    indirect=True,
)
"""Runs a test of THA01 sending to CHE01 with everybody in JSON, in XML, and one in each."""
in_xml = pytest.mark.parametrize("world", [PARTICIPANTS], ids=["xml"], indirect=True)


@pytest.fixture
async def world(
    tmp_path: Path, run_seed: int, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    """A hub that knows THA01, CHE01 and GHA01, and no peers yet; its parameter speaks XML."""
    xml = getattr(request, "param", ())
    async with (
        FakeHub(*PARTICIPANTS, clock=Clock(), xml=xml) as hub,
        AsyncExitStack() as stack,
    ):
        yield World(hub, tmp_path, stack, run_seed)
