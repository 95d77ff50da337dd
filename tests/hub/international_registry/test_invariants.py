"""Tests of the proof: a sound ledger passes, and every kind of damage is named."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from hub.international_registry.authorizations import AuthorizationUsage
from hub.international_registry.invariants import (
    Expectations,
    Violation,
    ViolationKind,
    prove,
)
from hub.international_registry.ledger import LedgerWindow, Posting, PostingKind
from hub.international_registry.units import BlockStatus, FirstTransferEvent, LedgerBlock, Series
from tests.hub.international_registry.samples import (
    ATTRIBUTES,
    INTERNATIONAL,
    OTHER_ATTRIBUTES,
    OTHER_SERIES,
    SERIES,
    units,
)

KEY = ("GHA", "GHA-1")
SOUND = Expectations(
    in_flight={"CHE01-1": 20, "GHA01-2": 5},
    usage={KEY: AuthorizationUsage(first_transferred=100, reserved=5)},
    quantity_max={KEY: 105},
)


def sound_ledger() -> tuple[list[LedgerBlock], list[Posting]]:
    """Return a ledger with 100 ITMOs, 20 of them in flight, 9 used, and a proposal of 5 new units.

    The proposal is of another series.
    """
    window = LedgerWindow((), 1)
    introduce(window, SERIES, 100, "GHA01-1")
    window.move("GHA01-1", "CHE01", None, INTERNATIONAL)
    window.reserve([units(41, 60)], "CHE01-1")
    window.use([units(1, 9)], "CHE01-2")
    introduce(window, OTHER_SERIES, 5, "GHA01-2")
    window.coalesce()
    changes = window.changes()
    return list(window), sorted(changes.postings, key=lambda posting: posting.series)


def introduce(
    window: LedgerWindow,
    series: Series,
    quantity: int,
    transfer_id: str,
    event: FirstTransferEvent | None = None,
) -> None:
    """Propose new units from serial one on."""
    range_ = units(1, quantity, series)
    window.introduce(range_, ATTRIBUTES, "GHA01", None, BlockStatus.AUTHORIZED, event, transfer_id)
    window.reserve([range_], transfer_id)


def kinds_of(violations: Iterable[Violation]) -> set[ViolationKind]:
    """Return the kinds found."""
    return {violation.kind for violation in violations}


def test_a_sound_ledger_is_proven() -> None:
    """No violations, from streams that are read once."""
    blocks, postings = sound_ledger()
    assert prove(iter(blocks), iter(postings), SOUND) == []


def test_units_that_only_a_hold_keeps_count_against_no_cap() -> None:
    """Their authorization was their first transfer, but the transfer that said so failed."""
    window = LedgerWindow((), 1)
    introduce(window, SERIES, 10, "GHA01-1", FirstTransferEvent.AUTHORIZATION)
    window.hold([units(3, 5)], "case-1")
    window.withdraw("GHA01-1")
    window.release("GHA01-1")
    postings = window.changes().postings
    unused = Expectations(in_flight={}, usage={KEY: AuthorizationUsage()}, quantity_max={KEY: 1})
    assert [block.quantity for block in window] == [3]
    assert prove(list(window), postings, unused) == []


def test_differently_cut_rows_are_the_same_ledger() -> None:
    """The proof is about units, not about where blocks are cut."""
    blocks, postings = sound_ledger()
    cut = [part for block in blocks for part in parts(block)]
    assert len(cut) > len(blocks)
    assert prove(cut, postings, SOUND) == []


def parts(block: LedgerBlock) -> tuple[LedgerBlock, ...]:
    """Return the block in two, if it has two units."""
    if block.quantity == 1:
        return (block,)
    return block.split_at(block.first + 1, block.block_id + 1000)


@pytest.mark.parametrize(
    "damage",
    [
        {"registry": "THA01"},
        {"account": "ACC-9"},
        {"status": BlockStatus.CANCELLED},
        {"first_transfer": None},
        {"hold": "case-1"},
        {"introduced_by": "GHA01-1"},
        {"attributes": OTHER_ATTRIBUTES},
        {"underlying_first": "A", "underlying_last": "B"},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_row_changed_behind_the_journal_is_named_by_its_units(damage: dict[str, object]) -> None:
    """Whatever the field, the difference is found and its serials are told."""
    blocks, postings = sound_ledger()
    (at,) = [n for n, block in enumerate(blocks) if block.first == 61]
    # The field names are the parametrization's; the type checker cannot follow them.
    blocks[at] = replace(blocks[at], **damage)  # type: ignore[arg-type]  # see above
    violations = prove(blocks, postings, replace(SOUND, usage=None))
    assert [(v.kind, v.subject) for v in violations] == [
        (ViolationKind.DIFFERENCE, "CA0003-GHA01-GHA-61-2023..100")
    ]


def test_a_lost_row_is_a_difference_and_breaks_conservation() -> None:
    """Units that vanished are missing from the sum, too."""
    blocks, postings = sound_ledger()
    violations = prove(blocks[1:], postings, Expectations(SOUND.in_flight))
    assert kinds_of(violations) == {ViolationKind.DIFFERENCE, ViolationKind.CONSERVATION}
    assert "not there" in violations[-1].text


def test_a_lost_posting_is_found() -> None:
    """What follows it cannot follow."""
    blocks, postings = sound_ledger()
    kept = [posting for posting in postings if posting.kind is not PostingKind.MOVED]
    violations = prove(blocks, kept, SOUND)
    assert ViolationKind.JOURNAL in kinds_of(violations)
    assert ViolationKind.DIFFERENCE in kinds_of(violations)


def test_a_unit_in_two_rows_is_found() -> None:
    """The row that starts inside another is named."""
    blocks, postings = sound_ledger()
    (at,) = [n for n, block in enumerate(blocks) if block.first == 61]
    blocks.insert(at, replace(blocks[at], block_id=999, first=60, last=60, reserved_by=None))
    violations = prove(blocks, postings, SOUND)
    assert violations[0].kind is ViolationKind.OVERLAP
    assert violations[0].subject == "CA0003-GHA01-GHA-60-2023..60"
    assert ViolationKind.CONSERVATION in kinds_of(violations)


def test_a_series_known_to_one_side_only_is_found() -> None:
    """Whether it is in the rows alone or in the journal alone."""
    blocks, postings = sound_ledger()
    in_flight = Expectations(SOUND.in_flight)
    rows_only = prove(blocks, [p for p in postings if p.series == SERIES], in_flight)
    journal_only = prove([b for b in blocks if b.series == SERIES], postings, in_flight)
    assert {v.subject for v in rows_only} == {
        "CA0003-GHA01-GHA-1-2024",
        "CA0003-GHA01-GHA-1-2024..5",
    }
    assert ViolationKind.RESERVATION in kinds_of(journal_only)
    assert ViolationKind.DIFFERENCE in kinds_of(journal_only)


@pytest.mark.parametrize(
    ("in_flight", "text"),
    [
        ({"CHE01-1": 20}, "is not in flight"),
        ({**SOUND.in_flight, "CHE01-1": 21}, "about 21 units and reserves 20"),
        ({**SOUND.in_flight, "CHE01-7": 1}, "about 1 units and reserves 0"),
    ],
)
def test_only_transfers_in_flight_reserve_as_many_as_they_are_about(
    in_flight: dict[str, int], text: str
) -> None:
    """A reservation nobody answers for, a wrong one, a missing one."""
    (violation,) = prove(*sound_ledger(), replace(SOUND, in_flight=in_flight))
    assert violation.kind is ViolationKind.RESERVATION
    assert text in violation.text


@pytest.mark.parametrize(
    ("usage", "cap", "kind"),
    [
        (AuthorizationUsage(99, 5), 105, ViolationKind.USAGE),
        (AuthorizationUsage(100, 6), 106, ViolationKind.USAGE),
        (AuthorizationUsage(100, 5), 104, ViolationKind.CAP),
    ],
)
def test_usage_and_cap_are_proven_from_the_blocks(
    usage: AuthorizationUsage, cap: int, kind: ViolationKind
) -> None:
    """The record must say what the blocks say, and stay within what is authorized."""
    expectations = replace(SOUND, usage={KEY: usage}, quantity_max={KEY: cap})
    assert [v.kind for v in prove(*sound_ledger(), expectations)] == [kind]


def test_flagged_units_on_trial_count_as_in_flight() -> None:
    """Authorization as first transfer flags new units at once; their transfer may still fail."""
    window = LedgerWindow((), 1)
    introduce(window, SERIES, 7, "GHA01-1", FirstTransferEvent.AUTHORIZATION)
    blocks, postings = list(window), window.changes().postings
    usage = {KEY: AuthorizationUsage(first_transferred=0, reserved=7)}
    assert prove(blocks, postings, Expectations({"GHA01-1": 7}, usage)) == []


def test_usage_that_was_never_recorded_is_found() -> None:
    """An authorization missing from the record counts as none used."""
    (violation,) = prove(*sound_ledger(), replace(SOUND, usage={}))
    assert violation == Violation(
        ViolationKind.USAGE, "GHA GHA-1", "100 units are first transferred, 0 recorded"
    )


def test_streams_out_of_order_are_refused() -> None:
    """The proof reads once, so it cannot forgive a wrong order."""
    blocks, postings = sound_ledger()
    with pytest.raises(ValueError, match="not in order"):
        prove(reversed(blocks), postings, SOUND)
    with pytest.raises(ValueError, match="not in order"):
        prove(blocks, reversed(postings), SOUND)
    late = [blocks[1], blocks[0], *blocks[2:]]
    with pytest.raises(ValueError, match="not in order"):
        prove(late, postings, SOUND)


def test_the_report_is_bounded() -> None:
    """A thoroughly damaged ledger is told by its first violations."""
    blocks, postings = sound_ledger()
    damaged = [replace(block, registry="THA01") for block in blocks]
    assert len(prove(damaged, postings, SOUND)) > 2
    assert len(prove(damaged, postings, SOUND, violation_count_max=2)) == 2
