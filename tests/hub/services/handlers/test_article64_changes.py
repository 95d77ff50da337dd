"""Later authorizations, and what ends in the mechanism registry, on a real database."""

from typing import Any

import pytest

from hub.protocol.response_codes import ResponseCode
from hub.store import reference
from tests.hub.services.handlers.test_article64 import ISSUANCE, mechanism_world, push
from tests.hub.world import HUB, World, accepted, codes_of, notices_to
from tests.integration.peers import Said, block

__all__ = ["mechanism_world"]


def units(first: int, last: int) -> dict[str, Any]:
    """Return a block of the issuance's units."""
    return block(first, last) | {
        "first_id": f"CA0001-XMR01-THA-{first}-2022",
        "last_id": f"CA0001-XMR01-THA-{last}-2022",
    }


def named(share: dict[str, Any]) -> dict[str, Any]:
    """Return a block's range."""
    return {name: share[name] for name in ("first_id", "last_id")}


def half_issued(world: World) -> None:
    """Notice a second issuance, half of it contribution units, and push its authorized shares."""
    body = ISSUANCE[1] | {"issuance_id": "XMR01-7", "authorized_quantity": 500}
    accepted(world.say("XMR01", HUB, (ISSUANCE[0], body)))
    for number, kind, account, first, last in (
        (41, "sop_adaptation", "AF-1", 2001, 2025),
        (42, "omge", "OMGE-1", 2026, 2035),
        (43, "forwarding", "CHE-1", 2036, 2500),
    ):
        type_, pushed = push(number, kind, account, first, last)
        accepted(world.say("XMR01", HUB, (type_, pushed | {"issuance_id": "XMR01-7"})))


def change(number: int = 1, *, held: tuple[int, int] = (2536, 3000), **changes: Any) -> Said:
    """Return the later authorization of all contribution units of the second issuance."""
    sop, omge = units(2501, 2525), units(2526, 2535)
    body: dict[str, Any] = {
        "change_id": f"XMR01-{number}",
        "issuance_id": "XMR01-7",
        "activity_id": "A64-TH-0001",
        "cooperative_approach": "CA0001",
        "changed_at": "2026-06-01T09:00:00.000Z",
        "quantity": 35 + held[1] - held[0] + 1,
        "blocks": [units(*held), sop, omge],
        "shares": [
            {"kind": kind, "account": account, "ranges": [named(share)]}
            for kind, account, share in (
                ("sop_adaptation", "AF-1", sop),
                ("omge", "OMGE-1", omge),
            )
        ],
    }
    return "a64.authorization_change", body | changes


def test_no_unit_is_authorized_later_twice(mechanism_world: World) -> None:
    """Or the second time would let as many units leave that nobody authorized."""
    world = mechanism_world
    half_issued(world)
    accepted(world.say("XMR01", HUB, change(held=(2536, 2635))))
    for held in ((2536, 2540), (2630, 2640), (2600, 2600)):
        again = world.say("XMR01", HUB, held_only(2, *held))
        assert codes_of(again) == [ResponseCode.SHARE_EXCEEDS_ISSUANCE]
        (finding,) = again["outcomes"][0]["findings"]
        assert "by XMR01-1 already" in finding["text"]
    accepted(world.say("XMR01", HUB, held_only(3, 2636, 2640)))


def test_no_unit_is_authorized_later_twice_in_one_envelope(mechanism_world: World) -> None:
    """What an earlier message of the same batch authorized counts at once."""
    world = mechanism_world
    half_issued(world)
    said = world.say("XMR01", HUB, change(held=(2536, 2635)), held_only(2, 2600, 2700))
    assert [one["outcome"] for one in said["outcomes"]] == ["accepted", "refused"]


def held_only(number: int, first: int, last: int) -> Said:
    """Return a later authorization of units that participants hold, the shares being adjusted."""
    type_, body = change(number, quantity=last - first + 1, blocks=[units(first, last)])
    del body["shares"]
    return type_, body


def test_a_later_authorization_raises_what_may_leave_and_adjusts_the_shares(
    mechanism_world: World,
) -> None:
    """The shares' units enter the ledger first transferred; the others may now be pushed."""
    world = mechanism_world
    half_issued(world)
    type_, early = push(44, "forwarding", "CHE-1", 2536, 3000)
    refused = world.say("XMR01", HUB, (type_, early | {"issuance_id": "XMR01-7"}))
    assert codes_of(refused) == [ResponseCode.SHARE_EXCEEDS_ISSUANCE]
    (outcome,) = accepted(world.say("XMR01", HUB, change()))["outcomes"]
    assert outcome["result"]["authorized_quantity"] == 1000
    with world.database.reading() as connection:
        row = reference.issuances(connection, ["XMR01-7"])["XMR01-7"]
    assert (row.sop_done, row.omge_done, row.authorized_later) == (50, 20, 500)
    assert (row.sop_later, row.omge_later) == (25, 10)
    ledger = {(first, last): status for first, last, _, status in world.blocks()}
    assert ledger[2501, 2525] == "itmo"
    assert ledger[2526, 2535] == "cancelled"
    accepted(world.say("XMR01", HUB, (type_, early | {"issuance_id": "XMR01-7"})))
    events = [b for t, b in notices_to(world, "THA01") if t == "first_transfer.notice"]
    told = [(one["event"], one["quantity"]) for one in events if one["reference"] == "XMR01-1"]
    assert told == [("adaptation_fund", 25), ("omge", 10)]
    world.prove()


def test_a_later_authorization_said_again_changes_nothing_and_another_is_refused(
    mechanism_world: World,
) -> None:
    """One id, one change: a repetition is answered as before, a conflict names the field."""
    world = mechanism_world
    half_issued(world)
    first = accepted(world.say("XMR01", HUB, change()))["outcomes"][0]
    (again,) = world.say("XMR01", HUB, change())["outcomes"]
    assert (again["outcome"], again["result"]) == ("duplicate-of", first["result"])
    other = change(changed_at="2026-06-02T09:00:00.000Z")
    (outcome,) = world.say("XMR01", HUB, other)["outcomes"]
    assert outcome["code"] == ResponseCode.RECORD_EXISTS_WITH_DIFFERENT_FIELD
    assert outcome["findings"][0]["path"] == "/changed_at"
    (twice,) = world.say("XMR01", HUB, change(2, held=(3001, 3465)))["outcomes"]
    assert twice["outcome"] == "refused"
    world.prove()


@pytest.mark.parametrize("sender", ["THA01", "CHE01"])
def test_a_party_does_not_tell_of_a_later_authorization(
    mechanism_world: World, sender: str
) -> None:
    """The host Party authorizes; the mechanism registry changes the status (6/CMA.6)."""
    half_issued(mechanism_world)
    refused = mechanism_world.say(sender, HUB, change())
    assert codes_of(refused) == [ResponseCode.SENDER_ROLE_NOT_ALLOWED]


def ended(type_: str, first: int, last: int, **changes: Any) -> Said:
    """Return a retirement or cancellation in the mechanism registry."""
    body: dict[str, Any] = {
        "action_id": f"XMR01-{first}",
        "cooperative_approach": "CA0001",
        "account": "CHE-M-1",
        "account_party": "CHE",
        "issuance_id": "XMR01-6",
        "quantity": last - first + 1,
        "blocks": [units(first, last)],
    }
    if type_ == "action.use":
        body |= {"purpose": "NDC", "using_party": "CHE", "calendar_year": 2025}
    else:
        body |= {"kind": "omge", "cancelling_party": "CHE"}
    return type_, body | changes


@pytest.mark.parametrize(
    ("type_", "status", "event"),
    [
        ("action.use", "used", "international_transfer"),
        ("action.cancellation", "cancelled", "omge"),
    ],
)
def test_units_end_in_the_mechanism_registry_for_a_party(
    mechanism_world: World, type_: str, status: str, event: str
) -> None:
    """The ledger shows the end, the host Party its first transfer, the Party that it is done."""
    world = mechanism_world
    early = world.say("XMR01", HUB, ended(type_, 71, 170))
    assert codes_of(early) == [ResponseCode.ISSUANCE_SHARES_INCOMPLETE]
    accepted(world.say("XMR01", HUB, push(31, "sop_adaptation", "AF-1", 1, 50)))
    accepted(world.say("XMR01", HUB, push(32, "omge", "OMGE-1", 51, 70)))
    accepted(world.say("XMR01", HUB, ended(type_, 71, 170)))
    assert (71, 170, "XMR01", status) in world.blocks()
    (told,) = [
        b
        for t, b in notices_to(world, "THA01")
        if t == "first_transfer.notice" and b["reference"] == "XMR01-71"
    ]
    assert (told["event"], told["quantity"]) == (event, 100)
    for recipient in ("XMR01", "CHE01"):
        (done,) = [b for t, b in notices_to(world, recipient) if t == "action.recorded"]
        assert (done["action_id"], done["quantity"]) == ("XMR01-71", 100)
    type_push, again = push(33, "forwarding", "CHE-1", 100, 200)
    refused = world.say("XMR01", HUB, (type_push, again))
    assert codes_of(refused)[0] in {
        ResponseCode.BLOCK_TERMINAL,
        ResponseCode.BLOCK_HELD_ELSEWHERE,
        ResponseCode.BLOCK_NOT_HELD,
    }
    (twice,) = world.say("XMR01", HUB, ended(type_, 71, 170))["outcomes"]
    assert twice["outcome"] == "duplicate-of"
    world.prove()


def test_no_more_ends_there_than_the_issuance_has(mechanism_world: World) -> None:
    """Retired, cancelled and forwarded units are one sum."""
    world = mechanism_world
    accepted(world.say("XMR01", HUB, push(31, "sop_adaptation", "AF-1", 1, 50)))
    accepted(world.say("XMR01", HUB, push(32, "omge", "OMGE-1", 51, 70)))
    accepted(world.say("XMR01", HUB, push(33, "forwarding", "CHE-1", 71, 900)))
    too_much = world.say("XMR01", HUB, ended("action.use", 901, 1001))
    assert codes_of(too_much) == [ResponseCode.SHARE_EXCEEDS_ISSUANCE]
    accepted(world.say("XMR01", HUB, ended("action.use", 901, 1000)))
    world.prove()
