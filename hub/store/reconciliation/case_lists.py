"""Cases in pages, by what is asked for, in several orders; and how many there are of what.

1. A page begins behind a place: the value a list is ordered by, and the case. Cases of one session
   have the same value; the id tells them apart, so that no page repeats or leaves out any.
2. A list is merged from *streams*, one for each state, and each follows an index. What no index
   can tell is asked of a limited number of rows: such a page says where it stopped, may be short,
   or empty, and still be followed by another. The cost of a page depends on neither the number of
   cases nor the filter.
3. Counts are of open cases; they are few beside the closed ones, and read once for all facets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)

from hub.store.reconciliation.cases import CaseRow
from hub.store.reconciliation.tables import case
from reconciliation.case_states import IS_OPEN, CaseState

LOOKED_AT_MAX: Final = 10_000
"""Rows of a stream that one page looks at, when a filter has to be asked of each."""

COUNTED_MAX: Final = 100_000
"""Closed cases are counted no further."""

_WITHOUT_DAY: Final = "9999-12-31"


class Order(StrEnum):
    """By what a list is ordered; each also runs backwards."""

    OPENED = "opened"
    CHANGED = "changed"
    DUE = "due"
    UNITS = "units"


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases are wanted; None does not limit.

    ``named`` is an id of a case, or what a case is about (a transfer, say). ``due_before`` is a
    day. ``assignee`` and ``is_nobodys`` exclude each other.
    """

    states: frozenset[CaseState] = frozenset(CaseState)
    registry: str | None = None
    kind: str | None = None
    assignee: str | None = None
    is_nobodys: bool = False
    due_before: str | None = None
    opened_from: datetime | None = None
    opened_until: datetime | None = None
    named: str | None = None


Key = datetime | str | int


@dataclass(frozen=True, slots=True)
class Place:
    """Behind this case, which has this value in the order of the list, the next page begins."""

    key: Key
    case_id: str


@dataclass(frozen=True, slots=True)
class CasePage:
    """Some cases in order, and the place behind what was looked at; None at the end."""

    rows: tuple[CaseRow, ...]
    next: Place | None


class OpenGroup(NamedTuple):
    """How many open cases are alike in all that lists are narrowed by."""

    state: str
    registry: str
    kind: str
    assignee: str | None
    is_overdue: bool
    cases: int


_NAMES: Final = tuple(one.name for one in fields(CaseRow))
_COLUMNS: Final[dict[Order, ColumnElement[Any]]] = {
    Order.OPENED: case.c.opened_at,
    Order.CHANGED: case.c.changed_at,
    Order.DUE: case.c.due_on,
    Order.UNITS: case.c.units,
}

_NAMED_BY: Final = {Order.DUE: func.coalesce(case.c.due_on, _WITHOUT_DAY)}


def page(
    connection: Connection,
    wanted: CaseFilter,
    *,
    order: Order,
    backwards: bool,
    after: Place | None,
    limit: int,
    looked_at_max: int = LOOKED_AT_MAX,
) -> CasePage:
    """Return up to ``limit`` cases behind a place; ``backwards`` begins with the greatest value."""
    inside, outside = _conditions(wanted, order)
    # One more than the page shows tells whether another follows.
    count = max(looked_at_max, limit + 1) if outside else limit + 1
    streams = [
        _stream(conditions, key, after, count, backwards=backwards)
        for conditions, key in _streams(wanted, order, inside)
    ]
    found = _wanted_of(connection, streams, outside, limit + 1, backwards=backwards)
    stops = [
        stop
        for one in (streams if outside else [])
        if (stop := _reached(connection, one, count)) is not None
    ]
    horizon = (max if backwards else min)(stops, key=_rank) if stops else None
    if horizon is not None:  # behind it, one of the streams may have more
        found = [one for one in found if _is_within(_place_of(one), horizon, backwards=backwards)]
    if len(found) > limit:
        return CasePage(tuple(row for row, _ in found[:limit]), _place_of(found[limit - 1]))
    return CasePage(tuple(row for row, _ in found), horizon)


def open_groups(connection: Connection, wanted: CaseFilter, today: str) -> list[OpenGroup]:
    """Return the open cases by all that they are counted by; of the filter only the time counts."""
    is_overdue = and_(case.c.due_on.is_not(None), case.c.due_on < today)
    keys = (case.c.state, case.c.registry, case.c.kind, case.c.assignee, is_overdue)
    rows = connection.execute(
        select(*keys, func.count())
        .where(case.c.state.in_(sorted(IS_OPEN)), *_times(wanted))
        .group_by(*keys)
    )
    return [OpenGroup._make(row) for row in rows]


def closed_count(connection: Connection, registry: str | None = None) -> int:
    """Return how many cases are closed, counting no further than COUNTED_MAX."""
    found = select(literal(1)).where(case.c.state == CaseState.CLOSED.value)
    if registry is not None:
        found = found.where(case.c.registry == registry)
    counted = select(func.count()).select_from(found.limit(COUNTED_MAX).subquery())
    return int(connection.execute(counted).scalar_one())


# --- streams -------------------------------------------------------------------------------------

Found = tuple[CaseRow, Any]


def _conditions(
    wanted: CaseFilter, order: Order
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """Return what an index follows along with the state and the order, and what is asked after."""
    of_index = [
        column == value
        for column, value in (
            (case.c.registry, wanted.registry),
            (case.c.assignee, wanted.assignee),
        )
        if value is not None
    ]
    of_index += _times(wanted)
    outside: list[ColumnElement[bool]] = []
    if wanted.kind is not None:
        outside.append(case.c.kind == wanted.kind)
    if wanted.is_nobodys:
        outside.append(case.c.assignee.is_(None))
    if wanted.due_before is not None:
        outside.append(case.c.due_on < wanted.due_before)
    if order is Order.OPENED and wanted.named is None:
        return of_index, outside
    return [], of_index + outside


def _times(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.opened_from is not None:
        found.append(case.c.opened_at >= wanted.opened_from)
    if wanted.opened_until is not None:
        found.append(case.c.opened_at < wanted.opened_until)
    return found


def _streams(
    wanted: CaseFilter, order: Order, inside: Sequence[ColumnElement[bool]]
) -> Iterator[tuple[list[ColumnElement[bool]], ColumnElement[Any]]]:
    """Yield the conditions of each stream, and what it is ordered by."""
    states = sorted(wanted.states)
    if wanted.named is not None:
        for column in (case.c.case_id, case.c.reference):
            of_states = case.c.state.in_(states) if states else false()
            yield [column == wanted.named, of_states], _NAMED_BY.get(order, _COLUMNS[order])
        return
    for state in states:
        of_state = [case.c.state == state, *inside]
        if order is not Order.DUE:
            yield of_state, _COLUMNS[order]
            continue
        yield [*of_state, case.c.due_on.is_not(None)], case.c.due_on
        yield [*of_state, case.c.due_on.is_(None)], literal(_WITHOUT_DAY)


def _stream(
    conditions: Sequence[ColumnElement[bool]],
    key: ColumnElement[Any],
    after: Place | None,
    count: int,
    *,
    backwards: bool,
) -> Select[Any]:
    """Return the ids of a stream behind a place, with what they are ordered by."""
    tie: tuple[ColumnElement[Any], ...] = (func.length(case.c.case_id), case.c.case_id)
    found = select(case.c.case_id, key.label("place")).where(*conditions)
    if after is not None:
        value = after.key
        begun = key <= value if backwards else key >= value
        length = len(after.case_id)
        behind = or_(
            key < value if backwards else key > value,
            tie[0] < length if backwards else tie[0] > length,
            and_(
                tie[0] == length,
                tie[1] < after.case_id if backwards else tie[1] > after.case_id,
            ),
        )
        found = found.where(begun, behind)
    ordered = (one.desc() if backwards else one for one in (key, *tie))
    return found.order_by(*ordered).limit(count)


def _wanted_of(
    connection: Connection,
    streams: Sequence[Select[Any]],
    outside: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    backwards: bool,
) -> list[Found]:
    """Return the first of what the streams look at, in order, each with its place's value."""
    if not streams:
        return []
    parts = [select(one.subquery()) for one in streams]
    looked_at = (parts[0] if len(parts) == 1 else union_all(*parts)).subquery()
    by = (looked_at.c.place, func.length(case.c.case_id), case.c.case_id)
    rows = connection.execute(
        select(*(case.c[name] for name in _NAMES), looked_at.c.place)
        .join(looked_at, looked_at.c.case_id == case.c.case_id)
        .where(*outside)
        .order_by(*(one.desc() if backwards else one for one in by))
        .limit(limit)
    )
    return [(CaseRow(*row[:-1]), row[-1]) for row in rows]


def _reached(connection: Connection, stream: Select[Any], count: int) -> Place | None:
    """Return the place of the last row that a stream looked at, None if those were all."""
    last = connection.execute(stream.limit(1).offset(count - 1)).one_or_none()
    return None if last is None else Place(last[1], last[0])


def _place_of(found: Found) -> Place:
    return Place(found[1], found[0].case_id)


def _rank(place: Place) -> Any:
    return (place.key, len(place.case_id), place.case_id)


def _is_within(place: Place, horizon: Place, *, backwards: bool) -> bool:
    """Tell whether a place lies before what was looked at to the end, or is its last."""
    is_before: bool = (
        _rank(place) >= _rank(horizon) if backwards else _rank(place) <= _rank(horizon)
    )
    return is_before
