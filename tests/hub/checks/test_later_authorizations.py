"""Ranges authorized later are found by any unit of them, and by no other."""

from hypothesis import given
from hypothesis import strategies as st

from hub.checks.later_authorizations import LaterAuthorization, LaterAuthorizations
from hub.international_registry.units import Range, Series

SERIES = Series("CA0001", "XMR01", "THA", 2022)
OTHER = Series("CA0001", "XMR01", "THA", 2023)
ranges = st.builds(
    lambda first, length: Range(SERIES, first, first + length),
    st.integers(1, 60),
    st.integers(0, 9),
)


@given(given_ranges=st.lists(ranges, max_size=12), asked=ranges)
def test_what_is_found_overlaps_and_what_overlaps_is_found(
    given_ranges: list[Range], asked: Range
) -> None:
    """As a plain search through all of them says."""
    known, kept = LaterAuthorizations(), []
    for number, units in enumerate(given_ranges):
        if known.overlapping(units) is None:
            known.add(LaterAuthorization(units, f"XMR01-{number}"))
            kept.append(units)
    found = known.overlapping(asked)
    assert (found is not None) == any(units.overlaps(asked) for units in kept)
    assert found is None or found.units.overlaps(asked)
    assert known.overlapping(Range(OTHER, asked.first, asked.last)) is None


def test_a_range_entered_twice_is_there_once() -> None:
    """Two ranges that were asked for may show the same one on record."""
    known, one = LaterAuthorizations(), LaterAuthorization(Range(SERIES, 5, 9), "XMR01-1")
    known.add(one)
    known.add(one)
    assert known.overlapping(Range(SERIES, 9, 12)) == one
    assert known.overlapping(Range(SERIES, 10, 12)) is None
