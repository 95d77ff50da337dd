"""Looking around: pages in a stable order, on what may be seen, and totals that add up."""

from typing import Any

import pytest

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

        def kinds(limit: int = 100, asker: str | None = None, **asked: Any) -> list[str]:
            viewer = None if asker is None else views.Viewer(asker, asker[:3], "XIR01")
            subject = views.Subject(viewer=viewer, **asked)
            page = views.history(connection, subject=subject, after=(0, 0), limit=limit)
            return [row.kind for row in page.rows]

        assert kinds(reference="THA01-1") == ["introduced", "reserved", "moved"]
        assert kinds(reference="THA01-9") == []
        serials: dict[str, Any] = {"series_key": key, "serials": (9, 20)}
        first = ["introduced", "reserved", "moved", "introduced"]
        assert kinds(4, "THA01", **serials) == first
        assert kinds(4, **serials) == first
        assert kinds(asker="CHE01", **serials) == ["moved", "moved"]
        assert kinds(asker="GHA01", **serials) == []
        assert len(kinds()) == 8
        assert kinds(filters={"registry": "CHE01"}) == ["moved", "moved"]
        assert kinds(filters={"vintage": 2023}) == []
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
