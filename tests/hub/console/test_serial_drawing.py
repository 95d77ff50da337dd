"""The picture of a serial line: every cell has its place and can be seen, every serial its room."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hub.console.parts import serial_drawing
from hub.console.parts.serial_drawing import (
    CELL_WIDTH_MIN,
    INNER,
    LEFT,
    MARK_WIDTH_MIN,
    SIGNS,
    WIDTH,
)
from hub.services.console.cases.serial_lines import Cell, Has, Side, Standing

sides = st.builds(
    Side,
    has=st.sampled_from(Has),
    registry=st.just("CHE01"),
    status=st.sampled_from(["held", "used"]),
    times=st.integers(1, 100),
)


@st.composite
def cells(draw: st.DrawFn) -> list[Cell]:
    """Draw cells that touch, of one serial or of very many."""
    found: list[Cell] = []
    first = draw(st.sampled_from([1, 10**9, 2**62]))
    for _ in range(draw(st.integers(1, 120))):
        last = first + draw(st.sampled_from([0, 0, 1, 9, 10**6, 10**12]))
        standing = draw(st.sampled_from(Standing))
        found.append(Cell(first, last, draw(sides), draw(sides), standing))
        first = last + 1
    return found


@given(drawn=cells())
def test_every_cell_has_one_place_wide_enough_to_be_seen(drawn: list[Cell]) -> None:
    """In the order of the serials, within the picture, both books at the same place."""
    strips = serial_drawing.strips(drawn)
    boxes = [box for strip in strips for box in strip.boxes]
    assert [box.cell for box in boxes] == drawn
    for strip in strips:
        assert all(box.width >= CELL_WIDTH_MIN - 0.1 for box in strip.boxes)
        assert strip.boxes[0].x == LEFT
        assert abs(strip.boxes[-1].x + strip.boxes[-1].width - LEFT - INNER) < 1
        assert all(abs(a.x + a.width - b.x) < 0.3 for a, b in pairwise(strip.boxes))
    for box in boxes:
        assert len(box.ledger) * 7 <= box.width or len(box.ledger) <= 4


@given(drawn=cells())
def test_no_serial_of_a_border_is_written_over_another(drawn: list[Cell]) -> None:
    """However long they are: below each other where there is no room beside."""
    for strip in serial_drawing.strips(drawn):
        assert len(strip.ticks) == len(strip.boxes) + 1
        rooms: dict[float, list[tuple[float, float]]] = {}
        for tick in strip.ticks:
            length = len(tick.text) * 6.9
            begin = tick.x - length if tick.is_end else tick.x
            assert begin >= 0
            assert begin + length <= WIDTH + 1
            assert tick.y < strip.height
            rooms.setdefault(tick.y, []).append((begin, begin + length))
        for row in rooms.values():
            assert all(left[1] <= right[0] for left, right in pairwise(sorted(row)))


@given(
    gaps=st.lists(st.tuples(st.integers(1, 10**10), st.integers(0, 10**7)), min_size=1),
    margin=st.integers(0, 10**6),
)
def test_the_overview_marks_every_range_and_none_twice(
    gaps: list[tuple[int, int]], margin: int
) -> None:
    """Marks can be seen and told apart; their counts are those of the ranges."""
    spans: list[tuple[int, int]] = []
    serial = 0
    for gap, size in gaps:
        first = serial + gap
        spans.append((first, first + size))
        serial = first + size
    low, high = max(1, spans[0][0] - margin), spans[-1][1] + margin
    marks = serial_drawing.overview(spans, low, high)
    assert sum(mark.count for mark in marks) == len(spans)
    assert (marks[0].first, marks[-1].last) == (spans[0][0], spans[-1][1])
    assert all(mark.width >= MARK_WIDTH_MIN - 0.01 for mark in marks)
    assert all(left.x + left.width < right.x for left, right in pairwise(marks))
    assert marks[0].x >= LEFT
    assert marks[-1].x + marks[-1].width <= LEFT + INNER + 0.02


def test_one_serial_of_a_thousand_million_is_marked() -> None:
    """And so are a thousand ranges: none of them vanishes, near ones are counted."""
    (mark,) = serial_drawing.overview([(500_000_000, 500_000_000)], 1, 10**9)
    assert mark.width == MARK_WIDTH_MIN
    many = [(at * 1_000_000, at * 1_000_000) for at in range(1, 1_001)]
    marks = serial_drawing.overview(many, 1, 1_001_000_000)
    assert 25 < len(marks) < 40
    assert sum(one.count for one in marks) == 1_000


def test_every_standing_has_its_own_sign_and_words() -> None:
    """No colour says anything alone."""
    assert set(SIGNS) == set(serial_drawing.STANDINGS) == set(Standing)
    assert len(set(SIGNS.values())) == len(Standing)
    assert len(set(serial_drawing.STANDINGS.values())) == len(Standing)
    assert serial_drawing.strips([]) == []
