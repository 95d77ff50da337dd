"""What an operator must look at: kept in the database, counted, with the bytes that caused it.

One open alarm of a kind and reference at a time: when the same thing happens again its count and
last time change, so that a peer who repeats an attack fills no disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from connectors.session.tables import alarm

__all__ = ["Alarm", "AlarmKind", "close_alarm", "count_open", "list_alarms", "raise_alarm"]

EVIDENCE_BYTES_MAX: Final = 65_536
KEPT_OF_A_KIND_MAX: Final = 100
_DETAIL_CHARACTERS_MAX: Final = 2_000


class AlarmKind(StrEnum):
    """The closed list of what a session and its registry raise an alarm about."""

    RECEIPT_INVALID = "receipt-invalid"
    ENVELOPE_PARKED = "envelope-parked"
    DELIVERY_FORGED = "delivery-forged"
    DELIVERY_INVALID = "delivery-invalid"
    DELIVERY_GAP = "delivery-gap"
    HISTORY_DIFFERS = "history-differs"
    ACKNOWLEDGEMENT_REFUSED = "acknowledgement-refused"
    PARTICIPANTS_INVALID = "participants-invalid"
    MESSAGE_REFUSED = "message-refused"
    ANSWER_UNEXPECTED = "answer-unexpected"
    BOOK_DIFFERS = "book-differs"
    RECONCILIATION_DIFFERS = "reconciliation-differs"
    LOG_FORK = "log-fork"
    LOG_ROLLED_BACK = "log-rolled-back"
    LOG_PROOF_INVALID = "log-proof-invalid"
    LOG_ENTRY_DIFFERS = "log-entry-differs"
    LOG_COUNTER_GAP = "log-counter-gap"
    LOG_CHECKPOINT_STALE = "log-checkpoint-stale"
    LOG_KEY_CHANGED = "log-key-changed"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as the operator sees it; times are TS texts."""

    alarm_id: int
    kind: str
    reference: str
    detail: str
    raised_at: str
    last_at: str
    count: int
    closed_at: str | None


def raise_alarm(
    connection: Connection,
    kind: AlarmKind,
    reference: str,
    detail: str,
    at: str,
    evidence: bytes | None = None,
) -> bool:
    """Record that this happened; an open alarm of the kind and reference is counted up.

    Returns whether a new alarm was opened for it.
    """
    detail = detail[:_DETAIL_CHARACTERS_MAX]
    if evidence is not None and _count_open_of(connection, kind) >= KEPT_OF_A_KIND_MAX:
        # Whoever can reach the push address could otherwise fill the disk with other bytes.
        reference, evidence = "more of the same kind", None
    again = connection.execute(
        update(alarm)
        .where(
            alarm.c.closed_at.is_(None), alarm.c.kind == kind, alarm.c.reference == reference[:200]
        )
        .values(count=alarm.c.count + 1, last_at=at, detail=detail)
    )
    if again.rowcount:
        return False
    connection.execute(
        insert(alarm).values(
            kind=kind.value,
            reference=reference[:200],
            detail=detail,
            raised_at=at,
            last_at=at,
            count=1,
            evidence=None if evidence is None else evidence[:EVIDENCE_BYTES_MAX],
        )
    )
    return True


def _count_open_of(connection: Connection, kind: AlarmKind) -> int:
    query = select(func.count()).where(alarm.c.closed_at.is_(None), alarm.c.kind == kind)
    return int(connection.execute(query).scalar_one())


def list_alarms(connection: Connection, *, open_only: bool, limit: int) -> list[Alarm]:
    """Return up to `limit` alarms, the newest first."""
    columns = [column for column in alarm.c if column.name != "evidence"]
    query = select(*columns).order_by(alarm.c.alarm_id.desc()).limit(limit)
    if open_only:
        query = query.where(alarm.c.closed_at.is_(None))
    return [Alarm(**row) for row in connection.execute(query).mappings()]


def close_alarm(connection: Connection, alarm_id: int, at: str) -> bool:
    """Close an open alarm; tell whether there was one with this id."""
    result = connection.execute(
        update(alarm)
        .where(alarm.c.alarm_id == alarm_id, alarm.c.closed_at.is_(None))
        .values(closed_at=at)
    )
    return result.rowcount == 1


def count_open(connection: Connection) -> int:
    """Return how many alarms are open."""
    query = select(func.count()).where(alarm.c.closed_at.is_(None))
    return int(connection.execute(query).scalar_one())
