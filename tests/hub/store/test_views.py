"""Looking around: pages in a stable order, on what may be seen, and totals that add up."""

import pytest
from sqlalchemy import true

from hub.store import provenance, views
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.ledger import all_blocks
from tests.hub.store.samples import SERIES
from tests.hub.world import World


@pytest.fixture
def world(database: Database) -> World:
    """Return a world in which CHE01 got units twice and THA01 has some in flight."""
    made = World(database)
    made.begin()
    made.transfer("THA01-1", 1, 9)
    made.transfer("THA01-2", 20, 29)
    made.propose("THA01-3", 40, 49)
    return made


def held(world: World, asker: str, **filters: object) -> list[tuple[int, int]]:
    """Return the serials that a registry may see, filtered."""
    with world.database.reading() as connection:
        rows = views.holdings(
            connection,
            visible=views.visible_to(asker, asker[:3], "XIR01"),
            filters=dict(filters),
            after_block_id=0,
            limit=100,
        )
    return [(row.first_serial, row.last_serial) for row in rows]


def test_holdings_are_those_of_the_registry_that_asks(world: World) -> None:
    """Filters narrow them; nothing widens them."""
    assert held(world, "CHE01") == [(1, 9), (20, 29)]
    assert held(world, "CHE01", registry="THA01") == []
    assert held(world, "CHE01", status="itmo", vintage=2022) == [(1, 9), (20, 29)]
    assert held(world, "CHE01", cooperative_approach="CA0002") == []
    assert held(world, "THA01", status=None) == [(40, 49)]
    assert held(world, "GHA01") == []


def test_pages_follow_the_block_ids(world: World) -> None:
    """After the last block of a page comes the next one; an operator sees all."""
    seen, after = [], 0
    with world.database.reading() as connection:
        while rows := views.holdings(
            connection, visible=(true(),), filters={}, after_block_id=after, limit=1
        ):
            seen += [(row.first_serial, row.quantity) for row in rows]
            after = rows[-1].block_id
    assert seen == [(1, 9), (20, 10), (40, 10)]


def test_the_totals_add_up_to_the_ledger(world: World) -> None:
    """By registry, account, approach, vintage and status."""
    with world.database.reading() as connection:
        totals = views.totals(connection)
        units = sum(one.quantity for one in all_blocks(connection, Interning()))
    assert [row[0] for row in totals] == ["CHE01", "THA01"]
    assert [row[-1] for row in totals] == [19, 10]
    assert sum(row[-1] for row in totals) == units


def test_history_is_found_by_reference_and_by_serials(world: World) -> None:
    """In the order it was written; serials only for who ever had to do with them."""
    key = (
        SERIES[0].cooperative_approach,
        SERIES[0].originating_registry,
        SERIES[0].first_transferring_party,
        SERIES[0].vintage,
    )
    with world.database.reading() as connection:

        def kinds(condition: object, limit: int = 100) -> list[str]:
            rows = views.history(
                connection,
                condition=condition,  # type: ignore[arg-type]  # made by views itself
                after=(0, 0),
                limit=limit,
            )
            return [row.kind for row in rows]

        assert kinds(views.of_reference("THA01-1")) == ["introduced", "reserved", "moved"]
        assert kinds(views.of_reference("THA01-9")) == []
        assert kinds(views.of_serials(key, 9, 20, "THA01", "THA"), 4) == [
            "introduced",
            "reserved",
            "moved",
            "introduced",
        ]
        assert kinds(views.of_serials(key, 9, 20, "CHE01", "CHE")) == ["moved", "moved"]
        assert kinds(views.of_serials(key, 9, 20, "GHA01", "GHA")) == []
        assert views.transfer_parties(connection, "THA01-1") == ("THA01", "CHE01")
        assert views.transfer_parties(connection, "THA01-9") is None


def test_the_journal_tells_which_transfer_brought_a_block(world: World) -> None:
    """The one that moved it to its holder; none for units that never moved."""
    with world.database.reading() as connection:
        interning = Interning()
        movers = {
            one.first: provenance.mover_of(connection, interning, one)
            for one in all_blocks(connection, interning)
        }
    assert movers == {1: "THA01-1", 20: "THA01-2", 40: None}
