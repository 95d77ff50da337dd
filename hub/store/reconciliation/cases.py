"""Cases: their serials, what is frozen of them, and all that was done with them.

A case's ranges are replaced as a whole when a session finds other serials; its events are only
added. Ranges of a closed case stay as they were last found, thawed: by them it is found again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from hub.checks.frozen import Freeze, FrozenSerials
from hub.international_registry.units import Range
from hub.international_registry.units import Series as LedgerSeries
from hub.store.many_rows import Insert
from hub.store.parts import in_parts
from hub.store.reconciliation.tables import case, case_event, case_range, finding
from reconciliation.case_states import IS_OPEN, CaseState
from reconciliation.owned import Series

NOTHING_THERE: Final = '"ledger":[]'
"""How the body of a range tells it of the ledger; no text in it can, for its quotes are escaped."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case; ``units`` is how many serials it has, ``kind`` the kind of its findings."""

    case_id: str
    registry: str
    kind: str
    state: str
    summary: str
    units: int
    cause_index: int | None
    reference: str | None
    assignee: str | None
    due_on: str | None
    opened_at: datetime
    opened_session: str
    last_session: str
    changed_at: datetime
    closed_at: datetime | None = None
    closed_session: str | None = None
    reopened_count: int = 0

    @property
    def is_open(self) -> bool:
        """Tell whether the case still freezes its serials."""
        return CaseState(self.state) in IS_OPEN


@dataclass(frozen=True, slots=True)
class RangeRow:
    """Serials of a case. ``body`` is the newest finding of them, a row of a result, as JSON."""

    case_id: str
    ordinal: int
    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    body: str
    is_frozen: bool
    allows: str | None

    @property
    def series(self) -> Series:
        """Return the series in the form of the comparison."""
        return Series(
            self.cooperative_approach,
            self.originating_registry,
            self.first_transferring_party,
            self.vintage,
        )

    @property
    def has_ledger(self) -> bool:
        """Tell whether the ledger has anything of the registry there."""
        return NOTHING_THERE not in self.body

    @property
    def quantity(self) -> int:
        """Return the number of units."""
        return self.last_serial - self.first_serial + 1

    @property
    def units(self) -> str:
        """Return the serials as commands name them: ``FIRST_ID..LAST_ID``."""
        return Range(LedgerSeries(*self.series), self.first_serial, self.last_serial).units


@dataclass(frozen=True, slots=True)
class EventRow:
    """One thing that was done with a case, by whom, in which entry of the log."""

    case_id: str
    ordinal: int
    log_index: int
    at: datetime
    actor: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding of a session; ``body`` is a row of its result, as JSON."""

    session: str
    ordinal: int
    kind: str
    body: str
    case_id: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases to list; None does not limit. ``states`` may hold several."""

    states: frozenset[str] | None = None
    registry: str | None = None
    kind: str | None = None
    assignee: str | None = None


_CASE_NAMES: Final = tuple(one.name for one in fields(CaseRow))
_RANGE_NAMES: Final = tuple(one.name for one in fields(RangeRow))
_CASES: Final = select(*(case.c[name] for name in _CASE_NAMES))
_RANGES: Final = select(*(case_range.c[name] for name in _RANGE_NAMES))
_EVENTS: Final = select(*(case_event.c[one.name] for one in fields(EventRow)))
_FINDING_NAMES: Final = tuple(one.name for one in fields(FindingRow))
_FINDINGS: Final = select(*(finding.c[name] for name in _FINDING_NAMES))
_ADD_RANGES: Final = Insert(case_range, _RANGE_NAMES)
_ADD_FINDINGS: Final = Insert(finding, _FINDING_NAMES)
_WRITE: Final = (
    update(case)
    .where(case.c.case_id == bindparam("b_case"))
    .values({name: bindparam(name) for name in _CASE_NAMES})
)
_BY_AGE: Final = (case.c.opened_at, func.length(case.c.case_id), case.c.case_id)
_OPEN_STATES: Final = tuple(sorted(IS_OPEN))
_RANGES_OF: Final = _RANGES.where(
    case_range.c.case_id.in_(bindparam("cases", expanding=True))
).order_by(case_range.c.case_id, case_range.c.ordinal)
_FROZEN: Final = (
    select(
        case_range.c.cooperative_approach,
        case_range.c.originating_registry,
        case_range.c.first_transferring_party,
        case_range.c.vintage,
        case_range.c.first_serial,
        case_range.c.last_serial,
        case_range.c.case_id,
        case.c.registry,
        case_range.c.allows,
        case_range.c.body.contains(NOTHING_THERE, autoescape=True),
    )
    .join(case, case.c.case_id == case_range.c.case_id)
    .where(case_range.c.is_frozen)
    .order_by(case_range.c.case_id, case_range.c.ordinal)
)


def _cases(connection: Connection, statement: Select[Any]) -> list[CaseRow]:
    return [CaseRow(*row) for row in connection.execute(statement)]


# --- cases ---------------------------------------------------------------------------------------


def load(connection: Connection, case_ids: Collection[str]) -> dict[str, CaseRow]:
    """Return the cases among ``case_ids`` that there are, by id."""
    found: dict[str, CaseRow] = {}
    for part in in_parts(set(case_ids)):
        for row in _cases(connection, _CASES.where(case.c.case_id.in_(part))):
            found[row.case_id] = row
    return found


def listed(connection: Connection, wanted: Wanted) -> list[CaseRow]:
    """Return the cases that are wanted, oldest first."""
    statement = _CASES.order_by(*_BY_AGE)
    if wanted.states is not None:
        statement = statement.where(case.c.state.in_(sorted(wanted.states)))
    for column, value in (
        (case.c.registry, wanted.registry),
        (case.c.kind, wanted.kind),
        (case.c.assignee, wanted.assignee),
    ):
        if value is not None:
            statement = statement.where(column == value)
    return _cases(connection, statement)


def open_of(connection: Connection, registry: str) -> list[CaseRow]:
    """Return the open cases of a registry, oldest first."""
    return listed(connection, Wanted(frozenset(_OPEN_STATES), registry))


def closed_over(
    connection: Connection, registry: str, kinds: Collection[str], series: Collection[Series]
) -> list[CaseRow]:
    """Return the closed cases of a registry and of these kinds with serials of any of the series.

    The latest closed comes first.
    """
    approaches = sorted({one.cooperative_approach for one in series})
    rows = connection.execute(
        select(
            case.c.case_id,
            case_range.c.cooperative_approach,
            case_range.c.originating_registry,
            case_range.c.first_transferring_party,
            case_range.c.vintage,
        )
        .distinct()
        .join(case_range, case_range.c.case_id == case.c.case_id)
        .where(
            case.c.registry == registry,
            case.c.state == CaseState.CLOSED,
            case.c.kind.in_(sorted(kinds)),
            case_range.c.cooperative_approach.in_(approaches),
        )
    )
    wanted = set(series)
    named = {row[0] for row in rows if Series(*row[1:]) in wanted}
    found = load(connection, named).values()
    return sorted(found, key=lambda row: (row.closed_at, row.case_id), reverse=True)


def next_number(connection: Connection, day: str) -> int:
    """Return the number of the next case opened on a day (``YYYY-MM-DD``); under the head's lock.

    Ids count on, so the length of an id comes before its letters.
    """
    newest = connection.execute(
        select(case.c.case_id)
        .where(case.c.case_id.startswith(f"{day}/", autoescape=True))
        .order_by(func.length(case.c.case_id).desc(), case.c.case_id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return 1 if newest is None else int(newest.partition("/")[2]) + 1


def add(connection: Connection, rows: Sequence[CaseRow]) -> None:
    """Insert cases."""
    if rows:
        connection.execute(insert(case), [_row(row) for row in rows])


def write(connection: Connection, rows: Sequence[CaseRow]) -> None:
    """Write cases as they are now. They are all there, or the caller is wrong."""
    if not rows:
        return
    values = [{**_row(row), "b_case": row.case_id} for row in rows]
    result = connection.execute(_WRITE, values)
    assert result.rowcount in (len(rows), -1), "a case is not there"


def _row(row: CaseRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _CASE_NAMES}


# --- serials -------------------------------------------------------------------------------------


def ranges(connection: Connection, case_ids: Collection[str]) -> dict[str, list[RangeRow]]:
    """Return the serials of cases, by case, in order."""
    found: dict[str, list[RangeRow]] = {case_id: [] for case_id in case_ids}
    for part in in_parts(found):
        for row in connection.execute(_RANGES_OF, {"cases": part}):
            found[row[0]].append(RangeRow(*row))
    return found


def replace_ranges(connection: Connection, after: Mapping[str, Sequence[RangeRow]]) -> None:
    """Give cases these serials and no others; they are numbered anew."""
    for part in in_parts(after):
        connection.execute(delete(case_range).where(case_range.c.case_id.in_(part)))
    numbered = [
        {name: getattr(row, name) for name in _RANGE_NAMES}
        | {"case_id": case_id, "ordinal": number}
        for case_id, rows in after.items()
        for number, row in enumerate(rows, 1)
    ]
    if numbered:
        _ADD_RANGES.run(connection, numbered)


def thaw(connection: Connection, case_ids: Collection[str]) -> int:
    """Thaw all serials of cases; return how many ranges were frozen."""
    count = 0
    for part in in_parts(set(case_ids)):
        result = connection.execute(
            update(case_range)
            .where(case_range.c.case_id.in_(part), case_range.c.is_frozen)
            .values(is_frozen=False)
        )
        count += result.rowcount
    return count


def frozen(connection: Connection) -> FrozenSerials:
    """Return all frozen serials, each with its case."""
    rows = connection.execute(_FROZEN)
    made: dict[tuple[str, str, str | None, bool], Freeze] = {}
    series: dict[tuple[Any, ...], LedgerSeries] = {}
    spans: list[tuple[LedgerSeries, int, int, Freeze]] = []
    for row in rows:
        named, freeze = tuple(row[:4]), (row[6], row[7], row[8], bool(row[9]))
        spans.append(
            (
                series.setdefault(named, LedgerSeries(*named)),
                row[4],
                row[5],
                made.setdefault(freeze, Freeze(*freeze)),
            )
        )
    return FrozenSerials(spans)


def frozen_ranges(connection: Connection) -> list[RangeRow]:
    """Return the ranges that are frozen, by case."""
    found = _RANGES.where(case_range.c.is_frozen)
    ordered = found.order_by(case_range.c.case_id, case_range.c.ordinal)
    return [RangeRow(*row) for row in connection.execute(ordered)]


# --- events and findings -------------------------------------------------------------------------


def events(connection: Connection, case_id: str) -> list[EventRow]:
    """Return what was done with a case, oldest first."""
    of_case = _EVENTS.where(case_event.c.case_id == case_id).order_by(case_event.c.ordinal)
    return [EventRow(*row) for row in connection.execute(of_case)]


def add_events(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Add events; each is numbered behind those its case has, whatever its ``ordinal`` says."""
    last: dict[str, int] = {}
    for part in in_parts({row.case_id for row in rows}):
        last |= {
            row[0]: row[1]
            for row in connection.execute(
                select(case_event.c.case_id, func.max(case_event.c.ordinal))
                .where(case_event.c.case_id.in_(part))
                .group_by(case_event.c.case_id)
            )
        }
    numbered: list[dict[str, Any]] = []
    for row in rows:
        last[row.case_id] = last.get(row.case_id, 0) + 1
        numbered.append(asdict(replace(row, ordinal=last[row.case_id])))
    if numbered:
        connection.execute(insert(case_event), numbered)


def add_findings(connection: Connection, rows: Sequence[FindingRow]) -> None:
    """Record the findings of a session."""
    if rows:
        _ADD_FINDINGS.run(
            connection,
            [{name: getattr(row, name) for name in _FINDING_NAMES} for row in rows],
        )


def findings(connection: Connection, session: str, limit: int | None = None) -> list[FindingRow]:
    """Return the findings of a session, in order: the first ``limit``, or all."""
    of_session = _FINDINGS.where(finding.c.session == session).order_by(finding.c.ordinal)
    return [FindingRow(*row) for row in connection.execute(of_session.limit(limit))]
