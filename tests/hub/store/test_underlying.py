"""Underlying units in the ledger's rows: found by their numbers, against a scan of all of them."""

import re
from dataclasses import replace

from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from hub.checks.underlying import UnderlyingUnits
from hub.international_registry.units import LedgerBlock, Range
from hub.store import ledger, schema
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.underlying import DIGITS_MAX, columns_of, padded, unit_of
from message_schemas.blocks import UnderlyingUnit
from tests.hub.store.samples import ATTRIBUTES, block, inserting, rolled_back

REGISTRIES = ("VCS", "T-VER")
NUMBERED = re.compile(r"([^0-9]*)([0-9]+)")
numbers = st.integers(0, 40) | st.integers(10**28, 10**28 + 20)


@st.composite
def statements(draw: st.DrawFn) -> UnderlyingUnit:
    """Draw underlying units: numbered up or down, with zeros before, or not numbered at all."""
    beginning = draw(st.sampled_from(("", "A-", "B-")))
    first, last = draw(numbers), draw(st.integers(0, 9))
    width = draw(st.sampled_from((0, 3)))
    first_id, last_id = (f"{beginning}{n:0{width}}" for n in (first, first + last))
    if draw(st.booleans()):
        first_id, last_id = last_id, first_id
    if draw(st.integers(0, 4)) == 0:
        last_id = draw(st.sampled_from(("x", "A-x", "B-3")))
    return UnderlyingUnit(draw(st.sampled_from(REGISTRIES)), first_id, last_id)


def clash(one: UnderlyingUnit, other: UnderlyingUnit) -> bool:
    """Tell by the rule alone whether two statements clash."""
    if one.registry != other.registry:
        return False
    if {one.first_unit_id, one.last_unit_id} & {other.first_unit_id, other.last_unit_id}:
        return True
    spans = []
    for unit in (one, other):
        ends = [NUMBERED.fullmatch(name) for name in (unit.first_unit_id, unit.last_unit_id)]
        if ends[0] is None or ends[1] is None or ends[0][1] != ends[1][1]:
            return False
        low, high = sorted(int(end[2]) for end in ends if end is not None)
        spans.append((ends[0][1], range(low, high + 1)))
    (beginning, mine), (their_beginning, theirs) = spans
    return beginning == their_beginning and mine[0] <= theirs[-1] and theirs[0] <= mine[-1]


def blocks_of(stated: list[UnderlyingUnit]) -> list[LedgerBlock]:
    """Return a ledger of what would be accepted one after the other; every third block is split."""
    accepted: list[UnderlyingUnit] = []
    blocks: list[LedgerBlock] = []
    for unit in stated:
        if any(clash(unit, earlier) for earlier in accepted):
            continue
        accepted.append(unit)
        first = len(accepted) * 10
        ends = ((first, first + 4), (first + 5, first + 9))
        for low, high in ends if len(accepted) % 3 == 0 else ((first, first + 9),):
            attributes = replace(ATTRIBUTES[0], underlying_registry=unit.registry)
            blocks.append(
                block(
                    len(blocks) + 1,
                    low,
                    high,
                    attributes=attributes,
                    underlying_first=unit.first_unit_id,
                    underlying_last=unit.last_unit_id,
                )
            )
    return blocks


def taken_for(found: list[LedgerBlock]) -> UnderlyingUnits:
    """Return what the checks see of the blocks that were loaded."""
    taken = UnderlyingUnits()
    for one in found:
        unit = unit_of(one)
        assert unit is not None
        taken.add(unit, one.range)
    return taken


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stated=st.lists(statements(), max_size=25),
    wanted=st.lists(statements(), min_size=1, max_size=8),
)
def test_a_clash_is_found_exactly_where_a_scan_finds_one(
    shared_database: Database, stated: list[UnderlyingUnit], wanted: list[UnderlyingUnit]
) -> None:
    """Whatever was stored before, also of blocks that were split since."""
    blocks = blocks_of(stated)
    with rolled_back(shared_database) as connection:
        ledger.record(connection, Interning(), inserting(blocks), [])
        found = ledger.load_underlying(connection, Interning(), wanted)
    assert {one.block_id for one in found} <= {one.block_id for one in blocks}
    taken = taken_for(found)
    for unit in wanted:
        clashing: set[Range] = set()
        for one in blocks:
            stored = unit_of(one)
            if stored is not None and clash(unit, stored):
                clashing.add(one.range)
        assert bool(set(taken.clashing(unit))) == bool(clashing), unit
        assert set(taken.clashing(unit)) <= clashing


def test_nothing_is_asked_where_nothing_is_stated(shared_database: Database) -> None:
    """No underlying unit: no block, and columns that are all empty."""
    with rolled_back(shared_database) as connection:
        assert ledger.load_underlying(connection, Interning(), []) == []
    assert set(columns_of(block(1, 1, 9)).values()) == {None}


def test_numbers_keep_their_order_as_text() -> None:
    """Up to the most digits a number may have."""
    assert padded(9) < padded(10) < padded(10**DIGITS_MAX - 1)
    assert len(padded(7)) == DIGITS_MAX == 30


def test_a_wanted_unit_is_found_by_an_index_not_by_a_scan(shared_database: Database) -> None:
    """SQLite says how it would search; PostgreSQL has the same partial indexes."""
    if not shared_database.is_sqlite:
        return
    statement = ledger._NUMBERED_SQLITE + ledger._NUMBERED_BEFORE
    with rolled_back(shared_database) as connection:
        plan = connection.execute(text("EXPLAIN QUERY PLAN " + statement), {"requests": "[]"}).all()
    steps = "\n".join(row[3] for row in plan)
    assert "ix_unit_block_underlying_low" in steps
    assert "SCAN b" not in steps


def test_an_older_database_gets_the_columns_of_what_it_holds(empty_database: Database) -> None:
    """The migration fills them by the same rule, so that old units clash as well."""
    with empty_database.writing() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(text("INSERT INTO series VALUES (1, 'CA0001', 'THA01', 'THA', 2022)"))
        content = '{"underlying_registry":"VCS"}', '{"underlying_registry":null}'
        for attributes_id, document in enumerate(content, start=1):
            connection.execute(
                text("INSERT INTO unit_attributes VALUES (:id, :content)"),
                {"id": attributes_id, "content": document},
            )
        older = ((1, 1, "A-9", "A-12"), (2, 1, "A-7", "B-8"), (3, 1, None, None), (4, 2, "1", "2"))
        for block_id, attributes_id, first, last in older:
            connection.execute(
                text(
                    "INSERT INTO unit_block (block_id, series_id, first_serial, last_serial, "
                    "attributes_id, registry, status, underlying_first, underlying_last) VALUES "
                    "(:id, 1, :id, :id, :attributes, 'THA01', 'authorized', :first, :last)"
                ),
                {"id": block_id, "attributes": attributes_id, "first": first, "last": last},
            )
    schema.upgrade(empty_database)
    with empty_database.reading() as connection:
        rows = connection.execute(
            text(
                "SELECT underlying_registry, underlying_beginning, underlying_low, underlying_high "
                "FROM unit_block ORDER BY block_id"
            )
        ).all()
    nothing = (None, None, None, None)
    assert [tuple(row) for row in rows] == [
        ("VCS", "A-", padded(9), padded(12)),
        ("VCS", None, None, None),
        nothing,
        nothing,
    ]
