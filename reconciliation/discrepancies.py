"""Findings: exact serials, what each side has of them, and of which kind the difference is.

A kind says what to do next. Those with a cause name the entry of the log behind it; in flight and
timing pass by themselves and freeze nothing.

    in flight        the registry did already what a transfer under way has only reserved
    timing           one side is ahead: a movement after the index, or not acknowledged yet
    lost message     the registry acknowledged a message whose effect is not there
    doubled message  its effect is there twice
    missing at registry, missing at ledger
    attribute differs
    held twice       one side has the same unit in two blocks
    used or cancelled on one side only

A cause is given to a difference that was drilled down to when the part of the movement that nothing
later touched differs exactly as if the message were lost, doubled or early: a message is applied as
a whole, so half of it missing is no lost message.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

from reconciliation.explain import Cause, CauseKind, Explainer, Situation, cause_of
from reconciliation.movements import Moved, Movement, Piece
from reconciliation.owned import HELD, OWNED, STATUSES, Series, differing_fields
from reconciliation.steps import Run, View

_STATUS: Final = OWNED.index("status")
_PIECES_MAX: Final = 5_000  # of a series, the latest: a series in ruins is not worth more


class FindingKind(StrEnum):
    """What kind of difference it is."""

    IN_FLIGHT = CauseKind.IN_FLIGHT.value
    TIMING = CauseKind.TIMING.value
    LOST_MESSAGE = CauseKind.LOST_MESSAGE.value
    DOUBLED_MESSAGE = CauseKind.DOUBLED_MESSAGE.value
    MISSING_AT_REGISTRY = "missing_at_registry"
    MISSING_AT_LEDGER = "missing_at_ledger"
    ATTRIBUTE_DIFFERS = "attribute_differs"
    HELD_TWICE = "held_twice"
    ENDED_ON_ONE_SIDE = "used_or_cancelled_on_one_side"


PASSING: Final = frozenset({FindingKind.IN_FLIGHT, FindingKind.TIMING})
"""What passes by itself: no serial is frozen for it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A run of serials on which the two sides differ all along in one way.

    ``ledger`` and ``registry`` are what each has: nothing, one tuple of owned values, or several.
    ``fields`` names the attributes in which one differs from the other. ``cause_index`` and
    ``reference`` are the log entry behind it, where one is known.
    """

    kind: FindingKind
    series: Series
    first: int
    last: int
    ledger: View
    registry: View
    fields: tuple[str, ...] = ()
    cause_index: int | None = None
    reference: str | None = None

    @property
    def quantity(self) -> int:
        """Return the number of units."""
        return self.last - self.first + 1


def kind_without_cause(ledger: View, registry: View) -> FindingKind:
    """Return what kind of difference two views are, when no message explains it."""
    if len(ledger) > 1 or len(registry) > 1:
        return FindingKind.HELD_TWICE
    if not registry:
        return FindingKind.MISSING_AT_REGISTRY
    if not ledger:
        return FindingKind.MISSING_AT_LEDGER
    statuses = (ledger[0][_STATUS], registry[0][_STATUS])
    known = all(status in STATUSES for status in statuses)
    if known and statuses.count(HELD) == 1:
        return FindingKind.ENDED_ON_ONE_SIDE
    return FindingKind.ATTRIBUTE_DIFFERS


def finding_of(series: Series, run: Run, cause: Cause | None = None) -> Finding:
    """Return the finding that a run of differing serials is."""
    kind = kind_without_cause(run.ledger, run.registry)
    fields: tuple[str, ...] = ()
    if len(run.ledger) == len(run.registry) == 1:
        fields = differing_fields(run.ledger[0], run.registry[0])
    if cause is None:
        return Finding(kind, series, *run, fields=fields)
    return Finding(
        FindingKind(cause.kind.value),
        series,
        *run,
        fields=fields,
        cause_index=cause.movement.log_index,
        reference=cause.movement.reference,
    )


class _Differences:
    """The differing runs of one series in order, for questions about some serials of them."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self._firsts = [run.first for run in runs]

    def touch(self, first: int, last: int) -> bool:
        """Tell whether any of the serials differs."""
        at = bisect_right(self._firsts, last) - 1
        return at >= 0 and self.runs[at].last >= first

    def are(self, first: int, last: int, piece: Piece, sign: int) -> bool:
        """Tell whether all the serials differ by exactly the piece, taken away or added."""
        less, more = (piece.before, piece.after) if sign == 1 else (piece.after, piece.before)
        expected = first
        for at in range(max(0, bisect_right(self._firsts, first) - 1), len(self.runs)):
            run = self.runs[at]
            if run.first > expected or run.last < expected:
                return False
            view = list(run.ledger)
            if less is not None and less not in view:
                return False
            if less is not None:
                view.remove(less)
            if more is not None:
                view.append(more)
            if tuple(sorted(view, key=repr)) != run.registry:
                return False
            expected = run.last + 1
            if expected > last:
                return True
        return False


def explained(differing: Mapping[Series, Sequence[Run]], causes: Sequence[Cause]) -> list[Finding]:
    """Return the findings of runs whose causes are known, the latest cause first where two meet."""
    ordered = sorted(causes, key=lambda cause: -cause.movement.log_index)
    return [
        finding
        for series, runs in sorted(differing.items())
        for finding in _labelled(
            series,
            runs,
            [
                (piece.first, piece.last, cause)
                for cause in ordered
                for piece in cause.movement.pieces
                if piece.series == series
            ],
        )
    ]


def classified(
    differing: Mapping[Series, Sequence[Run]], explainer: Explainer, situation: Situation
) -> list[Finding]:
    """Return the findings of runs that were drilled down to, with the causes that fit."""
    places = {series: _Differences(runs) for series, runs in differing.items()}
    touching = {series: _touching(place, series, explainer) for series, place in places.items()}
    candidates = {
        (movement, in_flight): None
        for entries in touching.values()
        for movement, _, in_flight in entries
    }
    labels: dict[Series, list[tuple[int, int, Cause]]] = {series: [] for series in differing}
    for movement, in_flight in sorted(candidates, key=lambda key: -key[0].log_index):
        for cause in _possible(movement, in_flight, situation):
            parts = _parts(cause, in_flight, explainer, situation)
            if all(
                series in places and places[series].are(first, last, piece, cause.sign)
                for series, first, last, piece in parts
            ):
                for series, first, last, _ in parts:
                    labels[series].append((first, last, cause))
    return _without_false_losses(
        [
            finding
            for series, runs in sorted(differing.items())
            for finding in _labelled(series, runs, labels[series])
        ]
    )


def partners(findings: Iterable[Finding]) -> dict[int, Finding]:
    """Return, by identity, the finding in the series where the same units are on the other side.

    Serials that one series lacks at the registry, and one that differs in a single field (the
    vintage, say) has too many, with the same values: they went astray, they are not gone.
    """
    missing: dict[tuple[int, int, View], list[Finding]] = {}
    too_many: list[Finding] = []
    for one in findings:
        if not one.registry and one.kind not in PASSING:
            missing.setdefault((one.first, one.last, one.ledger), []).append(one)
        elif one.kind is FindingKind.MISSING_AT_LEDGER:
            too_many.append(one)
    found: dict[int, Finding] = {}
    for one in too_many:
        candidates = missing.get((one.first, one.last, one.registry), [])
        for place, other in enumerate(candidates):
            if differing_field(one.series, other.series) is not None:
                del candidates[place]
                found[id(one)], found[id(other)] = other, one
                break
    return found


def differing_field(left: Series, right: Series) -> str | None:
    """Return the one field in which two series differ; None if it is none, or several."""
    names = [name for name, a, b in zip(Series._fields, left, right, strict=True) if a != b]
    return names[0] if len(names) == 1 else None


def _without_false_losses(findings: Sequence[Finding]) -> list[Finding]:
    """Take the cause from units that are in another series: the message that brought them came."""
    astray = partners(findings)
    return [
        replace(one, kind=FindingKind.MISSING_AT_REGISTRY, cause_index=None, reference=None)
        if id(one) in astray and one.kind is FindingKind.LOST_MESSAGE
        else one
        for one in findings
    ]


def _touching(place: _Differences, series: Series, explainer: Explainer) -> list[Moved]:
    found = [
        entry for entry in explainer.pieces_of(series) if place.touch(entry[1].first, entry[1].last)
    ]
    return found[-_PIECES_MAX:]


def _possible(movement: Movement, in_flight: bool, situation: Situation) -> list[Cause]:
    if in_flight:
        return [Cause(CauseKind.IN_FLIGHT, movement, 1)]
    both = (cause_of(movement, sign, situation) for sign in (-1, 1))
    return [cause for cause in both if cause is not None]


def _parts(
    cause: Cause,
    in_flight: bool,
    explainer: Explainer,
    situation: Situation,
) -> list[tuple[Series, int, int, Piece]]:
    """Return the parts of a movement's pieces that no later movement compared here touched."""
    return [
        (piece.series, first, last, piece)
        for piece in cause.movement.pieces
        for first, last in (
            [(piece.first, piece.last)]
            if in_flight
            else _live(cause.movement, piece, explainer, situation)
        )
    ]


def _live(
    movement: Movement, piece: Piece, explainer: Explainer, situation: Situation
) -> list[tuple[int, int]]:
    parts = [(piece.first, piece.last)]
    over = explainer.pieces_over(piece.series, piece.first, piece.last)
    for other, later, in_flight in over:
        if in_flight or not movement.log_index < other.log_index <= situation.as_of:
            continue
        parts = [
            part
            for first, last in parts
            for part in ((first, min(last, later.first - 1)), (max(first, later.last + 1), last))
            if part[0] <= part[1]
        ]
    return parts


def _labelled(
    series: Series, differing: Iterable[Run], pieces: Sequence[tuple[int, int, Cause]]
) -> list[Finding]:
    """Cut the runs where causes begin and end; the first cause named wins."""
    findings: list[Finding] = []
    for run in differing:
        over = [entry for entry in pieces if entry[0] <= run.last and run.first <= entry[1]]
        cuts = {run.first, run.last + 1}
        for first, last, _ in over:
            cuts |= {max(first, run.first), min(last, run.last) + 1}
        ordered = sorted(cuts)
        for first, after in pairwise(ordered):
            cause = next((c for low, high, c in over if low <= first <= high), None)
            found = finding_of(series, run._replace(first=first, last=after - 1), cause)
            if findings and _continues(findings[-1], found):
                found = finding_of(
                    series, run._replace(first=findings.pop().first, last=after - 1), cause
                )
            findings.append(found)
    return findings


def _continues(left: Finding, right: Finding) -> bool:
    return (
        left.last + 1 == right.first
        and (left.kind, left.ledger, left.registry, left.cause_index)
        == (right.kind, right.ledger, right.registry, right.cause_index)
        and left.reference == right.reference
    )
