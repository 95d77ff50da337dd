"""The serials of one case, series by series, and what else there is around them; in pages.

A case may have one serial or a hundred thousand ranges: every question here has a bound, and
follows an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, case, func, select

from hub.store.reconciliation.cases import NOTHING_THERE, RangeRow
from hub.store.reconciliation.tables import case as case_table
from hub.store.reconciliation.tables import case_range, finding
from hub.store.tables import posting, unit_block
from reconciliation.owned import Series

POSTINGS_LOOKED_AT_MAX: Final = 2_000
"""What moved in a series since a comparison is not read further."""


@dataclass(frozen=True, slots=True)
class SeriesOfCase:
    """A series in which a case has serials: how many ranges and units, from where to where."""

    series: Series
    range_count: int
    units: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RangeCounts:
    """What the ranges of a case are, all together; the frozen ones counted."""

    frozen_units: int
    frozen_ranges: int
    has_none_at_ledger: bool
    allows: frozenset[str]
    ended_there: bool
    ended_elsewhere: bool


@dataclass(frozen=True, slots=True)
class OverRow:
    """Serials of some case of this series."""

    case_id: str
    registry: str
    state: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class PassingRow:
    """Serials that differed in a comparison because a message about them was on its way."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block of the ledger, as far as a line of serials shows it."""

    first: int
    last: int
    registry: str
    account: str | None
    status: str
    reserved_by: str | None
    hold: str | None


@dataclass(frozen=True, slots=True)
class MovedRow:
    """Serials about which the journal says something, and by which entry of the log."""

    first: int
    last: int
    log_index: int
    reference: str


_SERIES: Final = (
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
)
_RANGE_NAMES: Final = tuple(one.name for one in fields(RangeRow))
_QUANTITY: Final = case_range.c.last_serial - case_range.c.first_serial + 1


def series_of(connection: Connection, case_id: str, limit: int) -> list[SeriesOfCase]:
    """Return the series of a case, in order: the first ``limit``."""
    named = [case_range.c[name] for name in _SERIES]
    rows = connection.execute(
        select(
            *named,
            func.count(),
            func.sum(_QUANTITY),
            func.min(case_range.c.first_serial),
            func.max(case_range.c.last_serial),
        )
        .where(case_range.c.case_id == case_id)
        .group_by(*named)
        .order_by(*named)
        .limit(limit)
    )
    return [
        SeriesOfCase(Series(*row[:4]), row[4], int(row[5]), int(row[6]), int(row[7]))
        for row in rows
    ]


def counts_of(connection: Connection, case_id: str) -> RangeCounts:
    """Return what the ranges of a case are, all together."""
    none_at_ledger = case_range.c.body.contains(NOTHING_THERE, autoescape=True)
    rows = connection.execute(
        select(
            case_range.c.is_frozen,
            case_range.c.allows,
            func.count(),
            func.sum(_QUANTITY),
            func.max(case((none_at_ledger, 1), else_=0)),
        )
        .where(case_range.c.case_id == case_id)
        .group_by(case_range.c.is_frozen, case_range.c.allows)
    ).all()
    frozen = [row for row in rows if row[0]]
    return RangeCounts(
        sum(int(row[3]) for row in frozen),
        sum(row[2] for row in frozen),
        any(row[4] for row in frozen),
        frozenset(row[1] for row in frozen if row[1] is not None),
        any(row[1] is not None for row in rows),
        any(row[1] is None for row in rows),
    )


def ranges_of(connection: Connection, case_id: str, limit: int) -> list[RangeRow]:
    """Return the first ranges of a case, in the order in which they are numbered."""
    rows = connection.execute(
        select(*(case_range.c[name] for name in _RANGE_NAMES))
        .where(case_range.c.case_id == case_id)
        .order_by(case_range.c.ordinal)
        .limit(limit)
    )
    return [RangeRow(*row) for row in rows]


def range_over(
    connection: Connection, case_id: str, series: Series, first: int, last: int
) -> RangeRow | None:
    """Return the range of a case that all of these serials lie in, None if there is none."""
    row = connection.execute(
        select(*(case_range.c[name] for name in _RANGE_NAMES))
        .where(
            *_of(series, case_id),
            case_range.c.first_serial <= first,
            case_range.c.last_serial >= last,
        )
        .order_by(case_range.c.ordinal)
        .limit(1)
    ).one_or_none()
    return None if row is None else RangeRow(*row)


def ranges_from(
    connection: Connection, case_id: str, series: Series, serial: int, limit: int
) -> list[RangeRow]:
    """Return the ranges of a case that begin at a serial of a series or behind it, in order."""
    rows = connection.execute(
        select(*(case_range.c[name] for name in _RANGE_NAMES))
        .where(*_of(series, case_id), case_range.c.first_serial >= serial)
        .order_by(case_range.c.first_serial, case_range.c.ordinal)
        .limit(limit)
    )
    return [RangeRow(*row) for row in rows]


def last_before(connection: Connection, case_id: str, series: Series, serial: int) -> int:
    """Return the last serial of the ranges that begin before a serial; 0 if none does."""
    found = select(func.max(case_range.c.last_serial)).where(
        *_of(series, case_id), case_range.c.first_serial < serial
    )
    return connection.execute(found).scalar_one() or 0


def first_of_page_before(
    connection: Connection, case_id: str, series: Series, serial: int, count: int
) -> int | None:
    """Return where the page of ``count`` ranges before a serial begins, None if none is there."""
    rows = connection.execute(
        select(case_range.c.first_serial)
        .where(*_of(series, case_id), case_range.c.first_serial < serial)
        .order_by(case_range.c.first_serial.desc())
        .limit(count)
    ).all()
    return int(rows[-1][0]) if rows else None


def spans_of(
    connection: Connection, case_id: str, series: Series, limit: int
) -> list[tuple[int, int]]:
    """Return first and last serial of each range of a case in a series: the first ``limit``."""
    rows = connection.execute(
        select(case_range.c.first_serial, case_range.c.last_serial)
        .where(*_of(series, case_id))
        .order_by(case_range.c.first_serial, case_range.c.last_serial)
        .limit(limit)
    )
    return [(int(row[0]), int(row[1])) for row in rows]


def over(
    connection: Connection, series: Series, first: int, last: int, *, but: str, limit: int
) -> list[OverRow]:
    """Return the serials of other cases over some serials of a series, in order."""
    rows = connection.execute(
        select(
            case_range.c.case_id,
            case_table.c.registry,
            case_table.c.state,
            case_range.c.first_serial,
            case_range.c.last_serial,
        )
        .join(case_table, case_table.c.case_id == case_range.c.case_id)
        .where(
            *_of(series),
            case_range.c.first_serial <= last,
            case_range.c.last_serial >= first,
            case_range.c.case_id != but,
        )
        .order_by(case_range.c.first_serial, case_range.c.case_id)
        .limit(limit)
    )
    return [OverRow(*row) for row in rows]


def passing(
    connection: Connection, session: str, series: Series, most: int
) -> list[PassingRow] | None:
    """Return the serials of a series that a session found on their way: a case has none of them.

    None if the session has more than ``most`` such findings, of all series.
    """
    rows = connection.execute(
        select(finding.c.body)
        .where(finding.c.session == session, finding.c.case_id.is_(None))
        .order_by(finding.c.ordinal)
        .limit(most + 1)
    ).all()
    if len(rows) > most:
        return None
    said = (msgspec.json.decode(row[0]) for row in rows)
    return [
        PassingRow(one["first_serial"], one["last_serial"])
        for one in said
        if all(one.get(name) == getattr(series, name) for name in _SERIES)
    ]


def _of(series: Series, case_id: str | None = None) -> Sequence[ColumnElement[bool]]:
    of_series = [case_range.c[name] == getattr(series, name) for name in _SERIES]
    return of_series if case_id is None else [case_range.c.case_id == case_id, *of_series]


# --- the ledger around them ----------------------------------------------------------------------

_START: Final = (
    select(func.max(unit_block.c.first_serial))
    .where(
        unit_block.c.series_id == bindparam("series_id"),
        unit_block.c.first_serial <= bindparam("low"),
    )
    .scalar_subquery()
)
_BLOCKS: Final = (
    select(
        unit_block.c.first_serial,
        unit_block.c.last_serial,
        unit_block.c.registry,
        unit_block.c.account,
        unit_block.c.status,
        unit_block.c.reserved_by,
        unit_block.c.hold,
    )
    .where(
        unit_block.c.series_id == bindparam("series_id"),
        unit_block.c.first_serial >= func.coalesce(_START, bindparam("low")),
        unit_block.c.first_serial <= bindparam("high"),
        unit_block.c.last_serial >= bindparam("low"),
    )
    .order_by(unit_block.c.first_serial)
)


def blocks_over(
    connection: Connection, series_id: int, first: int, last: int, limit: int
) -> list[BlockRow]:
    """Return the blocks over some serials, whole, in order, wherever they lie: the first ones."""
    asked: dict[str, Any] = {"series_id": series_id, "low": first, "high": last}
    return [BlockRow(*row) for row in connection.execute(_BLOCKS.limit(limit), asked)]


def moved_since(
    connection: Connection, series_id: int, log_index: int, first: int, last: int
) -> list[MovedRow] | None:
    """Return what the journal says of some serials behind an entry of the log, latest first.

    None if the series moved more often than POSTINGS_LOOKED_AT_MAX times since.
    """
    since = (
        select(
            posting.c.first_serial,
            posting.c.last_serial,
            posting.c.log_index,
            posting.c.ordinal,
            posting.c.reference,
        )
        .where(posting.c.series_id == series_id, posting.c.log_index > log_index)
        .order_by(posting.c.log_index.desc(), posting.c.ordinal.desc())
    )
    beyond = since.offset(POSTINGS_LOOKED_AT_MAX).limit(1)
    if connection.execute(beyond).one_or_none() is not None:
        return None
    looked_at = since.limit(POSTINGS_LOOKED_AT_MAX).subquery()
    rows = connection.execute(
        select(
            looked_at.c.first_serial,
            looked_at.c.last_serial,
            looked_at.c.log_index,
            looked_at.c.reference,
        )
        .where(looked_at.c.first_serial <= last, looked_at.c.last_serial >= first)
        .order_by(looked_at.c.log_index.desc(), looked_at.c.ordinal.desc())
    )
    return [MovedRow(*row) for row in rows]
