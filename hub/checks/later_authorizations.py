"""Which contribution units were authorized later: none is twice (6/CMA.6 paras 12-14)."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass

from hub.international_registry.units import Range, Series


@dataclass(frozen=True, slots=True)
class LaterAuthorization:
    """Units that one change of the mechanism registry authorized."""

    units: Range
    change_id: str


class LaterAuthorizations:
    """Ranges of units, no two of which overlap, found by any unit."""

    def __init__(self) -> None:
        self._firsts: dict[Series, list[int]] = defaultdict(list)
        self._known: dict[Series, list[LaterAuthorization]] = defaultdict(list)

    def add(self, one: LaterAuthorization) -> None:
        """Enter a range; the caller has seen that it overlaps none that is there."""
        firsts = self._firsts[one.units.series]
        place = bisect_right(firsts, one.units.first)
        if place and firsts[place - 1] == one.units.first:
            return  # loaded for two ranges that were asked for
        firsts.insert(place, one.units.first)
        self._known[one.units.series].insert(place, one)

    def overlapping(self, units: Range) -> LaterAuthorization | None:
        """Return a range that has a unit of ``units``, or None.

        As no two overlap, the last that begins before ``units`` ends is one if any is.
        """
        place = bisect_right(self._firsts[units.series], units.last)
        found = self._known[units.series][place - 1] if place else None
        return found if found is not None and found.units.overlaps(units) else None
