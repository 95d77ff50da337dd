"""The set of numbers seen, compared with a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.mechanism_registry.feeds.intervals import IntervalSet

ranges = st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair)))


@given(added=st.lists(ranges, max_size=30), asked=ranges)
def test_it_agrees_with_a_plain_set(added: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    """Whatever was added in whatever order, an overlap is found exactly when there is one."""
    intervals, plain = IntervalSet(), set[int]()
    for first, last in added:
        intervals.add(first, last)
        plain.update(range(first, last + 1))
    overlap = intervals.overlap(*asked)
    common = plain & set(range(asked[0], asked[1] + 1))
    if overlap is None:
        assert not common
    else:
        assert overlap[0] == min(common)
        assert set(range(overlap[0], overlap[1] + 1)) <= common
    gaps = {number for number in plain if number + 1 not in plain}
    assert len(intervals) == len(gaps)


@given(added=st.lists(ranges, max_size=20), taken=st.lists(ranges, max_size=5), asked=ranges)
def test_taking_out_agrees_with_a_plain_set(
    added: list[tuple[int, int]], taken: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    """What was taken out is gone, all else is there."""
    intervals, plain = IntervalSet(), set[int]()
    for first, last in added:
        intervals.add(first, last)
        plain.update(range(first, last + 1))
    for first, last in taken:
        intervals.remove(first, last)
        plain.difference_update(range(first, last + 1))
    numbers = set(range(asked[0], asked[1] + 1))
    assert intervals.holds(*asked) == (numbers <= plain)
    assert (intervals.overlap(*asked) is None) == (not numbers & plain)


def test_a_million_numbers_in_a_row_are_one_range() -> None:
    """Memory follows the gaps, not the numbers."""
    intervals = IntervalSet()
    for first in range(1, 1_000_000, 100):
        intervals.add(first, first + 99)
    assert len(intervals) == 1
