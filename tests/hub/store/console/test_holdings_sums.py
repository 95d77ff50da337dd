"""The sums of holdings: what is folded by the journal is what a new count finds, at any index."""

import random
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, insert, update

from hub.international_registry.ledger import LedgerInvariantError, LedgerWindow
from hub.international_registry.units import BlockStatus, FirstTransferEvent, Range
from hub.store import head as heads
from hub.store import ledger
from hub.store.console import holdings_sums
from hub.store.console.holdings_sums import Held, Sums
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.tables import head, log_entry, posting
from tests.hub.store.samples import ATTRIBUTES, SERIES, rolled_back

REGISTRIES = ("THA01", "CHE01", "XIR01")
GIANT = 3 * 10**18 - 1


class History:
    """A ledger that changes at random, in the database, batch by batch."""

    def __init__(self, connection: Connection, seed: int) -> None:
        self.connection = connection
        self.random = random.Random(seed)
        self.index = heads.read(connection).log_index
        self.next_block = 1
        self.number = 0

    def _begin(self, index: int) -> None:
        rows = [{"log_index": at, "entry": b"%d" % at} for at in range(self.index + 1, index + 1)]
        if rows:
            self.connection.execute(insert(log_entry), rows)
        self.index = index
        self.connection.execute(update(head).values(log_index=index))

    def batch(self) -> None:
        """Do some things to the ledger and record them under some new entries."""
        interning = Interning()
        blocks = list(ledger.all_blocks(self.connection, interning))
        window = LedgerWindow(blocks, self.next_block)
        for _ in range(self.random.randint(1, 6)):
            try:
                self.random.choice(self._deeds(window))()
            except LedgerInvariantError:
                continue
        window.coalesce()
        changes = window.changes()
        self.next_block = changes.next_block_id
        count = len(changes.postings)
        indices = sorted(self.random.randint(self.index + 1, self.index + 3) for _ in range(count))
        ledger.record(self.connection, interning, changes, indices)
        self._begin(self.index + 3)

    def _deeds(self, window: LedgerWindow) -> list[Callable[[], object]]:
        reference = f"THA01-{self.random.randint(1, 3)}"
        to = self.random.choice(REGISTRIES)
        event = self.random.choice([None, *FirstTransferEvent])
        asked = [self._range()]

        def introduce() -> None:
            self.number += 1
            first = 1000 * self.number
            status = self.random.choice([BlockStatus.ITMO, BlockStatus.AUTHORIZED])
            whole = Range(
                self.random.choice(SERIES), first, first + self.random.choice([0, 9, 999])
            )
            window.introduce(whole, ATTRIBUTES[0], to, None, status, None, reference)
            if self.random.random() < 0.7:
                window.reserve([whole], reference)

        def nothing_of_it() -> None:
            window.withdraw(reference)
            window.release(reference)

        return [
            introduce,
            introduce,
            nothing_of_it,
            lambda: window.reserve(asked, reference),
            lambda: window.move(reference, to, None, event),
            lambda: window.use(asked, reference, event),
            lambda: window.cancel(asked, reference, event),
            lambda: window.settle(asked, reference, FirstTransferEvent.AUTHORIZATION),
            lambda: window.correct(asked[0], "C:1", "THA01", to, None),
            lambda: window.hold(asked, "S:1"),
            lambda: window.unhold(asked[0]),
        ]

    def _range(self) -> Range:
        first = 1000 * self.random.randint(1, max(self.number, 1)) + self.random.choice([0, 3])
        return Range(self.random.choice(SERIES), first, first + self.random.choice([0, 2, 9]))


def _same(one: Sums, other: Sums) -> None:
    assert one.units == other.units
    assert +one.moved == +other.moved
    assert (one.log_index, one.mark) == (other.log_index, other.mark)


@pytest.mark.parametrize("number", range(12))
def test_folded_sums_equal_a_new_count_at_every_index(
    shared_database: Database, run_seed: int, number: int
) -> None:
    """From every earlier count, in one step or in many, and no unit is left over."""
    with rolled_back(shared_database) as connection:
        history = History(connection, run_seed + number)
        kept = [holdings_sums.count(connection)]
        stepwise = kept[0]
        for _ in range(14):
            history.batch()
            counted = holdings_sums.count(connection)
            stepwise = holdings_sums.fold(connection, stepwise, history.index)
            _same(stepwise, counted)
            for earlier in kept:
                _same(holdings_sums.fold(connection, earlier, history.index), counted)
            kept.append(counted)
        held = sum(one.quantity for one in ledger.all_blocks(connection, Interning()))
        assert stepwise.units.total() == held
        assert all(units > 0 for units in stepwise.units.values())


def test_sums_hold_more_than_a_number_of_the_database(shared_database: Database) -> None:
    """A registry that names giant blocks breaks no sum for the others."""
    with rolled_back(shared_database) as connection:
        before = holdings_sums.count(connection)
        window = LedgerWindow([], 1)
        for number in range(3):
            giant = Range(SERIES[0], 1 + number * GIANT, (number + 1) * GIANT)
            for one in (giant, Range(SERIES[1], giant.first, giant.last)):
                window.introduce(
                    one, ATTRIBUTES[0], "THA01", None, BlockStatus.ITMO, None, f"THA01-{number}"
                )
        changes = window.changes()
        index = before.log_index + 1
        ledger.record(connection, Interning(), changes, [index] * len(changes.postings))
        connection.execute(insert(log_entry), [{"log_index": index, "entry": b"1"}])
        connection.execute(update(head).values(log_index=index))
        folded = holdings_sums.fold(connection, before, index)
        _same(folded, holdings_sums.count(connection))
        assert folded.units.total() == 6 * GIANT


def test_postings_from_before_they_told_are_not_guessed(shared_database: Database) -> None:
    """The caller counts anew."""
    with rolled_back(shared_database) as connection:
        history = History(connection, 1)
        before = holdings_sums.count(connection)
        while not holdings_sums.fold(connection, before, history.index).moved:
            history.batch()
        connection.execute(update(posting).values(was_status=None, was_first_transferred=None))
        with pytest.raises(holdings_sums.UntoldError, match="does not tell how its units stood"):
            holdings_sums.fold(connection, before, history.index)


def test_series_are_told_by_what_they_are_made_of(shared_database: Database) -> None:
    """Those asked for and no others."""
    with rolled_back(shared_database) as connection:
        history = History(connection, 2)
        while not holdings_sums.count(connection).units:
            history.batch()
        sums = holdings_sums.count(connection)
        names = holdings_sums.series_names(connection, {held.series_id for held in sums.units})
        assert {one.cooperative_approach for one in names.values()} <= {"CA0001", "CA0002"}
        assert len(names) == len({held.series_id for held in sums.units})
        assert all(isinstance(held, Held) for held in sums.units)
