"""What may be looked at besides holdings: totals, and histories in pages.

1. Postings are never changed and only added, so pages in the order of the log miss and repeat
   nothing, whatever happens meanwhile.
2. A history of serial numbers, or one that is filtered, may be a few postings of very many. So a
   page looks at a limited number of them and says where it stopped: it may be short, or empty, and
   still be followed by another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal, or_, select, tuple_

from hub.store.tables import account, posting, series, transfer, unit_block

POSTINGS_LOOKED_AT_MAX: Final = 5_000


def totals(connection: Connection) -> list[tuple[str, str, str, int, str, int]]:
    """Return (registry, account, approach, vintage, status, units) over the whole ledger."""
    quantity = func.sum(unit_block.c.last_serial - unit_block.c.first_serial + 1)
    keys = (
        unit_block.c.registry,
        func.coalesce(unit_block.c.account, ""),
        series.c.cooperative_approach,
        series.c.vintage,
        unit_block.c.status,
    )
    rows = connection.execute(
        select(*keys, quantity)
        .join(series, series.c.series_id == unit_block.c.series_id)
        .group_by(*keys)
        .order_by(*keys)
    )
    return [(row[0], row[1], row[2], row[3], row[4], int(row[5])) for row in rows]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of the journal as history shows it."""

    log_index: int
    ordinal: int
    kind: str
    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    from_registry: str | None
    to_registry: str | None
    reference: str

    @property
    def quantity(self) -> int:
        """Return the number of units."""
        return self.last_serial - self.first_serial + 1

    @property
    def place(self) -> tuple[int, int]:
        """Return its place in the journal."""
        return self.log_index, self.ordinal


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some postings in order, and the place behind what was looked at; None at the end."""

    rows: tuple[HistoryRow, ...]
    next: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: a registry sees what it gave or got, and all of its Party's units and accounts."""

    registry: str
    party: str
    international_registry: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose history: of one transfer, of serials of a series, or (neither) the whole journal.

    ``reference`` is the transfer's id. ``series_key`` are the four columns of a series.
    ``filters`` are by the names in FILTERS, ``registry`` and ``account`` at either end. Without a
    ``viewer`` everything is shown.
    """

    reference: str | None = None
    series_key: tuple[str, str, str, int] | None = None
    serials: tuple[int, int] | None = None
    filters: Mapping[str, Any] | None = None
    viewer: Viewer | None = None


_SERIES: Final = (
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
)
FILTERS: Final = ("registry", "account", *_SERIES)
_SHOWN: Final = (
    "log_index",
    "ordinal",
    "kind",
    "first_serial",
    "last_serial",
    "from_registry",
    "to_registry",
    "reference",
)
_PLACE: Final = (posting.c.log_index, posting.c.ordinal)


def history(
    connection: Connection,
    *,
    subject: Subject,
    after: tuple[int, int],
    limit: int,
    rows_max: int = POSTINGS_LOOKED_AT_MAX,
) -> HistoryPage:
    """Return up to ``limit`` postings of a subject after (log index, ordinal)."""
    rows_max = max(rows_max, limit)
    found_by = _found_by(connection, subject)
    if found_by is None:
        return HistoryPage((), None)
    found = (
        select(posting)
        .where(tuple_(*_PLACE) > tuple_(literal(after[0]), literal(after[1])), *found_by)
        .order_by(*_PLACE)
    )
    looked_at = found.limit(rows_max).subquery()
    rows = connection.execute(
        select(
            *(looked_at.c[name] for name in _SHOWN),
            *(series.c[name] for name in _SERIES),
        )
        .join(series, series.c.series_id == looked_at.c.series_id)
        .where(*_conditions(subject, looked_at.c))
        .order_by(looked_at.c.log_index, looked_at.c.ordinal)
        .limit(limit)
    )
    shown = tuple(HistoryRow(**row) for row in rows.mappings())
    if len(shown) == limit:
        return HistoryPage(shown, shown[-1].place)
    last = connection.execute(
        found.with_only_columns(*_PLACE).offset(rows_max - 1).limit(1)
    ).one_or_none()
    return HistoryPage(shown, None if last is None else (last[0], last[1]))


def _found_by(connection: Connection, subject: Subject) -> list[ColumnElement[bool]] | None:
    """Return what an index of the journal finds; None for a series that nobody has units of."""
    if subject.reference is not None:
        return [posting.c.reference == subject.reference, *_OF_A_TRANSFER]
    if subject.series_key is None:
        return []
    of_series = (
        series.c[name] == value for name, value in zip(_SERIES, subject.series_key, strict=True)
    )
    # Looked up first: the database then knows how common the series is, and takes the index.
    series_id = connection.execute(select(series.c.series_id).where(*of_series)).scalar()
    return None if series_id is None else [posting.c.series_id == series_id]


_ENDS: Final = ("used", "cancelled")
_end: Final = posting.alias("ended")
_OF_A_TRANSFER: Final = (
    posting.c.kind.not_in(_ENDS),
    or_(
        posting.c.kind != "introduced",
        and_(
            posting.c.status == "authorized",
            ~exists().where(
                _end.c.reference == posting.c.reference,
                _end.c.log_index == posting.c.log_index,
                _end.c.series_id == posting.c.series_id,
                _end.c.first_serial <= posting.c.last_serial,
                _end.c.last_serial >= posting.c.first_serial,
                _end.c.kind.in_(_ENDS),
            ),
        ),
    ),
)
"""Transfers, actions and first transfers may have the same id: of an act, the transfer's other end
is shown neither the end of units nor their entry, which is for good or ends with them."""


def _conditions(subject: Subject, columns: Any) -> list[ColumnElement[bool]]:
    """Return what is asked of a posting that was looked at."""
    wanted: list[ColumnElement[bool]] = []
    if subject.serials is not None:
        first, last = subject.serials
        wanted += [columns.first_serial <= last, columns.last_serial >= first]
    for name, value in (subject.filters or {}).items():
        if value is None:
            continue
        if name in _SERIES:
            wanted.append(series.c[name] == value)
        else:
            ends = (columns[f"from_{name}"] == value, columns[f"to_{name}"] == value)
            wanted.append(or_(*ends))
    if subject.viewer is not None:
        wanted.append(_seen_by(subject.viewer, columns))
    return wanted


def _seen_by(viewer: Viewer, columns: Any) -> ColumnElement[bool]:
    """Return the condition for postings that a registry may see."""
    accounts = select(account.c.account_id).where(
        account.c.registry == viewer.international_registry, account.c.party == viewer.party
    )
    central = viewer.international_registry
    return or_(
        columns.from_registry == viewer.registry,
        columns.to_registry == viewer.registry,
        series.c.first_transferring_party == viewer.party,
        and_(columns.from_registry == central, columns.from_account.in_(accounts)),
        and_(columns.to_registry == central, columns.to_account.in_(accounts)),
    )


def transfer_parties(connection: Connection, transfer_id: str) -> tuple[str, str] | None:
    """Return the initiator and the acquirer of a transfer, or None."""
    row = connection.execute(
        select(transfer.c.initiator, transfer.c.acquirer).where(
            transfer.c.transfer_id == transfer_id
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])
