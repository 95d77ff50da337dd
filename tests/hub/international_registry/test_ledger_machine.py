"""The window against the naive ledger, by random histories.

A history is a series of operations with arguments that are often wrong, batches that end with the
changes being applied to a table of rows, and new batches that load from it. After each step the
window has the units of the naive ledger; after each batch the rows have them too, and the journal
so far, played again from nothing, proves them.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.international_registry.invariants import Expectations, prove
from hub.international_registry.ledger import LedgerInvariantError, LedgerWindow, Posting
from hub.international_registry.replay import Standing
from hub.international_registry.units import (
    TERMINAL_STATUSES,
    Attributes,
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
    Series,
    are_one,
)
from tests.hub.international_registry.naive_ledger import NaiveLedger, RefusedError, Unit, units_of
from tests.hub.international_registry.samples import (
    ATTRIBUTES,
    OTHER_ATTRIBUTES,
    OTHER_SERIES,
    SERIES,
)

SERIAL_LARGEST = 24
LENGTH_MAX = 4

serieses = st.sampled_from([SERIES, SERIES, OTHER_SERIES])
# Short ranges: most lie within what is there, and many share a block with others.
ranges = st.builds(
    lambda series, first, length: Range(series, first, first + length),
    serieses,
    st.integers(1, SERIAL_LARGEST),
    st.integers(0, LENGTH_MAX - 1),
)
range_lists = st.one_of(ranges.map(lambda one: [one]), st.lists(ranges, min_size=2, max_size=3))
registries = st.sampled_from(["GHA01", "CHE01"])
references = st.sampled_from(["GHA01-1", "CHE01-1"])
events = st.sampled_from([None, *FirstTransferEvent])


class LedgerMachine(RuleBasedStateMachine):
    """One ledger, told twice."""

    def __init__(self) -> None:
        super().__init__()
        self.naive = NaiveLedger({})
        self.rows: dict[int, LedgerBlock] = {}
        self.journal: list[Posting] = []
        self.window = LedgerWindow((), 1)
        self.before: dict[Unit, Standing] = {}

    def both(self, naive: Callable[[], object], window: Callable[[], object]) -> None:
        """Do it in both ledgers, or in neither."""
        try:
            naive()
        except RefusedError:
            before = list(self.window), self.window.changes().postings
            with pytest.raises(LedgerInvariantError):
                window()
            assert (list(self.window), self.window.changes().postings) == before
        else:
            window()

    @initialize()
    def start_with_units_in_three_standings(self) -> None:
        """Provisional, not first transferred, first transferred: eight units of each."""
        for first, status, event in (
            (1, BlockStatus.AUTHORIZED, None),
            (9, BlockStatus.ITMO, None),
            (17, BlockStatus.ITMO, FirstTransferEvent.INTERNATIONAL_TRANSFER),
        ):
            range_ = Range(SERIES, first, first + 7)
            self.introduce(range_, ATTRIBUTES, "GHA01", status, event, "GHA01-1", None)

    @rule(
        range_=ranges,
        attributes=st.sampled_from([ATTRIBUTES, OTHER_ATTRIBUTES]),
        registry=registries,
        status=st.sampled_from([BlockStatus.AUTHORIZED, BlockStatus.ITMO, BlockStatus.CANCELLED]),
        event=events,
        reference=references,
        underlying=st.sampled_from([None, ("VCS-1", "VCS-9")]),
    )
    def introduce(
        self,
        range_: Range,
        attributes: Attributes,
        registry: str,
        status: BlockStatus,
        event: FirstTransferEvent | None,
        reference: str,
        underlying: tuple[str, str] | None,
    ) -> None:
        """Units come into the ledger."""
        standing = Standing(
            attributes,
            registry,
            None,
            status,
            event,
            introduced_by=reference if status is BlockStatus.AUTHORIZED else None,
            underlying_first=underlying[0] if underlying else None,
            underlying_last=underlying[1] if underlying else None,
        )
        self.both(
            lambda: self.naive.introduce(range_, standing),
            lambda: self.window.introduce(
                range_, attributes, registry, None, status, event, reference, underlying
            ),
        )

    @rule(wanted=range_lists, transfer_id=references)
    def reserve(self, wanted: list[Range], transfer_id: str) -> None:
        """A proposal."""
        self.both(
            lambda: self.naive.reserve(wanted, transfer_id),
            lambda: self.window.reserve(wanted, transfer_id),
        )

    @rule(range_=ranges, transfer_id=references)
    def propose_new_units(self, range_: Range, transfer_id: str) -> None:
        """A first transfer of units the ledger has not met."""
        if not self.window.overlapping(range_.series, range_.first, range_.last):
            status = BlockStatus.AUTHORIZED
            self.introduce(range_, ATTRIBUTES, "GHA01", status, None, transfer_id, None)
            self.reserve([range_], transfer_id)

    @precondition(lambda self: self.in_flight())
    @rule(transfer_id=references)
    def release(self, transfer_id: str) -> None:
        """A release that may have forgotten to withdraw."""
        self.both(lambda: self.naive.release(transfer_id), lambda: self.window.release(transfer_id))

    @precondition(lambda self: self.in_flight())
    @rule(transfer_id=references)
    def come_to_nothing(self, transfer_id: str) -> None:
        """A rejection, cancellation or expiry: withdraw, then release."""
        self.naive.withdraw(transfer_id)
        self.naive.release(transfer_id)
        self.window.withdraw(transfer_id)
        self.window.release(transfer_id)
        assert self.window.reserved_by(transfer_id) == []

    @precondition(lambda self: self.in_flight())
    @rule(transfer_id=references, registry=registries, event=events)
    def move(self, transfer_id: str, registry: str, event: FirstTransferEvent | None) -> None:
        """A completion."""
        self.both(
            lambda: self.naive.move(transfer_id, registry, event),
            lambda: self.window.move(transfer_id, registry, None, event),
        )

    @rule(wanted=range_lists, event=events, reference=references)
    def use(self, wanted: list[Range], event: FirstTransferEvent | None, reference: str) -> None:
        """A use."""
        self.both(
            lambda: self.naive.end(wanted, BlockStatus.USED, event),
            lambda: self.window.use(wanted, reference, event),
        )

    @rule(wanted=range_lists, event=events, reference=references)
    def cancel(self, wanted: list[Range], event: FirstTransferEvent | None, reference: str) -> None:
        """A cancellation."""
        self.both(
            lambda: self.naive.end(wanted, BlockStatus.CANCELLED, event),
            lambda: self.window.cancel(wanted, reference, event),
        )

    @rule(wanted=range_lists, event=st.sampled_from(FirstTransferEvent), reference=references)
    def settle(self, wanted: list[Range], event: FirstTransferEvent, reference: str) -> None:
        """A first transfer in place."""
        self.both(
            lambda: self.naive.settle(wanted, event),
            lambda: self.window.settle(wanted, reference, event),
        )

    @rule(range_=ranges, holder=registries, registry=registries)
    def correct(self, range_: Range, holder: str, registry: str) -> None:
        """A correction."""
        self.both(
            lambda: self.naive.correct(range_, holder, registry),
            lambda: self.window.correct(range_, "C:1", holder, registry, None),
        )

    @rule(wanted=range_lists, reference=st.sampled_from(["case-1", "case-2"]))
    def hold(self, wanted: list[Range], reference: str) -> None:
        """A freeze."""
        self.both(
            lambda: self.naive.hold(wanted, reference), lambda: self.window.hold(wanted, reference)
        )

    @rule(range_=ranges)
    def unhold(self, range_: Range) -> None:
        """The end of a freeze, or of a part of one, or of parts of several."""
        self.naive.unhold(range_)
        freed = self.window.unhold(range_)
        assert all(range_.first <= block.first <= block.last <= range_.last for block in freed)

    @rule()
    def coalesce(self) -> None:
        """Tidying: no unit notices."""
        self.window.coalesce()

    @rule()
    def start_a_batch(self) -> None:
        """Apply the changes to the rows, prove them by the journal, and load the rows again."""
        changes = self.window.changes()
        for block_id in changes.deleted_ids:
            del self.rows[block_id]
        for block in changes.updated:
            assert self.rows[block.block_id] != block
            self.rows[block.block_id] = block
        for block in changes.inserted:
            assert block.block_id not in self.rows
            self.rows[block.block_id] = block
        self.journal += changes.postings
        stored = sorted(self.rows.values(), key=lambda block: (block.series, block.first))
        assert stored == list(self.window)
        by_series = sorted(self.journal, key=lambda posting: posting.series)
        assert prove(stored, by_series, Expectations(self.in_flight())) == []
        self.window = LedgerWindow(reversed(stored), changes.next_block_id)

    def in_flight(self) -> dict[str, int]:
        """Return what the naive ledger knows of reservations."""
        quantities: dict[str, int] = {}
        for standing in self.naive.units.values():
            if standing.reserved_by is not None:
                quantities[standing.reserved_by] = quantities.get(standing.reserved_by, 0) + 1
        return quantities

    @invariant()
    def both_ledgers_agree(self) -> None:
        """Every unit is in the same standing in both; flags and ends are for life."""
        units = units_of(self.window)
        assert units == self.naive.units
        for unit, before in self.before.items():
            after = units.get(unit)
            if before.first_transfer is not None and after is not None:
                assert after.first_transfer is before.first_transfer, f"{unit} changed its flag"
            if before.status in TERMINAL_STATUSES:
                assert after is not None, f"{unit} left a final state"
                assert (after.status, after.registry) == (before.status, before.registry)
        self.before = units

    @invariant()
    def gaps_and_blocks_fill_every_range(self) -> None:
        """What is asked for is in the ledger or named as a gap, and never both."""
        for series in (SERIES, OTHER_SERIES):
            self.check_filled(series)

    def check_filled(self, series: Series) -> None:
        """Compare gaps and blocks of the middle serials with the naive ledger."""
        middle = Range(series, 5, 22)
        missing = {
            serial for gap in self.window.gaps(middle) for serial in range(gap.first, gap.last + 1)
        }
        expected = {s for s in range(5, 23) if (series, s) not in self.naive.units}
        assert missing == expected
        overlapping = self.window.overlapping(series, 5, 22)
        assert overlapping == [
            block
            for block in self.window
            if block.series == series and block.first <= 22 and block.last >= 5
        ]


class CoalescedMachine(LedgerMachine):
    """The same, tidied after each step: then no two touching blocks are ever one."""

    @invariant()
    def no_two_blocks_are_one(self) -> None:
        """Coalescing leaves nothing to join among the blocks of the batch."""
        self.window.coalesce()
        blocks = list(self.window)
        for left, right in pairwise(blocks):
            assert not are_one(left, right)


LedgerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
CoalescedMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)

TestLedgerMachine = LedgerMachine.TestCase
TestCoalescedMachine = CoalescedMachine.TestCase
