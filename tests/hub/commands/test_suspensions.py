"""``itmo-hub suspension …``: placed, listed, lifted; for good reasons only."""

from hub.store.database import Database
from tests.hub.commands.runner import done, refused
from tests.hub.world import World

UNITS = "CA0001-THA01-THA-3-2022..CA0001-THA01-THA-5-2022"


def test_a_suspension_is_placed_listed_and_lifted(sqlite_url: str) -> None:
    """In force it is on the list; lifted it is on the full list only."""
    database = ("--database", sqlite_url)
    subjects = {
        "hub": "*",
        "pair": "CHE01/THA01",
        "participant": "CHE01",
        "message_type": "transfer.proposal",
        "account": "XIR01/CHE-1",
    }
    for level, subject in subjects.items():
        done("suspension", "place", level, subject, "--reason", "a test", *database)
    listed = done("suspension", "list", "--json", *database).document
    assert {row["level"]: row["subject"] for row in listed} == subjects
    for level, subject in subjects.items():
        done("suspension", "lift", level, subject, "--reason", "over", *database)
    assert done("suspension", "list", "--json", *database).document == []
    every = done("suspension", "list", "--all", "--json", *database).document
    assert len(every) == len(subjects)
    assert all(row["lifted_at"] for row in every)


def test_units_are_suspended_in_the_ledger_itself(sqlite_url: str) -> None:
    """A block goes on hold and off again; units nobody has cannot."""
    database = ("--database", sqlite_url)
    words = ("block", UNITS, "--reason", "stolen")
    assert "not in the ledger" in refused("suspension", "place", *words, *database)
    world = World(Database(sqlite_url))
    world.begin()
    world.transfer("THA01-1", 1, 9)
    done("suspension", "place", *words, *database)
    assert "on hold already" in refused("suspension", "place", *words, *database)
    done("suspension", "lift", *words, *database)
    assert "not suspended" in refused("suspension", "lift", *words, *database)
    world.prove()


def test_what_cannot_be_suspended_is_refused(sqlite_url: str) -> None:
    """Unknown levels, pairs out of order, what is suspended already or not at all."""
    for words, expected in (
        (("place", "moon", "x"), "moon"),
        (("place", "pair", "THA01/CHE01"), "alphabetical"),
        (("place", "block", "nonsense"), "nonsense"),
        (("lift", "hub", "*"), "not suspended"),
        (("place", "hub", ""), "one line"),
    ):
        said = refused("suspension", *words, "--reason", "x", "--database", sqlite_url)
        assert expected in said
    for reason in ("", "x" * 1001, "bell \a"):
        why = ("--reason", reason, "--database", sqlite_url)
        assert "a reason has" in refused("suspension", "place", "hub", "*", *why)
    place = ("suspension", "place", "hub", "*", "--reason", "x", "--database", sqlite_url)
    done(*place)
    assert "already" in refused(*place)
