"""The message whose loss or repetition makes all the difference, found without asking further.

Let D be the registry's digest less the ledger's. If one movement T was not applied, D is minus the
sum of T's edges; if it was applied twice, or too early, plus that sum. So D is looked up among the
movements since the last good cut, then the sums of two. The same is done for one series.

Equal sums mean equal edges (2^-128), so an explanation tells what the registry has of every
serial, whichever of several equally good causes is named: one before two, a loss before a
repetition, the latest first.

| the ledger has it | acknowledged | D | cause |
|---|---|---|---|
| yes, up to the index compared | yes | minus | lost message |
| yes | yes | plus | doubled message |
| yes | not yet | minus | timing |
| not yet, or only reserved | - | plus | timing, or in flight |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from reconciliation.digests import MASK, EdgeDeltas
from reconciliation.movements import Moved, Movement, PieceIndex
from reconciliation.owned import Series

PAIR_CANDIDATES_MAX: Final = 100_000


class CauseKind(StrEnum):
    """What happened to a message."""

    LOST_MESSAGE = "lost_message"
    DOUBLED_MESSAGE = "doubled_message"
    TIMING = "timing"
    IN_FLIGHT = "in_flight"


class Cause(NamedTuple):
    """A movement that the registry has less (``sign`` -1) or more (1) than the ledger."""

    kind: CauseKind
    movement: Movement
    sign: int


class Situation(NamedTuple):
    """As of when the sides are compared, and up to where the registry acknowledged its messages."""

    as_of: int
    acknowledged_to: int


class Explainer:
    """The movements since the last good cut, by what they do to the sums.

    Movements are added in the order of the log, with the edges that were worked out when they were
    folded. What a transfer in flight would do is added as ``in_flight`` and may be dropped again.
    """

    def __init__(self) -> None:
        self._movements: list[tuple[Movement, int]] = []
        self._by_total: dict[int, list[Movement]] = {}
        self._by_series: dict[tuple[Series, int], list[Movement]] = {}
        self._in_flight: dict[int, list[Movement]] = {}
        self._in_flight_by_series: dict[tuple[Series, int], list[Movement]] = {}
        self._pieces: dict[Series, PieceIndex] = {}

    def add(self, movement: Movement, deltas: EdgeDeltas, *, in_flight: bool = False) -> None:
        """Add a movement; one that changes no sum explains nothing and is passed over."""
        by_series: dict[Series, int] = {}
        for series, _, change in deltas:
            by_series[series] = by_series.get(series, 0) + change
        self.add_total(movement, sum(by_series.values()), in_flight=in_flight)
        for series, change in by_series.items():
            self.add_of_series(movement, series, change, in_flight=in_flight)

    def add_total(self, movement: Movement, total: int, *, in_flight: bool = False) -> None:
        """Add what a movement does to the root alone; so its pieces need not be known yet."""
        total &= MASK
        if total and in_flight:
            self._in_flight.setdefault(total, []).append(movement)
        elif total:
            self._by_total.setdefault(total, []).append(movement)
            self._movements.append((movement, total))

    def add_of_series(
        self, movement: Movement, series: Series, change: int, *, in_flight: bool = False
    ) -> None:
        """Add what a movement does to the digest of one series, and its pieces there."""
        of_series = self._in_flight_by_series if in_flight else self._by_series
        if change & MASK:
            of_series.setdefault((series, change & MASK), []).append(movement)
        pieces = self._pieces.setdefault(series, PieceIndex())
        for piece in movement.pieces:
            if piece.series == series:
                pieces.add(Moved(movement, piece, in_flight))

    def of_all(self, difference: int, situation: Situation) -> list[Cause] | None:
        """Return the causes of a root difference: one, or two; None if there are none."""
        single = self.single(difference, situation)
        if single is not None:
            return [single]
        return self.pair(difference, situation)

    def of_series(self, series: Series, difference: int, situation: Situation) -> Cause | None:
        """Return what would explain a series' difference, None if nothing would.

        Of this series alone: whether the movement's pieces elsewhere differ too is not looked at.
        """
        return _best(
            self._by_series.get((series, -difference & MASK), ()),
            self._by_series.get((series, difference), ()),
            self._in_flight_by_series.get((series, difference), ()),
            situation,
        )

    def pieces_of(self, series: Series) -> Sequence[Moved]:
        """Return the pieces in a series, in the order in which they were added."""
        pieces = self._pieces.get(series)
        return () if pieces is None else pieces.entries

    def pieces_over(self, series: Series, first: int, last: int) -> list[Moved]:
        """Return the pieces that touch any of the serials, in no order."""
        pieces = self._pieces.get(series)
        return [] if pieces is None else pieces.over(first, last)

    def single(self, difference: int, situation: Situation) -> Cause | None:
        """Return the one cause of a root difference; None if there is none."""
        return _best(
            self._by_total.get(-difference & MASK, ()),
            self._by_total.get(difference, ()),
            self._in_flight.get(difference, ()),
            situation,
        )

    def pair(self, difference: int, situation: Situation) -> list[Cause] | None:
        """Return the two causes of a root difference; None if there are none, or too many."""
        if len(self._movements) > PAIR_CANDIDATES_MAX:
            return None
        by_total, in_flight = self._by_total, self._in_flight
        for movement, total in reversed(self._movements):
            for sign in (-1, 1):
                rest = (difference - sign * total) & MASK
                # The look-up alone is the common case: nothing there.
                if rest not in by_total and -rest & MASK not in by_total and rest not in in_flight:
                    continue
                one, other = cause_of(movement, sign, situation), self.single(rest, situation)
                if one is not None and other is not None:
                    return [one, other]
        return None


def cause_of(movement: Movement, sign: int, situation: Situation) -> Cause | None:
    """Return what it means that the registry has a movement of the log less or more; None: nothing.

    The registry cannot lack what the ledger does not have either.
    """
    applied = movement.log_index <= situation.as_of
    if sign < 0:
        if not applied:
            return None
        lost = movement.log_index <= situation.acknowledged_to
        return Cause(CauseKind.LOST_MESSAGE if lost else CauseKind.TIMING, movement, sign)
    return Cause(CauseKind.DOUBLED_MESSAGE if applied else CauseKind.TIMING, movement, sign)


def _best(
    lacking: Sequence[Movement],
    doubled: Sequence[Movement],
    in_flight: Iterable[Movement],
    situation: Situation,
) -> Cause | None:
    for candidates, sign in ((lacking, -1), (doubled, 1)):
        for movement in reversed(candidates):
            cause = cause_of(movement, sign, situation)
            if cause is not None:
                return cause
    for movement in in_flight:
        return Cause(CauseKind.IN_FLIGHT, movement, 1)
    return None
