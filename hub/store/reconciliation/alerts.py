"""Alerts that are still to be told, and those that were: one row for each receiver of each event.

``subject`` names the event (``night/2026-11-22``): it is told to a receiver once, however often
the hub is started again meanwhile. ``body`` is the document that is told, as JSON.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, or_, select, update

from hub.store.reconciliation.tables import alert

WAITING: Final = "waiting"
SENT: Final = "sent"
GIVEN_UP: Final = "given_up"


@dataclass(frozen=True, slots=True)
class NewAlert:
    """Something to tell one receiver: by ``webhook`` or ``mail``, at which address."""

    channel: str
    target: str
    subject: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert, how often it failed, and when it is tried next or was done with."""

    alert_id: int
    channel: str
    target: str
    subject: str
    body: str
    created_at: datetime
    state: str
    failure_count: int
    next_attempt_at: datetime | None
    last_error: str | None
    done_at: datetime | None


_ALERTS: Final = select(*(alert.c[one.name] for one in fields(AlertRow)))


def add(connection: Connection, rows: Iterable[NewAlert]) -> int:
    """Write alerts to be told; return how many are new: an event is told to a receiver once."""
    count = 0
    for row in rows:
        known = select(alert.c.alert_id).where(
            alert.c.subject == row.subject,
            alert.c.channel == row.channel,
            alert.c.target == row.target,
        )
        if connection.execute(known.limit(1)).first() is None:
            values = {**asdict(row), "state": WAITING, "failure_count": 0}
            connection.execute(insert(alert).values(values))
            count += 1
    return count


def due(connection: Connection, now: datetime, limit: int) -> list[AlertRow]:
    """Return waiting alerts whose time has come, oldest first."""
    is_due = or_(alert.c.next_attempt_at.is_(None), alert.c.next_attempt_at <= now)
    found = _ALERTS.where(alert.c.state == WAITING, is_due).order_by(alert.c.alert_id).limit(limit)
    return [AlertRow(*row) for row in connection.execute(found)]


def newest(connection: Connection, states: Sequence[str], limit: int) -> list[AlertRow]:
    """Return the alerts in these states, newest first."""
    found = _ALERTS.where(alert.c.state.in_(states)).order_by(alert.c.alert_id.desc()).limit(limit)
    return [AlertRow(*row) for row in connection.execute(found)]


def finish(
    connection: Connection, alert_id: int, *, state: str, at: datetime, error: str | None = None
) -> None:
    """Note that an alert was sent, or given up for ``error``."""
    values = {"state": state, "done_at": at, "next_attempt_at": None}
    if error is not None:
        values["last_error"] = error
    connection.execute(
        update(alert).where(alert.c.alert_id == alert_id, alert.c.state == WAITING).values(values)
    )


def postpone(
    connection: Connection, alert_id: int, *, failure_count: int, until: datetime, error: str
) -> None:
    """Note that an alert could not be sent, why, and when it is tried again."""
    connection.execute(
        update(alert)
        .where(alert.c.alert_id == alert_id, alert.c.state == WAITING)
        .values(failure_count=failure_count, next_attempt_at=until, last_error=error)
    )


def counts(connection: Connection) -> dict[str, int]:
    """Return how many alerts are in which state."""
    rows = connection.execute(select(alert.c.state, func.count()).group_by(alert.c.state))
    return {row[0]: row[1] for row in rows}
