"""The queries that arrived: filed with the item that brought them, answered once.

1. ``file_queries`` runs in the transaction that stores the item. A crash leaves both or neither.
2. ``settle`` runs in the transaction that submits the answer: the row leaves ``waiting`` once.
3. Between the two lies the registry's own system, which may be slow or away; what waits is tried
   again later, also after a restart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from connectors.mechanism_registry.tables import METADATA
from connectors.session.deliveries import ArrivedItem
from connectors.session.handler import Transaction
from hub.protocol.questions import asks_mechanism

WAITING: Final = "waiting"

asked_query: Final = Table(
    "asked_query",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("message_id", String(36), nullable=False, unique=True),
    Column("asker", String(5), nullable=False),
    Column("envelope_sha256", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("arrived_at", String(24), nullable=False),
    Column("state", String(16), nullable=False),  # waiting, answered, refused (by the hub)
    Column("attempt_count", Integer, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("rows", Integer),  # how many the answer shows
    Column("reason", Text),  # why it waits still, or why there is no answer
    Index("asked_query_due", "state", "due_at_ms"),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """One query that waits: who asked, in which envelope, and what."""

    message_id: str
    asker: str
    envelope_sha256: str
    type: str
    body: dict[str, Any]
    arrived_at: str
    attempt_count: int


def file_queries(transaction: Transaction, item: ArrivedItem) -> int:
    """File the queries of an item; return how many there are."""
    rows = list(_rows(transaction, item))
    if rows:
        statement = insert(asked_query).on_conflict_do_nothing(index_elements=["message_id"])
        transaction.connection.execute(statement, rows)
    return len(rows)


def _rows(transaction: Transaction, item: ArrivedItem) -> Iterator[dict[str, Any]]:
    for message in item.messages:
        if message.typed is None or not asks_mechanism(message.type):
            continue
        assert item.envelope is not None, "messages come in an envelope"
        yield {
            "message_id": message.message_id,
            "asker": item.envelope.sender,
            "envelope_sha256": item.envelope_sha256,
            "type": message.type,
            "body": msgspec.json.encode(message.plain),
            "arrived_at": transaction.at,
            "state": WAITING,
            "attempt_count": 0,
            "due_at_ms": 0,
        }


def fetch_due(connection: Connection, now_ms: int, limit: int) -> list[AskedQuery]:
    """Return up to ``limit`` queries that may be tried now, the oldest first."""
    names = [asked_query.c[name] for name in AskedQuery.__dataclass_fields__]
    rows = connection.execute(
        select(*names)
        .where(asked_query.c.state == WAITING, asked_query.c.due_at_ms <= now_ms)
        .order_by(asked_query.c.position)
        .limit(limit)
    ).mappings()
    return [AskedQuery(**{**row, "body": msgspec.json.decode(row["body"])}) for row in rows]


def next_due_ms(connection: Connection) -> int | None:
    """Return when the next query is due (milliseconds since 1970); None when none waits."""
    found: int | None = connection.execute(
        select(func.min(asked_query.c.due_at_ms)).where(asked_query.c.state == WAITING)
    ).scalar()
    return found


def postpone(connection: Connection, message_id: str, due_at_ms: int, reason: str) -> None:
    """Leave a query waiting until later, and say why."""
    connection.execute(
        update(asked_query)
        .where(asked_query.c.message_id == message_id, asked_query.c.state == WAITING)
        .values(
            due_at_ms=due_at_ms,
            reason=reason[:1000],
            attempt_count=asked_query.c.attempt_count + 1,
        )
    )


def settle(connection: Connection, message_id: str, rows: int, reason: str | None) -> bool:
    """Note that a query is answered; False when it was before (nothing changes then)."""
    result = connection.execute(
        update(asked_query)
        .where(asked_query.c.message_id == message_id, asked_query.c.state == WAITING)
        .values(state="answered", rows=rows, reason=reason)
    )
    return result.rowcount == 1


def note_refusal(connection: Connection, message_id: str, reason: str) -> None:
    """Note that the hub refused our answer."""
    connection.execute(
        update(asked_query)
        .where(asked_query.c.message_id == message_id)
        .values(state="refused", reason=reason[:1000])
    )


def count_states(connection: Connection) -> dict[str, int]:
    """Return how many queries there are in each state."""
    rows = connection.execute(
        select(asked_query.c.state, func.count()).group_by(asked_query.c.state)
    )
    return {str(row[0]): int(row[1]) for row in rows}
