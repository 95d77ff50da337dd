"""Rules that keep one participant from acting for another, or twice: each through a real hub.

Records of several Parties, use of one's own units, ways past the shares, moves inside a Party, what
an acceptance is judged by. The module's hub proves its ledger at the end.
"""

from typing import Any

from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import (
    Body,
    Peer,
    Said,
    acceptance,
    approach,
    authorization,
    proposal,
)
from tests.integration.test_agreements import a64_block, held, open_accounts
from tests.integration.worlds import (
    codes,
    fresh_block,
    fresh_id,
    last_sequence,
    mailbox,
    notices,
    outcomes,
    part_of,
    record_world,
)


def entity(party: str, version: int) -> Said:
    """Return the record of one entity, authorized by a Party."""
    return (
        "entity_authorization.record",
        {
            "entity_id": "ENT-1",
            "version": version,
            "authorizing_party": party,
            "cooperative_approach": "CA0001",
            "name": "Example Bus Company",
            "country_of_incorporation": party,
            "authorized_on": "2026-11-01",
            "status": "in_force",
        },
    )


async def test_an_entity_stays_with_the_party_that_authorized_it(
    thailand: Peer, switzerland: Peer
) -> None:
    """Another Party of the approach cannot put itself in its place."""
    await record_world(thailand)
    assert codes(await thailand.say("XHB01", entity("THA", 1))) == [0]
    assert codes(await switzerland.say("XHB01", entity("CHE", 2))) == [6018]
    assert codes(await thailand.say("XHB01", entity("THA", 2))) == [0]


async def test_one_party_adds_to_an_approach_and_takes_nothing_from_the_others(
    thailand: Peer, switzerland: Peer
) -> None:
    """A title, the own periods, a Party more; not the partner, his periods, or the end."""
    type_, first = approach("CA0009", ("CHE", "GHA", "THA"))
    assert codes(await thailand.say("XHB01", (type_, first))) == [0]
    che, gha, tha = first["ndc_periods"]
    second = first | {"version": 2}
    for taken in (
        {"participating_parties": ["GHA", "THA"], "ndc_periods": [gha, tha]},
        {"ndc_periods": [che | {"last_year": 2025}, gha, tha]},
        {"oimp_first_transfer_definition": "issuance"},
        {"status": "ended"},
    ):
        refused = await thailand.say("XHB01", (type_, second | taken))
        assert codes(refused) == [6018], taken
        assert "international registry" in str(refused["outcomes"][0]["findings"])
    added = {
        "title": "Buses and Trams",
        "participating_parties": ["CHE", "GHA", "KEN", "THA"],
        "ndc_periods": [che, gha, tha | {"last_year": 2035}],
    }
    assert codes(await thailand.say("XHB01", (type_, second | added))) == [0]


async def test_a_party_does_not_use_its_own_mitigation_as_itmos(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """Neither as new units, nor as units that lie in its account and never left the Party."""
    await record_world(thailand)
    open_accounts(hub)
    used: Body = {
        "action_id": fresh_id("THA01"),
        "cooperative_approach": "CA0001",
        "purpose": "NDC",
        "using_party": "THA",
        "calendar_year": 2025,
    }
    new = fresh_block(5)
    said = ("action.use", used | {"quantity": 5, "blocks": [new]})
    assert codes(await thailand.say("XHB01", said)) == [5001]
    own = await moved_inside_thailand(hub, thailand, 5)
    more = {"account": "THA-1", "quantity": 5, "blocks": [own]}
    assert codes(await thailand.say("XHB01", ("action.use", used | more))) == [7001]
    cancelled = {
        "action_id": fresh_id("THA01"),
        "cooperative_approach": "CA0001",
        "kind": "omge",
        "cancelling_party": "THA",
        "quantity": 5,
        "blocks": [new],
    }
    assert codes(await thailand.say("XHB01", ("action.cancellation", cancelled))) == [0]
    assert held(hub, new) == [("THA01", None, "cancelled", "omge", 5)]


async def moved_inside_thailand(hub: HubUnderTest, thailand: Peer, quantity: int) -> Body:
    """Move fresh units into Thailand's account at the international registry."""
    units = fresh_block(quantity)
    said = proposal(fresh_id("THA01"), units, action="transfer", acquiring_account="THA-1")
    receipt = await thailand.say("XIR01", said)
    assert outcomes(receipt) == ["accepted"], receipt
    return units


async def test_a_move_inside_a_party_is_no_first_transfer_and_one_to_the_fund_is(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """The ledger keeps the event of each, and the Party of the account is told."""
    await record_world(thailand)
    open_accounts(hub)
    own = await moved_inside_thailand(hub, thailand, 6)
    assert held(hub, own) == [("XIR01", "THA-1", "itmo", None, 6)]
    misnamed = proposal(fresh_id("THA01"), fresh_block(2), acquiring_account="THA-1")
    assert codes(await thailand.say("XIR01", misnamed)) == [7002]
    for action in ("transfer", "first_transfer"):
        given = fresh_block(3)
        said = proposal(fresh_id("THA01"), given, action=action, acquiring_account="FUND-1")
        assert codes(await thailand.say("XIR01", said)) == [0]
        assert held(hub, given) == [("XIR01", "FUND-1", "itmo", "adaptation_fund", 3)]
    start, name = await last_sequence(switzerland), fresh_id("THA01")
    sold = fresh_block(4)
    said = proposal(name, sold, acquiring_account="CHE-1")
    assert codes(await thailand.say("XIR01", said)) == [0]
    (told,) = notices(await mailbox(switzerland, start), "account.credited")
    assert told["body"] == {
        "first_transfer_id": name,
        "account": "CHE-1",
        "quantity": 4,
        "ranges": [{name: sold[name] for name in ("first_id", "last_id")}],
    }


async def test_the_mechanism_registry_has_no_way_past_shares_and_accounts(
    hub: HubUnderTest, thailand: Peer, mechanism: Peer
) -> None:
    """No push without issuance, no plain sale of new units, no hand on a Party's account."""
    await record_world(thailand)
    open_accounts(hub)
    units = a64_block(fresh_block(9, "XMR01"), 1, 9)
    push = {
        "first_transfer_id": fresh_id("XMR01"),
        "kind": "forwarding",
        "activity_id": "A64-TH-0001",
        "cooperative_approach": "CA0001",
        "acquiring_account": "CHE-1",
        "authorization_status": "authorized",
        "quantity": 9,
        "blocks": [units],
    }
    assert codes(await mechanism.say("XHB01", ("a64.first_transfer", push))) == [3011]
    assert codes(await mechanism.say("CHE01", proposal(fresh_id("XMR01"), units))) == [7006]
    own = await moved_inside_thailand(hub, thailand, 5)
    cancelled = {
        "action_id": fresh_id("XMR01"),
        "cooperative_approach": "CA0001",
        "account": "THA-1",
        "kind": "voluntary",
        "cancelling_party": "THA",
        "quantity": 5,
        "blocks": [own],
    }
    assert codes(await mechanism.say("XHB01", ("action.cancellation", cancelled))) == [5107]
    assert held(hub, own) == [("XIR01", "THA-1", "itmo", None, 5)]


async def test_an_acceptance_after_the_revocation_is_refused_and_the_initiator_withdraws(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """What was authorized when proposed is not first transferred under a revoked authorization."""
    await record_world(thailand)
    type_, body = authorization(authorization_id="TH-REVOKED")
    assert codes(await thailand.say("XHB01", (type_, body))) == [0]
    units, name = fresh_block(7, authorization_id="TH-REVOKED"), fresh_id("THA01")
    digest = (await thailand.say("CHE01", proposal(name, units)))["envelope_sha256"]
    lowered = body | {"version": 2, "quantity_max": 6}
    assert codes(await thailand.say("XHB01", (type_, lowered))) == [6017]
    revoked = body | {"version": 2, "status": "revoked"}
    assert codes(await thailand.say("XHB01", (type_, revoked))) == [0]
    assert codes(await switzerland.say("THA01", acceptance(name, digest))) == [6005]
    status = await switzerland.say("XHB01", ("transfer.status", {"transfer_id": name}))
    assert status["outcomes"][0]["result"]["state"] == "proposed"
    withdrawn = {"transfer_id": name, "previous_sha256": digest}
    assert codes(await thailand.say("CHE01", ("transfer.cancellation", withdrawn))) == [0]
    assert held(hub, units) == []


async def test_an_underlying_unit_is_registered_once_within_a_message_and_a_batch(
    thailand: Peer, switzerland: Peer
) -> None:
    """Overlapping numbers clash as equal ids do; units given back are free again."""
    await record_world(thailand)

    def standing(first: int, last: int) -> dict[str, Any]:
        unit = {
            "registry": "T-VER",
            "first_unit_id": f"TV-{first}",
            "last_unit_id": f"TV-{last}",
        }
        return {"underlying_unit": unit}

    whole = fresh_block(20)
    one, two = part_of(whole, 1, 10, **standing(1, 10)), part_of(whole, 11, 20, **standing(10, 19))
    assert codes(await thailand.say("CHE01", proposal(fresh_id("THA01"), one, two))) == [5010]
    first, second = fresh_id("THA01"), fresh_id("THA01")
    both = await thailand.say("CHE01", proposal(first, one), proposal(second, two))
    assert codes(both) == [0, 5010]
    apart = two | standing(11, 20)
    assert codes(await thailand.say("CHE01", proposal(second, apart))) == [0]
