"""Transfers by what a person knows of them, the newest first, in pages both ways.

1. A page reads along an index: of one end's transfers, of those in a rare state, or of all by time;
   whatever else is asked is looked for among what comes along. It looks at a limited number of rows
   and says where it stopped: a page may be short, or empty, and still be followed by another. So no
   question costs more than another, with however many transfers.
2. What is known by its id or its serials is a small set of ids first; the rest is asked of those.
3. A place is (time of the proposal, transfer id). Transfers are only added, at the newer end: pages
   towards the older end miss and repeat nothing.

Serials find what moved units (the journal's moves), and what is in flight (blocks set aside for
it). A transfer that was rejected, cancelled or expired moved nothing and is not found so.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)

from hub.checks.facts import TransferRecord
from hub.international_registry.units import Range
from hub.protocol.transfer_states import TransferState
from hub.store.instants import Instant
from hub.store.interning import series_id_of
from hub.store.tables import account, participant, posting, record, transfer, unit_block
from hub.store.transfers import record_of

LOOKED_AT_MAX: Final = 20_000
"""Rows that one page looks at along one index."""
IDS_MAX: Final = 2_000
"""Ids that a prefix or serials may name before they are looked for another way, or cut."""
SPANS_LOOKED_AT_MAX: Final = 5_000
_NEAR: Final = 4
DIGITS_MAX: Final = 18
"""Digits of an initiator's own number in the id of a transfer."""

_NAMES: Final = tuple(field.name for field in fields(TransferRecord))
_COLUMNS: Final = tuple(transfer.c[name] for name in _NAMES)
# Written out and not bound, so that every plan knows that the partial indexes fit.
_UNSETTLED: Final = transfer.c.state != literal_column("'completed'")
_IS_MOVE: Final = posting.c.kind == literal_column("'moved'")


class Place(NamedTuple):
    """Where a page ends: the time of a proposal, and its id."""

    at: datetime
    transfer_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which transfers; None does not limit.

    ``id_beginning`` is a whole id or its beginning with at least the hyphen (``THA01-12``), ``ids``
    a small set. ``registry`` and ``party`` are of either end, a Party's accounts at the
    international registry among them; ``account`` is of either end too. ``since`` and ``until``
    bound the time of the proposal, the first included.
    """

    id_beginning: str | None = None
    ids: frozenset[str] | None = None
    registry: str | None = None
    party: str | None = None
    account: str | None = None
    state: str | None = None
    mode: str | None = None
    approach: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Some transfers, the newest first, and the place behind what was looked at; None at the end.

    ``is_cut``: it stopped because it had looked at enough, and not because the page is full.
    """

    rows: tuple[TransferRecord, ...]
    next: Place | None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class FoundIds:
    """Ids that serials named; ``is_cut`` when there may be more than were looked at."""

    ids: frozenset[str]
    is_cut: bool


def page(
    connection: Connection,
    wanted: Wanted,
    *,
    international_registry: str,
    limit: int,
    after: Place | None = None,
    towards_newer: bool = False,
    rows_max: int = LOOKED_AT_MAX,
) -> Found:
    """Return up to ``limit`` transfers behind a place, or before it (``towards_newer``).

    Rows come the newest first either way; ``next`` is the place from which to go on the same way.
    """
    way = _Way(after, towards_newer, limit, max(rows_max, limit + 1))
    streams = _streams(connection, wanted, international_registry)
    rest = _conditions(wanted, international_registry)
    runs = [_read(connection, stream, rest, way) for stream in streams]
    return _merged(runs, way)


# --- what is read, along which index -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Way:
    """From where, to which side, how far."""

    after: Place | None
    towards_newer: bool
    limit: int
    rows_max: int

    def behind(self, columns: Any) -> list[ColumnElement[bool]]:
        """Return the condition for rows behind the place."""
        if self.after is None:
            return []
        place = tuple_(columns.proposed_at, columns.transfer_id)
        at = tuple_(literal(self.after.at, Instant), literal(self.after.transfer_id))
        return [place > at if self.towards_newer else place < at]

    def order(self, columns: Any) -> tuple[ColumnElement[Any], ...]:
        """Return the order of rows on this way."""
        keys = (columns.proposed_at, columns.transfer_id)
        return keys if self.towards_newer else tuple(key.desc() for key in keys)


class _Run(NamedTuple):
    """What one stream gave, in order, and the place where it stopped looking; None at its end."""

    rows: list[TransferRecord]
    stopped_at: Place | None


_Condition = list[ColumnElement[bool]]


def _streams(
    connection: Connection, wanted: Wanted, international_registry: str
) -> list[_Condition]:
    """Return what is read in order, each by one index; together they have every row wanted."""
    times: _Condition = []
    if wanted.since is not None:
        times.append(transfer.c.proposed_at >= wanted.since)
    if wanted.until is not None:
        times.append(transfer.c.proposed_at < wanted.until)
    ids = _small_set(connection, wanted)
    if ids is not None:
        return [[transfer.c.transfer_id.in_(sorted(ids))]] if ids else []
    if wanted.state is not None and wanted.state != TransferState.COMPLETED:
        return [[_UNSETTLED, transfer.c.state == wanted.state, *times]]
    codes = _codes(connection, wanted, international_registry)
    if codes is None:
        return [times]
    ends = (transfer.c.initiator, transfer.c.acquirer)
    return [[end == code, *times] for code in codes for end in ends]


def _small_set(connection: Connection, wanted: Wanted) -> frozenset[str] | None:
    """Return the ids that are wanted, where they are few enough to be looked up; else None."""
    if wanted.ids is not None:
        return wanted.ids
    if wanted.id_beginning is None:
        return None
    found = connection.execute(
        select(transfer.c.transfer_id)
        .where(*_beginning_with(wanted.id_beginning, transfer.c))
        .limit(IDS_MAX + 1)
    ).scalars()
    ids = frozenset(found)
    return ids if len(ids) <= IDS_MAX else None


def _beginning_with(beginning: str, columns: Any) -> _Condition:
    """Return the range of the ids that begin so: behind the hyphen stand digits alone."""
    digits = len(beginning.partition("-")[2])
    return [
        columns.transfer_id >= beginning,
        columns.transfer_id <= beginning + "9" * (DIGITS_MAX - digits),
    ]


def _codes(connection: Connection, wanted: Wanted, international_registry: str) -> list[str] | None:
    """Return the registries whose transfers have all that is wanted; None: anybody's."""
    if wanted.id_beginning is not None:
        return [wanted.id_beginning.partition("-")[0]]
    if wanted.registry is not None:
        return [wanted.registry]
    if wanted.party is None:
        return None
    of_party = select(participant.c.code).where(participant.c.party == wanted.party)
    codes = set(connection.execute(of_party).scalars()) | {international_registry}
    return sorted(codes)


def _conditions(wanted: Wanted, international_registry: str) -> Callable[[Any], _Condition]:
    """Return all that is asked of a row, as a function of the columns it is read from."""

    def conditions(columns: Any) -> _Condition:
        asked: _Condition = []
        if wanted.id_beginning is not None:
            asked += _beginning_with(wanted.id_beginning, columns)
        if wanted.registry is not None:
            ends = (columns.initiator, columns.acquirer)
            asked.append(or_(*(end == wanted.registry for end in ends)))
        if wanted.party is not None:
            asked.append(_of_party(wanted.party, international_registry, columns))
        if wanted.account is not None:
            accounts = (columns.transferring_account, columns.acquiring_account)
            asked.append(or_(*(one == wanted.account for one in accounts)))
        if wanted.state is not None:
            asked.append(columns.state == wanted.state)
        if wanted.mode is not None:
            asked.append(columns.mode == wanted.mode)
        if wanted.approach is not None:
            asked.append(columns.cooperative_approach == wanted.approach)
        if wanted.since is not None:
            asked.append(columns.proposed_at >= wanted.since)
        if wanted.until is not None:
            asked.append(columns.proposed_at < wanted.until)
        return asked

    return conditions


def _of_party(party: str, international_registry: str, columns: Any) -> ColumnElement[bool]:
    """Return the condition for a Party at either end: its registry, or its account at the hub's."""
    registries = select(participant.c.code).where(participant.c.party == party)
    accounts = select(account.c.account_id).where(
        account.c.registry == international_registry, account.c.party == party
    )
    ends = (
        (columns.initiator, columns.transferring_account),
        (columns.acquirer, columns.acquiring_account),
    )
    return or_(
        *(
            or_(
                registry.in_(registries),
                and_(registry == international_registry, one.in_(accounts)),
            )
            for registry, one in ends
        )
    )


def _read(
    connection: Connection,
    stream: _Condition,
    rest: Callable[[Any], _Condition],
    way: _Way,
) -> _Run:
    """Return the wanted rows of one stream, as far as a page looks: near first, then all of it."""
    along: Select[Any] = (
        select(*_COLUMNS).where(*stream, *way.behind(transfer.c)).order_by(*way.order(transfer.c))
    )
    found: list[TransferRecord] = []
    for share in (_NEAR, 10 * _NEAR, way.rows_max):
        rows_max = min(share * (way.limit + 1), way.rows_max)
        looked_at = along.limit(rows_max).subquery()
        rows = connection.execute(
            select(looked_at)
            .where(*rest(looked_at.c))
            .order_by(*way.order(looked_at.c))
            .limit(way.limit + 1)
        )
        found = [record_of(row) for row in rows]
        if len(found) > way.limit:
            return _Run(found, None)
    last = connection.execute(
        along.with_only_columns(transfer.c.proposed_at, transfer.c.transfer_id)
        .offset(way.rows_max - 1)
        .limit(1)
    ).one_or_none()
    return _Run(found, None if last is None else Place(*last))


def _place_of(row: TransferRecord) -> Place:
    return Place(row.proposed_at, row.transfer_id)


def _merged(runs: Sequence[_Run], way: _Way) -> Found:
    """Return the page of several streams: nothing beyond where the first of them stopped."""
    stops = [run.stopped_at for run in runs if run.stopped_at is not None]
    stop = None
    if stops:
        stop = min(stops) if way.towards_newer else max(stops)
    merged = heapq.merge(*(run.rows for run in runs), key=_place_of, reverse=not way.towards_newer)
    rows: list[TransferRecord] = []
    for row, _ in itertools.groupby(merged):  # at both ends of one transfer: it comes twice
        if stop is not None and _is_beyond(_place_of(row), stop, way):
            break
        rows.append(row)
        if len(rows) > way.limit:
            break
    is_full = len(rows) > way.limit
    rows = rows[: way.limit]
    following = _place_of(rows[-1]) if is_full else stop
    shown = tuple(reversed(rows)) if way.towards_newer else tuple(rows)
    return Found(shown, following, is_cut=not is_full and stop is not None)


def _is_beyond(place: Place, stop: Place, way: _Way) -> bool:
    return place > stop if way.towards_newer else place < stop


# --- serials -------------------------------------------------------------------------------------


def ids_of_serials(connection: Connection, asked: Range) -> FoundIds:
    """Return the transfers that moved any of these units, or that have any in flight.

    Moves that begin in the range, and those nearest below it that reach into it.
    """
    series_id = series_id_of(connection, asked.series)
    if series_id is None:
        return FoundIds(frozenset(), is_cut=False)
    parts = (
        _moved_within(connection, series_id, asked),
        _moved_into(connection, series_id, asked),
        _in_flight(connection, series_id, asked),
    )
    ids = sorted({one for part in parts for one in part.ids})
    return FoundIds(
        frozenset(ids[:IDS_MAX]), any(part.is_cut for part in parts) or len(ids) > IDS_MAX
    )


def _moved_within(connection: Connection, series_id: int, asked: Range) -> FoundIds:
    rows = connection.execute(
        select(posting.c.reference)
        .where(
            _IS_MOVE,
            posting.c.series_id == series_id,
            posting.c.first_serial >= asked.first,
            posting.c.first_serial <= asked.last,
        )
        .order_by(posting.c.first_serial)
        .limit(SPANS_LOOKED_AT_MAX)
    )
    return _ids(row[0] for row in rows)


def _moved_into(connection: Connection, series_id: int, asked: Range) -> FoundIds:
    """Return the moves that begin below the range and reach into it."""
    rows = connection.execute(
        select(posting.c.reference, posting.c.last_serial)
        .where(
            _IS_MOVE,
            posting.c.series_id == series_id,
            posting.c.first_serial < asked.first,
        )
        .order_by(posting.c.first_serial.desc())
        .limit(SPANS_LOOKED_AT_MAX)
    )
    return _ids(row[0] if row[1] >= asked.first else None for row in rows)


def _in_flight(connection: Connection, series_id: int, asked: Range) -> FoundIds:
    """Return what blocks of the range are set aside for; blocks of a series never overlap."""
    of_series = unit_block.c.series_id == series_id
    below = connection.execute(
        select(unit_block.c.first_serial)
        .where(of_series, unit_block.c.first_serial <= asked.first)
        .order_by(unit_block.c.first_serial.desc())
        .limit(1)
    ).scalar()
    rows = connection.execute(
        select(unit_block.c.reserved_by, unit_block.c.last_serial)
        .where(
            of_series,
            unit_block.c.first_serial >= (asked.first if below is None else below),
            unit_block.c.first_serial <= asked.last,
        )
        .order_by(unit_block.c.first_serial)
        .limit(SPANS_LOOKED_AT_MAX)
    )
    return _ids(row[0] if row[1] >= asked.first else None for row in rows)


def _ids(references: Iterable[str | None]) -> FoundIds:
    """Return the ids among what was read; cut when as much was read as may be."""
    read = list(references)
    return FoundIds(
        frozenset(one for one in read if one is not None), len(read) >= SPANS_LOOKED_AT_MAX
    )


def approaches(connection: Connection) -> list[str]:
    """Return the ids of the cooperative approaches that are on record."""
    rows = connection.execute(
        select(record.c.record_id)
        .where(record.c.kind == "cooperative_approach")
        .distinct()
        .order_by(record.c.record_id)
    )
    return list(rows.scalars())


def is_account(connection: Connection, registry: str, account_id: str) -> bool:
    """Tell whether a registry whose accounts are kept here has an account of this id."""
    found = select(account.c.account_id).where(
        account.c.registry == registry, account.c.account_id == account_id
    )
    return connection.execute(found).scalar() is not None
