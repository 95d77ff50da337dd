"""What one transfer left behind in the tables: messages, deliveries, units, corrections, cases.

Everything is found by a key or along an index, and each list is bounded. Bodies are read only where
they are asked for; of a delivery its size and its first bytes tell what a page shows.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal_column,
    null,
    or_,
    select,
)

from hub.international_registry.units import Range, Series
from hub.store.evidence import item_of
from hub.store.reconciliation.tables import case, case_range
from hub.store.tables import (
    act,
    delivery,
    delivery_replaced,
    envelope,
    mailbox_item,
    participant,
    posting,
    series,
    unit_block,
)

RANGES_MAX: Final = 200
"""Runs of serials of one transfer that are read for a page, and looked for elsewhere."""
CORRECTIONS_MAX: Final = 50
CASES_MAX: Final = 50
CASE_RANGES_MAX: Final = 50
_HEAD_BYTES: Final = 64
_IS_CORRECTION: Final = posting.c.kind == literal_column("'corrected'")


@dataclass(frozen=True, slots=True)
class EnvelopeTrace:
    """One recorded envelope, with the keys that signed it; bytes and salt are None once erased."""

    log_index: int
    sender: str
    recipient: str
    envelope_id: str
    sha256: str
    received_at: datetime
    key_ids: tuple[str, ...]
    body: bytes | None
    receipt: bytes | None


_ENVELOPE: Final = select(
    envelope.c.log_index,
    envelope.c.sender,
    envelope.c.recipient,
    envelope.c.envelope_id,
    envelope.c.sha256,
    envelope.c.received_at,
    envelope.c.key_ids,
    envelope.c.body,
    envelope.c.receipt,
)


def _envelope_of(row: Sequence[Any]) -> EnvelopeTrace:
    body, receipt = (None if one is None else bytes(one) for one in row[7:9])
    log_index, sender, recipient, envelope_id, sha256, received_at, key_ids, *_ = row
    return EnvelopeTrace(
        log_index,
        sender,
        recipient,
        envelope_id,
        sha256,
        received_at,
        tuple(key_ids.split()),
        body,
        receipt,
    )


def envelope_at(connection: Connection, log_index: int) -> EnvelopeTrace | None:
    """Return the envelope of an entry, or None if it is no envelope's."""
    row = connection.execute(_ENVELOPE.where(envelope.c.log_index == log_index)).one_or_none()
    return None if row is None else _envelope_of(row)


def envelopes_of_id(connection: Connection, envelope_id: str) -> list[tuple[int, str]]:
    """Return (log index, sender) of the envelopes of this id: each sender gives its own."""
    senders = list(connection.execute(select(participant.c.code)).scalars())
    rows = connection.execute(
        select(envelope.c.log_index, envelope.c.sender)
        .where(envelope.c.sender.in_(senders), envelope.c.envelope_id == envelope_id)
        .order_by(envelope.c.log_index)
    )
    return [(row[0], row[1]) for row in rows]


@dataclass(frozen=True, slots=True)
class DeliveryTrace:
    """One sealing of items for a recipient, ``sequence`` among them.

    ``replaced_by`` is the entry of a later sealing of the same items. ``beginning`` are the first
    bytes; it and ``byte_count`` are None once erased.
    """

    recipient: str
    sequence: int
    first_sequence: int
    last_sequence: int
    log_index: int
    sha256: str
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_log_index: int | None
    replaced_by: int | None
    byte_count: int | None
    beginning: bytes | None


@dataclass(frozen=True, slots=True)
class ItemTrace:
    """What a recipient is told of one entry: the item, its notices, and the deliveries with it."""

    recipient: str
    sequence: int
    carries_envelope: bool
    notices: str | None
    deliveries: tuple[DeliveryTrace, ...]


def item_for(connection: Connection, recipient: str, log_index: int) -> ItemTrace | None:
    """Return how a recipient is told of an entry; None if it is not."""
    sequence = item_of(connection, recipient, log_index)
    if sequence is None:
        return None
    item = connection.execute(
        select(mailbox_item.c.carries_envelope, mailbox_item.c.notices).where(
            mailbox_item.c.recipient == recipient, mailbox_item.c.sequence == sequence
        )
    ).one()
    made = [
        DeliveryTrace(recipient, sequence, *row)
        for table in (delivery, delivery_replaced)
        for row in connection.execute(_with_item(table, recipient, sequence))
    ]
    return ItemTrace(
        recipient, sequence, item[0], item[1], tuple(sorted(made, key=lambda one: one.log_index))
    )


def _with_item(table: Any, recipient: str, sequence: int) -> Select[Any]:
    """Return the query for the deliveries with an item: the newest that begins at it or before."""
    replaced_by = table.c.replaced_by if "replaced_by" in table.c else null()
    return (
        select(
            table.c.first_sequence,
            table.c.last_sequence,
            table.c.log_index,
            table.c.sha256,
            table.c.created_at,
            table.c.acknowledged_at,
            table.c.acknowledged_log_index,
            replaced_by,
            func.length(table.c.body),
            func.substr(table.c.body, 1, _HEAD_BYTES),
        )
        .where(
            table.c.recipient == recipient,
            table.c.first_sequence <= sequence,
            table.c.last_sequence >= sequence,
        )
        .order_by(table.c.first_sequence.desc(), table.c.log_index)
        .limit(20)
    )


@dataclass(frozen=True, slots=True)
class MovedUnits:
    """A run of serials that a transfer moved, or that is set aside for it."""

    range: Range
    log_index: int | None

    @property
    def units(self) -> str:
        """Return the serials as commands name them."""
        return self.range.units


_SERIES: Final = (
    series.c.cooperative_approach,
    series.c.originating_registry,
    series.c.first_transferring_party,
    series.c.vintage,
)


def units_moved(connection: Connection, transfer_id: str) -> list[MovedUnits]:
    """Return what a transfer moved, in order, RANGES_MAX + 1 at the most."""
    rows = connection.execute(
        select(*_SERIES, posting.c.first_serial, posting.c.last_serial, posting.c.log_index)
        .join(series, series.c.series_id == posting.c.series_id)
        .where(posting.c.reference == transfer_id, posting.c.kind == "moved")
        .order_by(posting.c.log_index, posting.c.ordinal)
        .limit(RANGES_MAX + 1)
    )
    return [_moved(row) for row in rows]


def units_reserved(connection: Connection, transfer_id: str) -> list[MovedUnits]:
    """Return what is set aside for a transfer, in order, RANGES_MAX + 1 at the most."""
    rows = connection.execute(
        select(*_SERIES, unit_block.c.first_serial, unit_block.c.last_serial, null())
        .join(series, series.c.series_id == unit_block.c.series_id)
        .where(unit_block.c.reserved_by == transfer_id)
        .order_by(unit_block.c.series_id, unit_block.c.first_serial)
        .limit(RANGES_MAX + 1)
    )
    return [_moved(row) for row in rows]


def _moved(row: Sequence[Any]) -> MovedUnits:
    return MovedUnits(Range(Series(*row[:4]), row[4], row[5]), row[6])


@dataclass(frozen=True, slots=True)
class CorrectionTrace:
    """A correction of the ledger that touched serials: the act, and how it moved them."""

    log_index: int
    at: datetime | None
    actor: str | None
    reason: str | None
    units: str
    from_registry: str | None
    to_registry: str | None


def corrections_of(
    connection: Connection, ranges: Collection[Range], after: int
) -> list[CorrectionTrace]:
    """Return the corrections of any of these serials behind an entry, oldest first."""
    if not ranges:
        return []
    # A sum, so that SQLite takes the index of the few corrections and not that of the log's order.
    index = posting.c.log_index + 0
    rows = connection.execute(
        select(
            *_SERIES,
            posting.c.first_serial,
            posting.c.last_serial,
            posting.c.log_index,
            posting.c.from_registry,
            posting.c.to_registry,
            act.c.at,
            act.c.actor,
            act.c.reason,
        )
        .join(series, series.c.series_id == posting.c.series_id)
        .outerjoin(act, act.c.log_index == posting.c.log_index)
        .where(
            _IS_CORRECTION,
            index > after,
            or_(*(_overlap(one, posting.c) for one in _first(ranges))),
        )
        .order_by(index, posting.c.ordinal)
        .limit(CORRECTIONS_MAX)
    )
    return [
        CorrectionTrace(row[6], row[9], row[10], row[11], _moved(row[:7]).units, row[7], row[8])
        for row in rows
    ]


def _first(ranges: Iterable[Range]) -> list[Range]:
    return sorted(set(ranges))[:RANGES_MAX]


def _overlap(asked: Range, columns: Any) -> ColumnElement[bool]:
    return and_(
        *(
            column == value
            for column, value in zip(
                _SERIES,
                (
                    asked.series.cooperative_approach,
                    asked.series.originating_registry,
                    asked.series.first_transferring_party,
                    asked.series.vintage,
                ),
                strict=True,
            )
        ),
        columns.first_serial <= asked.last,
        columns.last_serial >= asked.first,
    )


@dataclass(frozen=True, slots=True)
class CaseTrace:
    """A case that a transfer is the cause of, or that has serials of it."""

    case_id: str
    registry: str
    kind: str
    state: str
    summary: str
    opened_at: datetime
    is_named: bool


def cases_about(
    connection: Connection, transfer_id: str, indices: Collection[int], ranges: Collection[Range]
) -> list[CaseTrace]:
    """Return the cases that name a transfer or its entries, and those that have its serials."""
    named = or_(case.c.reference == transfer_id, case.c.cause_index.in_(sorted(indices)))
    found: dict[str, CaseTrace] = {}
    columns = (
        case.c.case_id,
        case.c.registry,
        case.c.kind,
        case.c.state,
        case.c.summary,
        case.c.opened_at,
    )
    by_time = (case.c.opened_at.desc(), case.c.case_id.desc())
    for row in connection.execute(
        select(*columns).where(named).order_by(*by_time).limit(CASES_MAX)
    ):
        found[row[0]] = CaseTrace(*row, is_named=True)
    looked_for = _first(ranges)[:CASE_RANGES_MAX]
    if looked_for:
        touched = select(case_range.c.case_id).where(or_(*map(_case_overlap, looked_for)))
        query = select(*columns).where(case.c.case_id.in_(touched)).order_by(*by_time)
        for row in connection.execute(query.limit(CASES_MAX)):
            found.setdefault(row[0], CaseTrace(*row, is_named=False))
    return sorted(found.values(), key=lambda one: (one.opened_at, one.case_id))[:CASES_MAX]


def _case_overlap(asked: Range) -> ColumnElement[bool]:
    return and_(
        case_range.c.cooperative_approach == asked.series.cooperative_approach,
        case_range.c.originating_registry == asked.series.originating_registry,
        case_range.c.first_transferring_party == asked.series.first_transferring_party,
        case_range.c.vintage == asked.series.vintage,
        case_range.c.first_serial <= asked.last,
        case_range.c.last_serial >= asked.first,
    )
