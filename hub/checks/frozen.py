"""What reconciliation cases have frozen, as a check sees it: serials, whatever is there.

A case freezes serials and not ledger blocks: they may be unknown to the ledger, or used. The table
is cached with the reference data; while nothing is frozen a check looks at an empty one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from hub.international_registry.serial_spans import SerialSpans
from hub.international_registry.units import Range, Series


@dataclass(frozen=True, slots=True)
class Freeze:
    """Whose case it is, and the one message type by which that registry may touch the serials.

    ``allows`` is set where the registry has units used or cancelled that the ledger has as held:
    its use or cancellation puts the ledger right. ``is_claim``: the ledger has nothing there of
    this registry, which alone says that it has the units. So it can neither give nor take them;
    others, whose they are or may become, are not held up by what it says.
    """

    case_id: str
    registry: str
    allows: str | None = None
    is_claim: bool = False

    def stops(self, sender: str, message_type: str, parties: Collection[str]) -> bool:
        """Tell whether this sender may not touch the serials by this type of message.

        ``parties`` are the registries that give or take the units, the sender among them.
        """
        if self.is_claim:
            return self.registry in parties
        return self.allows != message_type or self.registry != sender


FrozenSerials: TypeAlias = SerialSpans[Series, Freeze]
"""All frozen serials by series."""


def freezes_over(frozen: FrozenSerials, range_: Range) -> list[tuple[Range, Freeze]]:
    """Return what is frozen of a range, each part with its case, in the order of the cases."""
    return [
        (Range(range_.series, max(first, range_.first), min(last, range_.last)), freeze)
        for first, last, freeze in frozen.over(range_.series, range_.first, range_.last)
    ]
