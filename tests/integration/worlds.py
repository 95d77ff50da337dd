"""What tests that share a hub need: ids and serials of their own, a world recorded once, views."""

import asyncio
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.integration.peers import (
    Body,
    Peer,
    Said,
    acceptance,
    approach,
    authorization,
    block,
    payload_of,
)

_NUMBERS = itertools.count(1)
_SERIALS = itertools.count(1_000_001, 100_000)


def fresh_id(code: str) -> str:
    """Return an id of a transfer or action that no test used before."""
    return f"{code}-{next(_NUMBERS)}"


def fresh_block(quantity: int, registry: str = "THA01", **changes: Any) -> Body:
    """Return a block of units that no test used before."""
    first = next(_SERIALS)
    return block(first, first + quantity - 1, registry, **changes)


def part_of(whole: Body, first: int, last: int, registry: str = "THA01", **changes: Any) -> Body:
    """Return units ``first`` to ``last`` of a block, counted from 1."""
    start = int(whole["first_id"].split("-")[3])
    return block(start + first - 1, start + last - 1, registry, **changes)


async def record_world(thailand: Peer) -> None:
    """Record CA0001 and its authorization at the peer's hub; again does no harm."""
    receipt = await thailand.say("XHB01", approach(), authorization())
    assert set(outcomes(receipt)) <= {"accepted", "duplicate-of"}, receipt


async def until(holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is watched is another process
            await asyncio.sleep(0.03)


def outcomes(receipt: Any) -> list[str]:
    """Return the outcome of each message of a receipt."""
    return [one["outcome"] for one in receipt["outcomes"]]


def codes(receipt: Any) -> list[int]:
    """Return the code of each message of a receipt."""
    return [one["code"] for one in receipt["outcomes"]]


async def mailbox(peer: Peer, after: int = 0) -> list[Body]:
    """Return every item of a peer's mailbox after one, not acknowledged."""
    items: list[Body] = []
    while (delivery := await peer.fetch(after)) is not None:
        items.extend(item for item in delivery["items"] if item["sequence"] > after)
        after = delivery["last_sequence"]
    return items


async def fetched(peer: Peer, after: int = 0, wait_seconds: int = 0, **more: Any) -> bytes | None:
    """Return the exact bytes of the delivery with the item after one, or None."""
    body = {"after_sequence": after, "wait_seconds": wait_seconds} | more
    receipt = await peer.say("XHB01", ("mailbox.fetch", body))
    text = receipt["outcomes"][0]["result"]["delivery"]
    return None if text is None else text.encode()


def acknowledgement(delivery: bytes) -> Said:
    """Return the message that acknowledges a delivery."""
    last = payload_of(delivery, "itmo-delivery+jws")["last_sequence"]
    digest = hashlib.sha256(delivery).hexdigest()
    return "delivery.acknowledgement", {"up_to_sequence": last, "delivery_sha256": digest}


def rejection(transfer_id: str, proposal_sha256: str) -> Said:
    """Return a rejection of a transfer."""
    return acceptance(
        transfer_id,
        proposal_sha256,
        decision="reject",
        reasons=[{"text": "The account is closed."}],
    )


async def last_sequence(peer: Peer) -> int:
    """Return the number of the newest item of a peer's mailbox."""
    items = await mailbox(peer)
    return int(items[-1]["sequence"]) if items else 0


def notices(items: list[Body], type_: str | None = None) -> list[Body]:
    """Return the notices of mailbox items, in order, perhaps only those of one type."""
    return [
        notice
        for item in items
        for notice in item.get("notices", ())
        if type_ in {None, notice["type"]}
    ]


def final_notices(items: list[Body]) -> dict[str, list[str]]:
    """Return the final states told of each transfer; a list with one state when all is well."""
    told: dict[str, list[str]] = {}
    for notice in notices(items):
        if notice["type"].startswith("transfer."):
            told.setdefault(notice["body"]["transfer_id"], []).append(notice["body"]["state"])
    return told


def tally(answers: list[Any]) -> Counter[Any]:
    """Count equal answers."""
    return Counter(answers)
