"""An authorized quantity is a wall, also for many proposals at once through several hubs."""

import asyncio
import re
from typing import Any

import aiohttp
import pytest

from hub.store import reference
from hub.store.database import Database
from tests.integration.conftest import StartHub
from tests.integration.hub_process import register
from tests.integration.peers import (
    Peer,
    authorization,
    payload_of,
    proposal,
)
from tests.integration.worlds import (
    codes,
    fresh_block,
    fresh_id,
    outcomes,
    record_world,
    rejection,
)

CAP = 10
NUMBERS = re.compile(
    r"is for (\d+) units: (\d+) are first transferred, (\d+) in flight, (\d+) left\."
    r" This message would add (\d+)"
)


@pytest.mark.postgres
async def test_no_crowd_of_proposals_exceeds_the_authorized_quantity(
    hubs: StartHub, http: aiohttp.ClientSession, postgres_database_url: str
) -> None:
    """With room for 10, of 200 proposals of 1 and 100 of 9 at two hubs exactly 10 units pass.

    Every refusal states the true numbers of its moment, and released room is used again.
    """
    register(postgres_database_url)
    two = [await hubs(postgres_database_url), await hubs(postgres_database_url)]
    thailand = Peer("THA01", two[0].address, http)
    switzerland = Peer("CHE01", two[1].address, http)
    await record_world(thailand)
    await thailand.say("XHB01", authorization(authorization_id="TH-CAP", quantity_max=CAP))

    quantities = [1 if turn % 3 else 9 for turn in range(300)]
    envelopes = [_offer(thailand, quantity) for quantity in quantities]
    answers = await asyncio.gather(
        *(thailand.post(raw, two[turn % 2].address) for turn, raw in enumerate(envelopes))
    )
    assert {status for status, _ in answers} == {200}
    receipts = [payload_of(body, "itmo-receipt+jws") for _, body in answers]
    taken = [
        (quantity, receipt)
        for quantity, receipt in zip(quantities, receipts, strict=True)
        if outcomes(receipt) == ["accepted"]
    ]
    assert sum(quantity for quantity, _ in taken) == CAP
    for quantity, receipt in zip(quantities, receipts, strict=True):
        if outcomes(receipt) != ["accepted"]:
            _check_numbers(receipt, quantity)
    assert _usage(postgres_database_url) == (0, CAP)

    # What is rejected gives its room back, to the unit; what is accepted keeps it.
    given_back, told = taken[0]
    transfer_id = told["outcomes"][0]["result"]["transfer_id"]
    answered = await switzerland.say("THA01", rejection(transfer_id, told["envelope_sha256"]))
    assert outcomes(answered) == ["accepted"]
    assert _usage(postgres_database_url) == (0, CAP - given_back)
    for turn in range(given_back + 1):
        status, body = await thailand.post(_offer(thailand, 1))
        assert status == 200
        passes = turn < given_back
        assert codes(payload_of(body, "itmo-receipt+jws")) == [0 if passes else 6016]
    two[0].prove()


def _offer(peer: Peer, quantity: int) -> bytes:
    """Return a proposal of fresh units under the capped authorization."""
    units = fresh_block(quantity, authorization_id="TH-CAP")
    return peer.envelope("CHE01", proposal(fresh_id("THA01"), units))


def _check_numbers(receipt: Any, quantity: int) -> None:
    """The finding's numbers add up to the cap, and justify the refusal."""
    (finding,) = receipt["outcomes"][0]["findings"]
    assert finding["rule"] == 6016
    found = NUMBERS.search(finding["hub_view"] if "hub_view" in finding else finding["text"])
    assert found is not None, finding
    cap, first_transferred, reserved, left, added = map(int, found.groups())
    assert (cap, added) == (CAP, quantity)
    assert first_transferred + reserved + left == CAP
    assert added > left


def _usage(url: str) -> tuple[int, int]:
    """Return what is first transferred and in flight under the capped authorization."""
    database = Database(url)
    with database.reading() as connection:
        usage = reference.usages(connection, {("THA", "TH-CAP")})["THA", "TH-CAP"]
    database.dispose()
    return usage.first_transferred, usage.reserved
