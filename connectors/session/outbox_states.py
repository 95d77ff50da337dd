"""What can become of a sealed envelope, and what an operator may do about a parked one.

    queued    --receipt verified-->   receipted    final
    queued    --no answer-->          queued       later, the same bytes
    queued    --final problem-->      parked       the line stops, an alarm is raised
    parked    --operator: retry-->    queued       the same bytes again
    parked    --operator: reseal-->   abandoned    its messages wait again, for a new envelope
    parked    --operator: abandon-->  abandoned    its messages end as refused, by the operator

Resealing is safe even if the hub had the envelope after all: a message that repeats a natural id
(a transfer, an action, a record) with the same content is answered `duplicate-of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select, update

from connectors.session.tables import outbox_envelope, outbox_message
from message_schemas.envelopes import Outcome

__all__ = [
    "OutboxEntry",
    "abandon",
    "has_postponed",
    "list_envelopes",
    "park",
    "postpone",
    "record_receipt",
    "reseal",
    "retry",
    "wake_postponed",
]


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A sealed envelope as the operator sees it."""

    envelope_id: str
    recipient: str
    state: str
    sealed_at: str
    attempt_count: int
    due_at_ms: int
    reason: str | None
    receipted_at: str | None


_RECEIPTED: Final = (
    update(outbox_envelope)
    .where(outbox_envelope.c.envelope_id == bindparam("envelope"))
    .where(outbox_envelope.c.state.in_(("queued", "parked")))
    .values(
        state="receipted",
        receipt=bindparam("receipt_raw"),
        receipted_at=bindparam("receipt_at"),
        reason=None,
    )
)
_OUTCOME: Final = (
    update(outbox_message)
    .where(outbox_message.c.message_id == bindparam("message"))
    .values(outcome=bindparam("outcome_name"), outcome_json=bindparam("outcome_raw"))
)


_WAKE: Final = (
    update(outbox_envelope)
    .where(outbox_envelope.c.state == "queued", outbox_envelope.c.due_at_ms > bindparam("now_ms"))
    .values(due_at_ms=bindparam("now_ms"))
)


def record_receipt(
    connection: Connection,
    envelope_id: str,
    raw: bytes,
    outcomes: Mapping[str, Outcome],
    at: str,
) -> bool:
    """Store a verified receipt and its outcomes; tell whether it was the first for the envelope.

    A late receipt wins over a parked state; it changes nothing for an abandoned envelope.
    """
    result = connection.execute(
        _RECEIPTED, {"envelope": envelope_id, "receipt_raw": raw, "receipt_at": at}
    )
    if result.rowcount == 0:
        return False
    connection.execute(
        _OUTCOME,
        [
            {
                "message": message_id,
                "outcome_name": outcome.outcome,
                "outcome_raw": msgspec.json.encode(outcome),
            }
            for message_id, outcome in outcomes.items()
        ],
    )
    return True


def postpone(connection: Connection, envelope_id: str, due_at_ms: int, reason: str) -> None:
    """Count a failed attempt and set the time of the next, which outlives a restart."""
    connection.execute(
        update(outbox_envelope)
        .where(outbox_envelope.c.envelope_id == envelope_id, outbox_envelope.c.state == "queued")
        .values(
            attempt_count=outbox_envelope.c.attempt_count + 1,
            due_at_ms=due_at_ms,
            reason=reason[:500],
        )
    )


def park(connection: Connection, envelope_id: str, reason: str) -> None:
    """Stop the line of this envelope until an operator looks at the reason."""
    connection.execute(
        update(outbox_envelope)
        .where(outbox_envelope.c.envelope_id == envelope_id, outbox_envelope.c.state == "queued")
        .values(
            state="parked",
            attempt_count=outbox_envelope.c.attempt_count + 1,
            reason=reason[:500],
        )
    )


def has_postponed(connection: Connection, now_ms: int) -> bool:
    """Tell whether an envelope waits for a later time."""
    query = select(outbox_envelope.c.position).where(
        outbox_envelope.c.state == "queued", outbox_envelope.c.due_at_ms > now_ms
    )
    return connection.execute(query.limit(1)).first() is not None


def wake_postponed(connection: Connection, now_ms: int) -> int:
    """Make every waiting envelope due: the hub gave a sign of life, or an operator asks."""
    return connection.execute(_WAKE, {"now_ms": now_ms}).rowcount


def retry(connection: Connection, envelope_id: str, now_ms: int) -> bool:
    """Send a parked envelope again, the same bytes; tell whether there was one."""
    result = connection.execute(
        update(outbox_envelope)
        .where(outbox_envelope.c.envelope_id == envelope_id, outbox_envelope.c.state == "parked")
        .values(state="queued", due_at_ms=now_ms)
    )
    return result.rowcount == 1


def _give_up(connection: Connection, envelope_id: str) -> bool:
    result = connection.execute(
        update(outbox_envelope)
        .where(outbox_envelope.c.envelope_id == envelope_id, outbox_envelope.c.state == "parked")
        .values(state="abandoned")
    )
    return result.rowcount == 1


def reseal(connection: Connection, envelope_id: str) -> bool:
    """Let the messages of a parked envelope wait again, for a new one under a valid key."""
    if not _give_up(connection, envelope_id):
        return False
    connection.execute(
        update(outbox_message)
        .where(outbox_message.c.envelope_id == envelope_id)
        .values(envelope_id=None)
    )
    return True


def abandon(connection: Connection, envelope_id: str, outcomes: Iterable[Outcome]) -> bool:
    """End the messages of a parked envelope with these outcomes, made by the operator."""
    if not _give_up(connection, envelope_id):
        return False
    connection.execute(
        _OUTCOME,
        [
            {
                "message": outcome.message_id,
                "outcome_name": "abandoned",
                "outcome_raw": msgspec.json.encode(outcome),
            }
            for outcome in outcomes
        ],
    )
    return True


def list_envelopes(connection: Connection, *, open_only: bool, limit: int) -> list[OutboxEntry]:
    """Return up to `limit` envelopes, the newest first."""
    columns = [outbox_envelope.c[name] for name in OutboxEntry.__dataclass_fields__]
    query = select(*columns).order_by(outbox_envelope.c.position.desc()).limit(limit)
    if open_only:
        query = query.where(outbox_envelope.c.state.in_(("queued", "parked")))
    return [OutboxEntry(**row) for row in connection.execute(query).mappings()]


def count_open(connection: Connection) -> dict[str, int]:
    """Return how many messages wait for an envelope, and how many envelopes are in each state."""
    states = connection.execute(
        select(outbox_envelope.c.state, func.count())
        .where(outbox_envelope.c.state.in_(("queued", "parked")))
        .group_by(outbox_envelope.c.state)
    )
    counts: dict[str, Any] = {str(state): int(count) for state, count in states}
    waiting = select(func.count()).where(
        outbox_message.c.envelope_id.is_(None), outbox_message.c.outcome.is_(None)
    )
    return {
        "waiting": int(connection.execute(waiting).scalar_one()),
        "queued": counts.get("queued", 0),
        "parked": counts.get("parked", 0),
    }
