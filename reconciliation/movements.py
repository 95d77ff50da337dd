"""What one entry of the log did to the units of one registry, and what that did to the sums.

A movement is the unit of explanation: a message that a registry missed or took twice leaves out or
adds exactly the edges of its movement. It has a piece for each run of units that were in one state
before: ``before`` None means that the registry did not hold them, ``after`` None that it no longer
does. A transfer out of the middle of a block has its own two edges, never those of the block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Final, NamedTuple

from hub.international_registry.postings import EFFECTS, Posting, PostingKind
from hub.international_registry.units import BlockStatus
from reconciliation.digests import MASK, EdgeDeltas, EdgeHasher
from reconciliation.owned import Owned, Series, owned_as, series_of

_STATUS_AFTER: Final = {
    PostingKind.MOVED: BlockStatus.ITMO,
    PostingKind.FIRST_TRANSFERRED: BlockStatus.ITMO,
    PostingKind.USED: BlockStatus.USED,
    PostingKind.CANCELLED: BlockStatus.CANCELLED,
}
"""What each effect makes of a status; a correction leaves it."""


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


class UnknownChangeError(ValueError):
    """A posting from before the journal told how units stood; nothing can be made of it alone."""


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


def change_of(posting: Posting) -> tuple[Owned | None, Owned | None]:
    """Return what both sides own of a posting's units before and after it, from it alone.

    (None, None) for what changes nothing both own: a reservation, a hold, units that come or go on
    the word of a transfer in flight. Raises UnknownChangeError if the posting does not say how its
    units stood before.
    """
    kind, flagged = posting.kind, posting.first_transfer is not None
    if kind is PostingKind.INTRODUCED and posting.status is not None:
        return None, _owned(posting, posting.status, flagged)
    if kind not in EFFECTS:
        return None, None
    was_status, was_flagged = posting.was_status, posting.was_first_transferred
    if was_status is None or was_flagged is None:
        raise UnknownChangeError(f"{posting.reference}: how the units stood before is not told")
    before = _owned(posting, was_status, was_flagged)
    status = _STATUS_AFTER.get(kind, was_status)
    return before, _owned(posting, status, was_flagged or flagged)


def pieces_of(posting: Posting) -> dict[str, Piece]:
    """Return, by registry, what a posting did to its units there; registries left alone are not in.

    Raises UnknownChangeError as ``change_of``.
    """
    return pieces_by_registry(
        series_of(posting.series),
        posting.first,
        posting.last,
        posting.from_registry,
        posting.to_registry,
        change_of(posting),
    )


def pieces_by_registry(
    series: Series,
    first: int,
    last: int,
    from_registry: str | None,
    to_registry: str | None,
    change: tuple[Owned | None, Owned | None],
) -> dict[str, Piece]:
    """Return the pieces of a change of units that one registry had and one has now."""
    before, after = change
    if from_registry == to_registry:
        if before == after or from_registry is None:
            return {}
        return {from_registry: Piece(series, first, last, before, after)}
    pieces: dict[str, Piece] = {}
    if from_registry is not None and before is not None:
        pieces[from_registry] = Piece(series, first, last, before, None)
    if to_registry is not None and after is not None:
        pieces[to_registry] = Piece(series, first, last, None, after)
    return pieces


def _owned(posting: Posting, status: BlockStatus, first_transferred: bool) -> Owned | None:
    return owned_as(
        status,
        posting.attributes,
        posting.underlying_first,
        posting.underlying_last,
        first_transferred=first_transferred,
    )


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
