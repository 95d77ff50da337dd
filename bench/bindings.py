"""XML against JSON at the door: what a message costs the hub, beside the floor of signxml.

One hub process takes the same proposals in turns: JSON signed with Ed25519, JSON signed with ES256,
and XML (ES256). Its CPU is all it takes to verify, read, decide, record and answer; deliveries are
not fetched. The floor is what signxml alone takes to verify such an envelope and to sign such a
receipt, measured in this process on the same machine, in the same run.
"""

import asyncio
from typing import Any

import aiohttp

from bench import load
from bench.report import Report
from bench.world import ACQUIRERS, INITIATORS, World, postgres, running
from bench.xml_floor import signxml_milliseconds
from hub.protocol.signed_objects import MEDIA_TYPES, Binding, ObjectKind, binding_of, open_object
from message_schemas import xml_codec
from tests.integration.peers import block, proposal

SENDERS = 16
ROUNDS = 3
COUNTS = {1: 600, 20: 2_000, 100: 4_000, 500: 8_000}
WAYS: dict[str, Binding | None] = {
    "JSON, Ed25519": None,
    "JSON, ES256": Binding.JSON,
    "XML, ES256": Binding.XML,
}


class Numbers:
    """Transfer ids and serials that were not used before in this run."""

    def __init__(self) -> None:
        self._next = 1

    def envelope(self, per_envelope: int, way: Binding | None) -> bytes:
        """Return one signed envelope of proposals."""
        lane = (self._next // per_envelope) % len(INITIATORS)
        sender, recipient = INITIATORS[lane], ACQUIRERS[lane]
        said = []
        for _ in range(per_envelope):
            first = self._next * load.UNITS + 1
            blocks = block(first, first + load.UNITS - 1, sender, authorization_id="A-1")
            said.append(proposal(f"{sender}-{self._next}", blocks))
            self._next += 1
        return load.signed(sender, recipient, *said, es256_in=way)


async def run(report: Report) -> None:
    """Measure on PostgreSQL, in turns, and take the best of the rounds of each way."""
    numbers = Numbers()
    rows = []
    with postgres() as server:
        async with (
            running("postgresql", server, None, speaks_xml=True) as world,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=SENDERS)) as http,
        ):
            await load.prepare(world.hub.address, http)
            for per_envelope, count in COUNTS.items():
                report.progress(f"{count} messages, {per_envelope} in an envelope, three ways")
                rows.append(await measure(world, http, numbers, per_envelope, count))
    report.table(
        "hub CPU a message by binding, in milliseconds (PostgreSQL)",
        rows,
        "signxml: verify an envelope and sign a receipt of the same sizes, nothing else",
    )


async def measure(
    world: World, http: aiohttp.ClientSession, numbers: Numbers, per_envelope: int, count: int
) -> dict[str, Any]:
    """Return one row: CPU a message for each way, the ratio, and the floor."""
    best: dict[str, float] = {}
    sample = b""
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            work = [numbers.envelope(per_envelope, way) for _ in range(count // per_envelope)]
            sample = work[0]
            spent = await _hub_seconds(world, http, work, per_envelope)
            each = spent / count * 1_000
            best[name] = min(best.get(name, each), each)
    receipt = await _receipt_of(world, http, numbers.envelope(per_envelope, Binding.XML))
    verify = signxml_milliseconds(_unsigned(sample, "envelope"))[1]
    sign = signxml_milliseconds(_unsigned(receipt, "receipt"))[0]
    floor = (verify + sign) / per_envelope
    return {
        "messages/envelope": per_envelope,
        "messages": count,
        **best,
        "XML / JSON, ES256": best["XML, ES256"] / best["JSON, ES256"],
        "signxml alone": floor,
        "XML / signxml": best["XML, ES256"] / floor,
    }


async def _hub_seconds(
    world: World, http: aiohttp.ClientSession, work: list[bytes], per_envelope: int
) -> float:
    """Post everything; return the CPU seconds that the hub spent on it."""
    before = world.cpu_seconds()[0]

    async def sender() -> None:
        while work:
            await _post(world, http, work.pop(), per_envelope)

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return world.cpu_seconds()[0] - before


async def _post(world: World, http: aiohttp.ClientSession, raw: bytes, messages: int) -> bytes:
    headers = {"Content-Type": MEDIA_TYPES[binding_of(raw)]}
    async with http.post(
        world.hub.address + "/v1/envelopes", data=raw, headers=headers
    ) as response:
        body = await response.read()
    assert response.status == 200, body[:500]
    outcomes = open_object(body, "receipt").read().document["outcomes"]
    assert [one["outcome"] for one in outcomes] == ["accepted"] * messages, outcomes[:2]
    return body


async def _receipt_of(world: World, http: aiohttp.ClientSession, raw: bytes) -> bytes:
    return await _post(world, http, raw, raw.count(b"</message>"))


def _unsigned(raw: bytes, kind: ObjectKind) -> bytes:
    """Return the canonical bytes of a signed XML object without its signature."""
    return xml_codec.encode_document(kind, open_object(raw, kind).read().document)
