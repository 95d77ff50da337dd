"""Units the tests of the international registry start from."""

from typing import Final

from hub.international_registry.units import (
    Attributes,
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
    Series,
)

SERIES: Final = Series("CA0003", "GHA01", "GHA", 2023)
OTHER_SERIES: Final = Series("CA0003", "GHA01", "GHA", 2024)
ATTRIBUTES: Final = Attributes("GHG", "Removals", "GHA-1", 1, "Agriculture")
OTHER_ATTRIBUTES: Final = Attributes("GHG", "Removals", "GHA-2", 1, "Agriculture")
INTERNATIONAL: Final = FirstTransferEvent.INTERNATIONAL_TRANSFER


def units(first: int, last: int, series: Series = SERIES) -> Range:
    """Return a range of the sample series."""
    return Range(series, first, last)


def itmos(block_id: int, first: int, last: int, registry: str = "CHE01") -> LedgerBlock:
    """Return a block of ITMOs that nothing is happening to."""
    return LedgerBlock(
        block_id,
        SERIES,
        first,
        last,
        ATTRIBUTES,
        registry,
        None,
        BlockStatus.ITMO,
        INTERNATIONAL,
    )
