"""Transfers in every state, and the natural ids of other acts that were taken once."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    union,
    update,
)

from hub.checks.facts import TransferRecord
from hub.protocol.transfer_states import TransferState
from hub.store.many_rows import Insert
from hub.store.parts import in_parts
from hub.store.tables import acted, transfer

_NAMES = tuple(field.name for field in fields(TransferRecord))
_SELECT = select(*(transfer.c[name] for name in _NAMES))
_STATE = _NAMES.index("state")


_LOAD = _SELECT.where(transfer.c.transfer_id.in_(bindparam("ids", expanding=True)))
_ADD = Insert(transfer, _NAMES)


def record_of(row: Sequence[Any]) -> TransferRecord:
    """Return a row as the value that the checks see."""
    values = list(row)
    values[_STATE] = TransferState(values[_STATE])
    return TransferRecord(*values)


def load(connection: Connection, ids: Collection[str]) -> dict[str, TransferRecord]:
    """Return the transfers among ``ids`` that exist."""
    return {
        row[0]: record_of(row)
        for part in in_parts(ids)
        for row in connection.execute(_LOAD, {"ids": part})
    }


def add(connection: Connection, rows: Collection[TransferRecord]) -> None:
    """Insert new transfers."""
    _ADD.run(connection, [{name: getattr(row, name) for name in _NAMES} for row in rows])


_CLOSE = (
    update(transfer)
    .where(transfer.c.transfer_id == bindparam("b_id"), transfer.c.state == "proposed")
    .values(
        state=bindparam("b_state"),
        closed_log_index=bindparam("b_log_index"),
        closed_at=bindparam("b_at"),
    )
)


def close(connection: Connection, rows: Collection[TransferRecord]) -> None:
    """Write the final state of transfers that were in flight."""
    result = connection.execute(
        _CLOSE,
        [
            {
                "b_id": row.transfer_id,
                "b_state": row.state,
                "b_log_index": row.closed_log_index,
                "b_at": row.closed_at,
            }
            for row in rows
        ],
    )
    assert result.rowcount in (len(rows), -1), "a transfer to close was not in flight"


def due(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Return the ids of up to ``limit`` in-flight transfers past their deadline, oldest first."""
    rows = connection.execute(
        select(transfer.c.transfer_id)
        .where(transfer.c.state == "proposed", transfer.c.respond_by <= now)
        .order_by(transfer.c.respond_by, transfer.c.transfer_id)
        .limit(limit)
    )
    return [row[0] for row in rows]


def search(
    connection: Connection,
    *,
    participant: str | None = None,
    state: str | None = None,
    limit: int = 100,
) -> list[TransferRecord]:
    """Return the newest transfers, of one participant or in one state if asked."""
    query = _SELECT.order_by(transfer.c.proposed_at.desc(), transfer.c.transfer_id)
    if participant is not None:
        query = query.where(
            or_(transfer.c.initiator == participant, transfer.c.acquirer == participant)
        )
    if state is not None:
        query = query.where(transfer.c.state == state)
    return [record_of(row) for row in connection.execute(query.limit(limit))]


def count_by_state(connection: Connection) -> dict[str, int]:
    """Return how many transfers are in each state."""
    rows = connection.execute(select(transfer.c.state, func.count()).group_by(transfer.c.state))
    return {row[0]: row[1] for row in rows}


def moved_since(connection: Connection, initiator: str, since: datetime) -> int:
    """Return the units ``initiator`` proposed since ``since`` and still in flight or completed."""
    total = connection.execute(
        select(func.coalesce(func.sum(transfer.c.quantity), 0)).where(
            transfer.c.initiator == initiator,
            transfer.c.proposed_at >= since,
            transfer.c.state.in_(["proposed", "completed"]),
        )
    ).scalar_one()
    return int(total)


# Written out and not bound, so that every plan knows that the partial index fits.
_RECORDED = transfer.c.mode == literal_column("'notify_and_record'")
_RECORD = select(
    transfer.c.transfer_id,
    transfer.c.state,
    transfer.c.quantity,
    transfer.c.proposed_log_index,
    transfer.c.closed_log_index,
).where(_RECORDED)


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A transfer that moves no units: its state, and the log indices that began and ended it."""

    transfer_id: str
    state: str
    quantity: int
    proposed_log_index: int
    closed_log_index: int | None


def _of_registry(registry: str) -> ColumnElement[bool]:
    return or_(transfer.c.initiator == registry, transfer.c.acquirer == registry)


def records_ended(
    connection: Connection, registry: str, after: int, up_to: int
) -> Iterator[RecordRow]:
    """Yield a registry's notify-and-record transfers that ended in (``after``, ``up_to``].

    In either role; in the order in which they ended.
    """
    rows = connection.execute(
        _RECORD.where(
            # Written so that SQLite does not read all transfers of a registry by its two roles.
            literal(registry).in_([transfer.c.initiator, transfer.c.acquirer]),
            transfer.c.closed_log_index > after,
            transfer.c.closed_log_index <= up_to,
        )
        .order_by(transfer.c.closed_log_index, transfer.c.transfer_id)
        .execution_options(yield_per=5_000)
    )
    for row in rows:
        yield RecordRow(*row)


def records_among(
    connection: Connection, registry: str, ids: Collection[str]
) -> dict[str, RecordRow]:
    """Return those of ``ids`` that are notify-and-record transfers of a registry, ended or not."""
    return {
        row[0]: RecordRow(*row)
        for part in in_parts(ids)
        for row in connection.execute(
            _RECORD.where(_of_registry(registry), transfer.c.transfer_id.in_(part))
        )
    }


def recording_registries(connection: Connection) -> list[str]:
    """Return the registries that took part in an ended notify-and-record transfer, by code."""
    ended = (_RECORDED, transfer.c.closed_log_index.is_not(None))
    found = union(
        select(transfer.c.initiator).where(*ended), select(transfer.c.acquirer).where(*ended)
    )
    return sorted(row[0] for row in connection.execute(found))


@dataclass(frozen=True, slots=True)
class ActedRow:
    """A use, cancellation, note or first transfer that was taken: its id stands for ever."""

    natural_id: str
    type: str
    log_index: int
    result: str


_ACTED = select(acted.c.natural_id, acted.c.type, acted.c.log_index, acted.c.result).where(
    acted.c.natural_id.in_(bindparam("ids", expanding=True))
)


def load_acted(connection: Connection, ids: Collection[str]) -> dict[str, ActedRow]:
    """Return those of ``ids`` that were taken before."""
    return {
        row[0]: ActedRow(*row)
        for part in in_parts(ids)
        for row in connection.execute(_ACTED, {"ids": part})
    }


def add_acted(connection: Connection, rows: Sequence[ActedRow]) -> None:
    """Take natural ids for ever."""
    connection.execute(
        insert(acted),
        [
            {
                "natural_id": row.natural_id,
                "type": row.type,
                "log_index": row.log_index,
                "result": row.result,
            }
            for row in rows
        ],
    )
