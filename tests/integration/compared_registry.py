"""A registry that is compared, over real HTTP: it pulls its deliveries and answers the hub.

Its book is in memory: what the ledger has of it when it is made, and what a test does to it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hub.services.reconciliation.runs.link_secrets import LinkSecrets
from hub.store.database import Database
from reconciliation.responder import Responder
from tests.hub.services.reconciliation.run_worlds import BookInMemory, ledger_of
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Peer, payload_of

POLL_SECONDS = 0.05


@dataclass
class ComparedRegistry:
    """One Party registry; ``answers`` tells whether it does."""

    peer: Peer
    hub: HubUnderTest
    secrets: LinkSecrets
    book: BookInMemory = field(default_factory=lambda: BookInMemory([]))
    answers: bool = True
    read_to: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)
    year: int = 0

    def copy_of_ledger(self) -> None:
        """Take over what the ledger has of this registry now."""
        database = Database(self.hub.database_url)
        self.book.held = ledger_of(database, self.peer.code)
        database.dispose()

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Pull and answer for a while, through restarts of the hub."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _work(self) -> None:
        while True:
            if self.answers:
                with contextlib.suppress(
                    aiohttp.ClientError, OSError, AssertionError, TimeoutError
                ):
                    self.peer.hub = self.hub.address
                    delivery = await self.peer.fetch(self.read_to)
                    if delivery is not None:
                        await self._take(delivery)
                        continue
            await asyncio.sleep(POLL_SECONDS)

    async def _take(self, delivery: Any) -> None:
        for item in delivery["items"]:
            self.book.applied_to = item["log_index"]
            for notice in item.get("notices") or []:
                await self._notice(notice["type"], notice["body"])
            self.read_to = item["sequence"]

    async def _notice(self, type_: str, body: dict[str, Any]) -> None:
        if type_ == "reconciliation.result":
            self.results.append(body)
        elif type_.startswith("reconciliation."):
            if type_ == "reconciliation.cut":
                self.cuts.append(body["session"])
                self.year = int(body["key_id"][-4:])
            key = self.secrets.key(self.peer.code, self.year)
            answer = Responder(key.secret, key.key_id, self.book).answer(type_, body)
            raw = self.peer.envelope("XHB01", answer)
            receipt = payload_of(await self._posted(raw), "itmo-receipt+jws")
            # After a restart of the registry's reading it may answer again what it has answered.
            assert receipt["outcomes"][0]["outcome"] in ("accepted", "duplicate-of"), receipt

    async def _posted(self, raw: bytes) -> bytes:
        for _ in range(600):
            self.peer.hub = self.hub.address
            try:
                status, body = await self.peer.post(raw)
            except (aiohttp.ClientError, OSError):
                status = 0
            if status == 200:
                return body
            await asyncio.sleep(POLL_SECONDS)
        raise TimeoutError("no receipt")
