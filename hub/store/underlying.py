"""What a block's underlying units are found by, as columns of its row.

1. The underlying registry, which stands in the block's attributes, beside the first and last id.
2. If the ids are a common beginning and numbers: the beginning, and the numbers with zeros before
   them, so that their order as text is their order as numbers. They have up to 30 digits, which no
   integer column holds.
"""

from typing import Final

from hub.checks.underlying import numbers_of
from hub.international_registry.units import LedgerBlock
from message_schemas.blocks import UnderlyingUnit

NAMES: Final = (
    "underlying_registry",
    "underlying_beginning",
    "underlying_low",
    "underlying_high",
)
DIGITS_MAX: Final = 30


def columns_of(block: LedgerBlock) -> dict[str, str | None]:
    """Return the values of the columns ``NAMES``; all None where no underlying unit is stated."""
    unit = unit_of(block)
    if unit is None:
        return dict.fromkeys(NAMES)
    beginning, low, high = numbers_of(unit) or (None, None, None)
    return {
        "underlying_registry": unit.registry,
        "underlying_beginning": beginning,
        "underlying_low": None if low is None else padded(low),
        "underlying_high": None if high is None else padded(high),
    }


def unit_of(block: LedgerBlock) -> UnderlyingUnit | None:
    """Return the underlying units of a block, if it states any."""
    registry = block.attributes.underlying_registry
    if registry is None or block.underlying_first is None or block.underlying_last is None:
        return None
    return UnderlyingUnit(registry, block.underlying_first, block.underlying_last)


def padded(number: int) -> str:
    """Return a number as text of 30 digits."""
    return f"{number:0{DIGITS_MAX}}"
