"""From findings to cases: what belongs together, what goes on, what comes back, what is over.

1. All findings of one cause are one case. The same serials with the same values, missing in one
   series and too many in another that differs in one field, are one too: that field is wrong.
   Otherwise one case for each series and kind.
2. A finding over serials of an open case continues that case, the oldest if there are several; the
   rest of its group goes with it. A group over serials of a closed case of its kind reopens the
   latest one. What is left opens a case.
3. After that a case has exactly the serials found now, and those that this session could not see.
   It is closed when there are none: no finding lies over its serials, not even a passing one.
4. What passes by itself opens nothing. A session that could not compare anything says nothing about
   serials; one whose answers contradict each other, or leave something out, closes nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, NamedTuple

from hub.international_registry.serial_spans import SerialSpans
from reconciliation.discrepancies import PASSING, Finding, FindingKind, partners
from reconciliation.owned import HELD, OWNED, SERIAL_MAX, Series

NO_ANSWER: Final = "no_answer"
"""The kind of a case without serials: the registry was silent, refused, or made no sense."""

RECORD_DIFFERS: Final = "record_differs"
"""The kind of a case about transfers that moved no units."""

_STATUS: Final = OWNED.index("status")
_MESSAGE_OF: Final = {"used": "action.use", "cancelled": "action.cancellation"}


class CaseRange(NamedTuple):
    """Serials that a case has; ``ordinal`` is their number within the case."""

    series: Series
    first: int
    last: int
    ordinal: int


@dataclass(frozen=True, slots=True)
class KnownCase:
    """A case of this registry as it was before the session."""

    case_id: str
    kind: str
    ranges: tuple[CaseRange, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a session could see besides its findings.

    ``passing`` lies over serials that are not settled yet. Of ``unseen`` series only totals were
    compared. A partial session proves nothing clean: its answers contradict each other, or leave
    out attributes.
    """

    passing: tuple[Finding, ...] = ()
    unseen: frozenset[Series] = frozenset()
    is_partial: bool = False


@dataclass(slots=True)
class CaseFound:
    """A case after a session: new (``known`` is None), going on, or reopened.

    ``findings`` are its serials as of now, ``kept`` those it keeps from before.
    """

    kind: str
    known: KnownCase | None
    is_reopened: bool = False
    findings: list[Finding] = field(default_factory=list)
    kept: tuple[CaseRange, ...] = ()

    @property
    def cause(self) -> tuple[int, str | None] | None:
        """Return log index and reference of the one cause of all findings, if there is one."""
        causes = {(one.cause_index, one.reference) for one in self.findings}
        if len(causes) == 1:
            ((index, reference),) = causes
            if index is not None:
                return index, reference
        return None


@dataclass(frozen=True, slots=True)
class CasesAfter:
    """What a session makes of the cases of its registry."""

    found: tuple[CaseFound, ...]
    closed: tuple[KnownCase, ...]


class Group(NamedTuple):
    """Findings that are one case, unless they continue others."""

    kind: str
    findings: tuple[Finding, ...]


# --- what belongs together -----------------------------------------------------------------------


def grouped(findings: Iterable[Finding]) -> list[Group]:
    """Return the findings that do not pass by themselves, by what belongs together."""
    groups: dict[object, list[Finding]] = {}
    loose: list[Finding] = []
    for one in findings:
        if one.kind in PASSING:
            continue
        if one.cause_index is None:
            loose.append(one)
        else:
            groups.setdefault(("cause", one.cause_index), []).append(one)
    partner = partners(loose)
    kinds: dict[object, str] = {}
    for one in loose:
        other = partner.get(id(one))
        key: object = (one.series, one.kind)
        if other is not None:
            key = tuple(sorted((one.series, other.series)))
            kinds[key] = FindingKind.ATTRIBUTE_DIFFERS.value
        groups.setdefault(key, []).append(one)
    return [
        Group(kinds.get(key, members[0].kind.value), tuple(members))
        for key, members in groups.items()
    ]


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings in order of serials, joined where they touch and are alike."""
    joined: list[Finding] = []
    for one in sorted(findings, key=lambda finding: (finding.series, finding.first, finding.last)):
        if joined and joined[-1].last + 1 == one.first and _alike(joined[-1], one):
            joined[-1] = replace(joined[-1], last=one.last)
        else:
            joined.append(one)
    return joined


def _alike(left: Finding, right: Finding) -> bool:
    return replace(left, first=0, last=0) == replace(right, first=0, last=0)


def allowed_message(finding: Finding) -> str | None:
    """Return the message type by which the registry may put the ledger right, if there is one.

    The registry has the units used or cancelled, and the ledger has them held.
    """
    if len(finding.ledger) != 1 or len(finding.registry) != 1:
        return None
    ours, theirs = finding.ledger[0][_STATUS], finding.registry[0][_STATUS]
    return _MESSAGE_OF.get(theirs or "") if ours == HELD else None


# --- what goes on, comes back, is over -----------------------------------------------------------


def after_session(
    findings: Sequence[Finding],
    open_cases: Sequence[KnownCase],
    closed_cases: Sequence[KnownCase],
    seen: Seen,
) -> CasesAfter:
    """Return what a session makes of the cases of its registry.

    ``open_cases`` are all with serials, oldest first; ``closed_cases`` the latest closed first.
    """
    found: dict[str, CaseFound] = {}
    new: list[CaseFound] = []
    open_spans, closed_spans = _spans_of(open_cases), _spans_of(closed_cases)
    for group in grouped(findings):
        taken, rest = _taken(group, open_spans)
        if rest and taken:
            same = (number for number in sorted(taken) if open_cases[number].kind == group.kind)
            taken[next(same, min(taken))] += rest
        elif rest:
            _reopen_or_open(group, rest, closed_cases, closed_spans, found, new)
        for number, parts in sorted(taken.items()):
            known = open_cases[number]
            case = found.setdefault(known.case_id, CaseFound(group.kind, known))
            case.findings += parts
    for case in found.values():
        case.kind = _kind_of_most(case)
    unsettled = _unsettled((*findings, *seen.passing))
    closed: list[KnownCase] = []
    for known in open_cases:
        going_on = found.get(known.case_id)
        kept = _kept(known, seen, unsettled, going_on)
        if going_on is not None:
            going_on.kept = kept
        elif not kept and known.ranges:
            closed.append(known)
    return CasesAfter((*found.values(), *new), tuple(closed))


def _spans_of(cases: Sequence[KnownCase]) -> SerialSpans[Series, int]:
    return SerialSpans(
        (one.series, one.first, one.last, number)
        for number, case in enumerate(cases)
        for one in case.ranges
    )


def _taken(
    group: Group, spans: SerialSpans[Series, int]
) -> tuple[dict[int, list[Finding]], list[Finding]]:
    """Return the parts of a group that lie over open cases, by the case's place; and the rest."""
    taken: dict[int, list[Finding]] = {}
    rest: list[Finding] = []
    for one in group.findings:
        over = spans.over(one.series, one.first, one.last)
        numbers = sorted({number for _, _, number in over})
        if not numbers:
            rest.append(one)
        elif len(numbers) == 1:
            taken.setdefault(numbers[0], []).append(one)
        else:
            for number, part in _shared_out(one, over, numbers[0]):
                taken.setdefault(number, []).append(part)
    return taken, rest


def _shared_out(
    finding: Finding, over: Sequence[tuple[int, int, int]], oldest: int
) -> list[tuple[int, Finding]]:
    """Cut a finding where several cases meet; what is of none goes to the oldest."""
    cuts = {finding.first, finding.last + 1}
    for first, last, _ in over:
        cuts |= {max(first, finding.first), min(last, finding.last) + 1}
    spans = SerialSpans(("", first, last, number) for first, last, number in over)
    ordered = sorted(cuts)
    parts: list[tuple[int, Finding]] = []
    for first, after in pairwise(ordered):
        number = min((one for _, _, one in spans.over("", first, first)), default=oldest)
        if parts and parts[-1][0] == number:
            parts[-1] = (number, replace(parts[-1][1], last=after - 1))
        else:
            parts.append((number, replace(finding, first=first, last=after - 1)))
    return parts


def _reopen_or_open(
    group: Group,
    rest: list[Finding],
    closed_cases: Sequence[KnownCase],
    spans: SerialSpans[Series, int],
    found: dict[str, CaseFound],
    new: list[CaseFound],
) -> None:
    numbers = (
        number
        for one in rest
        for _, _, number in spans.over(one.series, one.first, one.last)
        if closed_cases[number].kind == group.kind
    )
    latest = min(numbers, default=None)
    if latest is None:
        new.append(CaseFound(group.kind, None, findings=rest))
        return
    known = closed_cases[latest]
    case = found.setdefault(known.case_id, CaseFound(group.kind, known, is_reopened=True))
    case.findings += rest


def _kind_of_most(case: CaseFound) -> str:
    """Return the kind most units of a case are of today, that which it had where that is among."""
    units: dict[str, int] = {}
    for group in grouped(case.findings):
        quantity = sum(one.quantity for one in group.findings)
        units[group.kind] = units.get(group.kind, 0) + quantity
    if case.known is not None and case.known.kind in units:
        return case.known.kind
    return max(units, key=lambda kind: (units[kind], kind))


def _unsettled(findings: Iterable[Finding]) -> SerialSpans[Series, bool]:
    """Return what lies over serials; True where it passes by itself."""
    return SerialSpans(
        (one.series, one.first, min(one.last, SERIAL_MAX), one.kind in PASSING) for one in findings
    )


def _kept(
    known: KnownCase,
    seen: Seen,
    unsettled: SerialSpans[Series, bool],
    going_on: CaseFound | None,
) -> tuple[CaseRange, ...]:
    """Return the ranges of an open case that this session did not settle, nor find again."""
    found_now: Collection[Finding] = going_on.findings if going_on is not None else ()
    own = SerialSpans((one.series, one.first, one.last, True) for one in found_now)
    kept: list[CaseRange] = []
    for one in known.ranges:
        place = (one.series, one.first, one.last)
        over = unsettled.over(*place)
        is_found = bool(own.over(*place))
        passes = any(is_passing for _, _, is_passing in over)
        of_others = bool(over) and not is_found
        if seen.is_partial or one.series in seen.unseen or passes or of_others:
            kept.append(one)
    return tuple(kept)
