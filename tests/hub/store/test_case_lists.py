"""Pages of cases: each case once, in order, whatever is asked; counts that agree with them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from hub.store.database import Database
from hub.store.reconciliation import case_lists, cases
from hub.store.reconciliation.case_lists import CaseFilter, Order, Place
from hub.store.reconciliation.cases import CaseRow
from reconciliation.case_states import IS_OPEN, CaseState
from tests.hub.store.samples import AT, rolled_back

REGISTRIES = ("THA01", "CHE01")
KINDS = ("lost_message", "held_twice")
PEOPLE = (None, "ada", "bert")
TODAY = "2026-11-22"

drawn_cases = st.lists(
    st.tuples(
        st.sampled_from(list(CaseState)),
        st.sampled_from(REGISTRIES),
        st.sampled_from(KINDS),
        st.sampled_from(PEOPLE),
        st.integers(0, 2),  # days: many are equal
        st.sampled_from([None, "2026-11-20", "2026-11-24"]),
        st.integers(0, 3),
    ),
    max_size=25,
)
wanted_cases = st.builds(
    CaseFilter,
    states=st.one_of(
        st.just(frozenset(CaseState)), st.just(IS_OPEN), st.frozensets(st.sampled_from(CaseState))
    ),
    registry=st.sampled_from([None, *REGISTRIES]),
    kind=st.sampled_from([None, *KINDS]),
    assignee=st.sampled_from(PEOPLE),
    due_before=st.sampled_from([None, TODAY]),
    opened_from=st.sampled_from([None, AT + timedelta(days=1)]),
    opened_until=st.sampled_from([None, AT + timedelta(days=2)]),
)


def rows_of(drawn: list[tuple[Any, ...]]) -> list[CaseRow]:
    """Return cases of one day, whose numbers have one digit or two."""
    return [
        CaseRow(
            case_id=f"2026-11-22/{number}",
            registry=registry,
            kind=kind,
            state=state.value,
            summary="a summary",
            units=units,
            cause_index=None,
            reference=f"THA01-{units}" if units else None,
            assignee=assignee,
            due_on=due_on,
            opened_at=AT + timedelta(days=days),
            opened_session="CHE01-1",
            last_session="CHE01-1",
            changed_at=AT + timedelta(days=2 - days),
        )
        for number, (state, registry, kind, assignee, days, due_on, units) in enumerate(drawn, 1)
    ]


def is_wanted(row: CaseRow, wanted: CaseFilter) -> bool:
    """Tell the same as the filter, the plain way."""
    return (
        row.state in wanted.states
        and wanted.registry in (None, row.registry)
        and wanted.kind in (None, row.kind)
        and wanted.assignee in (None, row.assignee)
        and not (wanted.is_nobodys and row.assignee is not None)
        and (wanted.due_before is None or (row.due_on or "9999") < wanted.due_before)
        and (wanted.opened_from is None or row.opened_at >= wanted.opened_from)
        and (wanted.opened_until is None or row.opened_at < wanted.opened_until)
        and wanted.named in (None, row.case_id, row.reference)
    )


def key_of(row: CaseRow, order: Order) -> Any:
    """Return what a list is ordered by."""
    value: Any = {
        Order.OPENED: row.opened_at,
        Order.CHANGED: row.changed_at,
        Order.DUE: row.due_on or "9999-12-31",
        Order.UNITS: row.units,
    }[order]
    return (value, len(row.case_id), row.case_id)


def every_page(connection: Connection, wanted: CaseFilter, **how: Any) -> list[list[CaseRow]]:
    """Return the rows of all pages."""
    pages: list[list[CaseRow]] = []
    after: Place | None = None
    while True:
        found = case_lists.page(connection, wanted, after=after, **how)
        pages.append(list(found.rows))
        if found.next is None:
            return pages
        after = found.next


@settings(max_examples=60)
@given(
    drawn=drawn_cases,
    wanted=wanted_cases,
    is_nobodys=st.booleans(),
    order=st.sampled_from(Order),
    backwards=st.booleans(),
    limit=st.integers(1, 7),
    looked_at_max=st.integers(1, 30),
)
def test_pages_put_together_are_the_whole_list(
    shared_database: Database,
    drawn: list[tuple[Any, ...]],
    wanted: CaseFilter,
    is_nobodys: bool,
    order: Order,
    backwards: bool,
    limit: int,
    looked_at_max: int,
) -> None:
    """In every order, with ties and without days, however little one page may look at."""
    if is_nobodys:
        wanted = replace(wanted, assignee=None, is_nobodys=True)
    rows = rows_of(drawn)
    expected = sorted(
        (row for row in rows if is_wanted(row, wanted)),
        key=lambda row: key_of(row, order),
        reverse=backwards,
    )
    with rolled_back(shared_database) as connection:
        cases.add(connection, rows)
        pages = every_page(
            connection,
            wanted,
            order=order,
            backwards=backwards,
            limit=limit,
            looked_at_max=looked_at_max,
        )
    assert [row for page in pages for row in page] == expected
    assert max(map(len, pages)) <= limit


@settings(max_examples=30)
@given(drawn=drawn_cases, registry=st.sampled_from([None, *REGISTRIES]))
def test_counts_agree_with_the_cases(
    shared_database: Database, drawn: list[tuple[Any, ...]], registry: str | None
) -> None:
    """Each open case is in one group; the closed ones are counted by themselves."""
    rows = rows_of(drawn)
    with rolled_back(shared_database) as connection:
        cases.add(connection, rows)
        groups = case_lists.open_groups(connection, CaseFilter(), TODAY)
        closed = case_lists.closed_count(connection, registry)
    open_rows = [row for row in rows if row.is_open]
    assert sum(one.cases for one in groups) == len(open_rows)
    overdue = sum(one.cases for one in groups if one.is_overdue)
    assert overdue == sum((row.due_on or "9999") < TODAY for row in open_rows)
    ada = sum(one.cases for one in groups if one.assignee == "ada")
    assert ada == sum(row.assignee == "ada" for row in open_rows)
    assert closed == sum(not row.is_open and registry in (None, row.registry) for row in rows)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("named", ["2026-11-22/3", "THA01-2", "nothing of the kind"])
def test_a_case_is_found_by_its_name_and_by_what_it_is_about(
    shared_database: Database, order: Order, named: str
) -> None:
    """Exactly, in every state that is asked for."""
    rows = rows_of([(CaseState.OPEN, "CHE01", "held_twice", None, 0, None, n) for n in (1, 2, 2)])
    wanted = CaseFilter(named=named)
    with rolled_back(shared_database) as connection:
        cases.add(connection, rows)
        (found,) = every_page(connection, wanted, order=order, backwards=False, limit=10)
    assert found == [row for row in rows if is_wanted(row, wanted)]
