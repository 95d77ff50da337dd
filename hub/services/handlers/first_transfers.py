"""Tell the first transferring Party of first transfers that others bring about (4/CMA.6 para 13).

1. To each registry of the Party goes one notice for each event of an entry of the log, with all
   units of one cooperative approach; none for units that were first transferred before.
2. A registry whose own word it was gets none: it knows. A Party's other registries do not.

Whoever is told too much counts a tonne twice; whoever is told too little never adjusts for it.
"""

from collections.abc import Collection, Iterable
from typing import Final

from hub.international_registry.units import FirstTransferEvent, Range
from hub.services.batch_work import BatchWork
from hub.services.handlers.units import joined, wire_range

__all__ = ["RANGES_MAX", "tell_first_transfers"]

RANGES_MAX: Final = 1000
"""How many ranges a notice may have (first_transfer.notice.schema.json)."""


def tell_first_transfers(
    work: BatchWork,
    made: Iterable[tuple[Range, FirstTransferEvent]],
    *,
    registry: str,
    reference: str,
    knowing: Collection[str],
) -> None:
    """File the notices of units that the current entry made first transferred.

    ``registry`` is where it happened, ``reference`` the transfer or action, ``knowing`` the
    registries that said it themselves.
    """
    together: dict[tuple[str, str, FirstTransferEvent], list[Range]] = {}
    for range_, event in made:
        series = range_.series
        key = (series.first_transferring_party, series.cooperative_approach, event)
        together.setdefault(key, []).append(range_)
    for (party, approach, event), ranges in together.items():
        whole = joined(ranges)
        for start in range(0, len(whole), RANGES_MAX):
            part = whole[start : start + RANGES_MAX]
            notice = {
                "cooperative_approach": approach,
                "event": str(event),
                "registry": registry,
                "reference": reference,
                "occurred_at": work.now_text,
                "quantity": sum(one.quantity for one in part),
                "ranges": [wire_range(one) for one in part],
            }
            for code in work.reference.registries_of(party):
                if code not in knowing:
                    work.notify(code, "first_transfer.notice", notice)
