"""Underlying units: one unit of a programme's own registry stands behind one outcome only.

Two statements clash if they are of one underlying registry and name a common first or last unit, or
if their ids are a common beginning and a number, and the numbers overlap ("TH-5" to "TH-9" and
"TH-9" to "TH-12"). Ids that are not so built are compared for equality alone: the hub does not know
what lies between them.

``UnderlyingUnits`` keeps what the messages of one batch brought in, so that the next message meets
it before it is stored. Every question takes time logarithmic in what was added.
"""

import re
from bisect import bisect_right, insort
from collections.abc import Iterator
from typing import Final

from hub.international_registry.units import Range
from message_schemas.blocks import UnderlyingUnit

_NUMBERED: Final = re.compile(r"(.*?)([0-9]{1,30})", re.DOTALL)

Span = tuple[int, int, Range]


def numbers_of(unit: UnderlyingUnit) -> tuple[str, int, int] | None:
    """Return (common beginning, first number, last number), or None where the ids have none."""
    first = _NUMBERED.fullmatch(unit.first_unit_id)
    last = _NUMBERED.fullmatch(unit.last_unit_id)
    if first is None or last is None or first[1] != last[1]:
        return None
    low, high = sorted((int(first[2]), int(last[2])))
    return first[1], low, high


class UnderlyingUnits:
    """Underlying units, each with the range of serials that stands for it."""

    __slots__ = ("_ids", "_spans")

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], Range] = {}
        self._spans: dict[tuple[str, str], list[Span]] = {}

    def add(self, unit: UnderlyingUnit, range_: Range) -> None:
        """Enter what stands for underlying units."""
        for identifier in (unit.first_unit_id, unit.last_unit_id):
            self._ids[unit.registry, identifier] = range_
        if (numbers := numbers_of(unit)) is not None:
            beginning, low, high = numbers
            spans = self._spans.setdefault((unit.registry, beginning), [])
            insort(spans, (low, high, range_))

    def clashing(self, unit: UnderlyingUnit) -> Iterator[Range]:
        """Yield the ranges that stand for a common underlying unit, some perhaps twice."""
        for identifier in (unit.first_unit_id, unit.last_unit_id):
            if (taken := self._ids.get((unit.registry, identifier))) is not None:
                yield taken
        if (numbers := numbers_of(unit)) is None:
            return
        beginning, low, high = numbers
        spans = self._spans.get((unit.registry, beginning), [])
        # What was accepted does not overlap: only the neighbours can reach in here.
        after = bisect_right(spans, low, key=lambda span: span[0])
        for first, last, taken in spans[max(0, after - 1) : after + 1]:
            if first <= high and low <= last:
                yield taken
