"""The units of this registry that both sides compare, as both sides name their values.

They are the blocks that the hub knows of, and the units on record as ours that lie elsewhere
(`book_tables`). `owned_of` says of a block what `reconciliation.owned.owned_of` says of the same
units in the ledger; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, literal, select, union_all

from connectors.party_registry.book_tables import recorded_unit, unit_block
from connectors.party_registry.units import BlockStatus, Series

__all__ = ["Block", "ComparedBook", "Owned", "owned_of"]

Owned = tuple[str | None, ...]
Block = tuple[Series, int, int, Owned]
"""Series, first and last serial, values."""

_PLAIN: Final = (
    "metric",
    "mitigation_type",
    "authorization_id",
    "authorization_version",
    "sector",
    "activity_type",
    "non_ghg_metric",
    "gwp_values",
)
_UNDERLYING: Final = ("registry", "first_unit_id", "last_unit_id")
_KNOWN_ATTRIBUTES_MAX: Final = 16_384


def owned_of(attributes: str, status: str, *, is_first_transferred: bool) -> Owned:
    """Return the values of units that both sides own, in the order of `responder.OWNED`."""
    held = status in {BlockStatus.AUTHORIZED, BlockStatus.ITMO}
    return (
        "held" if held else status,
        "yes" if is_first_transferred else "no",
        *_fixed(attributes),
    )


@lru_cache(_KNOWN_ATTRIBUTES_MAX)
def _fixed(attributes: str) -> Owned:
    said: dict[str, Any] = msgspec.json.decode(attributes)
    unit = said.get("underlying_unit") or {}
    values = [said.get(name) for name in _PLAIN] + [unit.get(name) for name in _UNDERLYING]
    return tuple(None if value is None else str(value) for value in values)


def _columns(table: Any, status: Any) -> tuple[Any, ...]:
    return (
        table.c.cooperative_approach,
        table.c.originating_registry,
        table.c.first_transferring_party,
        table.c.vintage,
        table.c.first_serial,
        table.c.last_serial,
        table.c.attributes,
        status.label("status"),
        table.c.first_transfer.is_not(None).label("is_first_transferred"),
    )


_LYING_HERE: Final = select(*_columns(unit_block, unit_block.c.status)).where(
    unit_block.c.known_to_hub
)
_ON_RECORD: Final = select(*_columns(recorded_unit, literal(BlockStatus.ITMO.value)))


class ComparedBook:
    """The book as the responder reads it, inside the transaction that answers."""

    def __init__(self, connection: Connection, applied_to: int) -> None:
        self.applied_to = applied_to
        self._connection = connection

    def blocks(self, series: Any, low: int, high: int) -> Iterator[Block]:
        """Yield the blocks with a serial from `low` to `high`, in order; all without a series."""
        if series is None:
            query: Any = union_all(_LYING_HERE, _ON_RECORD)
        else:
            query = union_all(
                _in_window(_LYING_HERE, unit_block, Series(*series), low, high),
                _in_window(_ON_RECORD, recorded_unit, Series(*series), low, high),
            ).order_by("first_serial")
        rows = self._connection.execution_options(yield_per=10_000).execute(query)
        yield from _read(rows)


def _in_window(query: Select[Any], table: Any, series: Series, low: int, high: int) -> Select[Any]:
    named = (table.c[name] == value for name, value in series._asdict().items())
    return query.where(*named, table.c.first_serial <= high, table.c.last_serial >= low)


def _read(rows: Iterable[Any]) -> Iterator[Block]:
    for row in rows:
        owned = owned_of(row[6], row[7], is_first_transferred=bool(row[8]))
        yield Series(row[0], row[1], row[2], row[3]), row[4], row[5], owned
