"""Rows found by many pairs: the right ones, and never by reading a whole table."""

from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from hub.store import envelopes, mailboxes, reference
from hub.store.database import Database
from hub.store.pairs import PairLookup
from hub.store.tables import series
from tests.hub.store.samples import rolled_back

LOOKUP = PairLookup((series.c.series_id,), series.c.cooperative_approach, series.c.vintage)


def test_rows_are_found_by_both_values_of_a_pair(shared_database: Database) -> None:
    """Not by one value of this and the other of that; what is not there is left out."""
    with rolled_back(shared_database) as connection:
        for number, (approach, vintage) in enumerate([("A", 1), ("A", 2), ("B", 1), ("'", 7)]):
            row = {"series_id": 900 + number, "cooperative_approach": approach, "vintage": vintage}
            whose = {"originating_registry": "THA01", "first_transferring_party": "THA"}
            connection.execute(insert(series).values(**row, **whose))
        asked = {("A", 2), ("B", 1), ("B", 2), ("'", 7)}
        assert sorted(row[0] for row in LOOKUP.rows(connection, asked)) == [901, 902, 903]
        assert list(LOOKUP.rows(connection, ())) == []


@pytest.mark.parametrize("asked", ["answers", "digests", "usages"])
def test_sqlite_looks_pairs_up_by_index(
    asked: str, sqlite: Database, request: pytest.FixtureRequest
) -> None:
    """Each batch asks these three: reading all envelopes ever received would grow for ever.

    PostgreSQL chooses by the size of the table, so its plans say nothing here.
    """
    plans: list[str] = []

    def explain(connection: Connection, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        found = connection.connection.cursor()
        found.execute(f"EXPLAIN QUERY PLAN {statement}", given)
        plans.extend(row[3] for row in found.fetchall())

    engine = sqlite.engine
    with rolled_back(sqlite) as connection:
        event.listen(engine, "before_cursor_execute", explain)
        request.addfinalizer(lambda: event.remove(engine, "before_cursor_execute", explain))
        if asked == "answers":
            envelopes.find_answers(connection, {("THA01", "1"), ("THA01", "2")})
        elif asked == "digests":
            mailboxes.delivery_digests(connection, {("THA01", 1), ("THA01", 2)})
        else:
            reference.usages(connection, {("THA", "1"), ("THA", "2")})
    assert any(plan.startswith("SEARCH") for plan in plans)
    assert [plan for plan in plans if plan.startswith("SCAN") and "json" not in plan] in (
        [],
        ["SCAN asked VIRTUAL TABLE INDEX 1:"],
    )
