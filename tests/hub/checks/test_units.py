"""50xx: the units against the central ledger."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.checks.case import ANSWERS
from hub.checks.facts import Facts
from hub.checks.frozen import Freeze
from hub.checks.underlying import UnderlyingUnits
from hub.international_registry.authorizations import FirstTransferDefinition
from hub.international_registry.serial_spans import SerialSpans
from hub.international_registry.units import BlockStatus, LedgerBlock, Range
from hub.protocol.response_codes import ResponseCode as Code
from hub.protocol.transfer_states import TransferState
from message_schemas.blocks import UnderlyingUnit
from tests.hub.checks.worlds import (
    APPROACH,
    ATTRIBUTES,
    AUTHORIZATION,
    NOW,
    SERIES,
    TRANSFER,
    Row,
    Sent,
    a64_block,
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

CASE = "2026-11-22/3"
OIMP = replace(AUTHORIZATION, purposes="OIMP")
OTHER_ATTRIBUTES: dict[str, Any] = {
    "mitigation_type": "Removals",
    "authorization_version": 2,
    "gwp_values": "AR4",
    "underlying_registry": "VCS",
}
T_VER = UnderlyingUnit("T-VER", "500", "599")


NEXT_OF_T_VER = {"registry": "T-VER", "first_unit_id": "600", "last_unit_id": "699"}


def oimp(definition: FirstTransferDefinition) -> Facts:
    """Return a world whose units are for OIMP, with this definition of first transfer."""
    approach = replace(APPROACH, oimp_first_transfer_definition=definition)
    return world(authorization=(OIMP,), approaches={"CA0001": approach})


def going(*ledger: LedgerBlock, body: object = None) -> Callable[[], Sent]:
    """Return an onward transfer from Switzerland in a world with these ledger blocks."""
    return lambda: sent(body or onward(), world(*ledger))


def accepting(body: object, **changes: Any) -> Callable[[], Sent]:
    """Return an answer to a transfer that has reserved units, these changed."""
    reserved = held(1, 100, registry="THA01", reserved_by="THA01-1", **changes)
    return lambda: sent(body, world(reserved, transfers={"THA01-1": TRANSFER}))


def frozen(
    body: object,
    first: int,
    last: int,
    registry: str = "CHE01",
    allows: str | None = None,
    *,
    is_claim: bool = False,
) -> Callable[[], Sent]:
    """Return a message where a case has frozen serials; THA01-1 is in flight with 1 to 100."""
    spans = SerialSpans([(SERIES, first, last, Freeze(CASE, registry, allows, is_claim))])
    known = held(1, 100)
    if isinstance(body, ANSWERS):
        known = held(1, 100, registry="THA01", reserved_by="THA01-1")
    blocks = () if body == proposal() else (known,)
    transfers = {"THA01-1": TRANSFER} if isinstance(body, ANSWERS) else {}
    return lambda: sent(body, world(*blocks, transfers=transfers, frozen=spans))


def crowded(last: int) -> Callable[[], Sent]:
    """Return an onward transfer whose ledger part up to a serial was too crowded to load."""
    facts = world(held(1, 100), crowded=frozenset({Range(SERIES, 1, last)}))
    return lambda: sent(onward(), facts)


def underlying(taken: Range) -> Callable[[], Sent]:
    """Return a first transfer of units whose underlying unit carries a range already."""
    recorded = UnderlyingUnits()
    recorded.add(T_VER, taken)
    others = () if taken.first == 1 else (held(taken.first, taken.last),)
    facts = world(*others, underlying_taken=recorded)
    return lambda: sent(proposal(block(underlying_unit=T_VER)), facts)


def own_cancellation(purposes: str, kind: str) -> Callable[[], Sent]:
    """Return Thailand's cancellation of new units of its own, authorized for those purposes."""
    oimp_purpose = "CORSIA" if kind == "oimp" else None
    body = cancel(action_id="THA01-9", cancelling_party="THA", kind=kind, oimp_purpose=oimp_purpose)
    facts = world(authorization=(replace(AUTHORIZATION, purposes=purposes),))
    return lambda: sent(body, facts, "THA01")


ROWS = [
    passes(Code.BLOCK_UNKNOWN, "new units, first transfer", lambda: sent(proposal())),
    found(
        Code.BLOCK_UNKNOWN,
        "new units, transfer",
        lambda: sent(proposal(action="transfer")),
    ),
    passes(
        Code.BLOCK_UNKNOWN,
        "new units first transferred by issuance, transfer",
        lambda: sent(
            proposal(action="transfer", purpose="OIMP"), oimp(FirstTransferDefinition.ISSUANCE)
        ),
    ),
    found(Code.BLOCK_UNKNOWN, "new units in use towards an NDC", lambda: sent(use())),
    found(
        Code.BLOCK_UNKNOWN,
        "all but the last serial is known",
        going(held(1, 99)),
    ),
    found(Code.BLOCK_UNKNOWN, "a hole", going(held(1, 49), held(51, 100))),
    passes(Code.BLOCK_UNKNOWN, "two that touch", going(held(1, 50), held(51, 100))),
    passes(
        Code.BLOCK_UNKNOWN,
        "new units cancelled where they were issued, their first transfer",
        own_cancellation("OIMP", "oimp"),
    ),
    passes(Code.BLOCK_UNKNOWN, "new units cancelled for OMGE", own_cancellation("NDC", "omge")),
    found(
        Code.BLOCK_UNKNOWN,
        "new units for NDCs cancelled without first transfer",
        own_cancellation("NDC", "voluntary"),
    ),
    found(
        Code.BLOCK_UNKNOWN,
        "new units for NDCs used where they were issued",
        lambda: sent(use(action_id="THA01-9", using_party="THA"), sender="THA01"),
    ),
    found(
        Code.NOT_ORIGINATING_REGISTRY,
        "another registry brings them in",
        lambda: sent(proposal(transfer_id="CHE01-1"), sender="CHE01"),
    ),
    found(
        Code.NOT_ORIGINATING_REGISTRY,
        "the mechanism registry with units of a Party registry",
        lambda: sent(first_transfer(block())),
    ),
    passes(
        Code.NOT_ORIGINATING_REGISTRY,
        "the mechanism registry with its own",
        lambda: sent(first_transfer(a64_block())),
    ),
    passes(Code.BLOCK_NOT_HELD, "held", going(held(1, 100))),
    passes(Code.BLOCK_NOT_HELD, "part of what is held", going(held(1, 1000))),
    found(Code.BLOCK_NOT_HELD, "held by a third", going(held(1, 100, registry="GHA01"))),
    found(
        Code.BLOCK_NOT_HELD,
        "the last one held by a third",
        going(held(1, 99), held(100, 100, registry="GHA01")),
    ),
    passes(Code.BLOCK_HELD_ELSEWHERE, "never sold", lambda: sent(proposal())),
    found(
        Code.BLOCK_HELD_ELSEWHERE,
        "sold before",
        lambda: sent(proposal(), world(held(1, 100))),
    ),
    found(
        Code.BLOCK_HELD_ELSEWHERE,
        "one of them sold before",
        lambda: sent(proposal(), world(held(100, 100))),
    ),
    passes(
        Code.BLOCK_HELD_ELSEWHERE,
        "the neighbour sold before",
        lambda: sent(proposal(), world(held(101, 200))),
    ),
    passes(Code.ATTRIBUTES_DIFFER, "equal", going(held(1, 100))),
    *[
        found(
            Code.ATTRIBUTES_DIFFER,
            f"in {name}",
            going(held(1, 100, attributes=replace(ATTRIBUTES, **{name: value}))),
        )
        for name, value in OTHER_ATTRIBUTES.items()
    ],
    found(Code.BLOCK_RESERVED, "by another transfer", going(held(1, 100, reserved_by="CHE01-7"))),
    found(
        Code.BLOCK_RESERVED,
        "one of them",
        going(held(1, 99), held(100, 100, reserved_by="CHE01-7")),
    ),
    passes(
        Code.BLOCK_RESERVED,
        "the neighbour",
        going(held(1, 100), held(101, 200, reserved_by="CHE01-7")),
    ),
    found(Code.BLOCK_SUSPENDED, "a hold", going(held(1, 100, hold="S:3"))),
    passes(Code.BLOCK_SUSPENDED, "the neighbour", going(held(1, 100), held(101, 101, hold="S:3"))),
    found(Code.BLOCK_SUSPENDED, "accepting", accepting(acknowledgement(), hold="S:3")),
    passes(Code.BLOCK_SUSPENDED, "declining", accepting(rejection(), hold="S:3")),
    passes(Code.BLOCK_SUSPENDED, "accepting what is free", accepting(acknowledgement())),
    found(Code.BLOCK_FROZEN, "one serial of a case", frozen(onward(), 100, 100)),
    passes(Code.BLOCK_FROZEN, "the neighbour of a case", frozen(onward(), 101, 200)),
    found(Code.BLOCK_FROZEN, "serials the ledger does not know", frozen(proposal(), 1, 9)),
    found(Code.BLOCK_FROZEN, "used in a case", frozen(use(), 1, 9)),
    found(
        Code.BLOCK_FROZEN,
        "cancelled where only the use is due",
        frozen(cancel(), 1, 9, allows="action.use"),
    ),
    found(
        Code.BLOCK_FROZEN,
        "used by another registry than the case's",
        frozen(use(), 1, 9, registry="THA01", allows="action.use"),
    ),
    passes(
        Code.BLOCK_FROZEN,
        "the use that puts the ledger right",
        frozen(use(), 1, 9, allows="action.use"),
    ),
    passes(
        Code.BLOCK_FROZEN,
        "the cancellation that puts the ledger right",
        frozen(cancel(), 1, 9, allows="action.cancellation"),
    ),
    found(Code.BLOCK_FROZEN, "given by who claims it", frozen(onward(), 1, 9, is_claim=True)),
    found(Code.BLOCK_FROZEN, "taken by who claims it", frozen(proposal(), 1, 9, is_claim=True)),
    found(
        Code.BLOCK_FROZEN,
        "accepted by who claims it",
        frozen(acknowledgement(), 1, 9, is_claim=True),
    ),
    found(
        Code.BLOCK_FROZEN,
        "accepted from who claims it",
        frozen(acknowledgement(), 1, 9, registry="THA01", is_claim=True),
    ),
    *(
        passes(
            Code.BLOCK_FROZEN,
            f"{type(body).__name__} of what a third registry claims",
            frozen(body, 1, 9, registry="KEN01", is_claim=True),
        )
        for body in (onward(), proposal(), acknowledgement(), use(), cancel())
    ),
    found(Code.BLOCK_FROZEN, "accepting into a case", frozen(acknowledgement(), 1, 9)),
    passes(Code.BLOCK_FROZEN, "declining in a case", frozen(rejection(), 1, 9)),
    passes(Code.BLOCK_FROZEN, "accepting beside a case", frozen(acknowledgement(), 101, 109)),
    found(Code.BLOCK_TERMINAL, "used", going(held(1, 100, status=BlockStatus.USED))),
    found(
        Code.BLOCK_TERMINAL,
        "cancelled, to be used",
        going(held(1, 100, status=BlockStatus.CANCELLED), body=use()),
    ),
    found(
        Code.BLOCK_TERMINAL,
        "used, to be cancelled",
        going(held(1, 100, status=BlockStatus.USED), body=cancel()),
    ),
    passes(
        Code.BLOCK_TERMINAL,
        "the neighbour used",
        going(held(1, 100), held(101, 101, status=BlockStatus.USED)),
    ),
    found(Code.LEDGER_BLOCKS_TOO_MANY, "crowded", crowded(100)),
    passes(Code.LEDGER_BLOCKS_TOO_MANY, "another range is crowded", crowded(200)),
    found(
        Code.UNDERLYING_UNIT_ALREADY_REGISTERED,
        "under other serials",
        underlying(Range(SERIES, 101, 200)),
    ),
    passes(
        Code.UNDERLYING_UNIT_ALREADY_REGISTERED,
        "under these serials",
        underlying(Range(SERIES, 1, 100)),
    ),
    found(
        Code.UNDERLYING_UNIT_ALREADY_REGISTERED,
        "twice in the message",
        lambda: sent(
            proposal(block(underlying_unit=T_VER), block(101, 200, underlying_unit=T_VER))
        ),
    ),
    passes(
        Code.UNDERLYING_UNIT_ALREADY_REGISTERED,
        "one after the other in the message",
        lambda: sent(
            proposal(
                block(underlying_unit=T_VER),
                block(101, 200, underlying_unit=UnderlyingUnit(**NEXT_OF_T_VER)),
            )
        ),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_unit_rule_holds_where_it_should(row: Row) -> None:
    """Each rule stops what it is for, and nothing next to it."""
    hold_true(row)


def test_findings_name_exactly_the_serials_concerned() -> None:
    """Of a hundred serials, the one that is gone is named, and no other."""
    findings = sent(onward(), world(held(1, 99), held(100, 100, registry="GHA01"))).findings()
    (finding,) = findings
    assert [(part.first, part.last) for part in finding.ranges] == [(100, 100)]
    assert finding.path == "/blocks/0"


def test_a_crowded_range_is_told_only_that() -> None:
    """What was not loaded cannot be judged: there is no guess about holders or serials."""
    assert crowded(100)().codes() == [Code.LEDGER_BLOCKS_TOO_MANY]


def test_the_holder_is_named_only_to_who_gave_it_there() -> None:
    """Thailand may know where its sale went; about what came later it may not."""
    gone = held(1, 100)
    sale = replace(TRANSFER, state=TransferState.COMPLETED, closed_log_index=41, closed_at=NOW)
    known = sent(proposal(transfer_id="THA01-2"), world(gone, brought_by={gone.block_id: sale}))
    (finding,) = known.findings()
    assert finding.hub_view == "held by CHE01 since log index 41 (THA01-1)"
    resold = replace(gone, registry="GHA01")
    for facts in (world(gone), world(resold, brought_by={gone.block_id: sale})):
        (finding,) = sent(proposal(transfer_id="THA01-2"), facts).findings()
        assert finding.hub_view == "not held by THA01"
        assert "GHA01" not in finding.detail


def test_a_stranger_does_not_learn_who_reserves_or_suspends() -> None:
    """Reservations and holds of others' units are said to exist, not whose they are."""
    theirs = held(1, 100, registry="GHA01", reserved_by="GHA01-77", hold="S:3")
    findings = sent(onward(), world(theirs)).findings()
    assert {f.code for f in findings} >= {Code.BLOCK_RESERVED, Code.BLOCK_SUSPENDED}
    told = " ".join(f"{f.detail} {f.hub_view}" for f in findings)
    assert "GHA01-77" not in told
    assert "S:3" not in told


def test_a_freeze_names_its_case_and_exactly_its_serials() -> None:
    """Two cases within one range are two findings; only its own registry hears that it has one."""
    spans = SerialSpans(
        [
            (SERIES, 5, 9, Freeze("2026-11-22/1", "CHE01")),
            (SERIES, 90, 200, Freeze("2026-11-22/2", "THA01")),
        ]
    )
    own, other = sent(onward(), world(held(1, 100), frozen=spans)).findings()
    assert [(part.first, part.last) for part in own.ranges + other.ranges] == [(5, 9), (90, 100)]
    assert "2026-11-22/1" in own.detail
    assert "2026-11-22/2" in other.detail
    assert (own.hub_view, other.hub_view) == ("the case is with you", None)
    assert "THA01" not in other.detail.replace("CA0001-THA01", "")
