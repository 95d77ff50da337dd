"""Steps in the middle of something: a second factor, a challenge, the way to a provider.

Each is used once: of two at once, one takes it. What nobody took is deleted when its time is over.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from hub.store.people.tables import flow


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A step: its kind, whose it is if anybody's, and what it must remember, as JSON."""

    kind: str
    person_id: str | None
    data: str
    ends_at: datetime


def add(connection: Connection, sha256: bytes, row: FlowRow) -> None:
    """Insert a step."""
    connection.execute(
        insert(flow).values(
            token_sha256=sha256,
            kind=row.kind,
            person_id=row.person_id,
            data=row.data,
            ends_at=row.ends_at,
        )
    )


def find(connection: Connection, sha256: bytes, kind: str, now: datetime) -> FlowRow | None:
    """Return a step of a kind that still counts."""
    row = connection.execute(
        select(flow.c.kind, flow.c.person_id, flow.c.data, flow.c.ends_at).where(
            flow.c.token_sha256 == sha256, flow.c.kind == kind, flow.c.ends_at > now
        )
    ).one_or_none()
    return None if row is None else FlowRow(*row)


def take(connection: Connection, sha256: bytes) -> bool:
    """Delete a step; return whether it was still there, and so is the caller's."""
    return connection.execute(delete(flow).where(flow.c.token_sha256 == sha256)).rowcount == 1


def keep_newest(connection: Connection, person_id: str, kind: str, count: int) -> None:
    """Delete a person's steps of a kind, but for the ``count`` that end last."""
    own = (flow.c.person_id == person_id, flow.c.kind == kind)
    newest = select(flow.c.token_sha256).where(*own).order_by(flow.c.ends_at.desc()).limit(count)
    connection.execute(delete(flow).where(*own, flow.c.token_sha256.not_in(newest)))


def remove_of(connection: Connection, person_id: str) -> None:
    """Delete all steps of a person."""
    connection.execute(delete(flow).where(flow.c.person_id == person_id))


def erase_ended(connection: Connection, now: datetime) -> None:
    """Delete the steps whose time is over."""
    connection.execute(delete(flow).where(flow.c.ends_at <= now))


def count(connection: Connection) -> int:
    """Return how many steps there are."""
    return connection.execute(select(func.count()).select_from(flow)).scalar_one()
