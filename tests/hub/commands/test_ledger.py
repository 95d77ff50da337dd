"""``itmo-hub ledger correct``: done, proposed and refused from the command line."""

import pytest

from hub.store.database import Database
from tests.hub.commands.runner import done, refused, run
from tests.hub.world import World

UNITS = "CA0001-THA01-THA-3-2022..CA0001-THA01-THA-5-2022"
WORDS = ("ledger", "correct", UNITS, "--from", "CHE01", "--to", "GHA01", "--reason", "case 17")


@pytest.fixture
def world(registered_url: str) -> World:
    """Return a hub at which Switzerland has nine units."""
    world = World(Database(registered_url))
    world.begin()
    world.transfer("THA01-1", 1, 9)
    return world


def test_units_are_corrected_and_the_database_is_whole(world: World, registered_url: str) -> None:
    """One line for people; the units are where they belong, and every check is content."""
    database = ("--database", registered_url)
    assert done(*WORDS, *database).lines == [[UNITS, "CHE01", "GHA01", "corrected"]]
    assert (3, 5, "GHA01", "itmo") in world.blocks()
    done("db", "check", *database)
    done("act", "check", *database)
    assert "in GHA01: a correction moves units that are all in CHE01" in refused(*WORDS, *database)


def test_machines_are_told_the_act_in_json(world: World, registered_url: str) -> None:
    """The units in full, both registries, and the act's log index."""
    database = ("--database", registered_url)
    said = done(*WORDS, "--json", *database).document
    newest = done("act", "list", "--json", *database).document[0]
    assert said == {
        "units": UNITS,
        "from_registry": "CHE01",
        "to_registry": "GHA01",
        "account": None,
        "log_index": newest["log_index"],
        "proposal": None,
    }
    assert newest["kind"] == "ledger.correct"


def test_a_correction_without_a_reason_is_misuse(world: World, registered_url: str) -> None:
    """The reason is mandatory, and not empty."""
    assert run(*WORDS[:-2], "--database", registered_url).status == 2
    empty = (*WORDS[:-1], "", "--database", registered_url)
    assert "a reason has" in refused(*empty)
    assert world.blocks() == [(1, 9, "CHE01", "itmo")]
