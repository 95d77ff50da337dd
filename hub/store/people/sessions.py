"""Sessions of browsers. A token stands here as its SHA-256; a session that ended is deleted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from hub.store.people.persons import ACTIVE
from hub.store.people.tables import person, session

LISTED_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session; ``session_id`` names it and opens nothing."""

    session_id: str
    person_id: str
    method: str
    address: str
    agent: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class FoundSession:
    """An open session with what of its person every page needs."""

    row: SessionRow
    name: str
    display_name: str
    role: str
    administrator: str | None
    language: str | None
    theme: str | None


_COLUMNS: Final = (
    session.c.session_id,
    session.c.person_id,
    session.c.method,
    session.c.address,
    session.c.agent,
    session.c.created_at,
    session.c.seen_at,
    session.c.ends_at,
)


def add(connection: Connection, sha256: bytes, row: SessionRow) -> None:
    """Insert a session."""
    connection.execute(
        insert(session).values(
            token_sha256=sha256,
            session_id=row.session_id,
            person_id=row.person_id,
            method=row.method,
            address=row.address,
            agent=row.agent,
            created_at=row.created_at,
            seen_at=row.seen_at,
            ends_at=row.ends_at,
        )
    )


def find(
    connection: Connection, sha256: bytes, seen_after: datetime, now: datetime
) -> FoundSession | None:
    """Return the session of a token that has not ended, of a person who may sign in."""
    row = connection.execute(
        select(
            *_COLUMNS,
            person.c.name,
            person.c.display_name,
            person.c.role,
            person.c.administrator,
            person.c.language,
            person.c.theme,
        )
        .join(person, person.c.person_id == session.c.person_id)
        .where(
            session.c.token_sha256 == sha256,
            session.c.ends_at > now,
            session.c.seen_at > seen_after,
            person.c.state == ACTIVE,
        )
    ).one_or_none()
    if row is None:
        return None
    own = len(_COLUMNS)
    return FoundSession(SessionRow(*row[:own]), *row[own:])


def see(connection: Connection, sha256: bytes, at: datetime) -> None:
    """Write that a session was used; the later of two instants stays."""
    connection.execute(
        update(session)
        .where(session.c.token_sha256 == sha256, session.c.seen_at < at)
        .values(seen_at=at)
    )


def replace_token(
    connection: Connection, before: bytes, after: bytes, method: str, at: datetime
) -> bool:
    """Give a session another token; the old one opens nothing any more. False if it has ended."""
    result = connection.execute(
        update(session)
        .where(session.c.token_sha256 == before, session.c.ends_at > at)
        .values(token_sha256=after, method=method, created_at=at, seen_at=at)
    )
    return result.rowcount == 1


def remove(connection: Connection, sha256: bytes) -> bool:
    """Delete the session of a token; return whether there was one."""
    result = connection.execute(delete(session).where(session.c.token_sha256 == sha256))
    return result.rowcount == 1


def remove_one(connection: Connection, person_id: str, session_id: str) -> bool:
    """Delete a session of a person; return whether there was one."""
    result = connection.execute(
        delete(session).where(session.c.person_id == person_id, session.c.session_id == session_id)
    )
    return result.rowcount == 1


def remove_all(connection: Connection, person_id: str, but: str | None = None) -> int:
    """Delete a person's sessions, except the one with the id ``but``; return how many."""
    chosen = delete(session).where(session.c.person_id == person_id)
    if but is not None:
        chosen = chosen.where(session.c.session_id != but)
    return connection.execute(chosen).rowcount


def remove_of_method(connection: Connection, person_id: str, method: str, but: str) -> int:
    """Delete a person's sessions begun in one way, except the one with the id ``but``."""
    return connection.execute(
        delete(session).where(
            session.c.person_id == person_id,
            session.c.method == method,
            session.c.session_id != but,
        )
    ).rowcount


def erase_ended(connection: Connection, now: datetime) -> None:
    """Delete the sessions whose time is over."""
    connection.execute(delete(session).where(session.c.ends_at <= now))


def listed(
    connection: Connection, person_id: str | None, seen_after: datetime, now: datetime
) -> list[SessionRow]:
    """Return open sessions, the last used first, at most ``LISTED_MAX``; None: of everybody."""
    chosen = select(*_COLUMNS).where(session.c.ends_at > now, session.c.seen_at > seen_after)
    if person_id is not None:
        chosen = chosen.where(session.c.person_id == person_id)
    ordered = chosen.order_by(session.c.seen_at.desc(), session.c.session_id).limit(LISTED_MAX)
    return [SessionRow(*row) for row in connection.execute(ordered)]
