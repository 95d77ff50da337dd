"""One registry's units as the ledger has them as of any log index, read from one snapshot.

1. The blocks lie as of the head H of the snapshot, the digests as of F, where they were folded to.
2. A view as of M is the blocks less the movements in (M, H], and the digests less those in (M, F];
   or, where M is after F, with those in (F, M]. So the root of equal books costs a look at the
   link, and at the totals after M if M < F.
3. What a comparison asks is little: pages of digests and windows of blocks are read by the primary
   key when they are first asked for, and kept while the snapshot lasts.

Digests at shifts that are not kept are summed from the blocks of their window. A block of units on
the word of a transfer in flight counts among the blocks of a window, and has no units to compare.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from hub.international_registry.units import BlockStatus
from hub.store.interning import Interning
from hub.store.reconciliation import digests, movements
from hub.store.reconciliation.links import LinkRow
from hub.store.reconciliation.movements import Journal, TotalKey
from hub.store.tables import unit_block
from reconciliation.books import Window
from reconciliation.digests import KEPT_SHIFTS, MASK, Chunks, EdgeHasher, added
from reconciliation.movements import (
    Countable,
    Moved,
    Movement,
    Piece,
    PieceIndex,
    countables,
    edge_deltas,
)
from reconciliation.owned import Block, Owned, Series, owned_as
from reconciliation.steps import clipped

COUNTED_MAX: Final = 1_000
"""Blocks of a window are counted no further: who has so many is cut closer anyway."""

_PAGE_BITS: Final = 10  # chunks in a page of digests
_PAGES_MAX: Final = 32  # read one by one; then the whole level, if it is not too long
_LEVEL_ROWS_MAX: Final = 50_000
_KEPT_BLOCKS_MAX: Final = 500_000
_NARROW: Final = 1 << 17
"""Serials of a window whose blocks are read when they are counted: they are asked for next."""

_OF_SERIES: Final = (
    unit_block.c.registry == bindparam("registry"),
    unit_block.c.series_id == bindparam("series_id"),
)
_START: Final = (
    select(func.max(unit_block.c.first_serial))
    .where(*_OF_SERIES, unit_block.c.first_serial <= bindparam("low"))
    .scalar_subquery()
)
_BLOCKS: Final = (
    select(
        unit_block.c.first_serial,
        unit_block.c.last_serial,
        unit_block.c.attributes_id,
        unit_block.c.status,
        unit_block.c.first_transfer,
        unit_block.c.underlying_first,
        unit_block.c.underlying_last,
    )
    .where(
        *_OF_SERIES,
        unit_block.c.first_serial >= func.coalesce(_START, bindparam("low")),
        unit_block.c.first_serial <= bindparam("high"),
        unit_block.c.last_serial >= bindparam("low"),
    )
    .order_by(unit_block.c.first_serial)
)
_COUNT: Final = select(func.count()).select_from(
    select(unit_block.c.block_id)
    .where(*_OF_SERIES, unit_block.c.first_serial.between(bindparam("low"), bindparam("high")))
    .limit(COUNTED_MAX)
    .subquery()
)
_COUNT_OF_SERIES: Final = select(func.count()).select_from(
    select(unit_block.c.block_id).where(*_OF_SERIES).limit(COUNTED_MAX).subquery()
)
_FIRST: Final = select(func.min(unit_block.c.first_serial)).where(*_OF_SERIES)
_LAST: Final = (
    select(unit_block.c.last_serial)
    .where(*_OF_SERIES)
    .order_by(unit_block.c.first_serial.desc())
    .limit(1)
)
_EXTENT: Final = select(
    _COUNT_OF_SERIES.scalar_subquery(), _FIRST.scalar_subquery(), _LAST.scalar_subquery()
)


class _Extent(NamedTuple):
    """How many blocks a series has at a registry (up to COUNTED_MAX), and from where to where."""

    block_count: int
    span: Window | None


class _Held(NamedTuple):
    """The blocks of a window, those that begin before it too."""

    window: Window
    firsts: list[int]
    blocks: list[Block | None]


class LedgerSnapshot:
    """One registry's rows in one snapshot; views at several indices share what was read.

    ``connection`` is a reading transaction in which ``link`` and ``head`` were read. The link has a
    table, whose key is that of ``hasher``.
    """

    def __init__(
        self,
        connection: Connection,
        interning: Interning,
        link: LinkRow,
        head: int,
        hasher: EdgeHasher,
    ) -> None:
        assert link.key_year is not None, "the link has a table"
        assert link.root is not None, "the link has a table"
        assert link.folded_to is not None, "the link has a table"
        assert link.movements_from is not None, "the link has a table"
        self.journal = Journal(connection, interning)
        self.head, self.hasher = head, hasher
        self.registry, self.key = link.registry, TotalKey(link.registry, link.key_year)
        self.folded_to, self.movements_from = link.folded_to, link.movements_from
        self.root = digests.to_number(link.root)
        self._connection, self._interning = connection, interning
        self._owned: dict[tuple[Any, ...], Owned | None] = {}
        self._pages: dict[tuple[int, Series, int], dict[int, int]] = {}
        self._levels: dict[int, Chunks] = {}
        self._asked: dict[int, int] = {}
        self._held: dict[Series, tuple[list[int], list[_Held]]] = {}
        self._held_count = 0
        self._extents: dict[Series, _Extent] = {}

    def view(self, index: int) -> "SqlLedgerView":
        """Return the view as of a log index; ValueError if it is too old, or ahead."""
        if not self.movements_from <= index <= self.head:
            raise ValueError(f"index {index} is not within {self.movements_from} to {self.head}")
        return SqlLedgerView(self, index)

    def movements(self, after: int, up_to: int) -> list[Movement]:
        """Return what moved at the registry after an index and up to another."""
        found: list[Movement] = []
        if after < self.folded_to:
            found = self.journal.totalled(self.key, after, min(up_to, self.folded_to))
        if up_to > self.folded_to:
            found += self.journal.movements(self.registry, max(after, self.folded_to), up_to)
        return found

    def total_between(self, after: int, up_to: int) -> int:
        """Return what the movements after an index and up to another did to the root."""
        if up_to <= self.folded_to:
            totals = movements.totals_between(self._connection, self.key, after, up_to)
            return sum(row.total for row in totals)
        return sum(
            change
            for moved in self.movements(after, up_to)
            for _, _, change in edge_deltas(self.hasher, moved.pieces)
        )

    # --- digests as folded ---------------------------------------------------------------------

    def level(self, shift: int) -> Chunks:
        """Return all digests at a kept shift."""
        known = self._levels.get(shift)
        if known is None:
            rows = digests.of_level(self._connection, *self.key, shift)
            known = {self.journal.series(series_id): chunks for series_id, chunks in rows.items()}
            self._levels[shift] = known
        return known

    def kept(self, shift: int, series: Series, low: int, high: int) -> dict[int, int]:
        """Return the digests of the chunks from ``low`` to ``high`` at a kept shift."""
        series_id = self.journal.series_id(series)
        if series_id is None:
            return {}
        if self._is_whole(shift):
            chunks = self._levels[shift].get(series, {})
            return {c: value for c, value in chunks.items() if low <= c <= high}
        if high - low >= 1 << _PAGE_BITS:
            return digests.of_window(self._connection, *self.key, shift, series_id, (low, high))
        found: dict[int, int] = {}
        for page in range(low >> _PAGE_BITS, (high >> _PAGE_BITS) + 1):
            chunks = self._page(shift, series, series_id, page)
            found.update({c: value for c, value in chunks.items() if low <= c <= high})
        return found

    def _is_whole(self, shift: int) -> bool:
        """Tell whether a level is read as a whole; it is when many have been asked for of few."""
        if shift in self._levels:
            return True
        self._asked[shift] = self._asked.get(shift, 0) + 1
        if self._asked[shift] == _PAGES_MAX and digests.has_few(
            self._connection, *self.key, shift, _LEVEL_ROWS_MAX
        ):
            self.level(shift)
        return shift in self._levels

    def _page(self, shift: int, series: Series, series_id: int, page: int) -> dict[int, int]:
        place = (shift, series, page)
        known = self._pages.get(place)
        if known is None:
            chunks = (page << _PAGE_BITS, ((page + 1) << _PAGE_BITS) - 1)
            known = digests.of_window(self._connection, *self.key, shift, series_id, chunks)
            self._pages[place] = known
        return known

    # --- blocks as of the head -----------------------------------------------------------------

    def blocks(self, series: Series, window: Window) -> list[Block]:
        """Return the blocks as of the head that have any serial in the window, in order."""
        firsts, rows = self._rows(series, window)
        start = max(0, bisect_right(firsts, window[0]) - 1)
        found = rows[start : bisect_right(firsts, window[1])]
        return [block for block in found if block is not None and block.last >= window[0]]

    def count(self, series: Series, window: Window) -> int:
        """Return how many blocks begin in the window, counting no further than COUNTED_MAX."""
        held = self._known(series, window)
        if held is None and window[1] - window[0] <= _NARROW:
            # One place wider: the block that ends right before has its closing edge in it.
            self._rows(series, (max(0, window[0] - 1), window[1]))
            held = self._known(series, window)
        if held is not None:
            return bisect_right(held.firsts, window[1]) - bisect_left(held.firsts, window[0])
        series_id = self.journal.series_id(series)
        if series_id is None:
            return 0
        extent = self._extent(series)
        if extent.span is None or (window[0] <= extent.span[0] and extent.span[1] <= window[1]):
            return extent.block_count
        return int(self._connection.execute(_COUNT, self._place(series_id, window)).scalar_one())

    def span(self, series: Series) -> Window | None:
        """Return the first serial of the blocks, and the place after the last."""
        return self._extent(series).span

    def _extent(self, series: Series) -> _Extent:
        known = self._extents.get(series)
        if known is None:
            known = _Extent(0, None)
            series_id = self.journal.series_id(series)
            if series_id is not None:
                place = {"registry": self.registry, "series_id": series_id}
                count, first, last = self._connection.execute(_EXTENT, place).one()
                if first is not None and last is not None:
                    known = _Extent(count, (first, last + 1))
            self._extents[series] = known
        return known

    def _rows(self, series: Series, window: Window) -> tuple[list[int], list[Block | None]]:
        held = self._known(series, window)
        if held is None:
            series_id = self.journal.series_id(series)
            if series_id is None:
                return [], []
            held = self._read(series, series_id, window)
            self._keep(series, held)
        return held.firsts, held.blocks

    def _read(self, series: Series, series_id: int, window: Window) -> _Held:
        firsts: list[int] = []
        blocks: list[Block | None] = []
        for row in self._connection.execute(_BLOCKS, self._place(series_id, window)).all():
            owned = self._owned_of(tuple(row[2:]))
            firsts.append(row[0])
            blocks.append(None if owned is None else Block(series, row[0], row[1], owned))
        return _Held(window, firsts, blocks)

    def _owned_of(self, standing: tuple[Any, ...]) -> Owned | None:
        if standing not in self._owned:
            attributes_id, status, first_transfer, underlying_first, underlying_last = standing
            self._owned[standing] = owned_as(
                BlockStatus(status),
                self._interning.attributes(self._connection, attributes_id),
                underlying_first,
                underlying_last,
                first_transferred=first_transfer is not None,
            )
        return self._owned[standing]

    def _known(self, series: Series, window: Window) -> _Held | None:
        """Return what was read of a window around this one."""
        lows, held = self._held.get(series, ([], []))
        at = bisect_right(lows, window[0]) - 1
        if at >= 0 and held[at].window[1] >= window[1]:
            return held[at]
        return None

    def _keep(self, series: Series, held: _Held) -> None:
        if self._held_count > _KEPT_BLOCKS_MAX:
            self._held.clear()
            self._held_count = 0
        lows, windows = self._held.setdefault(series, ([], []))
        at = bisect_left(lows, held.window[0])
        lows.insert(at, held.window[0])
        windows.insert(at, held)
        self._held_count += len(held.blocks)

    def _place(self, series_id: int, window: Window) -> dict[str, Any]:
        return {
            "registry": self.registry,
            "series_id": series_id,
            "low": window[0],
            "high": window[1],
        }


class SqlLedgerView:
    """A registry's units as of an index; a ``LedgerView`` (reconciliation/books.py)."""

    def __init__(self, snapshot: LedgerSnapshot, index: int) -> None:
        self._snapshot, self._index = snapshot, index

    @property
    def index(self) -> int:
        """The log index, included."""
        return self._index

    @cached_property
    def root(self) -> int:
        """The digest of all units."""
        snapshot, index = self._snapshot, self._index
        if index == snapshot.folded_to:
            return snapshot.root
        if index < snapshot.folded_to:
            return (snapshot.root - snapshot.total_between(index, snapshot.folded_to)) & MASK
        return (snapshot.root + snapshot.total_between(snapshot.folded_to, index)) & MASK

    def level(self, shift: int) -> Chunks:
        """Return all digests at a kept shift; KeyError at another."""
        if shift not in KEPT_SHIFTS:
            raise KeyError(shift)
        kept, overlay = self._snapshot.level(shift), self._overlay[shift]
        if not overlay:
            return kept
        merged = dict(kept)
        for series, changes in overlay.items():
            merged[series] = added(kept.get(series, {}), changes)
            if not merged[series]:
                del merged[series]
        return merged

    def digests(self, shift: int, series: Series, window: Window) -> dict[int, int]:
        """Return the digests of the chunks of a window (whole chunks) that are not zero."""
        low, high = window[0] >> shift, window[1] >> shift
        if shift in KEPT_SHIFTS:
            found = self._snapshot.kept(shift, series, low, high)
            changes = self._overlay[shift].get(series, {})
        else:
            # A block that ends right before the window has its closing edge in it.
            wider = (max(0, window[0] - 1), window[1])
            blocks = self._snapshot.blocks(series, wider)
            found = self._snapshot.hasher.chunks_of(blocks, shift).get(series, {})
            changes = {}
            for _, position, change in edge_deltas(
                self._snapshot.hasher, self._later_pieces(series, wider)
            ):
                changes[position >> shift] = changes.get(position >> shift, 0) - change
        found = added(found, changes) if changes else found
        return {chunk: value for chunk, value in found.items() if low <= chunk <= high}

    def items(self, series: Series, window: Window) -> list[Countable]:
        """Return the units of a window; some may be taken away again by others (-1 times)."""
        now = [
            Countable(first, last, owned, 1)
            for _, first, last, owned in self._snapshot.blocks(series, window)
        ]
        return clipped(now + countables(self._later_pieces(series, window), -1), *window)

    def block_count(self, series: Series, window: Window) -> int:
        """Return about how many blocks begin in a window, counting no further than COUNTED_MAX."""
        return self._snapshot.count(series, window)

    def span(self, series: Series) -> Window | None:
        """Return the first and the last position with an edge, about; None without any."""
        spans = [self._snapshot.span(series)]
        if (pieces := self._later.get(series)) is not None and (moved := pieces.span()) is not None:
            spans.append((moved[0], moved[1] + 1))
        known = [span for span in spans if span is not None]
        if not known:
            return None
        return min(span[0] for span in known), max(span[1] for span in known)

    # --- what lies between the index and what the rows say -------------------------------------

    @cached_property
    def _after(self) -> list[Movement]:
        """What moved after the index, up to the head."""
        if self._index == self._snapshot.head:
            return []
        return self._snapshot.movements(self._index, self._snapshot.head)

    @cached_property
    def _later(self) -> dict[Series, PieceIndex]:
        """The pieces of the movements after the index, which the blocks have and the view not."""
        pieces: dict[Series, PieceIndex] = {}
        for movement in self._after:
            for piece in movement.pieces:
                of_series = pieces.setdefault(piece.series, PieceIndex())
                of_series.add(Moved(movement, piece, in_flight=False))
        return pieces

    def _later_pieces(self, series: Series, window: Window) -> list[Piece]:
        pieces = self._later.get(series)
        return [] if pieces is None else [moved.piece for moved in pieces.over(*window)]

    @cached_property
    def _overlay(self) -> dict[int, Chunks]:
        """What to add to the digests, folded to another index, at each kept shift."""
        folded_to, index = self._snapshot.folded_to, self._index
        overlay: dict[int, Chunks] = {shift: {} for shift in KEPT_SHIFTS}
        if index < folded_to:
            between: Sequence[Movement] = [m for m in self._after if m.log_index <= folded_to]
            sign = -1
        else:
            between, sign = self._snapshot.movements(folded_to, index), 1
        pieces: Iterable[Piece] = (piece for moved in between for piece in moved.pieces)
        for series, position, change in edge_deltas(self._snapshot.hasher, pieces):
            for shift, of_level in overlay.items():
                of_series = of_level.setdefault(series, {})
                chunk = position >> shift
                of_series[chunk] = of_series.get(chunk, 0) + sign * change
        return overlay
