"""What the report of a night reads: sessions, sizes, cases, frozen units, the nights before."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, or_, select

from hub.store.parts import in_parts
from hub.store.reconciliation import nights
from hub.store.reconciliation.nights import NightRow
from hub.store.reconciliation.tables import (
    answer,
    case,
    case_event,
    case_range,
    link,
    night,
    question,
    session,
)
from hub.store.tables import participant

CLOSED: Final = "closed"
REOPENED: Final = "reopened"


class CaseRow(NamedTuple):
    """A case as it stands, and how many of its units are frozen."""

    case_id: str
    registry: str
    kind: str
    state: str
    summary: str
    units: int
    frozen_units: int
    assignee: str | None
    due_on: str | None
    opened_at: datetime
    opened_session: str
    last_session: str
    closed_at: datetime | None
    closed_session: str | None
    reopened_count: int


class EndedSession(NamedTuple):
    """What a session came to, and the cases that it opened or reopened (which of the two)."""

    registry: str
    night: str | None
    state: str
    reason: str | None
    cases: list[tuple[str, CaseRow]]


class PastSession(NamedTuple):
    """What a session of an earlier night came to."""

    night: str
    registry: str
    state: str
    agreed: bool | None


_FROZEN: Final = (
    select(
        case_range.c.case_id,
        func.sum(case_range.c.last_serial - case_range.c.first_serial + 1).label("units"),
    )
    .where(case_range.c.is_frozen)
    .group_by(case_range.c.case_id)
    .subquery()
)
_CASES: Final = select(
    case.c.case_id,
    case.c.registry,
    case.c.kind,
    case.c.state,
    case.c.summary,
    case.c.units,
    func.coalesce(_FROZEN.c.units, 0),
    case.c.assignee,
    case.c.due_on,
    case.c.opened_at,
    case.c.opened_session,
    case.c.last_session,
    case.c.closed_at,
    case.c.closed_session,
    case.c.reopened_count,
).outerjoin(_FROZEN, _FROZEN.c.case_id == case.c.case_id)


def hub_code(connection: Connection) -> str:
    """Return the hub's own code."""
    found = select(participant.c.code).where(participant.c.kind == "hub").order_by("code").limit(1)
    return str(connection.execute(found).scalar_one())


def names(connection: Connection) -> dict[str, str]:
    """Return the names of all participants, by code."""
    rows = connection.execute(select(participant.c.code, participant.c.name))
    return {row[0]: row[1] for row in rows}


def compared(connection: Connection) -> dict[str, str]:
    """Return how each registry is compared, by code, without those that are not."""
    rows = connection.execute(
        select(link.c.registry, link.c.mode).where(link.c.mode != "off").order_by(link.c.registry)
    )
    return {row[0]: row[1] for row in rows}


def sizes(connection: Connection, sessions: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return how many characters of questions and of answers each session took."""
    found: dict[str, list[int]] = {}
    for place, table in enumerate((question, answer)):
        for part in in_parts(sessions):
            rows = connection.execute(
                select(table.c.session, func.sum(func.length(table.c.body)))
                .where(table.c.session.in_(part))
                .group_by(table.c.session)
            )
            for name, size in rows:
                found.setdefault(name, [0, 0])[place] = int(size)
    return {name: (asked, answered) for name, (asked, answered) in found.items()}


def cases_as_of(connection: Connection, until: datetime, since: datetime) -> list[CaseRow]:
    """Return the cases opened by ``until`` that were open then, or closed after ``since``.

    Oldest first. What a case came to later is in its row: a row has the state of today.
    """
    rows = connection.execute(
        _CASES.where(
            case.c.opened_at <= until,
            or_(case.c.closed_at.is_(None), case.c.closed_at >= since),
        ).order_by(case.c.opened_at, case.c.case_id)
    )
    return [_case(row) for row in rows]


def session_with_cases(connection: Connection, name: str) -> EndedSession | None:
    """Return a session with the cases that it opened or reopened; None if there is none."""
    found = connection.execute(
        select(
            session.c.registry,
            session.c.night,
            session.c.state,
            session.c.reason,
            session.c.result_log_index,
        ).where(session.c.session == name)
    ).one_or_none()
    if found is None:
        return None
    again = reopened(connection, [] if found[4] is None else [found[4]])
    touched = connection.execute(
        _CASES.where(or_(case.c.opened_session == name, case.c.case_id.in_(sorted(again))))
    )
    cases = sorted(map(_case, touched), key=lambda row: row.case_id)
    told = [("reopened" if row.case_id in again else "opened", row) for row in cases]
    return EndedSession(*found[:4], told)


def _case(row: Any) -> CaseRow:
    return CaseRow(*row)._replace(frozen_units=int(row[6]))  # PostgreSQL sums to a decimal


def reopened(connection: Connection, log_indices: Collection[int]) -> set[str]:
    """Return the cases that were reopened by these entries of the log."""
    found: set[str] = set()
    for part in in_parts(log_indices):
        rows = connection.execute(
            select(case_event.c.case_id).where(
                case_event.c.log_index.in_(part), case_event.c.kind == REOPENED
            )
        )
        found |= set(rows.scalars())
    return found


def nights_up_to(connection: Connection, name: str, limit: int) -> list[NightRow]:
    """Return a night and those before it, oldest first."""
    rows = connection.execute(
        select(*(night.c[one.name] for one in fields(NightRow)))
        .where(night.c.night <= name)
        .order_by(night.c.night.desc())
        .limit(limit)
    )
    return [NightRow(*row) for row in reversed(rows.all())]


def newest_night(connection: Connection) -> str | None:
    """Return the newest night that ran, or runs."""
    ran = select(func.max(night.c.night)).where(night.c.state != nights.MISSED)
    found: str | None = connection.execute(ran).scalar_one()
    return found


def past_sessions(connection: Connection, first: str, last: str) -> list[PastSession]:
    """Return what the sessions of these nights, both included, came to."""
    rows = connection.execute(
        select(session.c.night, session.c.registry, session.c.state, session.c.agreed)
        .where(session.c.night >= first, session.c.night <= last)
        .order_by(session.c.night, session.c.registry)
    )
    return [PastSession(*row) for row in rows]


# --- numbers for the operator --------------------------------------------------------------------


def case_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many cases that are not closed there are, by state and kind."""
    rows = connection.execute(
        select(case.c.state, case.c.kind, func.count())
        .where(case.c.state != CLOSED)
        .group_by(case.c.state, case.c.kind)
    )
    return {(row[0], row[1]): row[2] for row in rows}


def frozen_units(connection: Connection) -> int:
    """Return how many units are frozen by cases."""
    return int(connection.execute(select(func.coalesce(func.sum(_FROZEN.c.units), 0))).scalar_one())


def oldest_open(connection: Connection) -> datetime | None:
    """Return when the oldest case that is not closed was opened."""
    found: datetime | None = connection.execute(
        select(case.c.opened_at).where(case.c.state != CLOSED).order_by(case.c.opened_at).limit(1)
    ).scalar_one_or_none()
    return found
