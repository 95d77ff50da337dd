"""Registries at work while things break: many senders, one pushed acquirer, and their books.

1. Senders of THA01 propose, each post repeated with the same bytes until there is a receipt.
2. CHE01 gets its deliveries pushed; it acknowledges each, and accepts most proposals. Some it
   leaves to expire, some it rejects.
3. ``settle`` waits until nothing is in flight any more, without a human.
4. ``check`` compares: every receipt is still the stored one, each transfer ended once and alike at
   both ends, deliveries repeated with the same bytes and no gap, units where the books say.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import func, select

from hub.services.administration.deeds import Act
from hub.services.administration.participants import set_binding, set_delivery
from hub.store.database import Database
from hub.store.tables import transfer, unit_block
from message_schemas import timestamps
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Peer, acceptance, now, payload_of, proposal
from tests.integration.worlds import (
    acknowledgement,
    codes,
    final_notices,
    fresh_block,
    fresh_id,
    mailbox,
    outcomes,
    record_world,
    rejection,
    until,
)

RESPOND_SECONDS = 4.0
TRIES = 900


class Traffic:
    """Senders of THA01 towards the pushed registry CHE01, at one hub."""

    def __init__(self, hub: HubUnderTest, http: Any, seed: int, *, in_xml: bool = False) -> None:
        self.hub = hub
        self.thailand = Peer("THA01", hub.address, http)
        self.switzerland = Peer("CHE01", hub.address, http)
        if in_xml:  # the acquirer writes JSON and reads XML: every delivery is translated
            self.thailand = self.thailand.in_xml
            act = Act("tests", "reads XML", now())
            hub.administration().do(set_binding("CHE01", "xml"), act)
        self.random = random.Random(seed)
        self.receipts: dict[bytes, bytes] = {}
        self.proposed: dict[str, int] = {}
        self.deliveries: dict[int, bytes] = {}
        self.items: dict[int, Any] = {}
        self.repeated_count = 0
        self.faults: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @asynccontextmanager
    async def flowing(self, sender_count: int) -> AsyncIterator[None]:
        """Let ``sender_count`` senders propose until the block ends; then all has settled."""
        await record_world(self.thailand)
        application = web.Application(client_max_size=16 << 20)
        application.router.add_post("/deliveries", self._take_delivery)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/deliveries"
        act = Act("tests", "wants pushes", now())
        self.hub.administration().do(set_delivery("CHE01", "push", endpoint), act)
        senders = [asyncio.create_task(self._send()) for _ in range(sender_count)]
        try:
            yield
            self._stopping = True
            await asyncio.gather(*senders)
            await self._settle()
        finally:
            for task in (*senders, *self._tasks):
                task.cancel()
            await runner.cleanup()

    async def _send(self) -> None:
        while not self._stopping:
            quantity = self.random.randint(1, 50)
            name = fresh_id("THA01")
            respond_by = timestamps.render(now() + timedelta(seconds=RESPOND_SECONDS))
            said = proposal(name, fresh_block(quantity), respond_by=respond_by)
            receipt = await self._post(self.thailand, self.thailand.envelope("CHE01", said))
            if outcomes(receipt) == ["accepted"]:
                self.proposed[name] = quantity
            elif codes(receipt) != [4007]:  # its time was over before the hub was back
                self.faults.append(f"{name}: {receipt['outcomes']}")
            await asyncio.sleep(self.random.random() * 0.1)

    async def _post(self, peer: Peer, raw: bytes) -> Any:
        body = await peer.post_until_answered(raw, TRIES)
        if self.receipts.setdefault(raw, body) != body:
            self.faults.append("a second receipt differs from the first")
        return payload_of(body, "itmo-receipt+jws")

    async def _take_delivery(self, request: web.Request) -> web.Response:
        """Keep a delivery, acknowledge it, and answer what it brings for the first time."""
        raw = await request.read()
        delivery = payload_of(raw, "itmo-delivery+jws")
        first = delivery["first_sequence"]
        if first in self.deliveries:
            self.repeated_count += 1
        if self.deliveries.setdefault(first, raw) != raw:
            self.faults.append(f"the delivery from item {first} came with other bytes")
        for item in delivery["items"]:
            if item["sequence"] not in self.items:
                self.items[item["sequence"]] = item
                self._answer_later(item)
        return web.Response(
            body=self.switzerland.envelope("XHB01", acknowledgement(raw)),
            content_type="application/jose+json",
        )

    def _answer_later(self, item: Any) -> None:
        if "envelope" in item:
            task = asyncio.create_task(self._answer(item["envelope"].encode()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, envelope: bytes) -> None:
        """Accept most proposals, reject some, let some expire."""
        (message,) = payload_of(envelope, "itmo-envelope+jws")["messages"]
        name, digest = message["body"]["transfer_id"], hashlib.sha256(envelope).hexdigest()
        choice = self.random.random()
        if choice < 0.15:
            return
        said = rejection(name, digest) if choice < 0.3 else acceptance(name, digest)
        raw = self.switzerland.envelope("THA01", said)
        receipt = await self._post(self.switzerland, raw)
        if codes(receipt) not in ([0], [4006]):
            self.faults.append(f"answer to {name}: {receipt['outcomes']}")

    async def _settle(self) -> None:
        """Wait until nothing is in flight: no transfer, no reservation, no delivery."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await until(lambda: not self._in_flight() and not self._undelivered(), 60)

    def _in_flight(self) -> int:
        database = Database(self.hub.database_url)
        with database.reading() as connection:
            open_count = connection.execute(
                select(func.count()).where(transfer.c.state == "proposed")
            ).scalar_one()
            reserved_count = connection.execute(
                select(func.count()).where(unit_block.c.reserved_by.is_not(None))
            ).scalar_one()
        database.dispose()
        return int(open_count + reserved_count)

    def _undelivered(self) -> set[str]:
        """Return the transfers whose end CHE01 was not told yet."""
        told = final_notices([self.items[at] for at in sorted(self.items)])
        return self.proposed.keys() - told.keys()

    async def check(self) -> None:
        """Compare everyone's view: receipts, both ends' books, deliveries, the ledger."""
        assert self.faults == []
        assert self.proposed, "nothing was proposed"
        for raw, receipt in self.receipts.items():
            status, again = await self.thailand.post(raw)
            assert (status, again) == (200, receipt)
        assert sorted(self.items) == list(range(1, len(self.items) + 1))
        at_acquirer = final_notices([self.items[at] for at in sorted(self.items)])
        at_initiator = final_notices(await mailbox(self.thailand))
        assert at_acquirer == at_initiator
        assert self.proposed.keys() == at_initiator.keys()
        assert all(len(states) == 1 for states in at_initiator.values())
        completed = sum(
            quantity
            for name, quantity in self.proposed.items()
            if at_initiator[name] == ["completed"]
        )
        assert self._held() == ({"CHE01": completed} if completed else {})
        self.hub.prove()

    def _held(self) -> dict[str, int]:
        """Return the quantity that the ledger has at each registry."""
        database = Database(self.hub.database_url)
        with database.reading() as connection:
            rows = connection.execute(
                select(
                    unit_block.c.registry,
                    func.sum(unit_block.c.last_serial - unit_block.c.first_serial + 1),
                ).group_by(unit_block.c.registry)
            )
            held = {row[0]: int(row[1]) for row in rows}
        database.dispose()
        return held


async def keep_alive(hub: HubUnderTest, crash_points: list[str]) -> None:
    """Start a hub again whenever it died, to die next at the next of the crash points.

    Returns when it has died at each and runs without one.
    """
    for place in [*crash_points, None]:
        if place is None:
            hub.environment.pop("ITMO_CRASH_AT", None)
        else:
            hub.environment["ITMO_CRASH_AT"] = place
        hub.kill_now()
        await hub.start()
        if place is not None:
            assert await hub.dead(60) == 137, place
            await asyncio.to_thread(hub.prove)


async def wait_for_traffic(traffic: Traffic, transfer_count: int) -> None:
    """Wait until so many more transfers were proposed."""
    target = len(traffic.proposed) + transfer_count
    await until(lambda: len(traffic.proposed) >= target)
