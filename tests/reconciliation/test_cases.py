"""From findings to cases: what belongs together, goes on, comes back, is over."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.case_words import KINDS, summary_of
from reconciliation.cases import (
    NO_ANSWER,
    RECORD_DIFFERS,
    CaseFound,
    CaseRange,
    Group,
    KnownCase,
    Seen,
    after_session,
    allowed_message,
    grouped,
    merged,
)
from reconciliation.discrepancies import PASSING, Finding, FindingKind, kind_without_cause
from reconciliation.owned import Owned, Series
from reconciliation.steps import View

SERIES = [Series("CA0001", "THA01", "THA", vintage) for vintage in (2022, 2023)]
OTHER = Series("CA0001", "GHA01", "GHA", 2023)
HELD: Owned = ("held", "yes", "GHG", "Removals", "A-1", "1", "Energy", *([None] * 6))
USED: Owned = ("used", *HELD[1:])
WASTE: Owned = (*HELD[:6], "Waste", *HELD[7:])
VIEWS: list[tuple[View, View]] = [
    ((HELD,), ()),
    ((), (HELD,)),
    ((HELD,), (USED,)),
    ((HELD,), (WASTE,)),
    ((HELD,), (HELD, HELD)),
]


def found(
    first: int,
    last: int,
    views: tuple[View, View] = VIEWS[0],
    series: Series = SERIES[0],
    cause: int | None = None,
    kind: FindingKind | None = None,
) -> Finding:
    """Return a finding."""
    if kind is None:
        kind = kind_without_cause(*views) if cause is None else FindingKind.LOST_MESSAGE
    return Finding(kind, series, first, last, *views, cause_index=cause)


def known(case_id: str, *findings: Finding, kind: str | None = None) -> KnownCase:
    """Return a case with the serials of findings."""
    ranges = (
        CaseRange(one.series, one.first, one.last, number) for number, one in enumerate(findings, 1)
    )
    return KnownCase(case_id, kind or findings[0].kind.value, tuple(ranges))


def serials(findings: Iterable[Finding]) -> set[tuple[Series, int]]:
    """Return the serials of findings."""
    return {(one.series, serial) for one in findings for serial in range(one.first, one.last + 1)}


def serials_of(case: KnownCase | CaseFound) -> set[tuple[Series, int]]:
    """Return the serials of a case, before or after a session."""
    ranges = case.ranges if isinstance(case, KnownCase) else case.kept
    own = {(one.series, serial) for one in ranges for serial in range(one.first, one.last + 1)}
    return own if isinstance(case, KnownCase) else own | serials(case.findings)


@st.composite
def findings_of(draw: st.DrawFn) -> list[Finding]:
    """Return findings of a session: apart within each series, of all kinds."""
    made: list[Finding] = []
    for series in SERIES:
        position = 1
        for _ in range(draw(st.integers(0, 6))):
            position += draw(st.integers(0, 5))
            last = position + draw(st.integers(0, 5))
            cause = draw(st.sampled_from([None, None, 7, 8]))
            kind = draw(st.sampled_from([None, None, None, FindingKind.TIMING]))
            views = draw(st.sampled_from(VIEWS))
            made.append(found(position, last, views, series, cause, kind))
            position = last + 1
    return made


def test_all_findings_of_one_cause_are_one_case() -> None:
    """Over series and kinds of difference; another cause is another case."""
    first = [found(1, 5, cause=7), found(9, 9, VIEWS[2], SERIES[1], cause=7)]
    groups = grouped([*first, found(20, 20, cause=8), found(30, 30)])
    assert [len(group.findings) for group in groups] == [2, 1, 1]
    assert groups[0] == (FindingKind.LOST_MESSAGE.value, tuple(first))


def test_units_under_another_vintage_are_one_case_of_an_attribute() -> None:
    """Missing in one series and too many in the next, with the same values, is one wrong field."""
    missing, extra = found(1, 5), found(1, 5, VIEWS[1], SERIES[1])
    (group,) = grouped([missing, extra])
    assert group == Group(FindingKind.ATTRIBUTE_DIFFERS.value, (missing, extra))
    assert "5 units with another vintage" in summary_of(group.kind, group.findings)
    for other in (
        found(1, 6, VIEWS[1], SERIES[1]),
        found(1, 5, ((), (WASTE,)), SERIES[1]),
        found(1, 5, VIEWS[1], OTHER),
    ):
        assert len(grouped([missing, other])) == 2


@given(findings=findings_of())
def test_every_serious_finding_is_in_one_case_and_none_that_passes(
    findings: list[Finding],
) -> None:
    """Nothing is lost, doubled or made up when findings become cases for the first time."""
    after = after_session(findings, [], [], Seen())
    inside = [one for case in after.found for one in case.findings]
    serious = [one for one in findings if one.kind not in PASSING]
    assert sorted(map(repr, inside)) == sorted(map(repr, serious))
    assert all(case.known is None and case.findings for case in after.found)


@given(before=findings_of(), findings=findings_of(), again=findings_of())
def test_after_a_session_the_cases_hold_exactly_what_differs(
    before: list[Finding], findings: list[Finding], again: list[Finding]
) -> None:
    """Over three sessions: no serial too many, none too few, and what is clean is closed.

    Serials of an open case stay only where something passing still lies over their range.
    """
    open_cases: list[KnownCase] = []
    closed: list[KnownCase] = []
    for number, session in enumerate((before, findings, again)):
        after = after_session(session, open_cases, closed, Seen())
        serious = serials(one for one in session if one.kind not in PASSING)
        passing = [one for one in session if one.kind in PASSING]
        going_on = {case.known.case_id for case in after.found if case.known is not None}
        ended = {case.case_id for case in after.closed}
        untouched = [case for case in open_cases if case.case_id not in going_on | ended]
        held = {one for case in after.found for one in serials_of(case)}
        assert serious <= held
        for case in after.closed:
            assert not serials_of(case) & (serious | serials(passing))
        for one in untouched:
            assert serials_of(one) & (serious | serials(passing))
        surplus = held - serious
        kept = {
            (one.series, serial)
            for case in after.found
            for one in case.kept
            for serial in range(one.first, one.last + 1)
        }
        assert surplus <= kept
        open_cases = [*untouched, *(_after(case, number) for case in after.found)]
        open_cases.sort(key=lambda case: case.case_id)
        closed = [*after.closed, *(one for one in closed if one.case_id not in going_on)]


def _after(case: CaseFound, number: int) -> KnownCase:
    ranges = [CaseRange(one.series, one.first, one.last, 0) for one in merged(case.findings)]
    case_id = case.known.case_id if case.known else f"{number}-{min(ranges)}-{case.kind}"
    numbered = (one._replace(ordinal=place) for place, one in enumerate([*ranges, *case.kept], 1))
    return KnownCase(case_id, case.kind, tuple(numbered))


def test_a_finding_over_two_cases_is_cut_where_they_meet() -> None:
    """Each keeps its serials; what neither had goes to the older one."""
    older, newer = known("a", found(1, 10)), known("b", found(11, 20, VIEWS[3]))
    after = after_session([found(5, 25)], [older, newer], [], Seen())
    by_id = {case.known.case_id: case for case in after.found if case.known}
    assert [(one.first, one.last) for one in by_id["a"].findings] == [(5, 10), (21, 25)]
    assert [(one.first, one.last) for one in by_id["b"].findings] == [(11, 20)]


def test_the_rest_of_a_group_goes_with_what_continues() -> None:
    """One series and kind is one case, so the new serials join the old case."""
    old = known("a", found(1, 10))
    (case,) = after_session([found(1, 10), found(50, 60)], [old], [], Seen()).found
    assert (case.known, case.is_reopened, len(case.findings)) == (old, False, 2)


def test_the_latest_closed_case_of_the_kind_is_reopened() -> None:
    """An older one, and one of another kind, stay closed."""
    late = known("late", found(5, 6))
    early, other = known("early", found(1, 9)), known("other", found(1, 9, VIEWS[3]))
    (case,) = after_session([found(1, 9)], [], [other, late, early], Seen()).found
    assert (case.known, case.is_reopened) == (late, True)


@pytest.mark.parametrize(
    "seen",
    [
        Seen(is_partial=True),
        Seen(unseen=frozenset(SERIES[:1])),
        Seen(passing=(found(10, 10, kind=FindingKind.TIMING),)),
    ],
    ids=["partial", "by totals", "passing"],
)
def test_what_a_session_did_not_see_stays(seen: Seen) -> None:
    """The case is neither closed nor cut down."""
    old = known("a", found(1, 10))
    assert after_session([], [old], [], seen).closed == ()
    (case,) = after_session([found(50, 60)], [old, known("b", found(50, 51))], [], seen).found
    assert case.known is not None
    assert case.known.case_id == "b"


@given(findings=findings_of())
def test_merged_findings_have_the_same_serials_and_nothing_alike_touches(
    findings: list[Finding],
) -> None:
    """As few ranges as they make, each with one view all along."""
    whole = [replace(one, cause_index=None, kind=FindingKind.HELD_TWICE) for one in findings]
    singles = [
        replace(one, first=serial, last=serial)
        for one in whole
        for serial in range(one.first, one.last + 1)
    ]
    joined = merged(reversed(singles))
    assert serials(joined) == serials(whole)
    assert sum(one.quantity for one in joined) == len(singles)
    assert joined == merged(whole)
    for left, right in pairwise(joined):
        touches = (left.series, left.last + 1) == (right.series, right.first)
        assert not (touches and (left.ledger, left.registry) == (right.ledger, right.registry))


@pytest.mark.parametrize(
    ("views", "allowed"),
    [
        (((HELD,), (USED,)), "action.use"),
        (((HELD,), (("cancelled", *HELD[1:]),)), "action.cancellation"),
        (((USED,), (HELD,)), None),
        (((HELD,), ()), None),
        (((HELD,), (USED, USED)), None),
        (((HELD,), (WASTE,)), None),
    ],
    ids=["used", "cancelled", "used here", "missing", "twice", "attribute"],
)
def test_the_one_message_that_puts_the_ledger_right(
    views: tuple[View, View], allowed: str | None
) -> None:
    """Only where the registry has ended units that the ledger has as held."""
    assert allowed_message(found(1, 1, views)) == allowed


def summaries() -> Sequence[tuple[list[Finding], str]]:
    """Return findings and how their case is summed up."""
    one, two = "CA0001-THA01-THA-7-2022", "CA0001-THA01-THA-8-2022"
    return [
        ([found(7, 7)], f"1 unit missing at the registry: {one}"),
        ([found(7, 8)], f"2 units missing at the registry: {one} to {two}"),
        (
            [found(7, 7, cause=31)],
            f"1 unit of a message that left no trace at the registry (log index 31): {one}",
        ),
        (
            [found(number, number) for number in range(1, 10, 2)],
            "5 units missing at the registry: CA0001-THA01-THA-1-2022, CA0001-THA01-THA-3-2022, "
            "CA0001-THA01-THA-5-2022, and 2 more ranges",
        ),
    ]


@pytest.mark.parametrize(("findings", "summary"), summaries(), ids=range(len(summaries())))
def test_a_case_is_summed_up_in_one_line(findings: list[Finding], summary: str) -> None:
    """How many units, what with them, which ones."""
    (group,) = grouped(findings)
    assert summary_of(group.kind, group.findings) == summary


def test_every_kind_of_case_has_its_words() -> None:
    """Also the kinds without serials; none that passes by itself."""
    opening = {kind.value for kind in FindingKind if kind not in PASSING}
    assert set(KINDS) == opening | {NO_ANSWER, RECORD_DIFFERS}
    for words in KINDS.values():
        assert words.at_registry
        assert words.at_hub
        sentences = (words.means, *words.at_registry, *words.at_hub)
        assert all(sentence.endswith((".", "?")) for sentence in sentences)
