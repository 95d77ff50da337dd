"""What both sides own: the attributes of a unit that a registry and the ledger must agree on.

This is the one place that says what a difference is. A unit is compared when

1. at the ledger its status is not ``authorized``: such units are here on the word of a transfer in
   flight, or for the sake of a hold, and may leave again (ADR 0006);
2. at the registry the hub has told of it: it arrived by a transfer, was used or cancelled, or a
   notice said that it is first transferred. Authorized units the ledger never met stay out.

Left out, because only one side owns them: block boundaries and row ids, account numbers (the ledger
keeps accounts of some registries only), reservations and holds (both are the ledger's), and the
event that was the first transfer (an acquirer learns *that* it happened, not always by what).

The list is part of the protocol: a cut names it, and a registry with another list must not answer.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from hub.international_registry.replay import Standing, span_of
from hub.international_registry.units import Attributes, BlockStatus, LedgerBlock
from hub.international_registry.units import Series as LedgerSeries

OWNED: Final = (
    "status",
    "first_transferred",
    "metric",
    "mitigation_type",
    "authorization_id",
    "authorization_version",
    "sector",
    "activity_type",
    "non_ghg_metric",
    "gwp_values",
    "underlying_registry",
    "underlying_first",
    "underlying_last",
)
"""The names of the attributes both sides own, in the order in which they are hashed and sent."""

HELD: Final = "held"
STATUSES: Final = (HELD, "used", "cancelled")
POSITION_MAX: Final = 2**63 - 1  # the place after the last possible serial
SERIAL_MAX: Final = POSITION_MAX - 1

Owned = tuple[str | None, ...]
"""The values of ``OWNED`` in its order, as texts; None where a unit has no such attribute."""


class Series(NamedTuple):
    """What serials count within: the identifier without the serial (6/CMA.4 annex I para 5)."""

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int

    def __str__(self) -> str:
        return (
            f"{self.cooperative_approach}-{self.originating_registry}"
            f"-{self.first_transferring_party}-*-{self.vintage}"
        )


class Block(NamedTuple):
    """Serials ``first`` to ``last``, both included, of a series, all with the same owned values."""

    series: Series
    first: int
    last: int
    owned: Owned


def series_of(series: LedgerSeries) -> Series:
    """Return a series of the ledger in the short form used here."""
    return Series(
        series.cooperative_approach,
        series.originating_registry,
        series.first_transferring_party,
        series.vintage,
    )


def owned_of(standing: Standing) -> Owned | None:
    """Return what both sides own of units in the ledger, None while they are not compared."""
    return owned_as(
        standing.status,
        standing.attributes,
        standing.underlying_first,
        standing.underlying_last,
        first_transferred=standing.first_transfer is not None,
    )


def owned_as(
    status: BlockStatus,
    attributes: Attributes,
    underlying_first: str | None,
    underlying_last: str | None,
    *,
    first_transferred: bool,
) -> Owned | None:
    """Return the same of units that are told part by part."""
    if status is BlockStatus.AUTHORIZED:
        return None
    return (
        HELD if status is BlockStatus.ITMO else status.value,
        "yes" if first_transferred else "no",
        attributes.metric,
        attributes.mitigation_type,
        attributes.authorization_id,
        str(attributes.authorization_version),
        attributes.sector,
        attributes.activity_type,
        attributes.non_ghg_metric,
        attributes.gwp_values,
        attributes.underlying_registry,
        underlying_first,
        underlying_last,
    )


def blocks_of(ledger_blocks: Iterable[LedgerBlock], registry: str) -> list[Block]:
    """Return the blocks of the ledger that ``registry`` must hold as well, in the order given."""
    blocks: list[Block] = []
    for row in ledger_blocks:
        owned = owned_of(span_of(row).standing) if row.registry == registry else None
        if owned is not None:
            blocks.append(Block(series_of(row.series), row.first, row.last, owned))
    return blocks


def differing_fields(left: Owned, right: Owned) -> tuple[str, ...]:
    """Return the names of the attributes in which two values differ."""
    return tuple(name for name, a, b in zip(OWNED, left, right, strict=True) if a != b)
