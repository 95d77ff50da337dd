"""Nights, and comparisons that somebody asked for: what is to run, what ran, when."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, or_, select, update

from hub.store.reconciliation.tables import night, request

RUNNING: Final = "running"
FINISHED: Final = "finished"
MISSED: Final = "missed"
WAITING: Final = "waiting"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class NightRow:
    """A night by its date (``YYYY-MM-DD``, UTC): running, finished or missed.

    ``own_books`` and ``summary`` are JSON: the check of the hub's own books, and what came of it
    all; None until there is one.
    """

    night: str
    state: str
    due_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    own_books: str | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A comparison that somebody asked for, of one registry or (None) of all.

    It is waiting, running, finished or refused; ``detail`` says why, and what helps.
    """

    request_id: int
    asked_at: datetime
    actor: str
    registry: str | None
    case_id: str | None
    state: str
    finished_at: datetime | None
    detail: str | None


_NIGHTS: Final = select(*(night.c[one.name] for one in fields(NightRow)))
_REQUESTS: Final = select(*(request.c[one.name] for one in fields(RequestRow)))


def add(connection: Connection, rows: Sequence[NightRow]) -> None:
    """Insert nights: one that begins, and those before it that were missed."""
    connection.execute(insert(night), [asdict(row) for row in rows])


def load(connection: Connection, name: str) -> NightRow | None:
    """Return a night by its date, or None."""
    row = connection.execute(_NIGHTS.where(night.c.night == name)).one_or_none()
    return None if row is None else NightRow(*row)


def newest(connection: Connection, limit: int) -> list[NightRow]:
    """Return the latest nights, newest first."""
    rows = connection.execute(_NIGHTS.order_by(night.c.night.desc()).limit(limit))
    return [NightRow(*row) for row in rows]


def running(connection: Connection) -> NightRow | None:
    """Return the night that is running, or None; there is never more than one."""
    found = _NIGHTS.where(night.c.state == RUNNING).order_by(night.c.night).limit(1)
    row = connection.execute(found).one_or_none()
    return None if row is None else NightRow(*row)


def set_own_books(connection: Connection, name: str, own_books: str) -> None:
    """Keep what the check of the hub's own books found, as JSON."""
    connection.execute(update(night).where(night.c.night == name).values(own_books=own_books))


def finish(connection: Connection, name: str, *, at: datetime, summary: str) -> bool:
    """End a running night; return False if it had ended already."""
    result = connection.execute(
        update(night)
        .where(night.c.night == name, night.c.state == RUNNING)
        .values(state=FINISHED, finished_at=at, summary=summary)
    )
    return bool(result.rowcount)


# --- requests ------------------------------------------------------------------------------------


def add_request(
    connection: Connection,
    *,
    asked_at: datetime,
    actor: str,
    registry: str | None,
    case_id: str | None = None,
) -> int:
    """Ask for a comparison, of one registry or of all; return the request's number."""
    result = connection.execute(
        insert(request).values(
            asked_at=asked_at, actor=actor, registry=registry, case_id=case_id, state=WAITING
        )
    )
    key = result.inserted_primary_key
    assert key is not None, "the database numbers requests"
    return int(key[0])


def load_request(connection: Connection, request_id: int) -> RequestRow | None:
    """Return a request by its number, or None."""
    found = _REQUESTS.where(request.c.request_id == request_id)
    row = connection.execute(found).one_or_none()
    return None if row is None else RequestRow(*row)


def open_requests(connection: Connection) -> list[RequestRow]:
    """Return the requests that wait or run, oldest first."""
    found = _REQUESTS.where(request.c.state.in_((WAITING, RUNNING)))
    return [RequestRow(*row) for row in connection.execute(found.order_by(request.c.request_id))]


def is_waiting(connection: Connection, registry: str) -> bool:
    """Tell whether a comparison of a registry, alone or with all, was asked and is not begun."""
    found = select(request.c.request_id).where(
        request.c.state == WAITING,
        or_(request.c.registry == registry, request.c.registry.is_(None)),
    )
    return connection.execute(found.limit(1)).scalar_one_or_none() is not None


def set_request(
    connection: Connection,
    request_id: int,
    *,
    state: str,
    finished_at: datetime | None = None,
    detail: str | None = None,
) -> None:
    """Write where a request stands."""
    connection.execute(
        update(request)
        .where(request.c.request_id == request_id)
        .values(state=state, finished_at=finished_at, detail=detail)
    )
