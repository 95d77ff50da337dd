"""The ledger's view of one registry's units as of any log index since the last good cut.

1. A book holds the blocks as of its base, which is the last cut on which both sides agreed, and the
   journal of movements since. It never changes a block: the journal says what became of it.
2. The digest table is folded to the head of the journal, movement by movement.
3. A view at an index is the table less the movements after it, and the blocks plus those before it.
   So the two sides compare the same moment however far either has gone on.
4. After a good cut the book is based anew, and its journal is as short as the time since.

A service keeps the same in its database; what the comparison asks of it is ``LedgerView``.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final, Protocol

from reconciliation.digests import (
    KEPT_SHIFTS,
    Chunks,
    DigestTable,
    EdgeDeltas,
    EdgeHasher,
    added,
)
from reconciliation.movements import (
    Countable,
    Moved,
    Movement,
    Piece,
    PieceIndex,
    countables,
    edge_deltas,
)
from reconciliation.owned import POSITION_MAX, Block, Series
from reconciliation.steps import clipped, runs

Window = tuple[int, int]
"""Positions, both included."""

_NO_BLOCKS: Final[tuple[list[int], list[Block]]] = ([], [])


class LedgerView(Protocol):
    """One registry's units as the ledger has them as of a log index."""

    @property
    def index(self) -> int:
        """The log index, included."""

    @property
    def root(self) -> int:
        """The digest of all units."""

    def level(self, shift: int) -> Chunks:
        """Return all digests at a kept shift."""

    def digests(self, shift: int, series: Series, window: Window) -> dict[int, int]:
        """Return the digests of the chunks of a window (whole chunks) that are not zero."""

    def items(self, series: Series, window: Window) -> list[Countable]:
        """Return the units of a window; some may be taken away again by others (-1 times)."""

    def block_count(self, series: Series, window: Window) -> int:
        """Return about how many blocks begin in a window."""

    def span(self, series: Series) -> Window | None:
        """Return the first and the last position with an edge, about; None without any."""


class LedgerBook:
    """One registry's units at the ledger, in memory; blocks may not overlap."""

    def __init__(self, hasher: EdgeHasher, blocks: Iterable[Block], index: int) -> None:
        self.hasher = hasher
        self.base_index = self.head = index
        self.journal: list[Movement] = []
        self.deltas: list[EdgeDeltas] = []
        ordered = sorted(blocks, key=_place)
        self.table = DigestTable.build(hasher, ordered)
        self._base: dict[Series, tuple[list[int], list[Block]]] = {}
        for block in ordered:
            firsts, of_series = self._base.setdefault(block.series, ([], []))
            firsts.append(block.first)
            of_series.append(block)
        self._indices: list[int] = []
        self._roots = [self.table.root]
        self._pieces: dict[Series, PieceIndex] = {}

    def apply(self, movement: Movement) -> EdgeDeltas:
        """Add a movement and return its edges; ValueError if it does not come after the head."""
        if movement.log_index <= self.head:
            raise ValueError(f"movement {movement.log_index} does not come after {self.head}")
        deltas = edge_deltas(self.hasher, movement.pieces)
        self.table.fold(deltas)
        self.journal.append(movement)
        self.deltas.append(deltas)
        self._indices.append(movement.log_index)
        self._roots.append(self.table.root)
        self.head = movement.log_index
        for piece in movement.pieces:
            index = self._pieces.setdefault(piece.series, PieceIndex())
            index.add(Moved(movement, piece, in_flight=False))
        return deltas

    def pass_to(self, index: int) -> None:
        """Note that the log went on to ``index`` without touching this registry."""
        self.head = max(self.head, index)

    def view(self, index: int) -> "BookView":
        """Return the view as of a log index; ValueError if it lies before the base or ahead."""
        if not self.base_index <= index <= self.head:
            raise ValueError(f"index {index} is not within {self.base_index} to {self.head}")
        return BookView(self, index)

    def based_at(self, index: int) -> "LedgerBook":
        """Return the book based at a good cut: the blocks as of then, and the movements since."""
        view = self.view(index)
        blocks = [
            Block(series, run.first, run.last, run.ledger[0])
            for series in self._base.keys() | self._pieces.keys()
            for run in runs(view.items(series, (0, POSITION_MAX)), ())
        ]
        book = LedgerBook(self.hasher, blocks, index)
        for movement in self.journal[bisect_right(self._indices, index) :]:
            book.apply(movement)
        book.pass_to(self.head)
        return book

    # --- what a view asks ----------------------------------------------------------------------

    def root_at(self, index: int) -> int:
        """Return the root as of an index; it was noted as each movement was folded."""
        return self._roots[bisect_right(self._indices, index)]

    def deltas_after(self, index: int) -> Sequence[EdgeDeltas]:
        """Return the edges of the movements after an index."""
        return self.deltas[bisect_right(self._indices, index) :]

    def base_blocks(self, series: Series, window: Window) -> list[Block]:
        """Return the blocks of the base that have any serial in the window."""
        firsts, blocks = self._base.get(series, _NO_BLOCKS)
        start = max(0, bisect_right(firsts, window[0]) - 1)
        end = bisect_right(firsts, window[1])
        return blocks[start:end]

    def base_count(self, series: Series, window: Window) -> int:
        """Return how many blocks of the base begin in the window."""
        firsts, _ = self._base.get(series, _NO_BLOCKS)
        return bisect_right(firsts, window[1]) - bisect_left(firsts, window[0])

    def pieces_until(self, index: int, series: Series, window: Window) -> list[Piece]:
        """Return the pieces in a window of the movements after the base and up to an index."""
        pieces = self._pieces.get(series)
        if pieces is None:
            return []
        return [m.piece for m in pieces.over(*window) if m.movement.log_index <= index]

    def span(self, series: Series) -> Window | None:
        """Return the first and the last position with an edge at any time since the base."""
        _, blocks = self._base.get(series, _NO_BLOCKS)
        pieces = self._pieces.get(series)
        spans = [(blocks[0].first, blocks[-1].last + 1)] if blocks else []
        if pieces is not None and (moved := pieces.span()) is not None:
            spans.append((moved[0], moved[1] + 1))
        if not spans:
            return None
        return min(span[0] for span in spans), max(span[1] for span in spans)


class BookView:
    """A book as of an index; made once for each index that a session meets.

    The root costs a look-up. The movements after the index are folded back when a digest below the
    root is first asked for, which equal books never are.
    """

    def __init__(self, book: LedgerBook, index: int) -> None:
        self._book = book
        self._index = index

    @cached_property
    def _overlay(self) -> dict[int, Chunks]:
        """What the movements after the index changed, the other way round."""
        overlay: dict[int, Chunks] = {shift: {} for shift in KEPT_SHIFTS}
        for deltas in self._book.deltas_after(self._index):
            for series, position, change in deltas:
                for shift, of_level in overlay.items():
                    of_series = of_level.setdefault(series, {})
                    chunk = position >> shift
                    of_series[chunk] = of_series.get(chunk, 0) - change
        return overlay

    @property
    def index(self) -> int:
        """The log index, included."""
        return self._index

    @property
    def root(self) -> int:
        """The digest of all units."""
        return self._book.root_at(self._index)

    def level(self, shift: int) -> Chunks:
        """Return all digests at a kept shift."""
        kept, overlay = self._book.table.level(shift), self._overlay[shift]
        if not overlay:
            return kept
        merged = dict(kept)
        for series, changes in overlay.items():
            merged[series] = added(kept.get(series, {}), changes)
        return merged

    def digests(self, shift: int, series: Series, window: Window) -> dict[int, int]:
        """Return the digests of the chunks of a window (whole chunks) that are not zero."""
        low, high = window[0] >> shift, window[1] >> shift
        if shift in KEPT_SHIFTS:
            found = self._book.table.level(shift).get(series, {})
            changes = self._overlay[shift].get(series)
            found = found if changes is None else added(found, changes)
        else:
            # A block that ends right before the window has its closing edge in it.
            wider = (max(0, window[0] - 1), window[1])
            blocks = self._book.base_blocks(series, wider)
            found = self._book.hasher.chunks_of(blocks, shift).get(series, {})
            pieces = self._book.pieces_until(self._index, series, wider)
            changes = {}
            for _, position, change in edge_deltas(self._book.hasher, pieces):
                changes[position >> shift] = changes.get(position >> shift, 0) + change
            found = added(found, changes)
        if high - low + 1 < len(found):
            return {chunk: found[chunk] for chunk in range(low, high + 1) if chunk in found}
        return {chunk: value for chunk, value in found.items() if low <= chunk <= high}

    def items(self, series: Series, window: Window) -> list[Countable]:
        """Return the units of a window; some may be taken away again by others (-1 times)."""
        base = [
            Countable(first, last, owned, 1)
            for _, first, last, owned in self._book.base_blocks(series, window)
        ]
        pieces = self._book.pieces_until(self._index, series, window)
        return clipped(base + countables(pieces, 1), *window)

    def block_count(self, series: Series, window: Window) -> int:
        """Return about how many blocks begin in a window."""
        return self._book.base_count(series, window)

    def span(self, series: Series) -> Window | None:
        """Return the first and the last position with an edge, about; None without any."""
        return self._book.span(series)


def _place(block: Block) -> tuple[Series, int]:
    return block.series, block.first
