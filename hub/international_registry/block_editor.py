"""The hands of the ledger window: check, cut, change, join, and write down what was done.

The window knows what an operation means; the editor knows how one is carried out. It looks at all
units of an operation before it changes the first, cuts blocks on demand, keeps the journal, and
remembers which blocks it touched, so that the changes of a batch cost what the batch costs and not
what the window holds.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hub.international_registry import postings
from hub.international_registry.block_index import BlockIndex, LedgerInvariantError
from hub.international_registry.postings import Posting, PostingKind
from hub.international_registry.units import LedgerBlock, Range, Series, are_one

Objection = Callable[[LedgerBlock], str | None]
"""Says why a block may not be altered, or None."""

Alteration = Callable[[LedgerBlock], LedgerBlock]


@dataclass(frozen=True, slots=True)
class LedgerChanges:
    """What a batch did to the rows of the ledger, and the journal of it.

    Apply deletions, then updates, then insertions; where the database forbids overlaps, defer that
    constraint to the commit, since one updated row may grow into what another gives up.
    """

    inserted: tuple[LedgerBlock, ...]
    updated: tuple[LedgerBlock, ...]
    deleted_ids: tuple[int, ...]
    postings: tuple[Posting, ...]
    next_block_id: int


class BlockEditor:
    """Changes blocks of an index. Raises LedgerInvariantError if an id is from the free ones."""

    __slots__ = ("_loaded", "_next_block_id", "_postings", "_touched", "index")

    def __init__(self, blocks: Iterable[LedgerBlock], next_block_id: int) -> None:
        blocks = tuple(blocks)
        self.index = BlockIndex(blocks)
        self._loaded = {block.block_id: block for block in blocks}
        if any(block_id >= next_block_id for block_id in self._loaded):
            raise LedgerInvariantError(f"a loaded block has an id from {next_block_id} on")
        self._next_block_id = next_block_id
        self._postings: list[Posting] = []
        self._touched: set[int] = set()

    def new_id(self) -> int:
        """Return the next free block id."""
        block_id = self._next_block_id
        self._next_block_id += 1
        return block_id

    def bring_in(self, block: LedgerBlock, reference: str) -> None:
        """Add a block; LedgerInvariantError if a unit of it is known."""
        self.index.insert(block)
        self._touched.add(block.block_id)
        self._postings.append(postings.introduction(block, reference))

    def take_out(self, block: LedgerBlock, reference: str) -> None:
        """Remove a block."""
        self.index.remove(block)
        self._touched.add(block.block_id)
        self._postings.append(postings.withdrawal(block, reference))

    def alter(
        self,
        ranges: Sequence[Range],
        objection: Objection,
        alteration: Alteration,
        act: tuple[PostingKind, str],
    ) -> list[LedgerBlock]:
        """Cut the ranges out of their blocks and alter what was cut out; return it.

        ``act`` is the posting's kind and reference. Raises LedgerInvariantError, and changes
        nothing, if the ranges share a unit, if any unit is unknown, or if there is an objection.
        """
        _assert_disjoint(ranges)
        for range_ in ranges:
            self._assert_unobjected(range_, objection)
        altered: list[LedgerBlock] = []
        for range_ in ranges:
            for block in self.index.overlapping(range_.series, range_.first, range_.last):
                piece = self._cut(block, range_.first, range_.last)
                altered.append(self.become(piece, alteration(piece), act))
        return altered

    def become(
        self, before: LedgerBlock, after: LedgerBlock, act: tuple[PostingKind, str]
    ) -> LedgerBlock:
        """Put a block in another state and return it."""
        self.index.change(before, after)
        self._touched.add(after.block_id)
        kind, reference = act
        self._postings.append(postings.alteration(kind, before, after, reference))
        return after

    def coalesce(self) -> None:
        """Join touched blocks with neighbours that are one with them; the older id survives."""
        for block_id in sorted(self._touched):
            block = self.index.get(block_id)
            while block is not None:
                left, right = self.index.neighbours(block)
                if left is not None and are_one(left, block):
                    block = self._join(left, block)
                elif right is not None and are_one(block, right):
                    block = self._join(block, right)
                else:
                    break

    @property
    def posting_count(self) -> int:
        """Return how many postings were made so far."""
        return len(self._postings)

    def changes(self) -> LedgerChanges:
        """Return all that was done; LedgerInvariantError if units were made or lost on the way."""
        inserted: list[LedgerBlock] = []
        updated: list[LedgerBlock] = []
        deleted_ids: list[int] = []
        balance = 0
        for block_id in sorted(self._touched):
            before, now = self._loaded.get(block_id), self.index.get(block_id)
            balance += (now.quantity if now else 0) - (before.quantity if before else 0)
            if now is None:
                if before is not None:
                    deleted_ids.append(block_id)
            elif before is None:
                inserted.append(now)
            elif now != before:
                updated.append(now)
        if balance != sum(posting.balance for posting in self._postings):
            raise LedgerInvariantError(f"{balance} units came or went without a posting")
        return LedgerChanges(
            tuple(inserted),
            tuple(updated),
            tuple(deleted_ids),
            tuple(self._postings),
            self._next_block_id,
        )

    def _assert_unobjected(self, range_: Range, objection: Objection) -> None:
        expected = range_.first
        for block in self.index.overlapping(range_.series, range_.first, range_.last):
            if block.first > expected:
                break
            if (reason := objection(block)) is not None:
                raise LedgerInvariantError(f"{block.range}: {reason}")
            expected = block.last + 1
        if expected <= range_.last:
            raise LedgerInvariantError(f"{range_}: {expected} is not in the ledger")

    def _cut(self, block: LedgerBlock, first: int, last: int) -> LedgerBlock:
        """Split the block so that one part lies within the serials; return that part."""
        start, end = max(block.first, first), min(block.last, last)
        if (start, end) == (block.first, block.last):
            return block
        parts: list[LedgerBlock] = []
        block_id = block.block_id
        if start > block.first:
            parts.append(block.spanning(block_id, block.first, start - 1))
            block_id = self.new_id()
        piece = block.spanning(block_id, start, end)
        parts.append(piece)
        if end < block.last:
            parts.append(block.spanning(self.new_id(), end + 1, block.last))
        self.index.replace((block,), parts)
        self._touched.update(part.block_id for part in parts)
        return piece

    def _join(self, left: LedgerBlock, right: LedgerBlock) -> LedgerBlock:
        joined = left.spanning(min(left.block_id, right.block_id), left.first, right.last)
        self.index.replace((left, right), (joined,))
        self._touched.update((left.block_id, right.block_id))
        return joined


def _assert_disjoint(ranges: Sequence[Range]) -> None:
    if len(ranges) < 2:
        return
    by_series: dict[Series, list[tuple[int, int]]] = {}
    for range_ in ranges:
        by_series.setdefault(range_.series, []).append((range_.first, range_.last))
    for spans in by_series.values():
        spans.sort()
        for (_, last), (first, _) in pairwise(spans):
            if first <= last:
                raise LedgerInvariantError(f"serial {first} is asked for twice")
