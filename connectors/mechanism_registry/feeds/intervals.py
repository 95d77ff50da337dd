"""Which whole numbers have been seen, kept as few ranges.

An export lists serials and ids in long runs. Runs that touch become one range, so that a million
lines of a plausible feed need the memory of a few. PURE.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class IntervalSet:
    """A set of whole numbers, stored as ranges that neither touch nor overlap."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __len__(self) -> int:
        """Return how many ranges are stored."""
        return len(self._firsts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Return the ranges in order, both ends included."""
        return zip(self._firsts, self._lasts, strict=True)

    def overlap(self, first: int, last: int) -> tuple[int, int] | None:
        """Return the lowest part of first..last that the set holds already, or None."""
        at = bisect_left(self._lasts, first)
        if at == len(self._firsts) or self._firsts[at] > last:
            return None
        return max(first, self._firsts[at]), min(last, self._lasts[at])

    def add(self, first: int, last: int) -> None:
        """Add first..last, joining every range it overlaps or touches."""
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def holds(self, first: int, last: int) -> bool:
        """Tell whether the set holds every number of first..last."""
        at = bisect_left(self._lasts, last)
        return at < len(self._firsts) and self._firsts[at] <= first

    def remove(self, first: int, last: int) -> None:
        """Take first..last out, whatever of it the set holds."""
        low, high = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        if low >= high:
            return
        rest = [(self._firsts[low], first - 1), (last + 1, self._lasts[high - 1])]
        kept = [(begin, end) for begin, end in rest if begin <= end]
        self._firsts[low:high] = [begin for begin, _ in kept]
        self._lasts[low:high] = [end for _, end in kept]
