"""The mechanism registry's messages: issuances, and units credited to accounts at once."""

from typing import Any

import pytest

from hub.international_registry.accounts import Account, AccountStatus
from hub.protocol.response_codes import ResponseCode
from hub.services.administration.accounts import open_account
from hub.store import reference
from tests.hub.world import HUB, World, accepted, act, codes_of, notices_to
from tests.integration.peers import Said, approach, authorization, block

ISSUANCE: Said = (
    "a64.issuance_notice",
    {
        "issuance_id": "XMR01-6",
        "activity_id": "A64-TH-0001",
        "host_party": "THA",
        "cooperative_approach": "CA0001",
        "vintage": 2022,
        "issued_quantity": 1000,
        "authorized_quantity": 1000,
        "sop_quantity": 50,
        "sop_exempt": False,
        "omge_quantity": 20,
        "issued_at": "2026-02-26T12:00:00.000Z",
    },
)


def push(number: int, kind: str, account: str, first: int, last: int) -> Said:
    """Return a push of first-transferred units of the issuance."""
    units = block(first, last) | {
        "first_id": f"CA0001-XMR01-THA-{first}-2022",
        "last_id": f"CA0001-XMR01-THA-{last}-2022",
    }
    body: dict[str, Any] = {
        "first_transfer_id": f"XMR01-{number}",
        "kind": kind,
        "issuance_id": "XMR01-6",
        "activity_id": "A64-TH-0001",
        "cooperative_approach": "CA0001",
        "acquiring_account": account,
        "authorization_status": "authorized",
        "quantity": last - first + 1,
        "blocks": [units],
    }
    return "a64.first_transfer", body


@pytest.fixture
def mechanism_world(world: World) -> World:
    """Return a world with accounts of Switzerland, the Adaptation Fund and for OMGE."""
    accepted(world.say("THA01", HUB, approach(), authorization()))
    for account_id, kind, party in (
        ("CHE-1", 100, "CHE"),
        ("AF-1", 100, "XAF"),
        ("OMGE-1", 300, "XIR"),
    ):
        account = Account(account_id, "XIR01", kind, party, None, None, "GHG", AccountStatus.OPEN)
        world.administration.do(open_account(account), act())
    accepted(world.say("XMR01", HUB, ISSUANCE))
    return world


def progress(world: World) -> tuple[int, int, int]:
    """Return (share of proceeds, OMGE, forwarded) of the issuance."""
    with world.database.reading() as connection:
        row = reference.issuances(connection, ["XMR01-6"])["XMR01-6"]
    return row.sop_done, row.omge_done, row.forwarded


def test_a_push_credits_its_account_and_tells_both_parties(mechanism_world: World) -> None:
    """Shares first, then the rest; each counted against its issuance."""
    world = mechanism_world
    for said in (
        push(31, "sop_adaptation", "AF-1", 1, 50),
        push(32, "omge", "OMGE-1", 51, 70),
        push(33, "forwarding", "CHE-1", 71, 170),
    ):
        accepted(world.say("XMR01", HUB, said))
    assert progress(world) == (50, 20, 100)
    assert [one[2:] for one in world.blocks()] == [
        ("XIR01", "itmo"),
        ("XIR01", "cancelled"),
        ("XIR01", "itmo"),
    ]
    (credited,) = [b for t, b in notices_to(world, "CHE01") if t == "account.credited"]
    assert (credited["account"], credited["quantity"]) == ("CHE-1", 100)
    events = [b["event"] for t, b in notices_to(world, "THA01") if t == "first_transfer.notice"]
    assert events == ["adaptation_fund", "omge", "international_transfer"]
    world.prove()


def test_a_push_said_again_credits_nothing_twice(mechanism_world: World) -> None:
    """A feed that goes on where it broke off repeats itself without harm."""
    said = push(31, "sop_adaptation", "AF-1", 1, 50)
    first = accepted(mechanism_world.say("XMR01", HUB, said))["outcomes"][0]
    (again,) = mechanism_world.say("XMR01", HUB, said)["outcomes"]
    assert (again["outcome"], again["result"]) == ("duplicate-of", first["result"])
    (notice,) = mechanism_world.say("XMR01", HUB, ISSUANCE)["outcomes"]
    assert notice["outcome"] == "duplicate-of"
    assert progress(mechanism_world) == (50, 0, 0)
    mechanism_world.prove()


def test_nobody_else_speaks_for_the_mechanism_registry(mechanism_world: World) -> None:
    """A Party registry may neither announce nor push."""
    for said in (ISSUANCE, push(31, "sop_adaptation", "AF-1", 1, 50)):
        refused = mechanism_world.say("CHE01", HUB, said)
        assert codes_of(refused) == [ResponseCode.SENDER_ROLE_NOT_ALLOWED]
    assert mechanism_world.blocks() == []
    accepted(mechanism_world.say("XMR01", HUB, push(31, "sop_adaptation", "AF-1", 1, 50)))
    for said in (ISSUANCE, push(31, "sop_adaptation", "AF-1", 1, 50)):
        (outcome,) = mechanism_world.say("CHE01", HUB, said)["outcomes"]
        assert (outcome["outcome"], outcome.get("result")) == ("refused", None)
