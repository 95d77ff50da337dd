"""Events for the registry behind the connector, kept until it has taken each of them, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from connectors.party_registry.tracking_tables import webhook_event

__all__ = ["WebhookEvent", "add_event", "count_waiting", "fetch_next", "postpone", "settle"]

_ADD: Final = insert(webhook_event)
_NEXT: Final = (
    select(
        webhook_event.c.event_id,
        webhook_event.c.kind,
        webhook_event.c.created_at,
        webhook_event.c.body,
        webhook_event.c.attempt_count,
        webhook_event.c.due_at_ms,
    )
    .where(webhook_event.c.delivered_at.is_(None))
    .order_by(webhook_event.c.event_id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event; `body` is the exact JSON that is posted and signed."""

    event_id: int
    kind: str
    created_at: str
    body: bytes
    attempt_count: int
    due_at_ms: int


def add_event(connection: Connection, kind: str, at: str, data: dict[str, Any]) -> None:
    """Store an event in the transaction of what it tells about."""
    body = msgspec.json.encode({"kind": kind, "at": at, "data": data})
    connection.execute(
        _ADD,
        {"kind": kind, "created_at": at, "body": body, "attempt_count": 0, "due_at_ms": 0},
    )


def fetch_next(connection: Connection) -> WebhookEvent | None:
    """Return the oldest event that was not taken yet."""
    row = connection.execute(_NEXT).first()
    return None if row is None else WebhookEvent(*row)


def settle(connection: Connection, event_id: int, at: str) -> None:
    """Note that the registry took an event."""
    connection.execute(
        update(webhook_event)
        .where(webhook_event.c.event_id == event_id)
        .values(delivered_at=at, reason=None)
    )


def postpone(connection: Connection, event_id: int, due_at_ms: int, reason: str) -> None:
    """Note a failed attempt and the time of the next."""
    connection.execute(
        update(webhook_event)
        .where(webhook_event.c.event_id == event_id)
        .values(
            attempt_count=webhook_event.c.attempt_count + 1,
            due_at_ms=due_at_ms,
            reason=reason[:500],
        )
    )


def count_waiting(connection: Connection) -> int:
    """Return how many events wait."""
    query = select(func.count()).where(webhook_event.c.delivered_at.is_(None))
    return int(connection.execute(query).scalar_one())
