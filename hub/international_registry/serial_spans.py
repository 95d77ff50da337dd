"""What lies over which serials: spans that may overlap, to be found by series and serial.

Built once, then only read. Per series the spans are cut where any of them begins or ends, so that
finding is one bisection and a walk over the pieces asked for: O(log n + found).
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Generic, TypeVar

SeriesT = TypeVar("SeriesT", bound=Hashable)
ValueT = TypeVar("ValueT")

Span = tuple[int, int, ValueT]
"""The first serial, the last one, and what lies over them."""


class SerialSpans(Generic[SeriesT, ValueT]):
    """Spans of serials by series, each with a value; empty ones are false."""

    __slots__ = ("_lanes", "_spans")

    def __init__(self, spans: Iterable[tuple[SeriesT, int, int, ValueT]] = ()) -> None:
        self._spans: list[Span[ValueT]] = []
        edges: dict[SeriesT, list[tuple[int, bool, int]]] = {}
        for number, (series, first, last, value) in enumerate(spans):
            self._spans.append((first, last, value))
            edges.setdefault(series, []).extend(((first, True, number), (last + 1, False, number)))
        self._lanes = {series: _lane(of_series) for series, of_series in edges.items()}

    def __bool__(self) -> bool:
        """Tell whether there is any span at all."""
        return bool(self._lanes)

    def over(self, series: SeriesT, first: int, last: int) -> list[Span[ValueT]]:
        """Return the spans over any of the serials, whole, in the order they were given."""
        lane = self._lanes.get(series)
        if lane is None:
            return []
        starts, covering = lane
        found: set[int] = set()
        place = bisect_right(starts, first) - 1
        if place >= 0:
            found.update(covering[place])
        for at in range(place + 1, len(starts)):
            if starts[at] > last:
                break
            found.update(covering[at])
        return [self._spans[number] for number in sorted(found)]


def _lane(edges: list[tuple[int, bool, int]]) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return where pieces begin, and the numbers of the spans over each."""
    starts: list[int] = []
    covering: list[tuple[int, ...]] = []
    now: set[int] = set()
    for position, group in groupby(sorted(edges), key=itemgetter(0)):
        for _, begins, number in group:
            if begins:
                now.add(number)
            else:
                now.discard(number)
        starts.append(position)
        covering.append(tuple(now))
    return starts, covering
