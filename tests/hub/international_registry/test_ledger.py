"""Tests of the ledger window: the stories its operations are for."""

from dataclasses import replace

import pytest

from hub.international_registry.ledger import LedgerInvariantError, LedgerWindow, PostingKind
from hub.international_registry.units import BlockStatus, FirstTransferEvent, LedgerBlock
from tests.hub.international_registry.samples import (
    ATTRIBUTES,
    INTERNATIONAL,
    SERIES,
    itmos,
    units,
)

TRANSFER = "GHA01-1"


def proposed_window() -> LedgerWindow:
    """Return a window in which GHA01 proposed ten units that the ledger had not met."""
    window = LedgerWindow((), 1)
    window.introduce(
        units(1, 10), ATTRIBUTES, "GHA01", None, BlockStatus.AUTHORIZED, None, TRANSFER
    )
    window.reserve([units(1, 10)], TRANSFER)
    return window


def kinds(window: LedgerWindow) -> list[PostingKind]:
    """Return the kinds of the window's postings, in order."""
    return [posting.kind for posting in window.changes().postings]


def serials(blocks: list[LedgerBlock]) -> list[tuple[int, int]]:
    """Return first and last serial of each block."""
    return [(block.first, block.last) for block in blocks]


def test_a_completed_first_transfer_makes_itmos_of_the_acquirer() -> None:
    """Introduced, reserved, moved: the units end with the acquirer, flagged, no longer on trial."""
    window = proposed_window()
    (block,) = window.move(TRANSFER, "CHE01", "ACC-1", INTERNATIONAL)
    assert (block.registry, block.account, block.status) == ("CHE01", "ACC-1", BlockStatus.ITMO)
    assert block.first_transfer is INTERNATIONAL
    assert block.reserved_by is block.introduced_by is None
    assert kinds(window) == [PostingKind.INTRODUCED, PostingKind.RESERVED, PostingKind.MOVED]
    assert window.changes().inserted == (block,)


def test_a_proposal_that_came_to_nothing_leaves_no_units_behind() -> None:
    """The journal remembers it, the rows do not."""
    window = proposed_window()
    removed = window.withdraw(TRANSFER)
    window.release(TRANSFER)
    changes = window.changes()
    assert serials(removed) == [(1, 10)]
    assert list(window) == []
    assert (changes.inserted, changes.updated, changes.deleted_ids) == ((), (), ())
    assert kinds(window)[-1] is PostingKind.WITHDRAWN


def test_release_alone_would_leave_units_on_nobody_s_word() -> None:
    """So it is refused until what the transfer introduced is withdrawn."""
    window = proposed_window()
    with pytest.raises(LedgerInvariantError, match="only by GHA01-1"):
        window.release(TRANSFER)
    assert window.reserved_by(TRANSFER)


def test_a_unit_is_in_one_transfer_at_a_time() -> None:
    """What one transfer reserves, another cannot, nor can a use or a cancellation end it."""
    window = LedgerWindow([itmos(1, 1, 10)], 2)
    window.reserve([units(1, 5)], "CHE01-1")
    for operation in (window.reserve, window.use, window.cancel):
        with pytest.raises(LedgerInvariantError, match="reserved by CHE01-1"):
            operation([units(5, 6)], "CHE01-2")
    assert serials(window.reserved_by("CHE01-1")) == [(1, 5)]


def test_a_mixed_proposal_gives_back_the_old_and_forgets_the_new() -> None:
    """Existing units are released and joined again; introduced ones vanish."""
    window = LedgerWindow([itmos(1, 1, 100)], 2)
    window.introduce(
        units(101, 110), ATTRIBUTES, "CHE01", None, BlockStatus.AUTHORIZED, None, "CHE01-1"
    )
    window.reserve([units(41, 60), units(101, 110)], "CHE01-1")
    assert serials(window.reserved_by("CHE01-1")) == [(41, 60), (101, 110)]
    window.withdraw("CHE01-1")
    window.release("CHE01-1")
    window.coalesce()
    assert list(window) == [itmos(1, 1, 100)]
    changes = window.changes()
    assert (changes.inserted, changes.updated, changes.deleted_ids) == ((), (), ())


def test_a_reservation_in_the_middle_splits_a_block_in_three() -> None:
    """The first part keeps the row; the two others are new ones; nothing else is touched."""
    window = LedgerWindow([itmos(1, 1, 100), itmos(2, 200, 300)], 3)
    (piece,) = window.reserve([units(41, 60)], "CHE01-1")
    changes = window.changes()
    assert changes.updated == (itmos(1, 1, 40),)
    assert changes.inserted == (piece, itmos(4, 61, 100))
    assert changes.next_block_id == 5


def test_a_move_keeps_the_first_transfer_that_was() -> None:
    """A unit is first transferred once; the posting of the second move names no event."""
    window = LedgerWindow([itmos(1, 1, 10)], 2)
    window.reserve([units(1, 10)], "CHE01-1")
    (block,) = window.move("CHE01-1", "THA01", None, FirstTransferEvent.ISSUANCE)
    assert block.first_transfer is INTERNATIONAL
    assert window.changes().postings[-1].first_transfer is None


def test_a_move_of_nothing_is_a_defect() -> None:
    """Completion of a transfer without reservation must crash, not pass in silence."""
    with pytest.raises(LedgerInvariantError, match="reserves nothing"):
        LedgerWindow([itmos(1, 1, 10)], 2).move("CHE01-1", "THA01", None, None)


@pytest.mark.parametrize("end", ["use", "cancel"])
def test_nothing_follows_a_use_or_a_cancellation(end: str) -> None:
    """2/CMA.3 a.21(e): not transferred, used or cancelled again."""
    window = LedgerWindow([itmos(1, 1, 10)], 2)
    getattr(window, end)([units(1, 10)], "CHE01-9", account="USE-1")
    before = list(window)
    assert before[0].account == "USE-1"
    for again in (window.use, window.cancel, window.reserve):
        with pytest.raises(LedgerInvariantError, match="already"):
            again([units(5, 5)], "CHE01-10")
    assert list(window) == before


def test_cancelling_for_omge_first_transfers_only_what_was_not() -> None:
    """4/CMA.6 para 17: recorded as first transfer unless already first transferred."""
    window = LedgerWindow([itmos(1, 1, 10)], 2)
    window.introduce(
        units(11, 20), ATTRIBUTES, "CHE01", None, BlockStatus.AUTHORIZED, None, "CHE01-9"
    )
    old, new = window.cancel([units(1, 20)], "CHE01-9", FirstTransferEvent.OMGE)
    assert (old.first_transfer, new.first_transfer) == (INTERNATIONAL, FirstTransferEvent.OMGE)
    assert new.introduced_by is None
    assert [posting.first_transfer for posting in window.changes().postings] == [
        None,
        None,
        FirstTransferEvent.OMGE,
    ]


def test_units_can_come_in_finished() -> None:
    """A pushed block that was cancelled for OMGE at its source needs one posting."""
    window = LedgerWindow((), 1)
    block = window.introduce(
        units(1, 5),
        ATTRIBUTES,
        "XIR01",
        "ACC-1",
        BlockStatus.CANCELLED,
        FirstTransferEvent.OMGE,
        "XMR01-7",
        ("A-1", "A-5"),
    )
    (posting,) = window.changes().postings
    assert block.introduced_by is None
    assert (posting.status, posting.first_transfer) == (block.status, block.first_transfer)
    assert (posting.underlying_first, posting.underlying_last) == ("A-1", "A-5")


def test_units_in_the_ledger_cannot_come_in_again() -> None:
    """One shared serial is enough to refuse: it would be in two places."""
    window = LedgerWindow([itmos(1, 10, 20)], 2)
    with pytest.raises(LedgerInvariantError, match="in the ledger already"):
        window.introduce(
            units(20, 25), ATTRIBUTES, "GHA01", None, BlockStatus.AUTHORIZED, None, TRANSFER
        )
    assert list(window) == [itmos(1, 10, 20)]
    assert window.changes().postings == ()


def test_a_hold_stops_new_reservations_and_travels_with_old_ones() -> None:
    """Frozen after it was proposed, a block still completes, and stays frozen where it arrives."""
    window = LedgerWindow([itmos(1, 1, 20)], 2)
    window.reserve([units(1, 10)], "CHE01-1")
    window.hold([units(6, 15)], "case-1")
    with pytest.raises(LedgerInvariantError, match="held by case-1"):
        window.reserve([units(11, 20)], "CHE01-2")
    window.move("CHE01-1", "THA01", None, None)
    assert serials(window.held_by("case-1")) == [(6, 10), (11, 15)]
    assert [block.registry for block in window.held_by("case-1")] == ["THA01", "CHE01"]
    window.unhold(units(1, 20))
    window.coalesce()
    assert [(b.first, b.last, b.registry) for b in window] == [
        (1, 10, "THA01"),
        (11, 20, "CHE01"),
    ]


def test_a_part_of_a_hold_is_lifted_and_the_rest_stays() -> None:
    """Exactly the units asked for are free again; asking for more than is held does no harm."""
    window = LedgerWindow([itmos(1, 1, 100), itmos(2, 200, 300)], 3)
    window.hold([units(1, 100)], "case-1")
    window.hold([units(200, 210)], "case-2")
    assert serials(window.unhold(units(50, 50))) == [(50, 50)]
    assert serials(window.held_by("case-1")) == [(1, 49), (51, 100)]
    assert window.unhold(units(50, 50)) == []
    assert serials(window.unhold(units(90, 205))) == [(90, 100), (200, 205)]
    assert serials(window.held_by("case-1")) == [(1, 49), (51, 89)]
    assert serials(window.held_by("case-2")) == [(206, 210)]


def test_giving_up_a_transfer_does_not_shake_off_a_hold() -> None:
    """New units on hold stay where they are, held and of no use, until the hold is lifted."""
    window = proposed_window()
    window.hold([units(4, 6)], "case-1")
    assert serials(window.withdraw(TRANSFER)) == [(1, 3), (7, 10)]
    assert window.release(TRANSFER) == []
    (kept,) = window
    assert (kept.first, kept.last, kept.registry, kept.hold) == (4, 6, "GHA01", "case-1")
    assert kept.status is BlockStatus.AUTHORIZED
    assert kept.reserved_by is kept.introduced_by is None
    for operation in (window.reserve, window.use, window.cancel):
        with pytest.raises(LedgerInvariantError, match="held by case-1"):
            operation([units(4, 4)], "GHA01-2")
    window.unhold(units(4, 4))
    assert serials(list(window)) == [(5, 6)]
    window.unhold(units(1, 10))
    assert list(window) == []
    assert kinds(window)[-2:] == [PostingKind.UNHELD, PostingKind.WITHDRAWN]


def test_settling_flags_units_where_they_lie() -> None:
    """Authorization or issuance as first transfer moves nothing; it happens once."""
    window = LedgerWindow((), 1)
    window.introduce(units(1, 9), ATTRIBUTES, "XIR01", "A", BlockStatus.AUTHORIZED, None, "ars-1")
    (block,) = window.settle([units(1, 9)], "GHA-1/1", FirstTransferEvent.AUTHORIZATION)
    assert (block.registry, block.account, block.status) == ("XIR01", "A", BlockStatus.ITMO)
    assert block.first_transfer is FirstTransferEvent.AUTHORIZATION
    with pytest.raises(LedgerInvariantError, match="first transferred by authorization"):
        window.settle([units(5, 5)], "GHA-1/2", FirstTransferEvent.ISSUANCE)


def test_an_operation_on_several_ranges_is_all_or_nothing() -> None:
    """The second range is impossible, so the first is not even split."""
    window = LedgerWindow([itmos(1, 1, 100)], 2)
    with pytest.raises(LedgerInvariantError, match="101 is not in the ledger"):
        window.reserve([units(10, 20), units(90, 110)], "CHE01-1")
    with pytest.raises(LedgerInvariantError, match="asked for twice"):
        window.reserve([units(10, 20), units(20, 30)], "CHE01-1")
    assert list(window) == [itmos(1, 1, 100)]
    assert window.changes().postings == ()


def test_gaps_are_the_parts_the_ledger_has_not_met() -> None:
    """Before, between and after the blocks."""
    window = LedgerWindow([itmos(1, 10, 20), itmos(2, 31, 40)], 3)
    assert window.gaps(units(5, 50)) == [units(5, 9), units(21, 30), units(41, 50)]
    assert window.gaps(units(12, 18)) == []
    assert window.gaps(units(60, 70)) == [units(60, 70)]
    assert serials(window.overlapping(SERIES, 20, 31)) == [(10, 20), (31, 40)]


def test_joining_keeps_the_row_that_was_there() -> None:
    """The older id survives, on whichever side it lies, so that fewer rows change."""
    window = LedgerWindow([itmos(1, 11, 20)], 2)
    window.introduce(
        units(1, 10), ATTRIBUTES, "CHE01", None, BlockStatus.ITMO, INTERNATIONAL, "CHE01-1"
    )
    window.coalesce()
    assert window.changes().updated == (itmos(1, 1, 20),)
    assert (window.changes().inserted, window.changes().deleted_ids) == ((), ())


def test_joining_two_rows_deletes_the_younger() -> None:
    """Two loaded rows become one; the other is named for deletion."""
    window = LedgerWindow([itmos(1, 11, 20, "THA01"), itmos(2, 1, 10)], 3)
    window.reserve([units(11, 20)], "THA01-1")
    window.move("THA01-1", "CHE01", None, None)
    window.coalesce()
    assert window.changes().updated == (itmos(1, 1, 20),)
    assert window.changes().deleted_ids == (2,)


def test_a_window_refuses_rows_that_cannot_be() -> None:
    """The ledger is checked again on reading back: ids, overlaps, the counter of ids."""
    with pytest.raises(LedgerInvariantError, match="share units"):
        LedgerWindow([itmos(1, 1, 10), itmos(2, 10, 20)], 3)
    with pytest.raises(LedgerInvariantError, match="id 1 is taken"):
        LedgerWindow([itmos(1, 1, 10), itmos(1, 11, 20)], 3)
    with pytest.raises(LedgerInvariantError, match="from 2 on"):
        LedgerWindow([itmos(2, 1, 10)], 2)


def test_a_correction_moves_a_part_and_its_flag_stays() -> None:
    """The piece goes to its owner, first transferred as it was; the rest stays where it lay."""
    window = LedgerWindow([itmos(1, 1, 10)], 2)
    (moved,) = window.correct(units(4, 6), "C:7", "CHE01", "GHA01", None)
    assert (moved.registry, moved.first_transfer) == ("GHA01", INTERNATIONAL)
    assert [(block.first, block.registry) for block in window] == [
        (1, "CHE01"),
        (4, "GHA01"),
        (7, "CHE01"),
    ]
    (posting,) = window.changes().postings
    assert (posting.kind, posting.reference) == (PostingKind.CORRECTED, "C:7")
    assert (posting.first_transfer, posting.balance) == (None, 0)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (replace(itmos(1, 1, 10), reserved_by="CHE01-1"), "reserved by CHE01-1"),
        (replace(itmos(1, 1, 10), hold="S:1"), "held by S:1"),
        (replace(itmos(1, 1, 10), status=BlockStatus.USED), "already used"),
        (replace(itmos(1, 1, 10), status=BlockStatus.CANCELLED), "already cancelled"),
        (replace(itmos(1, 1, 10), first_transfer=None), "not first transferred yet"),
        (replace(itmos(1, 1, 10), status=BlockStatus.AUTHORIZED), "not first transferred yet"),
        (itmos(1, 1, 10, "GHA01"), "in GHA01"),
        (itmos(1, 1, 9), "10 is not in the ledger"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_free_and_the_holder_s_is_not_corrected(
    block: LedgerBlock, reason: str
) -> None:
    """Nothing changes, and the reason is said."""
    window = LedgerWindow([block], 2)
    with pytest.raises(LedgerInvariantError, match=reason):
        window.correct(units(1, 10), "C:7", "CHE01", "THA01", None)
    assert (list(window), window.changes().postings) == ([block], ())
