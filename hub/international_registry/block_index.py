"""The sorted structure under a ledger window, and the one place where blocks are replaced.

Per series a *lane*: the blocks in order of their serials, beside a list of their first serials to
bisect. Blocks of a lane never overlap; ``replace`` asserts it at the seam each time, and asserts
that units are conserved unless the caller brings some in or takes some out.

Finding takes O(log n); replacing moves list tails, which is a memory copy of a few microseconds at
10,000 blocks. Two side indices answer "which blocks does this transfer, this hold, keep?".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hub.international_registry.units import LedgerBlock, Series


class LedgerInvariantError(RuntimeError):
    """The ledger was asked for what must not be: a defect of ours, since callers check first."""


@dataclass(slots=True)
class _Lane:
    firsts: list[int] = field(default_factory=list)
    blocks: list[LedgerBlock] = field(default_factory=list)


class BlockIndex:
    """Blocks by series and serial, by id, by reservation and by hold.

    Raises LedgerInvariantError if two of the blocks share an id or a unit.
    """

    __slots__ = ("_by_id", "_held", "_lanes", "_reserved")

    def __init__(self, blocks: Iterable[LedgerBlock]) -> None:
        self._by_id: dict[int, LedgerBlock] = {}
        self._lanes: dict[Series, _Lane] = {}
        self._reserved: dict[str, set[int]] = {}
        self._held: dict[str, set[int]] = {}
        for block in blocks:
            self._note(block)
            self._lanes.setdefault(block.series, _Lane()).blocks.append(block)
        for lane in self._lanes.values():
            lane.blocks.sort(key=_first_of)
            lane.firsts = [block.first for block in lane.blocks]
            _assert_apart(lane.blocks)

    def __iter__(self) -> Iterator[LedgerBlock]:
        """Iterate in order of series and serial."""
        for series in sorted(self._lanes):
            yield from self._lanes[series].blocks

    def get(self, block_id: int) -> LedgerBlock | None:
        """Return the block of that id, or None."""
        return self._by_id.get(block_id)

    def overlapping(self, series: Series, first: int, last: int) -> list[LedgerBlock]:
        """Return the blocks with any unit of ``first`` to ``last``, in order."""
        lane = self._lanes.get(series)
        if lane is None:
            return []
        start = bisect_right(lane.firsts, first) - 1
        if start < 0 or lane.blocks[start].last < first:
            start += 1
        return lane.blocks[start : bisect_right(lane.firsts, last, start)]

    def neighbours(self, block: LedgerBlock) -> tuple[LedgerBlock | None, LedgerBlock | None]:
        """Return the blocks before and after, touching or not."""
        lane = self._lanes[block.series]
        at = bisect_left(lane.firsts, block.first)
        return (
            lane.blocks[at - 1] if at > 0 else None,
            lane.blocks[at + 1] if at + 1 < len(lane.blocks) else None,
        )

    def reserved_by(self, transfer_id: str) -> list[LedgerBlock]:
        """Return the blocks reserved by a transfer, in order."""
        return self._ordered(self._reserved.get(transfer_id))

    def held_by(self, reference: str) -> list[LedgerBlock]:
        """Return the blocks held by a freeze or suspension, in order."""
        return self._ordered(self._held.get(reference))

    def replace(self, old: Sequence[LedgerBlock], new: Sequence[LedgerBlock]) -> None:
        """Put ``new`` where the neighbouring blocks ``old`` are: split or join.

        Raises LedgerInvariantError unless both have the same serials, units conserved.
        """
        _assert_apart(new)
        if (
            old[0].first != new[0].first
            or old[-1].last != new[-1].last
            or sum(map(_quantity_of, old)) != sum(map(_quantity_of, new))
        ):
            raise LedgerInvariantError(f"units not conserved at {old[0].range}")
        self._splice(old, new)

    def change(self, before: LedgerBlock, after: LedgerBlock) -> None:
        """Put one block in another state; LedgerInvariantError if id or serials differ."""
        if (before.block_id, before.first, before.last, before.series) != (
            after.block_id,
            after.first,
            after.last,
            after.series,
        ):
            raise LedgerInvariantError(f"{before.range} is not changed but replaced")
        lane = self._lanes[before.series]
        at = bisect_left(lane.firsts, before.first)
        if lane.blocks[at] is not before:
            raise LedgerInvariantError(f"{before.range} is not what the ledger has there")
        lane.blocks[at] = after
        self._forget(before)
        self._note(after)

    def insert(self, block: LedgerBlock) -> None:
        """Add a block where no block is; LedgerInvariantError if one is."""
        if self.overlapping(block.series, block.first, block.last):
            raise LedgerInvariantError(f"{block.range} is in the ledger already")
        self._splice((), (block,))

    def remove(self, block: LedgerBlock) -> None:
        """Take a block out."""
        self._splice((block,), ())

    def _splice(self, old: Sequence[LedgerBlock], new: Sequence[LedgerBlock]) -> None:
        anchor = (old or new)[0]
        lane = self._lanes.get(anchor.series)
        if lane is None:
            lane = self._lanes[anchor.series] = _Lane()
        at = bisect_left(lane.firsts, anchor.first)
        until = at + len(old)
        if lane.blocks[at:until] != list(old):
            raise LedgerInvariantError(f"{anchor.range} is not what the ledger has there")
        lane.blocks[at:until] = new
        lane.firsts[at:until] = [block.first for block in new]
        for block in old:
            self._forget(block)
        for block in new:
            self._note(block)

    def _note(self, block: LedgerBlock) -> None:
        if block.block_id in self._by_id:
            raise LedgerInvariantError(f"block id {block.block_id} is taken")
        self._by_id[block.block_id] = block
        if block.reserved_by is not None:
            self._reserved.setdefault(block.reserved_by, set()).add(block.block_id)
        if block.hold is not None:
            self._held.setdefault(block.hold, set()).add(block.block_id)

    def _forget(self, block: LedgerBlock) -> None:
        del self._by_id[block.block_id]
        if block.reserved_by is not None:
            self._reserved[block.reserved_by].discard(block.block_id)
        if block.hold is not None:
            self._held[block.hold].discard(block.block_id)

    def _ordered(self, block_ids: set[int] | None) -> list[LedgerBlock]:
        if not block_ids:
            return []
        blocks = [self._by_id[block_id] for block_id in block_ids]
        if len(blocks) > 1:
            blocks.sort(key=lambda block: (block.series, block.first))
        return blocks


def _first_of(block: LedgerBlock) -> int:
    return block.first


def _quantity_of(block: LedgerBlock) -> int:
    return block.last - block.first + 1


def _assert_apart(blocks: Sequence[LedgerBlock]) -> None:
    """Raise unless the ordered blocks of one series share no unit."""
    for left, right in pairwise(blocks):
        if right.first <= left.last:
            raise LedgerInvariantError(f"{left.range} and {right.range} share units")
