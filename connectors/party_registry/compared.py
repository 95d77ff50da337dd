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
from sqlalchemy import Connection, bindparam, func, literal, select, union_all

from connectors.party_registry.blocks import ATTRIBUTES
from connectors.party_registry.book_tables import recorded_unit, unit_block
from connectors.party_registry.units import BlockStatus, Series

__all__ = ["UNREADABLE", "Block", "ComparedBook", "Owned", "SummedBook", "owned_of"]

Owned = tuple[str | None, ...]
Block = tuple[Series, int, int, Owned]
"""Series, first and last serial, values."""

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading units raises whose row is none: tampered with, or damaged on the disk."""

_UNDERLYING: Final = ("registry", "first_unit_id", "last_unit_id")
_KNOWN_ATTRIBUTES_MAX: Final = 16_384
_POSITION_MAX: Final = 2**63 - 1
_ROWS_AT_ONCE: Final = 10_000
_KINDS: Final = (*Series._fields, "attributes", "status", "is_first_transferred")


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
    values = [said.get(name) for name in ATTRIBUTES] + [unit.get(name) for name in _UNDERLYING]
    return tuple(None if value is None else str(value) for value in values)


def _of_series(table: Any) -> list[Any]:
    return [table.c[name] == bindparam(f"of_{name}") for name in Series._fields]


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
_LENGTH: Final = unit_block.c.last_serial - unit_block.c.first_serial
_LONGEST: Final = (
    select(_LENGTH)
    .where(*_of_series(unit_block), unit_block.c.known_to_hub)
    .order_by(_LENGTH.desc())
    .limit(1)
)
_WINDOW: Final = union_all(
    _LYING_HERE.where(
        *_of_series(unit_block),
        unit_block.c.first_serial.between(bindparam("reach"), bindparam("high")),
        unit_block.c.last_serial >= bindparam("low"),
    ),
    _ON_RECORD.where(
        *_of_series(recorded_unit),
        recorded_unit.c.first_serial <= bindparam("high"),
        recorded_unit.c.last_serial >= bindparam("low"),
    ),
).order_by("first_serial")


class ComparedBook:
    """The book as the responder reads it, inside the transaction that answers.

    With `page` a window is told up to that many blocks behind its beginning, and one more: a page
    of an answer has no room for others, and a long series is not read whole for each page.
    """

    def __init__(self, connection: Connection, applied_to: int, page: int | None = None) -> None:
        self.applied_to = applied_to
        self._connection = connection
        self._page = page
        self._longest: dict[Any, int] = {}

    def blocks(self, series: Any, low: int, high: int) -> Iterator[Block]:
        """Yield the blocks with a serial from `low` to `high`, in order; all without a series."""
        if series is None:
            query: Any = union_all(_LYING_HERE, _ON_RECORD)
            streamed = query.execution_options(yield_per=_ROWS_AT_ONCE)
            yield from _read(self._connection.execute(streamed))
            return
        series = Series(*series)
        parameters = {
            **{f"of_{name}": value for name, value in series._asdict().items()},
            "low": low,
            "high": min(high, _POSITION_MAX),
            # Blocks may overlap in a damaged book: none is longer than the longest.
            "reach": low - self._longest_of(series),
        }
        behind = 0
        with self._connection.execute(_WINDOW, parameters) as rows:
            for block in _read(rows):
                yield block
                behind += block[1] > low
                if self._page is not None and behind > self._page:
                    return

    def _longest_of(self, series: Series) -> int:
        if series not in self._longest:
            parameters = {f"of_{name}": value for name, value in series._asdict().items()}
            found = self._connection.execute(_LONGEST, parameters).scalar()
            self._longest[series] = found or 0
        return self._longest[series]


class SummedBook:
    """The book for totals: one block as long as all of those with the same series and values."""

    def __init__(self, connection: Connection, applied_to: int) -> None:
        self.applied_to = applied_to
        self._connection = connection

    def blocks(self, _series: Any, _low: int, _high: int) -> Iterator[Block]:
        """Yield blocks of the right lengths, and of no particular serials."""
        every = union_all(_LYING_HERE, _ON_RECORD).subquery()
        kinds = [every.c[name] for name in _KINDS]
        units = func.sum(every.c.last_serial - every.c.first_serial + 1)
        query = select(*kinds[:4], literal(1), units, *kinds[4:]).group_by(*kinds)
        yield from _read(self._connection.execute(query))


def _read(rows: Iterable[Any]) -> Iterator[Block]:
    for row in rows:
        owned = owned_of(row[6], row[7], is_first_transferred=bool(row[8]))
        yield Series(row[0], row[1], row[2], row[3]), row[4], row[5], owned
