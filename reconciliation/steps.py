"""Units as step functions over the serials of one series: adding them up and comparing them.

A side's holdings say of each serial which values it has there: none, one, or several when a unit is
held twice. Blocks are one way to write that down. The functions here take the edges of all blocks
in order of position and look at what holds between two edges, so the cut of the blocks is nothing.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from reconciliation.movements import Countable
from reconciliation.owned import Owned

View = tuple[Owned, ...]
"""What one side has of a unit: nothing, one value, or more than one; in a fixed order."""


class StepError(ValueError):
    """More was taken away from a serial than was there."""


class Run(NamedTuple):
    """Serials ``first`` to ``last`` of which each side has the same all along."""

    first: int
    last: int
    ledger: View
    registry: View


def clipped(items: Iterable[Countable], low: int, high: int) -> list[Countable]:
    """Return the parts of the items at serials ``low`` to ``high``."""
    return [
        Countable(max(first, low), min(last, high), owned, times)
        for first, last, owned, times in items
        if first <= high and last >= low
    ]


def runs(ledger: Iterable[Countable], registry: Iterable[Countable]) -> Iterator[Run]:
    """Yield, in order, the longest runs of serials that either side has anything of.

    Raises StepError if a side has anything less than no times.
    """
    events = sorted(
        (
            (position, side, item.owned, change)
            for side, items in enumerate((ledger, registry))
            for item in items
            for position, change in ((item.first, item.times), (item.last + 1, -item.times))
        ),
        key=itemgetter(0),
    )
    counts: tuple[dict[Owned, int], dict[Owned, int]] = ({}, {})
    open_run: Run | None = None
    for position, group in groupby(events, key=itemgetter(0)):
        for _, side, owned, change in group:
            left = counts[side].get(owned, 0) + change
            if left:
                counts[side][owned] = left
            else:
                counts[side].pop(owned, None)
        now = Run(position, position, _view(counts[0]), _view(counts[1]))
        if open_run is not None:
            if open_run[2:] == now[2:]:
                continue
            if open_run.ledger or open_run.registry:
                yield open_run._replace(last=position - 1)
        open_run = now


def differing(ledger: Iterable[Countable], registry: Iterable[Countable]) -> list[Run]:
    """Return the runs of serials on which the sides differ; StepError as ``runs``."""
    return [run for run in runs(ledger, registry) if run.ledger != run.registry]


def _view(counts: dict[Owned, int]) -> View:
    if len(counts) == 1:
        ((owned, count),) = counts.items()
        if count == 1:
            return (owned,)
    if any(count < 0 for count in counts.values()):
        raise StepError("a unit is taken away that is not there")
    return tuple(sorted((o for o, count in counts.items() for _ in range(count)), key=repr))
