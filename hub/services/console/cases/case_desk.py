"""Cases as the console lists them: by filter, in order, page by page; counted; as a table to take.

1. A ``CaseView`` is what a person asked for: what the page's address says. Words of the address
   that mean whoever reads it (``~me``) are resolved when the list is read, so that a search can be
   kept and handed on.
2. Facets say how many open cases there would be with another value of one filter and all the
   others as they are. They are counted from one look at the open cases.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from hub.services.console.ground import Ground
from hub.services.people.roles import Right, may
from hub.store.instants import from_milliseconds, to_milliseconds
from hub.store.people import persons
from hub.store.reconciliation import case_lists
from hub.store.reconciliation.case_lists import CaseFilter, OpenGroup, Order, Place
from hub.store.reconciliation.cases import CaseRow
from message_schemas import timestamps
from reconciliation.case_states import IS_OPEN, CaseState
from reconciliation.case_words import KINDS

__all__ = ["CaseRow"]

ACTIVE: Final = "active"
ALL: Final = "all"
STATES: Final = (ACTIVE, *(one.value for one in CaseState), ALL)
"""What the filter of states may say: every open case, one state, or all cases."""

ME: Final = "~me"
NOBODY: Final = "~nobody"
CASE_KINDS: Final = tuple(KINDS)
ORDERS: Final = tuple(f"{sign}{one.value}" for one in Order for sign in ("", "-"))
"""What a list is ordered by; with a minus the greatest value comes first."""

PAGE_ROWS: Final = 50
EXPORT_ROWS_MAX: Final = 50_000
PEOPLE_MAX: Final = 500
_EXPORT_PAGE_ROWS: Final = 1_000
_FACETS: Final = ("state", "registry", "kind", "assignee", "overdue")

EXPORTED: Final = (
    "case",
    "registry",
    "kind",
    "state",
    "units",
    "summary",
    "cause_index",
    "reference",
    "assignee",
    "due_on",
    "opened_at",
    "changed_at",
    "closed_at",
    "reopened_count",
    "opened_session",
    "last_session",
)
"""The columns of a table to take."""


class CaseViewError(ValueError):
    """An address asks for a list that there cannot be; ``field`` is the part of it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class CaseView:
    """What is asked for. ``older_days``: opened so many days ago, or earlier; ``since``: a day."""

    state: str = ACTIVE
    registry: str | None = None
    kind: str | None = None
    assignee: str | None = None
    is_overdue: bool = False
    older_days: int | None = None
    since: date | None = None
    named: str | None = None
    order: str = Order.OPENED.value


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a filter, and how many open cases there are with it and the other filters."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class CasesShown:
    """A page of cases. ``next`` is where the next one begins, None at the end.

    ``open_count`` is how many open cases meet the filter; None where closed ones are asked for too.
    ``closed_count`` counts no further than ``closed_count_max``.
    """

    rows: tuple[CaseRow, ...]
    next: str | None
    today: str
    facets: Mapping[str, tuple[FacetValue, ...]]
    open_count: int | None
    closed_count: int
    closed_count_max: int


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who may work cases: the name that acts know, and the one people read."""

    name: str
    display_name: str


class CaseDesk:
    """Lists of cases."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def listed(self, view: CaseView, me: str, after: str | None = None) -> CasesShown:
        """Return a page of cases for the person of a name. Raises CaseViewError."""
        now = self._ground.clock()
        today = now.astimezone(UTC).date().isoformat()
        wanted = _wanted(view, me, now)
        order, backwards = _order(view)
        place = None if after is None else _place(after, order)
        with self._ground.database.reading() as connection:
            found = case_lists.page(
                connection,
                wanted,
                order=order,
                backwards=backwards,
                after=place,
                limit=PAGE_ROWS,
            )
            groups = case_lists.open_groups(connection, wanted, today)
            closed = case_lists.closed_count(connection, wanted.registry)
        facets, meeting = _facets(groups, wanted, view)
        is_counted = wanted.states <= IS_OPEN and wanted.named is None
        return CasesShown(
            found.rows,
            None if found.next is None else _cursor(found.next),
            today,
            facets,
            meeting if is_counted else None,
            closed,
            case_lists.COUNTED_MAX,
        )

    def exported(self, view: CaseView, me: str) -> Iterator[tuple[object, ...]]:
        """Yield the cases of a list as rows of ``EXPORTED``, EXPORT_ROWS_MAX of them at most.

        Each part is read by itself, so a slow reader holds no connection. Raises CaseViewError.
        """
        wanted = _wanted(view, me, self._ground.clock())
        order, backwards = _order(view)
        place: Place | None = None
        count = 0
        while count < EXPORT_ROWS_MAX:
            limit = min(_EXPORT_PAGE_ROWS, EXPORT_ROWS_MAX - count)
            with self._ground.database.reading() as connection:
                found = case_lists.page(
                    connection, wanted, order=order, backwards=backwards, after=place, limit=limit
                )
            yield from map(_exported, found.rows)
            count += len(found.rows)
            place = found.next
            if place is None:
                return
        yield (f"only the first {EXPORT_ROWS_MAX} cases: narrow the filter for the others",)

    def colleagues(self) -> tuple[Colleague, ...]:
        """Return who may work cases, by name; the first PEOPLE_MAX people are looked at."""
        with self._ground.database.reading() as connection:
            rows = persons.page(connection, "", PEOPLE_MAX)
        return tuple(
            Colleague(row.name, row.display_name)
            for row in rows
            if row.is_active and may(row.role, Right.WORK_CASES)
        )


def states_of(view: CaseView) -> frozenset[CaseState]:
    """Return the states that a view asks for. Raises CaseViewError."""
    if view.state == ACTIVE:
        return IS_OPEN
    if view.state == ALL:
        return frozenset(CaseState)
    if view.state not in STATES:
        raise CaseViewError("state", f"a state is one of {', '.join(STATES)}")
    return frozenset({CaseState(view.state)})


def _wanted(view: CaseView, me: str, now: datetime) -> CaseFilter:
    states = states_of(view)
    until = None
    if view.older_days is not None:  # whole days, as the home page counts ages
        today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
        until = today + timedelta(days=1 - view.older_days)
    return CaseFilter(
        states=states & IS_OPEN if view.is_overdue else states,
        registry=view.registry,
        kind=view.kind,
        assignee=me if view.assignee == ME else None if _is_nobodys(view) else view.assignee,
        is_nobodys=_is_nobodys(view),
        due_before=now.astimezone(UTC).date().isoformat() if view.is_overdue else None,
        opened_from=None if view.since is None else datetime.combine(view.since, time(), UTC),
        opened_until=until,
        named=view.named,
    )


def _is_nobodys(view: CaseView) -> bool:
    return view.assignee == NOBODY


# --- orders and places ---------------------------------------------------------------------------


def _order(view: CaseView) -> tuple[Order, bool]:
    if view.order not in ORDERS:
        raise CaseViewError("order", f"an order is one of {', '.join(ORDERS)}")
    return Order(view.order.removeprefix("-")), view.order.startswith("-")


def _cursor(place: Place) -> str:
    key = to_milliseconds(place.key) if isinstance(place.key, datetime) else place.key
    return f"{key}~{place.case_id}"


def _place(cursor: str, order: Order) -> Place:
    text, _, case_id = cursor.partition("~")
    try:
        if not 1 <= len(case_id) <= 20 or not case_id.isascii() or not case_id.isprintable():
            raise ValueError(case_id)
        if order is Order.DUE:
            return Place(date.fromisoformat(text).isoformat(), case_id)
        number = int(text)
        if not 0 <= number < 2**63:
            raise ValueError(text)
        return Place(number if order is Order.UNITS else from_milliseconds(number), case_id)
    except (ValueError, OverflowError) as error:
        raise CaseViewError("after", "this is no place of this list: begin at its start") from error


# --- facets --------------------------------------------------------------------------------------


def _facets(
    groups: Iterable[OpenGroup], wanted: CaseFilter, view: CaseView
) -> tuple[dict[str, tuple[FacetValue, ...]], int]:
    """Return the values of each filter with their counts, and how many cases meet all filters.

    A case that meets all filters but one is counted with that one. There are thousands of groups:
    each is looked at once.
    """
    counts: dict[str, dict[str, int]] = {name: {} for name in _FACETS}
    meeting = 0
    for one in groups:
        failed = _failed(one, wanted)
        if len(failed) > 1:
            continue
        if not failed:
            meeting += one.cases
        values = _values_of(one)
        for name in failed or _FACETS:
            of_filter, value = counts[name], values[name]
            of_filter[value] = of_filter.get(value, 0) + one.cases
    for name, chosen in (("registry", view.registry), ("kind", view.kind)):
        if chosen is not None:
            counts[name].setdefault(chosen, 0)
    return {name: _most_first(found) for name, found in counts.items()}, meeting


def _failed(group: OpenGroup, wanted: CaseFilter) -> list[str]:
    """Return the filters that the cases of a group do not meet."""
    failed = []
    if group.state not in wanted.states:
        failed.append("state")
    if wanted.registry is not None and wanted.registry != group.registry:
        failed.append("registry")
    if wanted.kind is not None and wanted.kind != group.kind:
        failed.append("kind")
    if wanted.is_nobodys:
        if group.assignee is not None:
            failed.append("assignee")
    elif wanted.assignee is not None and wanted.assignee != group.assignee:
        failed.append("assignee")
    if wanted.due_before is not None and not group.is_overdue:
        failed.append("overdue")
    return failed


def _values_of(group: OpenGroup) -> dict[str, str]:
    """Return what a group counts for, by filter."""
    return {
        "state": group.state,
        "registry": group.registry,
        "kind": group.kind,
        "assignee": NOBODY if group.assignee is None else group.assignee,
        "overdue": "yes" if group.is_overdue else "no",
    }


def _most_first(counts: Mapping[str, int]) -> tuple[FacetValue, ...]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(FacetValue(value, count) for value, count in ordered)


def _exported(row: CaseRow) -> tuple[object, ...]:
    return (
        row.case_id,
        row.registry,
        row.kind,
        row.state,
        row.units,
        row.summary,
        row.cause_index,
        row.reference,
        row.assignee,
        row.due_on,
        timestamps.render(row.opened_at),
        timestamps.render(row.changed_at),
        None if row.closed_at is None else timestamps.render(row.closed_at),
        row.reopened_count,
        row.opened_session,
        row.last_session,
    )
