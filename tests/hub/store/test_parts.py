"""Long lists in parts: all of them, in order, never too many at once."""

from hypothesis import given
from hypothesis import strategies as st

from hub.store.parts import PART_COUNT_MAX, in_parts


@given(values=st.lists(st.integers()), count_max=st.integers(1, 7))
def test_the_parts_together_are_the_whole(values: list[int], count_max: int) -> None:
    """Nothing lost, nothing twice, no part empty or too long; no part at all for nothing."""
    parts = list(in_parts(values, count_max))
    assert [one for part in parts for one in part] == values
    assert all(1 <= len(part) <= count_max for part in parts)


def test_a_part_of_pairs_fits_the_smallest_limit_we_know() -> None:
    """Two parameters a pair stay below SQLite's 32,766 and PostgreSQL's 65,535."""
    assert 2 * PART_COUNT_MAX < 32_766
