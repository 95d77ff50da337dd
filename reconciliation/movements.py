"""What one entry of the log did to the units of one registry, and what that did to the sums.

A movement is the unit of explanation: a message that a registry missed or took twice leaves out or
adds exactly the edges of its movement. It has a piece for each run of units that were in one state
before: ``before`` None means that the registry did not hold them, ``after`` None that it no longer
does. A transfer out of the middle of a block has its own two edges, never those of the block.
"""

from collections.abc import Iterable, Sequence
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
