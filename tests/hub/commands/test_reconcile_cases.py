"""``itmo-hub reconcile case …``: listed, shown, worked on, explained; what is frozen."""

import pytest

from hub.commands.late import LatePart
from hub.commands.reconcile import PARTS
from hub.store.database import Database
from tests.hub.commands.runner import done, misused, refused
from tests.hub.services.reconciliation.case_worlds import HELD, USED, compared, finding
from tests.hub.world import World

CASE = ("reconcile", "case")


@pytest.fixture
def world(sqlite_url: str) -> World:
    """Return a hub where Switzerland has units 1 to 99 of Thailand."""
    made = World(Database(sqlite_url))
    made.begin()
    made.transfer("THA01-1", 1, 99)
    return made


@pytest.fixture
def two(world: World) -> tuple[str, str]:
    """Return a case of Switzerland and one of Ghana."""
    (first,) = compared(world, finding(11, 20, registry=(USED,))).opened
    (second,) = compared(
        world, finding(30, 30, ledger=(), registry=(HELD,)), registry="GHA01"
    ).opened
    return first, second


def listed(url: str, *words: str) -> list[str]:
    """Return the ids of the cases on a list."""
    found = done(*CASE, "list", "--json", *words, "--database", url).document
    return [row["case_id"] for row in found]


def test_cases_are_listed_by_what_is_asked_for(
    sqlite_url: str, world: World, two: tuple[str, str]
) -> None:
    """Open ones, unless a state is named; by registry, kind, who works on it."""
    first, second = two
    assert listed(sqlite_url) == [first, second]
    assert listed(sqlite_url, "--registry", "GHA01") == [second]
    assert listed(sqlite_url, "--kind", "used_or_cancelled_on_one_side") == [first]
    database = ("--database", sqlite_url)
    done(*CASE, "assign", first, "--to", "Ada", *database)
    assert listed(sqlite_url, "--assignee", "Ada") == [first]
    compared(world, registry="GHA01")
    assert listed(sqlite_url) == [first]
    assert listed(sqlite_url, "--state", "closed") == [second]
    assert listed(sqlite_url, "--state", "all") == [first, second]
    assert done(*CASE, "list", *database).lines[1][:3] == [first, "CHE01", "open"]


def test_a_case_is_worked_on_from_the_command_line(
    sqlite_url: str, world: World, two: tuple[str, str]
) -> None:
    """Several at once where that makes sense; all of it is shown afterwards."""
    database = ("--database", sqlite_url)
    said = done(*CASE, "acknowledge", *two, "--as", "ada", *database)
    assert said.lines == [[one, "acknowledge"] for one in two]
    first = two[0]
    done(*CASE, "note", first, "--text", "called Bern", *database)
    done(*CASE, "due", first, "--on", "2026-12-24", "--reason", "holidays", *database)
    how = ("--how", "messages", "--text", "they send the use")
    done(*CASE, "correct", first, *how, *database)
    done(*CASE, "rerun", first, *database)
    shown = done(*CASE, "show", first, "--json", *database).document
    assert (shown["state"], shown["due_on"]) == ("awaiting_rerun", "2026-12-24")
    assert [one["kind"] for one in shown["events"]] == [
        "opened",
        "acknowledge",
        "note",
        "set_due",
        "begin_correction",
        "ask_rerun",
    ]
    assert shown["serials"] == [
        {"units": "CA0001-THA01-THA-11-2022..CA0001-THA01-THA-20-2022", "frozen": True}
    ]
    assert "called Bern" in done(*CASE, "show", first, *database).out
    world.prove()


def test_what_cannot_be_done_is_refused_in_one_line(sqlite_url: str, two: tuple[str, str]) -> None:
    """Unknown cases, what the table does not allow; wrong words are misuse."""
    database = ("--database", sqlite_url)
    done(*CASE, "acknowledge", two[0], *database)
    assert "possible now" in refused(*CASE, "acknowledge", two[0], *database)
    assert "there is no case" in refused(*CASE, "show", "2020-01-01/1", *database)
    assert "there is no case" in refused("reconcile", "explain", "2020-01-01/1", *database)
    assert "is no case" in refused(*CASE, "note", "seven", "--text", "x", *database)
    assert misused(*CASE, "assign", two[0], *database)
    assert misused(*CASE, "assign", two[0], "--to", "Ada", "--nobody", *database)
    assert misused(*CASE, "list", "--state", "lost", *database)
    assert misused(*CASE, "list", "--kind", "strange", *database)


def test_a_case_is_explained(sqlite_url: str, two: tuple[str, str]) -> None:
    """As text for a person, and as one document."""
    database = ("--database", sqlite_url)
    said = done("reconcile", "explain", two[0], *database)
    assert said.out.startswith(f"CASE {two[0]}   CHE01   open\n")
    assert "WHAT CHE01 DOES" in said.out
    document = done("reconcile", "explain", two[0], "--json", *database).document
    assert document["differences"][0]["rows"] == [["status", "held", "used"]]


def test_what_is_frozen_is_listed_with_its_case(
    sqlite_url: str, world: World, two: tuple[str, str]
) -> None:
    """And with the one message that may touch it; nothing when nothing is."""
    database = ("--database", sqlite_url)
    rows = done("reconcile", "frozen", "--json", *database).document
    assert [(row["case"], row["registry"], row["quantity"], row["allows"]) for row in rows] == [
        (two[0], "CHE01", 10, "action.use"),
        (two[1], "GHA01", 1, None),
    ]
    compared(world)
    compared(world, registry="GHA01")
    assert done("reconcile", "frozen", "--json", *database).document == []


def test_a_correction_names_its_case(sqlite_url: str, world: World) -> None:
    """`ledger correct` moves frozen serials for their case, and no others."""
    (case_id,) = compared(world, finding(11, 20)).opened
    units = "CA0001-THA01-THA-11-2022..CA0001-THA01-THA-20-2022"
    words = ("ledger", "correct", units, "--from", "CHE01", "--to", "GHA01", "--reason", "x")
    assert case_id in refused(*words, "--database", sqlite_url)
    said = done(*words, "--case", case_id, "--json", "--database", sqlite_url)
    assert said.document["case"] == case_id
    world.prove()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_the_listed_sentence_is_the_commands_own(part: LatePart) -> None:
    """Written twice, so compared."""
    command = part.load()
    assert " ".join(command.help.split("\n\n")[0].split()) == part.help
