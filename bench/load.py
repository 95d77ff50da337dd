"""The load generator: pre-signed envelopes, many senders at once, endpoints that acknowledge.

Everything that can be signed before the clock starts is: an acceptance quotes the digest of the
proposal's envelope, which is known as soon as that envelope is made.
"""

import asyncio
import base64
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from uuid_utils import uuid7

from bench.world import ACQUIRERS, INITIATORS
from hub.protocol.envelopes import digest
from hub.protocol.signed_objects import Binding, SigningKeys
from message_schemas import timestamps
from tests.integration.peers import (
    Peer,
    acceptance,
    approach,
    authorization,
    block,
    now,
    proposal,
    seeded_signer,
    seeded_xml_signer,
)

UNITS = 100
_LAST = re.compile(rb'"last_sequence":(\d+)')
_COMPLETED = b'"type":"transfer.completed"'


@dataclass(slots=True)
class Exchange:
    """One proposal envelope and the acceptance that follows it."""

    proposal: bytes
    acceptance: bytes
    transfers: int


@dataclass(slots=True)
class Endpoints:
    """Where the hub pushes: acknowledges each delivery and counts completed notices."""

    completed: dict[str, int] = field(default_factory=dict)
    address: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_post("/{code}", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        code = request.match_info["code"]
        raw = await request.read()
        text = json.loads(raw)["payload"]
        payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        last = _LAST.search(payload)
        assert last is not None
        self.completed[code] = self.completed.get(code, 0) + payload.count(_COMPLETED)
        self.news.set()
        answer = signed(
            code,
            "XHB01",
            (
                "delivery.acknowledgement",
                {"up_to_sequence": int(last[1]), "delivery_sha256": digest(raw)},
            ),
        )
        return web.Response(body=answer)

    async def until_completed(self, count: int) -> None:
        """Wait until initiators and acquirers have been told of ``count`` completed transfers."""
        while sum(self.completed.values()) < 2 * count:
            self.news.clear()
            await self.news.wait()


_SIGNERS = {code: seeded_signer(code) for code in (*INITIATORS, *ACQUIRERS)}
_ES256_SIGNERS = {code: seeded_xml_signer(code) for code in (*INITIATORS, *ACQUIRERS)}


def signed(
    sender: str,
    recipient: str,
    *said: tuple[str, dict[str, Any]],
    es256_in: Binding | None = None,
) -> bytes:
    """Return one signed envelope: JSON with Ed25519, or with ES256 in the binding asked for."""
    payload = {
        "protocol": "itmo-exchange/1",
        "envelope_id": str(uuid7()),
        "sender": sender,
        "recipient": recipient,
        "sent_at": timestamps.render(now()),
        "messages": [
            {"message_id": str(uuid7()), "type": type_, "version": 1, "body": body}
            for type_, body in said
        ],
    }
    signer = _SIGNERS[sender] if es256_in is None else _ES256_SIGNERS[sender]
    return SigningKeys.of([signer]).seal("envelope", payload, es256_in or Binding.JSON)


def exchanges(count: int, per_envelope: int, start: int) -> list[Exchange]:
    """Return the pre-signed exchanges of ``count`` transfers, numbered from ``start``."""
    made: list[Exchange] = []
    for number in range(0, count, per_envelope):
        lane = (number // per_envelope) % len(INITIATORS)
        sender, recipient = INITIATORS[lane], ACQUIRERS[lane]
        ids = [start + number + offset for offset in range(per_envelope)]
        raw = signed(
            sender,
            recipient,
            *(
                proposal(
                    f"{sender}-{one}",
                    block(one * UNITS + 1, (one + 1) * UNITS, sender, authorization_id="A-1"),
                )
                for one in ids
            ),
        )
        answer = signed(
            recipient, sender, *(acceptance(f"{sender}-{one}", digest(raw)) for one in ids)
        )
        made.append(Exchange(raw, answer, per_envelope))
    return made


async def prepare(hub: str, http: aiohttp.ClientSession) -> None:
    """Record the cooperative approach and an authorization for each initiator."""
    parties = tuple(sorted(code[:3] for code in (*INITIATORS, *ACQUIRERS)))
    first = Peer(INITIATORS[0], hub, http, [_SIGNERS[INITIATORS[0]]])
    await first.say("XHB01", approach(parties=parties))
    for code in INITIATORS:
        peer = Peer(code, hub, http, [_SIGNERS[code]])
        await peer.say("XHB01", authorization(code[:3], "A-1", quantity_max=None))


async def post(hub: str, http: aiohttp.ClientSession, raw: bytes, messages: int) -> int:
    """Post an envelope, every message of which must be accepted; return its log index."""
    async with http.post(
        hub + "/v1/envelopes", data=raw, headers={"Content-Type": "application/jose+json"}
    ) as response:
        body = await response.read()
    text = json.loads(body)["payload"] if response.status == 200 else ""
    payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    accepted = payload.count(b'"outcome":"accepted"')
    assert accepted == messages, (response.status, body[:300], payload[:1500])
    index: int = json.loads(payload)["log_index"]
    return index


async def complete(
    hub: str, http: aiohttp.ClientSession, work: Sequence[Exchange], senders: int
) -> float:
    """Run all exchanges, ``senders`` at once; return the wall seconds until the last receipt."""
    waiting = list(reversed(work))

    async def sender() -> None:
        while waiting:
            exchange = waiting.pop()
            await post(hub, http, exchange.proposal, exchange.transfers)
            await post(hub, http, exchange.acceptance, exchange.transfers)

    started = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(senders)))
    return time.perf_counter() - started
