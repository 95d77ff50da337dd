"""What asks for the secretariat's attention: one row a cause, counted, never a flood."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from uuid_utils import uuid7

from hub.store.tables import alert


@dataclass(frozen=True, slots=True)
class Alert:
    """A cause for attention, when it was last seen and how often."""

    at: datetime
    kind: str
    subject: str
    detail: str
    count: int


def add(connection: Connection, *, kind: str, subject: str, detail: str, at: datetime) -> None:
    """Raise an alert, or count one more of the same cause."""
    result = connection.execute(
        update(alert)
        .where(alert.c.kind == kind, alert.c.subject == subject)
        .values(at=at, detail=detail, count=alert.c.count + 1)
    )
    if result.rowcount == 0:
        connection.execute(
            insert(alert).values(
                alert_id=str(uuid7()), at=at, kind=kind, subject=subject, detail=detail, count=1
            )
        )


def newest(connection: Connection, limit: int = 100) -> list[Alert]:
    """Return the latest alerts, newest first."""
    rows = connection.execute(
        select(alert.c.at, alert.c.kind, alert.c.subject, alert.c.detail, alert.c.count)
        .order_by(alert.c.at.desc(), alert.c.alert_id)
        .limit(limit)
    )
    return [Alert(*row) for row in rows]
