"""No page reads a large table from one end to the other, on either database.

Every statement that a page sends is explained by the database itself. On SQLite plans do not depend
on how many rows there are (the hub never counts them for it), so the small day shows what would be
done with millions. PostgreSQL is told to avoid whole tables and what goes with them: where it still
reads one, no index would help. What it costs with millions is measured by
``python -m bench.console``.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, event, text

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people.roles import Role
from hub.store.console import activity, holdings_sums
from hub.store.database import Database
from tests.databases import postgres_url
from tests.hub.console.console_world import ConsoleWorld, seed, serve_console
from tests.hub.console.every_route import READING, address
from tests.hub.world import World
from tests.integration.peers import now

LARGE: Final = frozenset(
    {
        *("transfer", "unit_block", "posting", "acted", "envelope", "mailbox_item", "act"),
        *("delivery", "delivery_replaced", "log_entry", "log_tile", "sign_in_event"),
        *("reconciliation_case", "reconciliation_case_range", "reconciliation_case_event"),
        *("reconciliation_session", "reconciliation_question", "reconciliation_answer"),
        *("reconciliation_finding", "reconciliation_movement", "reconciliation_digest"),
    }
)
"""Tables that grow with the exchange and the years."""
_OF_FEW: Final = ("_frozen", "_hold", "_reserved_by", "_open", "_unsettled", "_recorded")
"""Indexes of the few rows of a state that passes: who asks for these reads them all."""
ENDLESS: Final = ("/live",)
UNITS: Final = "CA0001-THA01-THA-1-2022..CA0001-THA01-THA-99-2022"
SINCE: Final = (now() - timedelta(days=1)).date().isoformat()
SEARCHES: Final = (
    *("/cases?state=closed", "/cases?kind=held_twice", "/cases?assignee=officer"),
    *("/cases?registry=CHE01", "/cases?order=units", "/cases?order=due", "/cases?order=changed"),
    *(f"/cases?{name}" for name in ("due=overdue", "assignee=-", "named=THA01-1")),
    *("/transfers?registry=CHE01", "/transfers?party=CHE", "/transfers?account=CH-1"),
    *("/transfers?state=rejected", "/transfers?state=completed", "/transfers?state=proposed"),
    *("/transfers?id=THA01-1", "/transfers?id=THA01-", f"/transfers?units={UNITS}"),
    *(f"/transfers?since={SINCE}", "/transfers?approach=CA0001", "/transfers/THA01-1"),
    *("/ledger?registry=CHE01", f"/ledger/serial?units={UNITS}", "/ledger/blocks?registry=CHE01"),
    *("/registries/THA01", "/log/entries/1", "/log/entries/20", "/acts?kind=participant.add"),
    *("/acts?subject=THA01", "/acts?actor=tests", "/find?q=THA01-1", f"/find?q={UNITS}"),
)

Statement = tuple[str, Any]


@contextmanager
def heard(database: Database) -> Iterator[list[Statement]]:
    """Give the list of what is read in the block, with the values it was read with."""
    said: list[Statement] = []

    def hear(*call: Any) -> None:
        statement, values, many = call[2], call[3], call[5]
        if not many and statement.lstrip().upper().startswith(("SELECT", "WITH")):
            said.append((statement, values))

    engine = database._reader
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def counted_once(database: Database) -> set[str]:
    """Return the statements that count whole tables: at the start, aside, and never for a page.

    What is shown is kept up to date from there by what the log says since.
    """
    with heard(database) as said, database.reading() as connection:
        activity.full_tally(connection)
        holdings_sums.count(connection)
    return {statement for statement, _ in said}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def any_console(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[ConsoleWorld]:
    """Serve a console over the small day, on each database."""
    if request.param == "sqlite":
        database = request.getfixturevalue("seeded")
    else:
        template = request.getfixturevalue("registered_template")
        server = request.getfixturevalue("postgres_server")
        database = Database(postgres_url(server, template))
        seed(World(database))
    policy = ConsolePolicy(secret=str(tmp_path / "secret"))
    async with serve_console(database, policy) as served:
        yield served
    database.dispose()


async def test_no_page_reads_a_large_table_from_end_to_end(any_console: ConsoleWorld) -> None:
    """Whatever is asked of whichever page, each statement finds its rows along an index."""
    database = any_console.database
    allowed = counted_once(database)
    cases = _case_pages(database)
    pages = [one for one in map(address, READING) if not one.startswith(ENDLESS)]
    faults: dict[str, list[str]] = {}
    explained: set[str] = set()
    for page in (*pages, *SEARCHES, *cases):
        with heard(database) as said:
            answer = await any_console.get(page, as_=Role.ADMINISTRATOR.value)
        assert answer.status < 500, (page, answer.text)
        with database.reading() as connection:
            for statement, values in said:
                if statement not in explained and statement not in allowed:
                    explained.add(statement)
                    for fault in whole_tables(connection, statement, values):
                        faults.setdefault(page, []).append(f"{fault}: {statement}")
    told = "\n\n".join(f"{page}\n  " + "\n  ".join(found) for page, found in faults.items())
    assert not faults, told
    assert len(explained) > 100, "pages were asked, and what they read was looked at"


def _case_pages(database: Database) -> list[str]:
    with database.reading() as connection:
        ids = connection.execute(text("SELECT case_id FROM reconciliation_case")).scalars()
        return [f"/cases/{case_id}" for case_id in ids]


def whole_tables(connection: Connection, statement: str, values: Any) -> list[str]:
    """Return the large tables that a statement would read from end to end."""
    if connection.dialect.name == "sqlite":
        return _whole_on_sqlite(connection, statement, values)
    for way in ("seqscan", "hashjoin", "mergejoin"):
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
    return list(_whole_on_postgres(plan[0]["Plan"], is_cut=False))


_ALIAS: Final = re.compile(r"\b(\w+) (?:AS )?(\w+)\b")
_SCAN: Final = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")


def _whole_on_sqlite(connection: Connection, statement: str, values: Any) -> list[str]:
    named = {alias: table for table, alias in _ALIAS.findall(statement) if table in LARGE}
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    found = []
    for row in rows:
        scan = _SCAN.match(row[3])
        if scan is None or named.get(scan[1], scan[1]) not in LARGE:
            continue
        # Along an index from one end, until enough was found; or all of an index of few rows.
        is_cut = " LIMIT " in statement.replace("\n", " ")
        if scan[2] is None or not (is_cut or scan[2].endswith(_OF_FEW)):
            found.append(row[3])
    return found


def _whole_on_postgres(plan: dict[str, Any], *, is_cut: bool) -> Iterator[str]:
    kind, table = plan["Node Type"], plan.get("Relation Name")
    is_cut = is_cut or kind == "Limit"
    if table in LARGE:
        if kind == "Seq Scan":
            yield f"Seq Scan {table}"
        elif "Scan" in kind and "Index Cond" not in plan and not is_cut:
            index = str(plan.get("Index Name", ""))
            if kind != "Bitmap Heap Scan" and not index.endswith(_OF_FEW):
                yield f"{kind} {table} {index}"
    for part in plan.get("Plans", ()):
        yield from _whole_on_postgres(part, is_cut=is_cut)


def test_what_the_explaining_looks_for_is_found(seeded: Database) -> None:
    """A statement without an index is told, one with an index is not."""
    with seeded.reading() as connection:
        whole = "SELECT quantity FROM transfer WHERE quantity = ?"
        assert whole_tables(connection, whole, (1,)) == ["SCAN transfer"]
        short = "SELECT t.quantity FROM transfer AS t WHERE t.quantity + 0 = ?"
        assert whole_tables(connection, short, (1,)) == ["SCAN t"]
        along = "SELECT quantity FROM transfer WHERE initiator = ?"
        assert whole_tables(connection, along, ("THA01",)) == []
        first = "SELECT quantity FROM transfer ORDER BY proposed_at LIMIT 1"
        assert whole_tables(connection, first, ()) == []
