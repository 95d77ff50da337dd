"""The ledger's rows: loaded as a window and recorded as changes, against a list in memory."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.international_registry.ledger import LedgerChanges, LedgerWindow
from hub.international_registry.postings import Posting
from hub.international_registry.units import LedgerBlock, Range
from hub.store import ledger
from hub.store.database import Database
from hub.store.interning import Interning
from tests.hub.store.samples import SERIES, block, inserting, ledgers, ranges, rolled_back

# Each example works in a transaction that is rolled back: the database fixture may be shared.
on_one_database = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def by_id(blocks: list[LedgerBlock]) -> list[LedgerBlock]:
    """Return blocks in the order of their ids."""
    return sorted(blocks, key=lambda one: one.block_id)


@on_one_database
@given(blocks=ledgers(), asked=st.lists(ranges(), max_size=6), blocks_max=st.integers(1, 8))
def test_loading_gives_exactly_the_blocks_that_overlap(
    shared_database: Database, blocks: list[LedgerBlock], asked: list[Range], blocks_max: int
) -> None:
    """Every overlapping block once, no other one, and crowded ranges told instead of loaded."""
    overlapping = {
        one: [known for known in blocks if known.range.overlaps(one)] for one in set(asked)
    }
    crowded = {one for one, found in overlapping.items() if len(found) > blocks_max}
    expected = {
        known.block_id: known
        for one, found in overlapping.items()
        if one not in crowded
        for known in found
    }
    with rolled_back(shared_database) as connection:
        ledger.record(connection, Interning(), inserting(blocks), [])
        loaded, told = ledger.load_overlapping(
            connection, Interning(), asked, blocks_max=blocks_max
        )
    assert told == crowded
    assert by_id(loaded) == by_id(list(expected.values()))


@on_one_database
@given(blocks=ledgers())
def test_blocks_are_found_by_transfer_and_by_hold(
    shared_database: Database, blocks: list[LedgerBlock]
) -> None:
    """The partial indexes answer what a scan of the whole ledger would."""
    with rolled_back(shared_database) as connection:
        ledger.record(connection, Interning(), inserting(blocks), [])
        interning = Interning()
        reserved = ledger.load_reserved(connection, interning, ["THA01-1", "THA01-9"])
        held = ledger.load_held(connection, interning, "S:1")
        assert ledger.load_reserved(connection, interning, []) == []
    assert by_id(reserved) == [one for one in blocks if one.reserved_by == "THA01-1"]
    assert by_id(held) == [one for one in blocks if one.hold == "S:1"]


@on_one_database
@given(blocks=ledgers(), asked=st.lists(ranges(), min_size=1, max_size=3))
def test_what_a_window_changed_is_what_is_read_back(
    shared_database: Database, blocks: list[LedgerBlock], asked: list[Range]
) -> None:
    """Splits, joins, new and altered blocks and the journal survive the way through the rows."""
    with rolled_back(shared_database) as connection:
        ledger.record(connection, Interning(), inserting(blocks), [])
        interning = Interning()
        loaded, _ = ledger.load_overlapping(connection, interning, asked, blocks_max=1_000)
        window = LedgerWindow(loaded, len(blocks) + 1)
        changes = held_where_free(window, asked)
        ledger.record(connection, interning, changes, [7] * len(changes.postings))
        afterwards = list(ledger.all_blocks(connection, Interning()))
        journal = list(ledger.all_postings(connection, Interning()))
    untouched = [one for one in blocks if one.block_id not in {old.block_id for old in loaded}]
    expected = sorted([*untouched, *window], key=lambda one: (one.series, one.first))
    assert afterwards == expected
    assert journal == sorted(changes.postings, key=lambda one: one.series)


def held_where_free(window: LedgerWindow, asked: list[Range]) -> LedgerChanges:
    """Hold the free units of the ranges asked for, part of a block or all of it."""
    for number, range_ in enumerate(asked):
        free = [
            part
            for known in window.overlapping(range_.series, range_.first, range_.last)
            if known.hold is None and (part := known.range.intersect(range_)) is not None
        ]
        window.hold(free, f"H:{number}")
    window.coalesce()
    return window.changes()


def test_postings_are_numbered_within_their_entry(shared_database: Database) -> None:
    """Two entries of one batch each begin at 0, so the journal has one order for ever."""
    with rolled_back(shared_database) as connection:
        window = LedgerWindow([], 1)
        for number in range(4):
            made = block(number + 1, 10 * number + 1, 10 * number + 5)
            window.introduce(
                made.range, made.attributes, "THA01", None, made.status, None, f"THA01-{number}"
            )
        changes = window.changes()
        ledger.record(connection, Interning(), changes, [3, 3, 4, 4])
        journal = list(ledger.all_postings(connection, Interning()))
        again = [one.reference for one in journal]
    assert again == [f"THA01-{number}" for number in range(4)]
    assert all(isinstance(one, Posting) for one in journal)


def test_a_changed_row_keeps_its_series_and_attributes(shared_database: Database) -> None:
    """What is fixed for a unit's life is not among the columns an update writes."""
    with rolled_back(shared_database) as connection:
        interning = Interning()
        ledger.record(connection, interning, inserting([block(1, 1, 9)]), [])
        moved = replace(block(1, 1, 9), registry="CHE01", account="CH-1", last=5)
        ledger.record(connection, interning, LedgerChanges((), (moved,), (), (), 2), [])
        assert list(ledger.all_blocks(connection, Interning())) == [moved]
        gone = LedgerChanges((), (), (1,), (), 2)
        ledger.record(connection, interning, gone, [])
        assert list(ledger.all_blocks(connection, Interning())) == []


def test_a_block_that_ends_before_the_range_does_not_crowd_it(shared_database: Database) -> None:
    """The last block before a range is where the look begins; it is not counted."""
    with rolled_back(shared_database) as connection:
        blocks = [block(1, 1, 4), block(2, 6, 6)]
        ledger.record(connection, Interning(), inserting(blocks), [])
        loaded, crowded = ledger.load_overlapping(
            connection, Interning(), [Range(SERIES[0], 5, 8)], blocks_max=1
        )
        assert loaded == [blocks[1]]
        assert crowded == frozenset()


def test_a_range_of_all_serials_costs_one_bounded_look(shared_database: Database) -> None:
    """A peer that names 10^18 serials over a full series gets it reported, not loaded."""
    with rolled_back(shared_database) as connection:
        blocks = [block(number, 2 * number, 2 * number) for number in range(1, 301)]
        ledger.record(connection, Interning(), inserting(blocks), [])
        everything = Range(SERIES[0], 1, 10**18)
        loaded, crowded = ledger.load_overlapping(
            connection, Interning(), [everything], blocks_max=299
        )
        assert loaded == []
        assert crowded == frozenset({everything})
        loaded, crowded = ledger.load_overlapping(
            connection, Interning(), [everything], blocks_max=300
        )
        assert (len(loaded), crowded) == (300, frozenset())
