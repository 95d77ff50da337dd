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
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

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

SERIAL_LARGEST = 16

serials = st.integers(1, SERIAL_LARGEST)
ranges = st.builds(
    lambda series, one, other: Range(series, min(one, other), max(one, other)),
    st.sampled_from([SERIES, SERIES, SERIES, OTHER_SERIES]),
    serials,
    serials,
)
range_lists = st.lists(ranges, min_size=1, max_size=3)
registries = st.sampled_from(["GHA01", "CHE01"])
references = st.sampled_from(["GHA01-1", "GHA01-2", "CHE01-1"])
events = st.sampled_from([None, *FirstTransferEvent])


class LedgerMachine(RuleBasedStateMachine):
    """One ledger, told twice."""

    def __init__(self) -> None:
        super().__init__()
        self.naive = NaiveLedger({})
        self.rows: dict[int, LedgerBlock] = {}
        self.journal: list[Posting] = []
        self.window = LedgerWindow((), 1)
        self.first_transferred: dict[Unit, FirstTransferEvent] = {}
        self.ended: dict[Unit, Standing] = {}

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

    @rule(transfer_id=references)
    def release(self, transfer_id: str) -> None:
        """A release that may have forgotten to withdraw."""
        self.both(lambda: self.naive.release(transfer_id), lambda: self.window.release(transfer_id))

    @rule(transfer_id=references)
    def come_to_nothing(self, transfer_id: str) -> None:
        """A rejection, cancellation or expiry: withdraw, then release."""
        self.naive.withdraw(transfer_id)
        self.naive.release(transfer_id)
        self.window.withdraw(transfer_id)
        self.window.release(transfer_id)
        assert self.window.reserved_by(transfer_id) == []

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

    @rule(wanted=range_lists, reference=st.sampled_from(["case-1", "case-2"]))
    def hold(self, wanted: list[Range], reference: str) -> None:
        """A freeze."""
        self.both(
            lambda: self.naive.hold(wanted, reference), lambda: self.window.hold(wanted, reference)
        )

    @rule(reference=st.sampled_from(["case-1", "case-2"]))
    def unhold(self, reference: str) -> None:
        """The end of a freeze."""
        self.naive.unhold(reference)
        self.window.unhold(reference)
        assert self.window.held_by(reference) == []

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
        """Every unit is in the same standing in both."""
        assert self.naive.agrees_with(self.window)

    @invariant()
    def a_first_transfer_is_for_life(self) -> None:
        """The flag, once set, stays as it is while the unit is in the ledger."""
        now = {
            unit: standing.first_transfer
            for unit, standing in units_of(self.window).items()
            if standing.first_transfer is not None
        }
        for unit in self.first_transferred.keys() & self.naive.units.keys():
            assert now.get(unit) is self.first_transferred[unit], f"{unit} lost or changed its flag"
        self.first_transferred = now

    @invariant()
    def an_end_is_for_life(self) -> None:
        """Used and cancelled units stay where they are and what they are."""
        units = units_of(self.window)
        for unit, before in self.ended.items():
            after = units[unit]
            assert (after.status, after.registry, after.first_transfer) == (
                before.status,
                before.registry,
                before.first_transfer,
            )
        self.ended = {
            unit: standing
            for unit, standing in units.items()
            if standing.status in TERMINAL_STATUSES
        }

    @invariant()
    def gaps_and_blocks_fill_every_range(self) -> None:
        """What is asked for is in the ledger or named as a gap, and never both."""
        for series in (SERIES, OTHER_SERIES):
            self.check_filled(series)

    def check_filled(self, series: Series) -> None:
        """Compare gaps and blocks of the middle serials with the naive ledger."""
        middle = Range(series, 5, 12)
        missing = {
            serial for gap in self.window.gaps(middle) for serial in range(gap.first, gap.last + 1)
        }
        expected = {s for s in range(5, 13) if (series, s) not in self.naive.units}
        assert missing == expected
        overlapping = self.window.overlapping(series, 5, 12)
        assert overlapping == [
            block
            for block in self.window
            if block.series == series and block.first <= 12 and block.last >= 5
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


LedgerMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=30)
CoalescedMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30)

TestLedgerMachine = LedgerMachine.TestCase
TestCoalescedMachine = CoalescedMachine.TestCase
