"""What the hub said against itself: an alarm, the evidence whole, and for most kinds a pause.

A paused session sends nothing and takes nothing: what is said now might rest on a history that
others do not see. An operator ends the pause with a reason; nothing ends it by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, update

from connectors.session.alarms import AlarmKind, raise_alarm
from connectors.session.log.tables import log_evidence, log_pause

__all__ = ["PAUSING", "Finding", "Pause", "load_pause", "record_finding", "resume"]

PAUSING: Final = frozenset(
    {
        AlarmKind.LOG_FORK,
        AlarmKind.LOG_ROLLED_BACK,
        AlarmKind.LOG_PROOF_INVALID,
        AlarmKind.LOG_ENTRY_DIFFERS,
        AlarmKind.LOG_COUNTER_GAP,
    }
)
"""The kinds after which the session pauses, unless a finding says that it may go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found. `believed_note` is the last believed, `other_note` the one against it."""

    kind: AlarmKind
    reference: str
    detail: str
    believed_note: bytes | None = None
    other_note: bytes | None = None
    other: bytes | None = None
    may_go_on: bool = False

    @property
    def pauses(self) -> bool:
        """Whether the session stops for it."""
        return self.kind in PAUSING and not self.may_go_on


@dataclass(frozen=True, slots=True)
class Pause:
    """Why and since when nothing is sent and nothing taken."""

    kind: str
    detail: str
    paused_at: str


def record_finding(connection: Connection, finding: Finding, at: str) -> None:
    """Raise the alarm, keep the evidence once for each alarm that is open, and pause if it must."""
    evidence = b"\n".join(
        part for part in (finding.believed_note, finding.other_note, finding.other) if part
    )
    is_new = raise_alarm(
        connection, finding.kind, finding.reference, finding.detail, at, evidence or None
    )
    if is_new:
        connection.execute(
            insert(log_evidence).values(
                kind=finding.kind.value,
                reference=finding.reference[:200],
                detail=finding.detail,
                found_at=at,
                believed_note=finding.believed_note,
                other_note=finding.other_note,
                other=finding.other,
            )
        )
    if finding.pauses and load_pause(connection) is None:
        connection.execute(
            insert(log_pause).values(kind=finding.kind.value, detail=finding.detail, paused_at=at)
        )


def load_pause(connection: Connection) -> Pause | None:
    """Return the pause that lasts, if one does."""
    query = select(log_pause.c.kind, log_pause.c.detail, log_pause.c.paused_at).where(
        log_pause.c.resumed_at.is_(None)
    )
    row = connection.execute(query.order_by(log_pause.c.pause_id).limit(1)).first()
    return None if row is None else Pause(*row)


def resume(connection: Connection, reason: str, at: str) -> bool:
    """End the pause for a reason; tell whether there was one."""
    result = connection.execute(
        update(log_pause)
        .where(log_pause.c.resumed_at.is_(None))
        .values(resumed_at=at, reason=reason)
    )
    return result.rowcount > 0
