"""Spans of serials: found as a walk over all of them would find them."""

from hypothesis import given
from hypothesis import strategies as st

from hub.international_registry.serial_spans import SerialSpans

SPANS = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(1, 60), st.integers(0, 25), st.integers(0, 9)).map(
        lambda one: (one[0], one[1], one[1] + one[2], one[3])
    ),
    max_size=30,
)


@given(
    spans=SPANS, series=st.sampled_from("ABC"), first=st.integers(1, 90), width=st.integers(0, 9)
)
def test_spans_are_found_as_by_looking_at_each(
    spans: list[tuple[str, int, int, int]], series: str, first: int, width: int
) -> None:
    """Those that share a serial with what is asked, each once, whole, in the order given."""
    last = first + width
    expected = [
        (low, high, value)
        for name, low, high, value in spans
        if name == series and low <= last and first <= high
    ]
    assert SerialSpans(spans).over(series, first, last) == expected


def test_no_spans_are_false() -> None:
    """So whoever has nothing to look for need not look."""
    assert not SerialSpans[str, int]()
    assert SerialSpans([("A", 1, 1, 0)])
