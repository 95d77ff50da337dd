"""6xxx: what is done with units lies within what the Parties authorized."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.checks.facts import Facts
from hub.international_registry.authorizations import (
    ApproachStatus,
    Authorization,
    AuthorizationStatus,
    AuthorizationUsage,
    CooperativeApproach,
    FirstTransferDefinition,
)
from hub.international_registry.units import FirstTransferEvent, LedgerBlock
from hub.protocol.response_codes import ResponseCode as Code
from message_schemas.blocks import Block
from tests.hub.checks.worlds import (
    ACCOUNT,
    APPROACH,
    ATTRIBUTES,
    AUTHORIZATION,
    ENTITY,
    NOW,
    TRANSFER,
    Row,
    Sent,
    acknowledgement,
    block,
    cancel,
    first_transfer,
    found,
    held,
    hold_true,
    onward,
    passes,
    proposal,
    rejection,
    sent,
    use,
    world,
)

DAY = timedelta(days=1)
REVOKED: dict[str, Any] = {"version": 2, "status": AuthorizationStatus.REVOKED}


def under(authorization: dict[str, Any], *blocks: Block, **changes: Any) -> Callable[[], Sent]:
    """Return a first transfer of new units under the authorization, itself changed."""
    facts = world(authorization=(replace(AUTHORIZATION, **authorization),))
    return lambda: sent(proposal(*blocks, **changes), facts)


def later(latest: dict[str, Any], *ledger: LedgerBlock) -> Facts:
    """Return a world with two versions of the authorization, the latest one changed."""
    newest = replace(AUTHORIZATION, **({"version": 2} | latest))
    versions = {("THA", "TH-2022-001", v.version): v for v in (AUTHORIZATION, newest)}
    latest_only = {("THA", "TH-2022-001"): newest}
    return world(*ledger, authorizations=latest_only, authorization_versions=versions)


def acquired(latest: dict[str, Any]) -> Callable[[], Sent]:
    """Return a use of units first transferred before the authorization's latest version."""
    return lambda: sent(use(), later(latest, held(1, 100)))


def approach(**changes: Any) -> Facts:
    """Return a world whose cooperative approach is changed, with acquired units."""
    return world(held(1, 100), approaches={"CA0001": replace(APPROACH, **changes)})


def accepting(
    event: FirstTransferEvent | None = None,
    *,
    approach: CooperativeApproach = APPROACH,
    authorization: Authorization = AUTHORIZATION,
    body: object = None,
) -> Callable[[], Sent]:
    """Return Switzerland's answer to a proposal, an acceptance unless given."""
    reserved = held(1, 100, registry="THA01", first_transfer=event, reserved_by="THA01-1")
    facts = world(
        reserved,
        transfers={"THA01-1": TRANSFER},
        approaches={"CA0001": approach},
        authorization=(authorization,),
    )
    return lambda: sent(body or acknowledgement(), facts)


def capped(
    quantity_max: int | None, first_transferred: int, reserved: int, *blocks: Block
) -> Callable[[], Sent]:
    """Return a first transfer of 100 units under a cap that is partly used."""
    usage = {("THA", "TH-2022-001"): AuthorizationUsage(first_transferred, reserved)}
    authorization = replace(AUTHORIZATION, quantity_max=quantity_max)
    facts = world(authorization=(authorization,), usage=usage)
    return lambda: sent(proposal(*blocks), facts)


def pushed_home(quantity_max: int) -> Callable[[], Sent]:
    """Return the push of 100 AERs to an account of their own host Party, under a cap."""
    authorization = replace(AUTHORIZATION, quantity_max=quantity_max)
    account = replace(ACCOUNT, party="THA")
    facts = world(authorization=(authorization,), accounts={("XIR01", "ACC-1"): account})
    return lambda: sent(first_transfer(), facts)


def by_entity(
    *, recorded: dict[str, Any] | None, named: tuple[str, ...] = ()
) -> Callable[[], Sent]:
    """Return a first transfer to an entity that may be on record and may be named."""
    entities = {("CA0001", "CHE-123"): replace(ENTITY, **recorded)} if recorded is not None else {}
    authorization = replace(AUTHORIZATION, authorized_entities=named)
    facts = world(authorization=(authorization,), entities=entities)
    return lambda: sent(proposal(acquiring_entity="CHE-123"), facts)


OTHER = replace(AUTHORIZATION, authorizing_party="GHA", authorization_id="GH-1")
OIMP = {"purposes": "OIMP"}

ROWS = [
    passes(Code.COOPERATIVE_APPROACH_UNKNOWN, "on record", lambda: sent(proposal())),
    found(
        Code.COOPERATIVE_APPROACH_UNKNOWN,
        "not on record",
        lambda: sent(proposal(), world(approaches={})),
    ),
    found(
        Code.COOPERATIVE_APPROACH_NOT_ACTIVE,
        "ended, transfer",
        lambda: sent(onward(), approach(status=ApproachStatus.ENDED)),
    ),
    passes(
        Code.COOPERATIVE_APPROACH_NOT_ACTIVE,
        "ended, use of what was acquired",
        lambda: sent(use(), approach(status=ApproachStatus.ENDED)),
    ),
    found(
        Code.COOPERATIVE_APPROACH_NOT_ACTIVE,
        "ended before the acceptance of a first transfer",
        accepting(approach=replace(APPROACH, status=ApproachStatus.ENDED)),
    ),
    passes(
        Code.COOPERATIVE_APPROACH_NOT_ACTIVE,
        "likewise, of units first transferred before",
        accepting(
            FirstTransferEvent.INTERNATIONAL_TRANSFER,
            approach=replace(APPROACH, status=ApproachStatus.ENDED),
        ),
    ),
    passes(
        Code.COOPERATIVE_APPROACH_NOT_ACTIVE,
        "ended before the rejection",
        accepting(approach=replace(APPROACH, status=ApproachStatus.ENDED), body=rejection()),
    ),
    found(
        Code.AUTHORIZATION_NOT_IN_FORCE,
        "revoked before the acceptance",
        accepting(authorization=replace(AUTHORIZATION, **REVOKED)),
    ),
    passes(Code.AUTHORIZATION_NOT_IN_FORCE, "still in force when accepted", accepting()),
    passes(Code.PARTY_NOT_IN_COOPERATIVE_APPROACH, "both in", lambda: sent(proposal())),
    found(
        Code.PARTY_NOT_IN_COOPERATIVE_APPROACH,
        "acquirer",
        lambda: sent(proposal(), recipient="GHA01"),
    ),
    found(
        Code.PARTY_NOT_IN_COOPERATIVE_APPROACH,
        "first transferring Party",
        lambda: sent(onward(), approach(participating_parties=("CHE", "GHA"))),
    ),
    found(
        Code.PARTY_NOT_IN_COOPERATIVE_APPROACH,
        "the Party of the account at the international registry",
        lambda: sent(
            proposal(acquiring_account="ACC-1"),
            world(accounts={("XIR01", "ACC-1"): replace(ACCOUNT, party="GHA")}),
            recipient="XIR01",
        ),
    ),
    passes(
        Code.PARTY_NOT_IN_COOPERATIVE_APPROACH,
        "the Adaptation Fund needs not take part",
        lambda: sent(proposal(acquiring_account="FUND"), recipient="XIR01"),
    ),
    passes(Code.AUTHORIZATION_UNKNOWN, "on record", lambda: sent(proposal())),
    found(
        Code.AUTHORIZATION_UNKNOWN,
        "not on record",
        lambda: sent(proposal(block(authorization_id="TH-9"))),
    ),
    found(
        Code.AUTHORIZATION_UNKNOWN,
        "a version to come",
        lambda: sent(proposal(block(authorization_version=2))),
    ),
    found(Code.AUTHORIZATION_NOT_IN_FORCE, "revoked", under({"status": REVOKED["status"]})),
    passes(Code.AUTHORIZATION_NOT_IN_FORCE, "its first day", under({"valid_from": NOW.date()})),
    found(
        Code.AUTHORIZATION_NOT_IN_FORCE,
        "the day before",
        under({"valid_from": NOW.date() + DAY}),
    ),
    passes(Code.AUTHORIZATION_NOT_IN_FORCE, "its last day", under({"valid_until": NOW.date()})),
    found(
        Code.AUTHORIZATION_NOT_IN_FORCE,
        "the day after",
        under({"valid_until": NOW.date() - DAY}),
    ),
    passes(Code.AUTHORIZATION_NOT_IN_FORCE, "without end", under({"valid_until": None})),
    passes(Code.AUTHORIZATION_NOT_IN_FORCE, "revoked after the first transfer", acquired(REVOKED)),
    found(
        Code.AUTHORIZATION_NOT_IN_FORCE,
        "revoked after the first transfer, and the terms reach it",
        acquired(REVOKED | {"changes_apply_to_first_transferred": True}),
    ),
    passes(
        Code.AUTHORIZATION_NOT_IN_FORCE,
        "ended after the first transfer",
        acquired({"valid_until": NOW.date() - DAY}),
    ),
    found(
        Code.AUTHORIZATION_VERSION_SUPERSEDED,
        "new units under version 1 of 2",
        lambda: sent(proposal(), later({})),
    ),
    passes(
        Code.AUTHORIZATION_VERSION_SUPERSEDED,
        "new units under version 2 of 2",
        lambda: sent(proposal(block(authorization_version=2)), later({})),
    ),
    passes(Code.AUTHORIZATION_VERSION_SUPERSEDED, "acquired units", acquired({})),
    found(
        Code.AUTHORIZATION_OF_OTHER_COOPERATIVE_APPROACH,
        "another approach",
        under({"cooperative_approach": "CA0002"}),
    ),
    passes(Code.AUTHORIZATION_OF_OTHER_COOPERATIVE_APPROACH, "this approach", under({})),
    found(
        Code.AUTHORIZATION_OF_OTHER_PARTY,
        "of another Party",
        lambda: sent(
            proposal(block(authorization_id="GH-1")), world(authorization=(AUTHORIZATION, OTHER))
        ),
    ),
    passes(
        Code.AUTHORIZATION_OF_OTHER_PARTY,
        "the same id of two Parties",
        lambda: sent(
            proposal(),
            world(authorization=(AUTHORIZATION, replace(AUTHORIZATION, authorizing_party="GHA"))),
        ),
    ),
    passes(Code.PURPOSE_NOT_AUTHORIZED, "one of two", under({"purposes": "NDC and OIMP"})),
    found(Code.PURPOSE_NOT_AUTHORIZED, "another one", under({}, purpose="IMP")),
    found(Code.PURPOSE_NOT_AUTHORIZED, "one more", under({}, purpose="NDC and OIMP")),
    passes(
        Code.PURPOSE_NOT_AUTHORIZED,
        "IMP is part of OIMP",
        under({"purposes": "NDC and OIMP"}, purpose="IMP"),
    ),
    found(
        Code.PURPOSE_NOT_AUTHORIZED,
        "a use for IMP of units for NDC",
        lambda: sent(use(purpose="IMP", calendar_year=None), world(held(1, 100))),
    ),
    found(
        Code.PURPOSE_NOT_AUTHORIZED,
        "a cancellation for OIMP of units for NDC",
        lambda: sent(cancel(kind="oimp", oimp_purpose="CORSIA"), world(held(1, 100))),
    ),
    passes(Code.PARTY_NOT_AUTHORIZED, "named", under({"authorized_parties": ("CHE",)})),
    found(Code.PARTY_NOT_AUTHORIZED, "not named", under({"authorized_parties": ("GHA",)})),
    found(
        Code.PARTY_NOT_AUTHORIZED,
        "not named in the version that the units carry",
        lambda: sent(
            use(),
            world(
                held(1, 100),
                authorization=(replace(AUTHORIZATION, authorized_parties=("GHA",)),),
            ),
        ),
    ),
    passes(
        Code.PARTY_NOT_AUTHORIZED,
        "not named any more in a later version",
        acquired({"authorized_parties": ("GHA",)}),
    ),
    passes(Code.ENTITY_NOT_AUTHORIZED, "on record, any", by_entity(recorded={})),
    passes(
        Code.ENTITY_NOT_AUTHORIZED, "on record, named", by_entity(recorded={}, named=("CHE-123",))
    ),
    found(Code.ENTITY_NOT_AUTHORIZED, "not on record", by_entity(recorded=None)),
    found(
        Code.ENTITY_NOT_AUTHORIZED,
        "revoked",
        by_entity(recorded={"status": AuthorizationStatus.REVOKED}),
    ),
    found(Code.ENTITY_NOT_AUTHORIZED, "not named", by_entity(recorded={}, named=("CHE-9",))),
    found(
        Code.ENTITY_NOT_AUTHORIZED,
        "using",
        lambda: sent(use(using_entity="CHE-9"), world(held(1, 100))),
    ),
    found(
        Code.ENTITY_NOT_AUTHORIZED,
        "the holder of the account",
        lambda: sent(
            first_transfer(),
            world(accounts={("XIR01", "ACC-1"): replace(ACCOUNT, entity="CHE-9")}),
        ),
    ),
    passes(Code.VINTAGE_NOT_AUTHORIZED, "the first", under({"vintage_first": 2022})),
    found(Code.VINTAGE_NOT_AUTHORIZED, "before the first", under({"vintage_first": 2023})),
    passes(Code.VINTAGE_NOT_AUTHORIZED, "the last", under({"vintage_last": 2022})),
    found(Code.VINTAGE_NOT_AUTHORIZED, "after the last", under({"vintage_last": 2021})),
    passes(Code.SECTOR_NOT_AUTHORIZED, "any", under({"sectors": ()})),
    found(Code.SECTOR_NOT_AUTHORIZED, "another", under({"sectors": ("Agriculture",)})),
    passes(Code.ACTIVITY_TYPE_NOT_AUTHORIZED, "any", under({"activity_types": ()})),
    found(Code.ACTIVITY_TYPE_NOT_AUTHORIZED, "another", under({"activity_types": ("Solar",)})),
    found(Code.ACTIVITY_TYPE_NOT_AUTHORIZED, "none stated", under({}, block(activity_type=None))),
    passes(Code.METRIC_NOT_AUTHORIZED, "the same", under({})),
    found(Code.METRIC_NOT_AUTHORIZED, "another", under({"metric": "non-GHG"})),
    passes(Code.AUTHORIZED_QUANTITY_EXCEEDED, "exactly what is left", capped(1000, 600, 300)),
    found(Code.AUTHORIZED_QUANTITY_EXCEEDED, "one more than is left", capped(999, 600, 300)),
    found(Code.AUTHORIZED_QUANTITY_EXCEEDED, "all of it in flight", capped(100, 0, 1)),
    passes(Code.AUTHORIZED_QUANTITY_EXCEEDED, "no cap", capped(None, 10**9, 0)),
    passes(
        Code.AUTHORIZED_QUANTITY_EXCEEDED,
        "no cap, the last that can be counted",
        capped(None, 2**63 - 1 - 100, 0),
    ),
    found(
        Code.AUTHORIZED_QUANTITY_EXCEEDED,
        "no cap, more than can be counted",
        capped(None, 2**63 - 1 - 100, 1),
    ),
    found(
        Code.AUTHORIZED_QUANTITY_EXCEEDED,
        "two blocks, each of which would fit",
        capped(150, 0, 0, block(1, 100), block(101, 200)),
    ),
    passes(Code.AUTHORIZED_QUANTITY_EXCEEDED, "a push that fits", pushed_home(100)),
    found(Code.AUTHORIZED_QUANTITY_EXCEEDED, "a push to the host's own account", pushed_home(99)),
    passes(
        Code.AUTHORIZED_QUANTITY_EXCEEDED,
        "units first transferred before do not count",
        acquired({"quantity_max": 1}),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_authorization_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


def test_a_cap_is_explained_in_exact_numbers() -> None:
    """The operator sees what is used, what is in flight, what is left, and what was asked."""
    (finding,) = capped(950, 600, 300)().findings()
    for number in ("950 units", "600 are first", "300 in flight", "50 left", "add 100"):
        assert number in finding.detail


@pytest.mark.parametrize("definition", FirstTransferDefinition)
def test_a_move_counts_against_the_cap_only_if_it_is_the_first_transfer(
    definition: FirstTransferDefinition,
) -> None:
    """For OIMP by use or cancellation, a move is no first transfer and needs no cap."""
    facts = world(
        held(1, 100, registry="THA01", first_transfer=None),
        authorization=(replace(AUTHORIZATION, purposes="OIMP", quantity_max=1),),
        approaches={"CA0001": replace(APPROACH, oimp_first_transfer_definition=definition)},
    )
    codes = sent(proposal(action="transfer", purpose="OIMP"), facts).codes()
    moves_free = definition is FirstTransferDefinition.USE_OR_CANCELLATION
    assert (Code.AUTHORIZED_QUANTITY_EXCEEDED in codes) is not moves_free


def test_a_partly_transferred_block_is_judged_piece_by_piece() -> None:
    """Of one message block, the units not yet first transferred meet the latest version."""
    newest = replace(AUTHORIZATION, **REVOKED)
    versions = {("THA", "TH-2022-001", v.version): v for v in (AUTHORIZATION, newest)}
    facts = world(
        held(1, 50),
        held(51, 100, first_transfer=None),
        authorizations={("THA", "TH-2022-001"): newest},
        authorization_versions=versions,
    )
    assert sent(use(), facts).codes().count(Code.AUTHORIZATION_NOT_IN_FORCE) == 1
    assert ATTRIBUTES.authorization_version == 1
