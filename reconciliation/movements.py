"""What one entry of the log did to the units of one registry, and what that did to the sums.

A movement is the unit of explanation: a message that a registry missed or took twice leaves out or
adds exactly the edges of its movement. It has a piece for each run of units that were in one state
before: ``before`` None means that the registry did not hold them, ``after`` None that it no longer
does. A transfer out of the middle of a block has its own two edges, never those of the block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from hub.international_registry.replay import Standing
from hub.international_registry.units import Range
from reconciliation.digests import MASK, EdgeDeltas, EdgeHasher
from reconciliation.owned import Owned, Series, owned_of, series_of


class Piece(NamedTuple):
    """Serials ``first`` to ``last`` of a series, and what the registry held of them."""

    series: Series
    first: int
    last: int
    before: Owned | None
    after: Owned | None


class Movement(NamedTuple):
    """The pieces of one log entry at one registry; ``reference`` names the transfer or action."""

    log_index: int
    reference: str
    pieces: tuple[Piece, ...]


class Change(NamedTuple):
    """What the ledger did to units of a range: the standing before and after, None if not there."""

    range: Range
    before: Standing | None
    after: Standing | None


class Countable(NamedTuple):
    """A run of serials with one value, ``times`` times: -1 takes it away."""

    first: int
    last: int
    owned: Owned
    times: int


def edge_deltas(hasher: EdgeHasher, pieces: Iterable[Piece]) -> EdgeDeltas:
    """Return what the pieces add to the sums, edge by edge."""
    deltas: list[tuple[Series, int, int]] = []
    for series, first, last, before, after in pieces:
        for owned, sign in ((before, -1), (after, 1)):
            if owned is not None:
                deltas.append((series, first, sign * hasher.edge(series, owned, first) & MASK))
                deltas.append(
                    (series, last + 1, -sign * hasher.edge(series, owned, last + 1) & MASK)
                )
    return tuple(deltas)


def countables(pieces: Iterable[Piece], sign: int) -> list[Countable]:
    """Return the pieces as things to add to a step function, or to take away with ``sign`` -1."""
    found: list[Countable] = []
    for _, first, last, before, after in pieces:
        if before is not None:
            found.append(Countable(first, last, before, -sign))
        if after is not None:
            found.append(Countable(first, last, after, sign))
    return found


def movements_of(log_index: int, reference: str, changes: Sequence[Change]) -> dict[str, Movement]:
    """Return, by registry, what one log entry moved there; registries it left alone are not there.

    A reservation, a hold or units on the word of a transfer in flight change nothing both own.
    """
    pieces: dict[str, list[Piece]] = {}
    for range_, before, after in changes:
        series = series_of(range_.series)
        seen: dict[str, list[Owned | None]] = {}
        for place, standing in enumerate((before, after)):
            if standing is not None:
                seen.setdefault(standing.registry, [None, None])[place] = owned_of(standing)
        for registry, (was, is_now) in seen.items():
            if was != is_now:
                piece = Piece(series, range_.first, range_.last, was, is_now)
                pieces.setdefault(registry, []).append(piece)
    return {
        registry: Movement(log_index, reference, tuple(found)) for registry, found in pieces.items()
    }


class Moved(NamedTuple):
    """A piece, the movement it is of, and whether that is still in flight."""

    movement: Movement
    piece: Piece
    in_flight: bool


class PieceIndex:
    """The pieces of one series, to be found by serial: sorted when first asked after a change."""

    __slots__ = ("_firsts", "_reach", "_sorted", "entries")

    def __init__(self) -> None:
        self.entries: list[Moved] = []
        """All pieces, in the order in which they were added."""
        self._sorted: list[Moved] = []
        self._firsts: list[int] = []
        self._reach: list[int] = []

    def add(self, entry: Moved) -> None:
        """Add a piece."""
        self.entries.append(entry)

    def over(self, first: int, last: int) -> list[Moved]:
        """Return the pieces that touch any of the serials, in no order."""
        self._sort()
        found: list[Moved] = []
        at = bisect_right(self._firsts, last) - 1
        while at >= 0 and self._reach[at] >= first:
            if self._sorted[at].piece.last >= first:
                found.append(self._sorted[at])
            at -= 1
        return found

    def span(self) -> tuple[int, int] | None:
        """Return the first serial of all pieces and the last; None if there are none."""
        self._sort()
        return (self._firsts[0], self._reach[-1]) if self._firsts else None

    def _sort(self) -> None:
        if len(self._sorted) != len(self.entries):
            self._sorted = sorted(self.entries, key=lambda entry: entry.piece.first)
            self._firsts = [entry.piece.first for entry in self._sorted]
            # The furthest serial of all pieces up to here: behind it, nothing earlier reaches.
            self._reach = list(accumulate((e.piece.last for e in self._sorted), max))
