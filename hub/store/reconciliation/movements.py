"""Which entry of the log moved what of whose units: totals that are kept, pieces that are read.

1. ``reconciliation_movement`` has one row for each registry and log entry: the sum of its edges
   under the link's key, by which a lost or doubled message is found in one look.
2. What the entry moved, piece by piece, is read from its postings (``Journal``), which tell it
   alone.
3. What a transfer in flight would move, were it completed now, is read from what it reserves.

Postings that change nothing both sides own (reservations, holds, units on the word of a transfer in
flight) are left in the database.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, delete, func, or_, select
from sqlalchemy.sql import Select

from hub.international_registry.accounts import ADAPTATION_FUND_PARTY
from hub.international_registry.first_transfer import event_of_accepted
from hub.international_registry.postings import EFFECTS, Posting, PostingKind
from hub.international_registry.units import BlockStatus, FirstTransferEvent
from hub.international_registry.units import Series as LedgerSeries
from hub.store.interning import Interning
from hub.store.many_rows import Put
from hub.store.parts import in_parts
from hub.store.reconciliation.digests import to_bytes, to_number
from hub.store.reconciliation.tables import movement
from hub.store.tables import account, participant, posting, transfer, unit_block
from reconciliation.digests import MASK
from reconciliation.movements import Movement, Piece, change_of, pieces_by_registry
from reconciliation.owned import Owned, Series, owned_as, series_of

_CACHE_MAX: Final = 100_000

Change = tuple[Owned | None, Owned | None]


class Total(NamedTuple):
    """What one entry of the log did to the sums of one registry."""

    log_index: int
    reference: str
    total: int


class TotalKey(NamedTuple):
    """Whose movement it is, under which year's key."""

    registry: str
    key_year: int


# --- totals ------------------------------------------------------------------------------------

_PUT: Final = Put(
    movement, key=("registry", "key_year", "log_index"), values=("reference", "total")
)
_TOTALS: Final = (
    select(movement.c.log_index, movement.c.reference, movement.c.total)
    .where(
        movement.c.registry == bindparam("registry"),
        movement.c.key_year == bindparam("key_year"),
        movement.c.log_index > bindparam("after"),
        movement.c.log_index <= bindparam("up_to"),
    )
    .order_by(movement.c.log_index)
)
# By total alone: were the registry named too, the primary key might look as near, and read all.
_WITH_TOTAL: Final = select(
    movement.c.registry,
    movement.c.key_year,
    movement.c.log_index,
    movement.c.reference,
    movement.c.total,
).where(or_(movement.c.total == bindparam("total"), movement.c.total == bindparam("opposite")))
_COUNT: Final = select(func.count()).select_from(
    _TOTALS.with_only_columns(movement.c.log_index)
    .order_by(None)
    .limit(bindparam("count_max"))
    .subquery()
)


def add_totals(connection: Connection, rows: Mapping[TotalKey, Iterable[Total]]) -> None:
    """Write totals; one that is there for the same entry is replaced."""
    _PUT.run(
        connection,
        [
            {
                "registry": key.registry,
                "key_year": key.key_year,
                "log_index": log_index,
                "reference": reference,
                "total": to_bytes(total),
            }
            for key, totals in rows.items()
            for log_index, reference, total in totals
        ],
    )


def totals_between(connection: Connection, key: TotalKey, after: int, up_to: int) -> list[Total]:
    """Return the totals after an index and up to another, in the order of the log."""
    bounds = {**key._asdict(), "after": after, "up_to": up_to}
    return [Total(row[0], row[1], to_number(row[2])) for row in connection.execute(_TOTALS, bounds)]


def with_total(connection: Connection, key: TotalKey, total: int) -> list[Total]:
    """Return those that did exactly a total or its opposite, in order, by an index."""
    asked = {"total": to_bytes(total & MASK), "opposite": to_bytes(-total & MASK)}
    return sorted(
        Total(row[2], row[3], to_number(row[4]))
        for row in connection.execute(_WITH_TOTAL, asked).all()
        if (row[0], row[1]) == key
    )


def count_between(
    connection: Connection, key: TotalKey, after: int, up_to: int, count_max: int
) -> int:
    """Return how many there are between two indices, counting no further than ``count_max``."""
    bounds = {**key._asdict(), "after": after, "up_to": up_to, "count_max": count_max}
    return int(connection.execute(_COUNT, bounds).scalar_one())


def delete_until(connection: Connection, key: TotalKey, index: int) -> None:
    """Delete the totals up to an index, which no session goes back before."""
    connection.execute(
        delete(movement).where(
            movement.c.registry == key.registry,
            movement.c.key_year == key.key_year,
            movement.c.log_index <= index,
        )
    )


def delete_all(connection: Connection, registry: str) -> None:
    """Delete every total of a registry, of any year."""
    connection.execute(delete(movement).where(movement.c.registry == registry))


# --- pieces ------------------------------------------------------------------------------------

# What was in one standing before is told by the columns from "kind" on: the same change each time.
_COLUMNS: Final = (
    "log_index",
    "reference",
    "series_id",
    "first_serial",
    "last_serial",
    "from_registry",
    "to_registry",
    "kind",
    "attributes_id",
    "first_transfer",
    "status",
    "underlying_first",
    "underlying_last",
    "was_status",
    "was_first_transferred",
)
_CHANGE_AT: Final = _COLUMNS.index("kind")
_MOVES: Final = or_(
    posting.c.kind.in_([kind.value for kind in sorted(EFFECTS)]),
    and_(
        posting.c.kind == PostingKind.INTRODUCED.value,
        posting.c.status != BlockStatus.AUTHORIZED.value,
    ),
)
_POSTINGS: Final = (
    select(*(posting.c[name] for name in _COLUMNS))
    .where(_MOVES)
    .order_by(posting.c.log_index, posting.c.ordinal)
)
_BETWEEN: Final = _POSTINGS.where(
    posting.c.log_index > bindparam("after"), posting.c.log_index <= bindparam("up_to")
)
_PART: Final = _BETWEEN.limit(bindparam("count_max"))
_ONE_ENTRY: Final = _POSTINGS.where(posting.c.log_index == bindparam("log_index"))
_OF_REGISTRY: Final = or_(
    posting.c.from_registry == bindparam("registry"), posting.c.to_registry == bindparam("registry")
)
_BETWEEN_OF_REGISTRY: Final = _BETWEEN.where(_OF_REGISTRY)
_ENTRIES: Final = _POSTINGS.where(
    posting.c.log_index.in_(bindparam("indices", expanding=True)), _OF_REGISTRY
)
_TOTALLED: Final = (
    _POSTINGS.join(movement, movement.c.log_index == posting.c.log_index)
    .where(
        movement.c.registry == bindparam("registry"),
        movement.c.key_year == bindparam("key_year"),
        movement.c.log_index > bindparam("after"),
        movement.c.log_index <= bindparam("up_to"),
    )
    .where(_OF_REGISTRY)
)
_ENTRIES_OF_SERIES: Final = (
    select(posting.c.log_index)
    .distinct()
    .where(
        _MOVES,
        _OF_REGISTRY,
        posting.c.series_id == bindparam("series_id"),
        posting.c.log_index > bindparam("after"),
        posting.c.log_index <= bindparam("up_to"),
    )
)
_BACKWARDS: Final = (
    select(posting.c.log_index)
    .where(_MOVES, posting.c.log_index <= bindparam("up_to"))
    .order_by(posting.c.log_index.desc())
    .offset(bindparam("count"))
    .limit(1)
)
_UNTOLD: Final = select(func.max(posting.c.log_index)).where(
    posting.c.kind.in_([kind.value for kind in sorted(EFFECTS)]),
    posting.c.was_status.is_(None),
    posting.c.log_index > bindparam("after"),
    posting.c.log_index <= bindparam("up_to"),
)


_PARTY_TO_HOLD: Final = func.coalesce(account.c.party, participant.c.party)
_IN_FLIGHT: Final[Select[Any]] = (
    select(
        transfer.c.proposed_log_index,
        transfer.c.transfer_id,
        transfer.c.action,
        transfer.c.acquirer,
        case((_PARTY_TO_HOLD == ADAPTATION_FUND_PARTY, 1), else_=0),
        unit_block.c.series_id,
        unit_block.c.first_serial,
        unit_block.c.last_serial,
        unit_block.c.registry,
        unit_block.c.attributes_id,
        unit_block.c.status,
        unit_block.c.first_transfer,
        unit_block.c.underlying_first,
        unit_block.c.underlying_last,
    )
    .join(unit_block, unit_block.c.reserved_by == transfer.c.transfer_id)
    .outerjoin(
        account,
        and_(
            account.c.registry == transfer.c.acquirer,
            account.c.account_id == transfer.c.acquiring_account,
        ),
    )
    .outerjoin(participant, participant.c.code == transfer.c.acquirer)
    .where(
        transfer.c.state == "proposed",
        or_(
            transfer.c.initiator == bindparam("registry"),
            transfer.c.acquirer == bindparam("registry"),
        ),
    )
    .order_by(
        transfer.c.proposed_log_index,
        transfer.c.transfer_id,
        unit_block.c.series_id,
        unit_block.c.first_serial,
    )
)


class Entry(NamedTuple):
    """What one entry of the log moved: pieces by registry; registries left alone are not there.

    ``references`` names the transfer or action by registry, the first one if there are several.
    """

    log_index: int
    references: dict[str, str]
    pieces: dict[str, list[Piece]]

    def at(self, registry: str) -> Movement:
        """Return what the entry moved at a registry that it did not leave alone."""
        return Movement(self.log_index, self.references[registry], tuple(self.pieces[registry]))


class Journal:
    """Reads movements from postings, in the order of the log; remembers only what repeats.

    What it returns may raise UnknownChangeError for postings from before they told how units stood.
    """

    def __init__(self, connection: Connection, interning: Interning) -> None:
        self._connection, self._interning = connection, interning
        self._series: dict[int, Series] = {}
        self.series_ids: dict[Series, int] = {}
        """The numbers of all series that were met so far."""
        self._changes: dict[tuple[Any, ...], Change] = {}

    def series(self, series_id: int) -> Series:
        """Return the series of a number."""
        known = self._series.get(series_id)
        if known is None:
            known = series_of(self._interning.series(self._connection, series_id))
            self._series[series_id] = known
            self.series_ids[known] = series_id
        return known

    def series_id(self, series: Series) -> int | None:
        """Return the number of a series; None if the ledger never saw it."""
        known = self.series_ids.get(series)
        if known is None:
            known = self._interning.find_series(self._connection, LedgerSeries(*series))
            if known is not None:
                self.series_ids[series] = known
        return known

    def part(self, after: int, up_to: int, count_max: int) -> tuple[list[Entry], int]:
        """Return whole entries of about ``count_max`` postings, and the index they reach to."""
        bounds = {"after": after, "up_to": up_to, "count_max": count_max}
        rows = self._connection.execute(_PART, bounds).all()
        reached = up_to
        if len(rows) == count_max:
            reached = rows[-1][0] - 1 if rows[0][0] < rows[-1][0] else rows[-1][0]
            whole = [row for row in rows if row[0] <= reached]
            if rows[0][0] == rows[-1][0]:
                # One entry alone is more than a part: it is taken as a whole.
                whole = list(self._connection.execute(_ONE_ENTRY, {"log_index": reached}))
            rows = whole
        return list(self._entries(rows)), reached

    def movements(self, registry: str, after: int, up_to: int) -> list[Movement]:
        """Return what moved at a registry, by reading all postings between two indices."""
        bounds = {"registry": registry, "after": after, "up_to": up_to}
        return self._movements(registry, self._connection.execute(_BETWEEN_OF_REGISTRY, bounds))

    def totalled(self, key: TotalKey, after: int, up_to: int) -> list[Movement]:
        """Return the same of entries whose totals are kept, by reading their postings alone."""
        bounds = {**key._asdict(), "after": after, "up_to": up_to}
        return self._movements(key.registry, self._connection.execute(_TOTALLED, bounds))

    def of_entries(self, registry: str, indices: Collection[int]) -> dict[int, Movement]:
        """Return what moved at a registry in the entries named, by log index."""
        return {
            found.log_index: found
            for part in in_parts(sorted(indices))
            for found in self._movements(
                registry,
                self._connection.execute(_ENTRIES, {"registry": registry, "indices": part}),
            )
        }

    def entries_of_series(self, registry: str, series_id: int, after: int, up_to: int) -> list[int]:
        """Return the entries between two indices that moved units of a series at a registry."""
        bounds = {"registry": registry, "series_id": series_id, "after": after, "up_to": up_to}
        return sorted(self._connection.execute(_ENTRIES_OF_SERIES, bounds).scalars())

    def looking_back(self, up_to: int, count: int) -> int:
        """Return the index after which about ``count`` postings moved something, or all did.

        Not before the last posting that does not tell how its units stood.
        """
        found = self._connection.execute(_BACKWARDS, {"up_to": up_to, "count": count})
        after = found.scalar_one_or_none() or 0
        untold = self._connection.execute(_UNTOLD, {"up_to": up_to, "after": after}).scalar_one()
        return max(after, untold or 0)

    def in_flight(self, registry: str) -> list[Movement]:
        """Return what completing each transfer in flight would do to a registry's units.

        The log index is that of the proposal. What is to become first transferred is decided as
        the completion would.
        """
        rows = self._connection.execute(_IN_FLIGHT, {"registry": registry})
        movements: list[Movement] = []
        for (index, transfer_id), group in groupby(rows, key=itemgetter(0, 1)):
            pieces = [piece for row in group for piece in self._reserved(registry, row)]
            if pieces:
                movements.append(Movement(index, transfer_id, tuple(pieces)))
        return movements

    def _reserved(self, registry: str, row: Sequence[Any]) -> Iterator[Piece]:
        (action, acquirer, is_fund, series_id, first, last), rest = row[2:8], row[8:]
        holder, attributes_id, status, event, underlying_first, underlying_last = rest
        attributes = self._interning.attributes(self._connection, attributes_id)
        already = None if event is None else FirstTransferEvent(event)
        completed = event_of_accepted(already, action, to_adaptation_fund=bool(is_fund))
        before, after = (
            owned_as(
                its_status,
                attributes,
                underlying_first,
                underlying_last,
                first_transferred=flagged,
            )
            for its_status, flagged in (
                (BlockStatus(status), already is not None),
                (BlockStatus.ITMO, already is not None or completed is not None),
            )
        )
        found = pieces_by_registry(
            self.series(series_id), first, last, holder, acquirer, (before, after)
        )
        if registry in found:
            yield found[registry]

    def _movements(self, registry: str, rows: Iterable[Sequence[Any]]) -> list[Movement]:
        return [entry.at(registry) for entry in self._entries(rows) if registry in entry.pieces]

    def _entries(self, rows: Iterable[Sequence[Any]]) -> Iterator[Entry]:
        entry: Entry | None = None
        for row in rows:
            if entry is None or entry.log_index != row[0]:
                if entry is not None:
                    yield entry
                entry = Entry(row[0], {}, {})
            found = pieces_by_registry(
                self.series(row[2]), row[3], row[4], row[5], row[6], self._change(row)
            )
            for registry, piece in found.items():
                entry.references.setdefault(registry, row[1])
                entry.pieces.setdefault(registry, []).append(piece)
        if entry is not None:
            yield entry

    def _change(self, row: Sequence[Any]) -> Change:
        """Return what both sides own before and after; the same for all equal standings."""
        key = tuple(row[_CHANGE_AT:])
        known = self._changes.get(key)
        if known is None:
            if len(self._changes) >= _CACHE_MAX:
                self._changes.clear()
            known = self._changes[key] = change_of(self._posting(row))
        return known

    def _posting(self, row: Sequence[Any]) -> Posting:
        kind, attributes_id, event, status, first, last, was_status, was_flagged = row[_CHANGE_AT:]
        return Posting(
            kind=PostingKind(kind),
            series=self._interning.series(self._connection, row[2]),
            first=row[3],
            last=row[4],
            attributes=self._interning.attributes(self._connection, attributes_id),
            from_registry=row[5],
            from_account=None,
            to_registry=row[6],
            to_account=None,
            reference=row[1],
            first_transfer=None if event is None else FirstTransferEvent(event),
            status=None if status is None else BlockStatus(status),
            underlying_first=first,
            underlying_last=last,
            was_status=None if was_status is None else BlockStatus(was_status),
            was_first_transferred=was_flagged,
        )
