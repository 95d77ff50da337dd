"""Holdings in pages, by series and serial number, on what one asker may see.

1. A page begins behind a place: a serial number of a series. Every unit belongs to one page,
   however its block was cut, joined or moved meanwhile: no unit is shown twice, and one that stays
   where it is, is shown once. A block that reaches over a place is shown from there on.
2. What may be seen is a few *streams*, disjoint conditions that each follow an index of their own
   (a registry's blocks, an account's blocks, the whole ledger). They are merged by place.
3. A filter may leave few rows of many. So a page looks at a limited number of rows, and says where
   it stopped: it may be short, or empty, and still be followed by another. The cost of a page
   depends on neither the ledger's size nor the filter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
)

from hub.international_registry.units import SERIAL_MAX
from hub.store.tables import account, series, unit_block

ROWS_LOOKED_AT_MAX: Final = 5_000
STREAMS_TOGETHER_MAX: Final = 50
LOOKS_MAX: Final = 400
"""Statements of one page, when a filter names series and each is looked at by itself."""

_OF_BLOCK: Final = ("registry", "account", "status")
_OF_SERIES: Final = (
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
)
FILTERS: Final = (*_OF_BLOCK, *_OF_SERIES)
Stream = ColumnElement[bool]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Behind this serial number of this series the next page begins."""

    series_id: int
    serial: int


START: Final = Place(0, 0)


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """A run of units of one block, as a holdings list shows it."""

    series_id: int
    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    registry: str
    account: str | None
    status: str
    first_transfer: str | None
    reserved_by: str | None
    hold: str | None

    @property
    def quantity(self) -> int:
        """Return the number of units."""
        return self.last_serial - self.first_serial + 1

    @property
    def end(self) -> Place:
        """Return the place behind the run."""
        return Place(self.series_id, self.last_serial)

    @property
    def subject(self) -> str:
        """Return the range as commands name it: ``FIRST_ID..LAST_ID``."""
        first, last = (
            f"{self.cooperative_approach}-{self.originating_registry}"
            f"-{self.first_transferring_party}-{serial}-{self.vintage}"
            for serial in (self.first_serial, self.last_serial)
        )
        return f"{first}..{last}"


@dataclass(frozen=True, slots=True)
class HoldingsPage:
    """Some rows in order, and the place behind what was looked at; None at the end."""

    rows: tuple[HoldingRow, ...]
    next: Place | None


_BLOCK_COLUMNS: Final = (
    unit_block.c.series_id,
    unit_block.c.first_serial,
    unit_block.c.last_serial,
    unit_block.c.registry,
    unit_block.c.account,
    unit_block.c.status,
    unit_block.c.first_transfer,
    unit_block.c.reserved_by,
    unit_block.c.hold,
)
_ORDER: Final = (unit_block.c.series_id, unit_block.c.first_serial)
WHOLE_LEDGER: Final[tuple[Stream, ...]] = (true(),)


def of_registry(registry: str) -> tuple[Stream, ...]:
    """Return the stream of all blocks of a registry."""
    return (unit_block.c.registry == registry,)


def visible_to(
    connection: Connection, registry: str, party: str, international_registry: str
) -> tuple[Stream, ...]:
    """Return the streams a registry may see: its own blocks, and those of its Party's accounts."""
    own = of_registry(registry)
    if registry == international_registry:
        return own
    accounts = connection.execute(
        select(account.c.account_id)
        .where(account.c.registry == international_registry, account.c.party == party)
        .order_by(account.c.account_id)
    ).scalars()
    return own + tuple(
        and_(unit_block.c.registry == international_registry, unit_block.c.account == account_id)
        for account_id in accounts
    )


def page(
    connection: Connection,
    *,
    streams: Sequence[Stream],
    filters: Mapping[str, Any],
    after: Place,
    limit: int,
    rows_max: int = ROWS_LOOKED_AT_MAX,
) -> HoldingsPage:
    """Return up to ``limit`` rows behind a place. ``filters`` are by the names in FILTERS."""
    wanted = {name: value for name, value in filters.items() if value is not None}
    of_block: dict[str, Any] = {name: wanted[name] for name in _OF_BLOCK if name in wanted}
    of_series = [series.c[name] == wanted[name] for name in _OF_SERIES if name in wanted]
    conditions = [unit_block.c[name] == value for name, value in of_block.items()]
    rows = _reaching_over(connection, streams, [*conditions, *of_series], after)
    together = 1 if of_block else STREAMS_TOGETHER_MAX
    groups = [streams[at : at + together] for at in range(0, len(streams), together)]
    parts, horizon = _parts(connection, of_series, after, LOOKS_MAX // len(groups))
    for only in parts:
        stops: list[Place] = []
        for group in groups:
            looked = _Look(group, only, after, limit, max(limit, rows_max))
            found, stop = looked.at(connection, of_block)
            rows += found
            stops += [] if stop is None else [stop]
        if stops:
            horizon = min(stops)
            break
        if only is not None and len(rows) >= limit:
            horizon = Place(only, SERIAL_MAX)
            break
    return _cut(rows, horizon, limit)


def _cut(rows: Sequence[HoldingRow], horizon: Place | None, limit: int) -> HoldingsPage:
    """Return the page of the rows that lie before the horizon: nothing is known behind it."""
    known = sorted(
        (row for row in rows if horizon is None or row.end <= horizon), key=lambda row: row.end
    )
    if len(known) > limit:
        return HoldingsPage(tuple(known[:limit]), known[limit - 1].end)
    return HoldingsPage(tuple(known), horizon)


def _parts(
    connection: Connection, of_series: Sequence[ColumnElement[bool]], after: Place, count_max: int
) -> tuple[list[int | None], Place | None]:
    """Return the series to look at one by one (None: all at once), and where that ends."""
    if not of_series:
        return [None], None
    found = list(
        connection.execute(
            select(series.c.series_id)
            .where(series.c.series_id >= after.series_id, *of_series)
            .order_by(series.c.series_id)
            .limit(max(count_max, 1) + 1)
        ).scalars()
    )
    if len(found) <= max(count_max, 1):
        return list(found), None
    return list(found[:-1]), Place(found[-2], SERIAL_MAX)


@dataclass(frozen=True, slots=True)
class _Look:
    """Some streams behind a place, in one series or in all; with a filter one stream at a time."""

    streams: Sequence[Stream]
    only: int | None
    after: Place
    limit: int
    rows_max: int

    def at(
        self, connection: Connection, of_block: Mapping[str, Any]
    ) -> tuple[list[HoldingRow], Place | None]:
        """Return what meets the filter, and the place that was reached if there may be more."""
        count = self.rows_max if of_block else self.limit
        parts = [select(self._blocks(one).limit(count).subquery()) for one in self.streams]
        looked_at = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()
        rows = _rows(
            connection,
            select(looked_at, *(series.c[name] for name in _OF_SERIES))
            .join(series, series.c.series_id == looked_at.c.series_id)
            .where(*(looked_at.c[name] == value for name, value in of_block.items()))
            .order_by(looked_at.c.series_id, looked_at.c.first_serial)
            .limit(self.limit),
        )
        if len(rows) == self.limit:
            return rows, rows[-1].end
        return rows, self._reached(connection) if of_block else None

    def _blocks(self, stream: Stream) -> Select[Any]:
        if self.only is None:
            behind: ColumnElement[bool] = tuple_(*_ORDER) > tuple_(
                literal(self.after.series_id), literal(self.after.serial)
            )
        else:
            serial = self.after.serial if self.only == self.after.series_id else 0
            behind = and_(unit_block.c.series_id == self.only, unit_block.c.first_serial > serial)
        return select(*_BLOCK_COLUMNS).where(stream, behind).order_by(*_ORDER)

    def _reached(self, connection: Connection) -> Place | None:
        """Return the place of the last row that was looked at, None if those were all."""
        (stream,) = self.streams
        row = connection.execute(
            self._blocks(stream)
            .with_only_columns(unit_block.c.series_id, unit_block.c.last_serial)
            .offset(self.rows_max - 1)
            .limit(1)
        ).one_or_none()
        return None if row is None else Place(row[0], row[1])


def _reaching_over(
    connection: Connection,
    streams: Sequence[Stream],
    wanted: Sequence[ColumnElement[bool]],
    after: Place,
) -> list[HoldingRow]:
    """Return the rest of a block that begins before the place and reaches over it."""
    nearest = (
        select(unit_block.c.block_id, unit_block.c.last_serial)
        .where(unit_block.c.series_id == after.series_id, unit_block.c.first_serial <= after.serial)
        .order_by(unit_block.c.first_serial.desc())
        .limit(1)
    )
    found = connection.execute(nearest).one_or_none()
    if found is None or found.last_serial <= after.serial:
        return []
    # A few streams at a time: a condition over thousands of accounts is too large for a statement.
    for at in range(0, len(streams), STREAMS_TOGETHER_MAX):
        rows = _rows(
            connection,
            select(*_BLOCK_COLUMNS, *(series.c[name] for name in _OF_SERIES))
            .join(series, series.c.series_id == unit_block.c.series_id)
            .where(
                unit_block.c.block_id == found.block_id,
                or_(*streams[at : at + STREAMS_TOGETHER_MAX]),
                *wanted,
            ),
        )
        if rows:
            return [replace(row, first_serial=after.serial + 1) for row in rows]
    return []


def _rows(connection: Connection, query: Select[Any]) -> list[HoldingRow]:
    return [HoldingRow(**row) for row in connection.execute(query).mappings()]


def held_blocks(connection: Connection) -> list[HoldingRow]:
    """Return the blocks on hold (suspended or frozen), by series and serial."""
    return _rows(
        connection,
        select(*_BLOCK_COLUMNS, *(series.c[name] for name in _OF_SERIES))
        .join(series, series.c.series_id == unit_block.c.series_id)
        .where(unit_block.c.hold.is_not(None))
        .order_by(*_ORDER),
    )
