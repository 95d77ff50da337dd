"""What is suspended or on hold, and what was: for the page that shows all of it at once.

Suspensions in force are few, and ``hub.store.reference`` reads them. Here are those of before, page
by page, and the units on hold, hold by hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from hub.international_registry.units import Range
from hub.store.interning import series_id_of
from hub.store.reconciliation.tables import case_range
from hub.store.reference import SuspensionRow
from hub.store.tables import series, suspension, unit_block


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold in the ledger by its name (``S:<log index>``), and in how many blocks it stands."""

    name: str
    block_count: int


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """Units that one hold stops, where they are."""

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    registry: str


Before = tuple[datetime, datetime, str, str]
"""A place in the history: lifted at, placed at, level, subject."""


def lifted(connection: Connection, before: Before | None, limit: int) -> list[SuspensionRow]:
    """Return suspensions that were lifted, the latest first, behind a place of the history."""
    columns = (
        suspension.c.lifted_at,
        suspension.c.placed_at,
        suspension.c.level,
        suspension.c.subject,
    )
    statement = select(
        suspension.c.level,
        suspension.c.subject,
        suspension.c.placed_at,
        suspension.c.reason,
        suspension.c.lifted_at,
    ).where(suspension.c.lifted_at.is_not(None))
    if before is not None:
        statement = statement.where(
            or_(
                *(
                    and_(
                        *(columns[at] == before[at] for at in range(place)),
                        columns[place] < before[place],
                    )
                    for place in range(len(columns))
                )
            )
        )
    rows = connection.execute(
        statement.order_by(*(column.desc() for column in columns)).limit(limit)
    )
    return [SuspensionRow(*row) for row in rows]


def frozen_case_count(connection: Connection) -> int:
    """Return how many cases have frozen serials."""
    of_cases = select(case_range.c.case_id).where(case_range.c.is_frozen).distinct().subquery()
    return int(connection.execute(select(func.count()).select_from(of_cases)).scalar_one())


def holds(connection: Connection, limit: int) -> list[Hold]:
    """Return the holds in the ledger, at most ``limit`` of them."""
    rows = connection.execute(
        select(unit_block.c.hold, func.count())
        .where(unit_block.c.hold.is_not(None))
        .group_by(unit_block.c.hold)
        .order_by(unit_block.c.hold)
        .limit(limit)
    )
    return [Hold(*row) for row in rows]


def held_under(connection: Connection, hold: str, limit: int) -> list[HeldBlock]:
    """Return the first blocks that a hold stops, by series and serial."""
    rows = connection.execute(
        select(
            series.c.cooperative_approach,
            series.c.originating_registry,
            series.c.first_transferring_party,
            series.c.vintage,
            unit_block.c.first_serial,
            unit_block.c.last_serial,
            unit_block.c.registry,
        )
        .join(series, series.c.series_id == unit_block.c.series_id)
        .where(unit_block.c.hold == hold)
        .order_by(unit_block.c.series_id, unit_block.c.first_serial)
        .limit(limit)
    )
    return [HeldBlock(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Holding:
    """Which registry has how many of some units, and how many of those are on hold."""

    registry: str
    units: int
    held: int


def holders(connection: Connection, asked: Range) -> Sequence[Holding]:
    """Return who has units of a range, by registry; a block at the edge counts with its part."""
    series_id = series_id_of(connection, asked.series)
    if series_id is None:
        return []
    edge = (
        select(func.max(unit_block.c.first_serial))
        .where(unit_block.c.series_id == series_id, unit_block.c.first_serial <= asked.first)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(
            unit_block.c.registry,
            unit_block.c.first_serial,
            unit_block.c.last_serial,
            unit_block.c.hold.is_not(None),
        ).where(
            unit_block.c.series_id == series_id,
            unit_block.c.first_serial >= func.coalesce(edge, asked.first),
            unit_block.c.first_serial <= asked.last,
            unit_block.c.last_serial >= asked.first,
        )
    )
    found: dict[str, tuple[int, int]] = {}
    for registry, first, last, is_held in rows:
        units = min(last, asked.last) - max(first, asked.first) + 1
        had, held = found.get(registry, (0, 0))
        found[registry] = (had + units, held + (units if is_held else 0))
    return [Holding(code, *counts) for code, counts in sorted(found.items())]
