"""Who signed in, from where, and whom it was refused to; kept for a year and a bit."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, insert, or_, select

from hub.store.people.tables import event


@dataclass(frozen=True, slots=True)
class SignInEvent:
    """One event. ``name`` is of a person; who typed a name that nobody has is not named."""

    at: datetime
    name: str
    person_id: str | None
    method: str
    address: str
    outcome: str
    detail: str | None = None
    event_id: int = 0


def add(connection: Connection, row: SignInEvent) -> None:
    """Insert an event; the database gives it its id."""
    connection.execute(
        insert(event).values(
            at=row.at,
            name=row.name,
            person_id=row.person_id,
            method=row.method,
            address=row.address,
            outcome=row.outcome,
            detail=row.detail,
        )
    )


def page(
    connection: Connection,
    limit: int,
    *,
    before: tuple[datetime, int] | None = None,
    name: str | None = None,
) -> list[SignInEvent]:
    """Return up to ``limit`` events, newest first, from the one behind ``before``."""
    chosen = select(
        event.c.at,
        event.c.name,
        event.c.person_id,
        event.c.method,
        event.c.address,
        event.c.outcome,
        event.c.detail,
        event.c.event_id,
    )
    if before is not None:
        at, event_id = before
        chosen = chosen.where(
            or_(event.c.at < at, and_(event.c.at == at, event.c.event_id < event_id))
        )
    if name is not None:
        chosen = chosen.where(event.c.name == name)
    ordered = chosen.order_by(event.c.at.desc(), event.c.event_id.desc()).limit(limit)
    return [SignInEvent(*row) for row in connection.execute(ordered)]


def erase_before(connection: Connection, at: datetime) -> None:
    """Delete the events before an instant."""
    connection.execute(delete(event).where(event.c.at < at))
