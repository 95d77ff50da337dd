"""Pages of holdings: each unit once, whatever moves meanwhile, at a cost that stays."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, event, insert, text

from hub.store import holdings, views
from hub.store.database import Database
from hub.store.tables import account, posting, series, unit_attributes, unit_block
from tests.hub.store.samples import AT, rolled_back

CENTRAL = "XIR01"
SERIALS = 12
# Who may hold a unit: a registry, or an account of the international registry.
HOLDERS = (
    ("THA01", None),
    ("CHE01", None),
    (CENTRAL, "THA-1"),
    (CENTRAL, "CHE-1"),
    (CENTRAL, "CHE-2"),
)
Unit = tuple[int, int]
Owners = dict[Unit, int]
owners = st.lists(st.sampled_from([None, *range(len(HOLDERS))]), min_size=2 * SERIALS)
cuts = st.sets(st.integers(1, SERIALS - 1), max_size=4)


@dataclass(frozen=True, slots=True)
class State:
    """A ledger: who holds each unit, and where its blocks are cut beside that."""

    owners: Owners
    cuts: frozenset[int]

    def blocks(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (series, first, last, holder) of every block."""
        for series_id in (1, 2):
            first = 1
            for serial in range(1, SERIALS + 1):
                here, after = (self.owners.get((series_id, n)) for n in (serial, serial + 1))
                if here != after or serial in self.cuts:
                    if here is not None:
                        yield series_id, first, serial, here
                    first = serial + 1


def state_of(drawn: list[int | None], cut: set[int]) -> State:
    """Return the ledger of drawn owners."""
    units = itertools.product((1, 2), range(1, SERIALS + 1))
    held = {unit: who for unit, who in zip(units, drawn, strict=False) if who is not None}
    return State(held, frozenset(cut))


states = st.builds(state_of, owners, cuts)


def put_world(connection: Connection) -> None:
    """Store what the blocks refer to."""
    connection.execute(insert(unit_attributes).values(attributes_id=1, content="{}"))
    for series_id, approach in ((1, "CA0001"), (2, "CA0002")):
        connection.execute(
            insert(series).values(
                series_id=series_id,
                cooperative_approach=approach,
                originating_registry="THA01",
                first_transferring_party="THA",
                vintage=2020 + series_id,
            )
        )
    for _, account_id in HOLDERS[2:]:
        assert account_id is not None
        connection.execute(
            insert(account).values(
                registry=CENTRAL,
                account_id=account_id,
                type=100,
                party=account_id[:3],
                metric="GHG",
                status="open",
                opened_at=AT,
            )
        )


def put(connection: Connection, state: State) -> None:
    """Make the ledger be in a state, whatever it was in; block ids mean nothing."""
    connection.execute(delete(unit_block))
    rows = [
        {
            "block_id": 1 + number * 7 % 101,
            "series_id": series_id,
            "first_serial": first,
            "last_serial": last,
            "attributes_id": 1,
            "registry": HOLDERS[holder][0],
            "account": HOLDERS[holder][1],
            "status": "itmo" if holder else "authorized",
        }
        for number, (series_id, first, last, holder) in enumerate(state.blocks())
    ]
    if rows:
        connection.execute(insert(unit_block), rows)


def visible(state: State, registry: str) -> set[Unit]:
    """Return the units that a registry may see, by the rule in words."""
    return {
        unit
        for unit, who in state.owners.items()
        if HOLDERS[who][0] == registry or (HOLDERS[who][1] or "").startswith(registry[:3])
    }


def units_of(rows: tuple[holdings.HoldingRow, ...]) -> list[Unit]:
    """Return every unit of some rows."""
    return [
        (row.series_id, serial)
        for row in rows
        for serial in range(row.first_serial, row.last_serial + 1)
    ]


def look(
    connection: Connection, registry: str, after: holdings.Place, **asked: Any
) -> holdings.HoldingsPage:
    """Return a page as a registry sees it."""
    streams = holdings.visible_to(connection, registry, registry[:3], CENTRAL)
    found: dict[str, Any] = {"filters": {}, "limit": 2, "rows_max": 3} | asked
    return holdings.page(connection, streams=streams, after=after, **found)


def whole(connection: Connection, registry: str, **asked: Any) -> list[Unit]:
    """Return the units of all pages."""
    seen: list[Unit] = []
    after: holdings.Place | None = holdings.START
    while after is not None:
        page = look(connection, registry, after, **asked)
        assert page.next is None or page.next > after, "every page goes on"
        seen += units_of(page.rows)
        after = page.next
    return seen


@settings(max_examples=25, deadline=None)
@given(state=states, limit=st.integers(1, 5), rows_max=st.integers(1, 5))
def test_the_pages_join_to_exactly_what_may_be_seen(
    shared_database: Database, state: State, limit: int, rows_max: int
) -> None:
    """In order, each unit once, for every asker; filters leave out, and nothing else."""
    with rolled_back(shared_database) as connection:
        put_world(connection)
        put(connection, state)
        for registry in ("THA01", "CHE01", "GHA01"):
            asked = {"limit": limit, "rows_max": rows_max}
            seen = visible(state, registry)
            assert whole(connection, registry, **asked) == sorted(seen)
            for filters, kept in (
                ({"status": "authorized"}, {u for u in seen if state.owners[u] == 0}),
                ({"account": "CHE-1"}, {u for u in seen if state.owners[u] == 3}),
                ({"vintage": 2022}, {u for u in seen if u[0] == 2}),
                (
                    {"vintage": 2021, "status": "itmo"},
                    {u for u in seen if u[0] == 1 and state.owners[u]},
                ),
                ({"vintage": 1999}, set()),
            ):
                assert whole(connection, registry, filters=filters, **asked) == sorted(kept)
        everything = holdings.page(
            connection, streams=holdings.WHOLE_LEDGER, filters={}, after=holdings.START, limit=99
        )
        assert units_of(everything.rows) == sorted(state.owners)


@settings(max_examples=40, deadline=None)
@given(states_=st.lists(states, min_size=2, max_size=5), limit=st.integers(1, 3))
def test_while_the_ledger_moves_no_unit_comes_twice_and_none_that_stays_is_missing(
    shared_database: Database, states_: list[State], limit: int
) -> None:
    """Blocks are cut, joined and moved between pages; each page is true when it is read."""
    with rolled_back(shared_database) as connection:
        put_world(connection)
        seen: list[Unit] = []
        stayed = visible(states_[0], "CHE01")
        after: holdings.Place | None = holdings.START
        following = iter(states_)
        state = states_[0]
        while after is not None:
            state = next(following, state)
            put(connection, state)
            stayed &= visible(state, "CHE01")
            page = look(connection, "CHE01", after, limit=limit, rows_max=limit)
            shown = units_of(page.rows)
            assert set(shown) <= visible(state, "CHE01")
            seen += shown
            after = page.next
    assert len(seen) == len(set(seen))
    assert stayed <= set(seen)


def statements_of(database: Database, connection: Connection, use: Any) -> list[tuple[str, Any]]:
    """Return the statements that ``use`` runs, with their parameters."""
    found: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        found.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        use(connection)
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return found


def plans_of(database: Database, connection: Connection, use: Any) -> list[str]:
    """Return the plan of each statement that reads blocks or postings."""
    plans: list[str] = []
    for statement, parameters in statements_of(database, connection, use):
        if "unit_block" not in statement and "posting" not in statement:
            continue
        word = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{word} {statement}", parameters).all()
        plans.append("\n".join(str(row[-1]) for row in rows))
    return plans


def put_many(connection: Connection, count: int) -> None:
    """Fill a ledger of forty series with blocks of many holders, and a journal as long."""
    put_world(connection)
    connection.execute(
        insert(series),
        [
            {
                "series_id": number,
                "cooperative_approach": f"CA{number:04}",
                "originating_registry": "THA01",
                "first_transferring_party": "THA",
                "vintage": 2022,
            }
            for number in range(3, 41)
        ],
    )
    connection.execute(
        insert(unit_block),
        [
            {
                "block_id": number + 1,
                "series_id": 1 + number % 40,
                "first_serial": 10 * number + 1,
                "last_serial": 10 * number + 5,
                "attributes_id": 1,
                "registry": HOLDERS[number % 5][0],
                "account": HOLDERS[number % 5][1],
                "status": "itmo",
            }
            for number in range(count)
        ],
    )
    connection.execute(
        insert(posting),
        [
            {
                "log_index": number,
                "ordinal": 0,
                "kind": "moved",
                "series_id": 1 + number % 40,
                "first_serial": 10 * number + 1,
                "last_serial": 10 * number + 5,
                "attributes_id": 1,
                "to_registry": "CHE01",
                "reference": f"THA01-{number}",
            }
            for number in range(count)
        ],
    )
    connection.execute(text("ANALYZE"))


SERIES_KEY = ("CA0001", "THA01", "THA", 2021)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("own", "ix_unit_block_registry"),
        ("account", "ix_unit_block_account"),
        ("ledger", "ix_unit_block_serials"),
        ("reference", "ix_posting_reference"),
        ("serials", "ix_posting_series"),
    ],
)
def test_a_page_follows_an_index_and_sorts_nothing(
    shared_database: Database, name: str, index: str
) -> None:
    """Proven by the plan of every statement on the tables that grow, on either database."""

    def use(connection: Connection) -> None:
        after, filters = holdings.Place(1, 4_000), {"status": "used"}
        if name in {"own", "account", "ledger"}:
            streams = {
                "own": holdings.of_registry("CHE01"),
                "account": holdings.visible_to(connection, "CHE01", "CHE", CENTRAL)[1:],
                "ledger": holdings.WHOLE_LEDGER,
            }[name]
            holdings.page(
                connection, streams=streams, filters=filters, after=after, limit=5, rows_max=50
            )
            return
        subject = views.Subject(reference="THA01-7")
        if name == "serials":
            viewer = views.Viewer("CHE01", "CHE", CENTRAL)
            subject = views.Subject(series_key=SERIES_KEY, serials=(1, 9), viewer=viewer)
        views.history(connection, subject=subject, after=(5, 0), limit=5, rows_max=50)

    with rolled_back(shared_database) as connection:
        put_many(connection, 4_000)
        plans = plans_of(shared_database, connection, use)
    assert plans
    assert any(index in plan for plan in plans), plans
    for plan in plans:
        assert "Seq Scan on unit_block" not in plan, plan
        assert "Seq Scan on posting" not in plan, plan
        assert "SCAN unit_block" not in plan or "USING" in plan, plan
        assert "SCAN posting" not in plan or "USING" in plan, plan


def test_a_party_of_very_many_accounts_sees_them_all(shared_database: Database) -> None:
    """A condition over all of them at once would be too large for one statement."""
    count, registry = 1_100, "CHE01"
    with rolled_back(shared_database) as connection:
        put_world(connection)
        connection.execute(
            insert(account),
            [
                {
                    "registry": CENTRAL,
                    "account_id": f"MANY-{number}",
                    "type": 100,
                    "party": "CHE",
                    "metric": "GHG",
                    "status": "open",
                    "opened_at": AT,
                }
                for number in range(count)
            ],
        )
        put(connection, state_of([4] * (2 * SERIALS), set()))
        seen: list[Unit] = []
        for after in (holdings.START, holdings.Place(1, 3)):
            page = look(connection, registry, after, limit=5, rows_max=5)
            seen += units_of(page.rows)
    assert seen[: 2 * SERIALS] == sorted(visible(state_of([4] * (2 * SERIALS), set()), registry))
    assert seen[2 * SERIALS :] == seen[3 : 2 * SERIALS]
