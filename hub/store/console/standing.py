"""How the books stand, registry by registry: sessions of the last nights, open cases, frozen units.

All of it is bounded: by the nights asked for, and by the open cases; the database counts them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Subquery, and_, func, select
from sqlalchemy import case as when

from hub.store.parts import in_parts
from hub.store.reconciliation.cases import FindingRow
from hub.store.reconciliation.tables import answer, case, case_range, finding, question, session
from reconciliation.case_states import IS_OPEN, CaseState

_SESSIONS_LOOKED_AT: Final = 10
_OPEN: Final = case.c.state.in_(sorted(IS_OPEN))


@dataclass(frozen=True, slots=True)
class Compared:
    """A session as a heat map shows it. ``late``: it ended after the time for its last answer."""

    session: str
    registry: str
    night: str | None
    mode: str
    state: str
    agreed: bool | None
    finding_count: int
    log_index: int
    late: bool
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenCases:
    """How many open cases of one kind there are: by age, of how many units, how many overdue.

    ``by_age`` has a number for each group of ages that was asked for.
    """

    kind: str
    by_age: tuple[int, ...]
    overdue: int

    @property
    def count(self) -> int:
        """Return how many there are."""
        return sum(self.by_age)


def first_cut(connection: Connection, night: str) -> int | None:
    """Return the log index of a night's first cut, None if nobody was asked in it."""
    found: int | None = connection.execute(
        select(func.min(session.c.log_index)).where(session.c.night == night)
    ).scalar_one()
    return found


_COMPARED: Final = select(
    session.c.session,
    session.c.registry,
    session.c.night,
    session.c.mode,
    session.c.state,
    session.c.agreed,
    func.coalesce(session.c.finding_count, 0),
    session.c.log_index,
    func.coalesce(session.c.finished_at > session.c.answer_by, False),
    session.c.asked_at,
)


def sessions_since(
    connection: Connection, registries: Collection[str], log_index: int
) -> list[Compared]:
    """Return the sessions of registries whose cut is at a log index or behind it, in that order.

    Those of nights and those that somebody asked for.
    """
    rows = (
        row
        for part in in_parts(sorted(registries))
        for row in connection.execute(
            _COMPARED.where(session.c.registry.in_(part), session.c.log_index >= log_index)
        )
    )
    return sorted((Compared(*row) for row in rows), key=lambda one: one.log_index)


def newest_of(connection: Connection, registries: Iterable[str]) -> list[Compared]:
    """Return the newest sessions that ended of each registry, in the order of their cuts.

    Some of them, as units and records have sessions of their own; for few registries.
    """
    found: list[Compared] = []
    for registry in registries:
        of_registry = _COMPARED.where(session.c.registry == registry, session.c.state != "asking")
        newest = of_registry.order_by(session.c.log_index.desc()).limit(_SESSIONS_LOOKED_AT)
        found += [Compared(*row) for row in connection.execute(newest)][::-1]
    return found


def last_statements(connection: Connection, registries: Iterable[str]) -> dict[str, datetime]:
    """Return when registries that hand in statements last did, of those that ever did lately.

    The newest sessions of each are looked at: of a registry that hands them in, few are of another
    kind.
    """
    found: dict[str, datetime] = {}
    for registry in registries:
        newest = (
            select(session.c.asked_at, session.c.trigger)
            .where(session.c.registry == registry)
            .order_by(session.c.log_index.desc())
            .limit(_SESSIONS_LOOKED_AT)
            .subquery()
        )
        of_statements = select(func.max(newest.c.asked_at)).where(newest.c.trigger == "statement")
        at = connection.execute(of_statements).scalar_one()
        if at is not None:
            found[registry] = at
    return found


def open_cases(
    connection: Connection, *, since: Collection[datetime], today: date
) -> list[OpenCases]:
    """Return the open cases by kind, most first.

    ``since`` parts the ages, latest first: opened at or after the first instant, then between it
    and the next, and so on; what is older is the last group.
    """
    steps = list(since)
    is_of = []
    for place in range(len(steps) + 1):
        parts = []
        if place < len(steps):
            parts.append(case.c.opened_at >= steps[place])
        if place > 0:
            parts.append(case.c.opened_at < steps[place - 1])
        condition = parts[0] if len(parts) == 1 else parts[0] & parts[1]
        is_of.append(func.sum(when((condition, 1), else_=0)))
    overdue = func.sum(when((case.c.due_on < today.isoformat(), 1), else_=0))
    rows = connection.execute(
        select(case.c.kind, overdue, *is_of).where(_OPEN).group_by(case.c.kind)
    )
    found = [OpenCases(row[0], tuple(map(int, row[2:])), int(row[1])) for row in rows]
    return sorted(found, key=lambda one: (-one.count, one.kind))


@dataclass(frozen=True, slots=True)
class FrozenUnits:
    """Frozen units: by the registry whose cases freeze them, and in all.

    Each serial counts once, however many cases freeze it; one that cases of two registries freeze
    is with both of them, and in ``total`` once.
    """

    by_registry: Mapping[str, int]
    total: int


def frozen_units(connection: Connection) -> FrozenUnits:
    """Return how many units are frozen; the database joins the ranges that lie over each other."""
    by_registry = _frozen_once(case.c.registry)
    found = connection.execute(
        select(by_registry.c.registry, func.sum(by_registry.c.units)).group_by(
            by_registry.c.registry
        )
    )
    total = connection.execute(select(func.sum(_frozen_once().c.units))).scalar_one()
    return FrozenUnits({row[0]: int(row[1]) for row in found}, int(total or 0))


def _frozen_once(*parted_by: ColumnElement[str]) -> Subquery:
    """Return, for each frozen range, the units that no range before it has, as ``units``.

    Before it: of the same series (and what it is parted by), in the order of serials.
    """
    series = [
        # An expression: SQLite would else read all ranges that ever were, in the order of their
        # serials, to be spared the sorting of the few that are frozen.
        func.coalesce(case_range.c.cooperative_approach, ""),
        case_range.c.originating_registry,
        case_range.c.first_transferring_party,
        case_range.c.vintage,
    ]
    behind = func.coalesce(
        func.max(case_range.c.last_serial).over(
            partition_by=[*parted_by, *series],
            order_by=[case_range.c.first_serial, case_range.c.case_id, case_range.c.ordinal],
            rows=(None, -1),
        ),
        0,
    )
    ranges = (
        select(
            *parted_by,
            case_range.c.first_serial.label("first"),
            case_range.c.last_serial.label("last"),
            behind.label("behind"),
        )
        .join(case, case.c.case_id == case_range.c.case_id)
        .where(case_range.c.is_frozen)
        .subquery()
    )
    of = ranges.c
    units = when(
        (of.behind < of.first, of.last - of.first + 1),
        (of.behind < of.last, of.last - of.behind),
        else_=0,
    )
    return select(*(of[str(one.key)] for one in parted_by), units.label("units")).subquery()


@dataclass(frozen=True, slots=True)
class TouchedCase:
    """A case that a night opened, met again or closed, as it stands today."""

    case_id: str
    registry: str
    kind: str
    state: str
    units: int
    summary: str
    opened_session: str
    closed_session: str | None


def touched_cases(
    connection: Connection,
    sessions: Collection[str],
    since: datetime,
    until: datetime,
    limit: int,
) -> list[TouchedCase]:
    """Return up to ``limit`` cases that sessions of one night touched, by registry and id.

    Found by what the sessions found, and by when cases were opened or closed; not by reading cases.
    """
    names = set(sessions)
    found: dict[str, TouchedCase] = {}
    of_findings = [
        select(finding.c.case_id)
        .where(finding.c.session.in_(part), finding.c.case_id.is_not(None))
        .distinct()
        .limit(limit)
        for part in in_parts(sorted(names))
    ]
    ids = {row[0] for one in of_findings for row in connection.execute(one)}
    opened = [
        _TOUCHED.where(case.c.state == state.value, case.c.opened_at.between(since, until))
        for state in CaseState
    ]
    closed = _TOUCHED.where(
        case.c.state == CaseState.CLOSED.value, case.c.changed_at.between(since, until)
    )
    again = [_TOUCHED.where(case.c.case_id.in_(part)) for part in in_parts(sorted(ids))]
    for statement in (*opened, closed, *again):
        for row in connection.execute(statement.limit(limit)):
            one = TouchedCase(*row)
            if one.case_id in ids or not names.isdisjoint((one.opened_session, one.closed_session)):
                found[one.case_id] = one
    ordered = sorted(found.values(), key=lambda one: (one.registry, one.case_id))
    return ordered[:limit]


_TOUCHED: Final = select(
    case.c.case_id,
    case.c.registry,
    case.c.kind,
    case.c.state,
    case.c.units,
    case.c.summary,
    case.c.opened_session,
    case.c.closed_session,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer, if it has one; bodies are the first characters of their JSON."""

    number: int
    type: str
    log_index: int
    asked_at: datetime
    characters: int
    body: str
    answer_type: str | None
    answer_log_index: int | None
    answered_at: datetime | None
    answer_characters: int
    answer_body: str | None


def turns(
    connection: Connection, name: str, *, after: int, limit: int, characters: int
) -> list[Turn]:
    """Return what was said in a session behind the question ``after``, in order."""
    rows = connection.execute(
        select(
            question.c.number,
            question.c.type,
            question.c.log_index,
            question.c.asked_at,
            func.length(question.c.body),
            func.substr(question.c.body, 1, characters),
            answer.c.type,
            answer.c.log_index,
            answer.c.received_at,
            func.coalesce(func.length(answer.c.body), 0),
            func.substr(answer.c.body, 1, characters),
        )
        .outerjoin(
            answer,
            and_(answer.c.session == question.c.session, answer.c.number == question.c.number),
        )
        .where(question.c.session == name, question.c.number > after)
        .order_by(question.c.number)
        .limit(limit)
    )
    return [Turn(*row) for row in rows]


def findings(connection: Connection, name: str, *, after: int, limit: int) -> list[FindingRow]:
    """Return the findings of a session behind the ordinal ``after``, in order."""
    rows = connection.execute(
        select(
            finding.c.session,
            finding.c.ordinal,
            finding.c.kind,
            finding.c.body,
            finding.c.case_id,
        )
        .where(finding.c.session == name, finding.c.ordinal > after)
        .order_by(finding.c.ordinal)
        .limit(limit)
    )
    return [FindingRow(*row) for row in rows]
