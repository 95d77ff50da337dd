"""Both books along the serials of a case: nothing left out, nothing twice, nothing made up."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.services.administration.corrections import correct_ledger
from hub.services.console.cases import serial_lines
from hub.services.console.cases.case_story import CaseStories, CaseStory
from hub.services.console.cases.serial_lines import (
    Around,
    Cell,
    Has,
    Standing,
    Window,
    cells_of,
    windows_of,
)
from hub.store.reconciliation.case_serials import BlockRow, MovedRow, OverRow
from hub.store.reconciliation.cases import RangeRow
from reconciliation.discrepancies import FindingKind
from reconciliation.owned import SERIAL_MAX, Series
from tests.hub.services.console.grounds import ground_over
from tests.hub.services.reconciliation.case_worlds import (
    HELD,
    OTHER_SECTOR,
    SERIES,
    USED,
    compared,
    finding,
)
from tests.hub.world import World, accepted, act
from tests.integration.peers import acceptance, block, proposal

Spans = list[tuple[int, int]]


@st.composite
def spans(draw: st.DrawFn, most: int = 200, size_max: int = 8) -> Spans:
    """Draw spans of serials in order, with a gap or none between them."""
    found: Spans = []
    serial = 1
    for _ in range(draw(st.integers(1, size_max))):
        first = serial + draw(st.integers(0, most))
        last = first + draw(st.integers(0, most))
        found.append((first, last))
        serial = last + 1
    return found


def range_row(ordinal: int, first: int, last: int, registry: list[dict[str, Any]]) -> RangeRow:
    """Return a range of a case, found to be missing at the registry, or there."""
    body = json.dumps({"ledger": [{"status": "held"}], "registry": registry})
    return RangeRow("2026-11-22/1", ordinal, *SERIES, first, last, body, True, None)


def block_rows(drawn: Spans) -> list[BlockRow]:
    """Return blocks of the ledger, every third of them at another registry."""
    return [
        BlockRow(first, last, "CHE01" if at % 3 else "GHA01", None, "itmo", None, None)
        for at, (first, last) in enumerate(drawn)
    ]


def line(ranges: Spans, blocks: Spans, others: Spans, moved: Spans, known_max: int) -> list[Cell]:
    """Return the cells of a page of ranges, of which ``known_max`` blocks are read a window."""
    rows = [range_row(at, *span, [{"status": "held"}] * (at % 3)) for at, span in enumerate(ranges)]
    every = block_rows(blocks)
    windows = []
    for first, last in windows_of(ranges, 1, SERIAL_MAX):
        over = [one for one in every if one.first <= last and one.last >= first]
        if len(over) > known_max:
            windows.append(Window(first, last, tuple(over[:known_max]), over[known_max - 1].last))
        else:
            windows.append(Window(first, last, tuple(over), last))
    around = Around(
        "CHE01",
        is_exact=True,
        others=[OverRow("2026-11-22/2", "CHE01", "open", *span) for span in others],
        moved=[MovedRow(*span, 7, "THA01-7") for span in moved],
    )
    return cells_of(rows, windows, around)


def serials_of(ranges: Spans) -> set[int]:
    """Return all serials of some spans."""
    return {serial for first, last in ranges for serial in range(first, last + 1)}


@settings(max_examples=150)
@given(
    ranges=spans(),
    blocks=spans(),
    others=spans(size_max=3),
    moved=spans(size_max=3),
    known_max=st.integers(1, 12),
)
def test_a_line_is_a_partition_and_draws_each_serial_of_the_case_once(
    ranges: Spans, blocks: Spans, others: Spans, moved: Spans, known_max: int
) -> None:
    """The cells touch and do not overlap; what differs is exactly the serials of the case."""
    cells = line(ranges, blocks, others, moved, known_max)
    assert all(left.last + 1 == right.first for left, right in pairwise(cells))
    assert cells[0].first <= ranges[0][0]
    assert cells[-1].last >= ranges[-1][1]
    drawn = [(one.first, one.last) for one in cells if one.standing is Standing.DIFFERS]
    assert sum(last - first + 1 for first, last in drawn) == len(serials_of(ranges))
    assert serials_of(drawn) == serials_of(ranges)


@settings(max_examples=150)
@given(ranges=spans(), blocks=spans(), moved=spans(size_max=3))
def test_the_bars_of_the_ledger_add_up_to_its_blocks(
    ranges: Spans, blocks: Spans, moved: Spans
) -> None:
    """Of each serial that is drawn the line says what the ledger has, and of none anything else."""
    cells = line(ranges, blocks, [], moved, known_max=1_000)
    held = {
        serial: one.registry
        for one in block_rows(blocks)
        for serial in range(one.first, one.last + 1)
    }
    for cell in cells:
        if cell.standing is Standing.SKIPPED:
            continue
        for serial in range(cell.first, cell.last + 1):
            expected = held.get(serial)
            has = {None: Has.NOTHING, "CHE01": Has.UNITS}.get(expected, Has.ELSEWHERE)
            assert (cell.ledger.has, cell.ledger.registry) == (has, expected)


@settings(max_examples=100)
@given(ranges=spans(), blocks=spans(), others=spans(size_max=3), moved=spans(size_max=3))
def test_agreed_is_said_only_of_what_was_compared_and_not_touched_since(
    ranges: Spans, blocks: Spans, others: Spans, moved: Spans
) -> None:
    """Where both sides agreed they have the same; where anything lies over it, nothing is said."""
    cells = line(ranges, blocks, others, moved, known_max=1_000)
    doubted = serials_of(ranges) | serials_of(others) | serials_of(moved)
    for cell in cells:
        if cell.standing is not Standing.AGREED:
            continue
        assert not doubted & set(range(cell.first, cell.last + 1))
        is_here = cell.ledger.has is Has.UNITS
        assert cell.registry.has is (Has.UNITS if is_here else Has.NOTHING)


@given(first=st.integers(1, SERIAL_MAX), size=st.integers(0, 10**12), context=st.booleans())
def test_a_window_stays_within_the_serials_there_are(first: int, size: int, context: bool) -> None:
    """At both ends of all numbers, and beside the ranges of other pages."""
    last = min(first + size, SERIAL_MAX)
    low, high = (1, SERIAL_MAX) if context else (first, last)
    ((begin, end),) = windows_of([(first, last)], low, high)
    assert low <= begin <= first <= last <= end <= high


# --- on a hub ------------------------------------------------------------------------------------


@pytest.fixture
def sold(either_world: World) -> World:
    """Return a hub where Switzerland has units 1 to 99 of Thailand."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 99)
    return either_world


def story_of(world: World, case_id: str, **how: Any) -> CaseStory:
    """Return a case for its page."""
    return CaseStories(ground_over(world.database)).story(case_id, **how)


def drawn(story: CaseStory, number: int = 1) -> list[tuple[int, int, str, str, str]]:
    """Return the cells of a series: serials, both sides, standing."""
    found = story.series[number - 1].line
    assert found is not None
    return [
        (one.first, one.last, one.ledger.has.value, one.registry.has.value, one.standing.value)
        for one in found.cells
    ]


def test_the_line_of_a_case_says_what_differs_and_what_agreed(sold: World) -> None:
    """Around the serials of the case both sides had the same, but for another case's."""
    done = compared(
        sold,
        finding(41, 45),
        finding(51, 51, registry=(OTHER_SECTOR,)),
    )
    story = story_of(sold, done.opened[0])
    assert drawn(story) == [
        (21, 40, "units", "units", "agreed"),
        (41, 45, "units", "nothing", "differs"),
        (46, 50, "units", "units", "agreed"),
        (51, 51, "units", "unknown", "other_case"),
        (52, 65, "units", "units", "agreed"),
    ]
    other = story_of(sold, done.opened[1])
    line_ = other.series[0].line
    assert line_ is not None
    (cell,) = (one for one in line_.cells if one.standing is Standing.DIFFERS)
    assert cell.fields == ("sector",)
    ((attribute,),) = (one.attributes for one in other.series[0].differences)
    assert (attribute.name, attribute.ledger, attribute.registry, attribute.differs) == (
        "sector",
        "Transportation",
        "Waste",
        True,
    )


def test_what_moved_since_is_not_said_to_agree(sold: World) -> None:
    """Units that Switzerland gave away after the comparison; the rest agreed still."""
    (case_id,) = compared(sold, finding(41, 45)).opened
    said = proposal("CHE01-1", block(50, 55), action="transfer")
    digest = str(accepted(sold.say("CHE01", "GHA01", said))["envelope_sha256"])
    accepted(sold.say("GHA01", "CHE01", acceptance("CHE01-1", digest)))
    cells = drawn(story_of(sold, case_id))
    assert (50, 55, "elsewhere", "unknown", "moved") in cells
    assert (46, 49, "units", "units", "agreed") in cells
    assert (56, 65, "units", "units", "agreed") in cells


def test_what_was_on_its_way_is_not_said_to_agree(
    sold: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison let it pass, as no case; but both sides did not have the same."""
    done = compared(
        sold,
        finding(41, 45),
        finding(50, 52, FindingKind.IN_FLIGHT),
        finding(60, 60, FindingKind.TIMING),
        finding(53, 54, FindingKind.IN_FLIGHT, series=SERIES._replace(vintage=2023)),
    )
    (case_id,) = done.opened
    assert drawn(story_of(sold, case_id)) == [
        (21, 40, "units", "units", "agreed"),
        (41, 45, "units", "nothing", "differs"),
        (46, 49, "units", "units", "agreed"),
        (50, 52, "units", "unknown", "unknown"),
        (53, 59, "units", "units", "agreed"),
        (60, 60, "units", "unknown", "unknown"),
        (61, 65, "units", "units", "agreed"),
    ]
    monkeypatch.setattr(serial_lines, "PASSING_MAX", 2)  # where more are, none is looked for
    assert {one[4] for one in drawn(story_of(sold, case_id))} == {"differs", "unknown"}


def test_behind_very_many_other_cases_nothing_is_said_to_agree(
    sold: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are not read could lie anywhere behind the last one that is."""
    monkeypatch.setattr(serial_lines, "OTHERS_MAX", 1)
    done = compared(
        sold,
        finding(41, 45),
        finding(51, 51, registry=(OTHER_SECTOR,)),
        finding(60, 60, FindingKind.HELD_TWICE),
    )
    assert drawn(story_of(sold, done.opened[0])) == [
        (21, 40, "units", "units", "agreed"),
        (41, 45, "units", "nothing", "differs"),
        (46, 50, "units", "units", "agreed"),
        (51, 51, "units", "unknown", "other_case"),
        (52, 65, "units", "unknown", "unknown"),
    ]


def test_units_elsewhere_by_the_ledger_are_at_neither_side_where_it_agreed(sold: World) -> None:
    """And what the registry has too many stands below an empty place."""
    sold.transfer("THA01-2", 100, 149)
    (case_id,) = compared(
        sold, finding(160, 160, ledger=(), registry=(HELD,)), registry="GHA01"
    ).opened
    assert drawn(story_of(sold, case_id)) == [
        (140, 149, "elsewhere", "nothing", "agreed"),
        (150, 159, "nothing", "nothing", "agreed"),
        (160, 160, "nothing", "units", "differs"),
        (161, 180, "nothing", "nothing", "agreed"),
    ]


def test_a_series_that_the_ledger_never_saw_is_drawn_as_well(sold: World) -> None:
    """One serial at the very end of all numbers, in a vintage nobody knows here."""
    strange = Series("CA0009", "THA01", "THA", 2031)
    (case_id,) = compared(
        sold,
        finding(SERIAL_MAX, SERIAL_MAX, series=strange, ledger=(), registry=(HELD, USED)),
    ).opened
    cells = drawn(story_of(sold, case_id))
    assert cells[-1] == (SERIAL_MAX, SERIAL_MAX, "nothing", "units", "differs")


def test_a_comparison_that_left_something_out_says_nothing_of_the_rest(sold: World) -> None:
    """Totals agree or not; of single serials they say nothing."""
    (case_id,) = compared(sold, finding(41, 45), basis="totals").opened
    story = story_of(sold, case_id)
    assert {one[4] for one in drawn(story)} == {"differs", "unknown"}
    assert story.comparison is not None
    assert not story.comparison.is_exact


def test_very_many_ranges_are_drawn_page_by_page(sold: World) -> None:
    """Each serial on one page, forwards and back; the overview marks all of them."""
    serials = range(1, 99, 2)
    (case_id,) = compared(sold, *(finding(one, one) for one in serials)).opened
    seen: list[int] = []
    start: int | None = 1
    pages: list[int] = []
    while start is not None:
        pages.append(start)
        found = story_of(sold, case_id, series=1, start=start).series[0].line
        assert found is not None
        assert len(found.ranges) <= serial_lines.RANGES_A_PAGE
        assert found.spans == tuple((one, one) for one in serials)
        cells = [one for one in found.cells if one.standing is Standing.DIFFERS]
        seen += [one.first for one in cells]
        assert all(one.first == one.last for one in cells)
        if len(pages) > 1:
            assert found.before == pages[-2]
        start = found.after
    assert seen == list(serials)
    assert len(pages) == 2


def test_of_many_series_the_first_few_are_drawn_and_each_can_be_asked_for(sold: World) -> None:
    """A case of one cause may reach over all vintages."""
    many = [Series("CA0001", "THA01", "THA", 2000 + at) for at in range(6)]
    (case_id,) = compared(
        sold,
        *(
            finding(1, 5, FindingKind.LOST_MESSAGE, series=one, cause_index=3, reference="THA01-1")
            for one in many
        ),
    ).opened
    story = story_of(sold, case_id)
    assert [one.line is not None for one in story.series] == [True] * 3 + [False] * 3
    story = story_of(sold, case_id, series=5)
    assert [one.number for one in story.series if one.line is not None] == [5]


def test_a_closed_case_is_drawn_as_it_was_found_last(sold: World) -> None:
    """With the session that found it clean."""
    (case_id,) = compared(sold, finding(41, 45)).opened
    compared(sold)
    story = story_of(sold, case_id)
    assert story.case.state == "closed"
    assert (41, 45, "units", "nothing", "differs") in drawn(story)
    assert story.possible == frozenset({"note"})
    assert [one.agreed for one in story.sessions] == [True, False]


def test_a_compensating_entry_shows_in_the_ledgers_book_at_once(sold: World) -> None:
    """Before the next comparison: the units are elsewhere, by an entry that is named."""
    (case_id,) = compared(sold, finding(41, 45)).opened
    units = "CA0001-THA01-THA-41-2022..CA0001-THA01-THA-45-2022"
    done = sold.administration.do(correct_ledger(units, "CHE01", "GHA01", None, case_id), act())
    found = story_of(sold, case_id).series[0].line
    assert found is not None
    (cell,) = (one for one in found.cells if one.standing is Standing.DIFFERS)
    assert (cell.ledger.has, cell.ledger.registry) == (Has.ELSEWHERE, "GHA01")
    assert cell.log_index == done.log_index
