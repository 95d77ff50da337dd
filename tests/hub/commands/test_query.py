"""``itmo-hub query``: the ledger for people, spreadsheets and programs, and what others may see."""

import csv
import io
import json

import pytest

from hub.commands import query_sources
from hub.international_registry.accounts import Account, AccountStatus
from hub.services.administration.accounts import open_account
from hub.store.database import Database
from tests.hub.commands.runner import misused, refused, run
from tests.hub.world import World, accepted, act
from tests.integration.peers import block, proposal

Rows = list[tuple[str, int, int]]


@pytest.fixture
def database(registered_url: str) -> tuple[str, str]:
    """Return the option that names a ledger with units in three hands."""
    world = World(Database(registered_url))
    account = Account("CHE-100-1", "XIR01", 100, "CHE", None, None, "GHG", AccountStatus.OPEN)
    world.administration.do(open_account(account), act())
    world.begin()
    world.transfer("THA01-1", 1, 9)
    world.propose("THA01-2", 20, 29)
    said = proposal("THA01-3", block(40, 44), acquiring_account="CHE-100-1")
    accepted(world.say("THA01", "XIR01", said))
    return "--database", registered_url


def rows(*words: str) -> Rows:
    """Return (registry, first, last) of what a holdings query prints as JSON."""
    said = run("query", "holdings", "--json", *words)
    assert said.status == 0, said
    items = json.loads(said.out)["items"]
    return [(one["registry"], one["first_serial"], one["last_serial"]) for one in items]


def test_the_operator_sees_the_whole_ledger_and_filters_it(database: tuple[str, str]) -> None:
    """By registry, account, status, approach, Party and vintage."""
    whole = [("CHE01", 1, 9), ("THA01", 20, 29), ("XIR01", 40, 44)]
    assert rows(*database) == whole
    for words, expected in (
        (("--registry", "CHE01"), whole[:1]),
        (("--account", "CHE-100-1"), whole[2:]),
        (("--status", "authorized"), whole[1:2]),
        (("--party", "THA", "--vintage", "2022", "--approach", "CA0001"), whole),
        (("--party", "GHA"), []),
        (("--vintage", "2021"), []),
        (("--limit", "2"), whole[:2]),
    ):
        assert rows(*words, *database) == expected, words


def test_as_a_participant_it_shows_what_that_one_may_see(database: tuple[str, str]) -> None:
    """Its own units and its Party's accounts, by the same code as the hub's answer."""
    assert rows("--as", "CHE01", *database) == [("CHE01", 1, 9), ("XIR01", 40, 44)]
    assert rows("--as", "THA01", *database) == [("THA01", 20, 29)]
    assert rows("--as", "GHA01", *database) == []
    history = ("query", "history", "--transfer", "THA01-1", *database)
    assert "NOT_PARTY_TO_TRANSFER" in refused(*history, "--as", "GHA01")
    assert "2003" in refused("query", "holdings", "--as", "FRA01", *database)


def test_pages_are_joined_whatever_their_size(
    database: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of one row gives the same as a page of all; the totals count them once."""
    whole = run("query", "holdings", "--json", *database).document
    monkeypatch.setattr("hub.commands.query.PAGE_ROWS", 1)
    monkeypatch.setattr(query_sources.of_ledger, "__defaults__", (1,))
    assert run("query", "holdings", "--json", *database).document == whole
    seen = run("query", "holdings", "--json", "--as", "CHE01", *database).document
    assert len(seen["items"]) == 2
    assert whole["totals"] | {"as_of_log_index": 0} == {
        "rows": 3,
        "units": 24,
        "as_of_log_index": 0,
        "complete": True,
    }


def test_csv_and_lines_are_rows_and_the_totals_go_elsewhere(database: tuple[str, str]) -> None:
    """A spreadsheet reads the one, ``cut`` the other; the sentence is on standard error."""
    said = run("query", "holdings", "--csv", *database)
    found = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["registry"], row["quantity"]) for row in found] == [
        ("CHE01", "9"),
        ("THA01", "10"),
        ("XIR01", "5"),
    ]
    assert found[0]["reserved_by"] == ""
    said = run("query", "holdings", "--limit", "1", *database)
    assert said.lines[1][0] == "CA0001-THA01-THA-1-2022..CA0001-THA01-THA-9-2022"
    assert said.err.startswith("1 rows, 9 units, as of log index ")
    assert "more (--limit)" in said.err
    assert run("query", "holdings", "--vintage", "2021", *database).lines == [said.lines[0]]


def test_the_history_of_a_transfer_of_units_and_of_everything(database: tuple[str, str]) -> None:
    """In the order of the log; the operator may filter, a participant names what of."""

    def kinds(*words: str) -> list[str]:
        said = run("query", "history", "--json", *words, *database)
        assert said.status == 0, said
        return [one["kind"] for one in json.loads(said.out)["items"]]

    assert kinds("--transfer", "THA01-1") == ["introduced", "reserved", "moved"]
    units = ("--units", "CA0001-THA01-THA-9-2022..CA0001-THA01-THA-20-2022")
    assert kinds(*units) == ["introduced", "reserved", "moved", "introduced", "reserved"]
    assert kinds(*units, "--as", "CHE01") == ["moved"]
    assert kinds("--account", "CHE-100-1") == kinds("--registry", "XIR01")
    assert len(kinds()) > len(kinds("--registry", "CHE01")) == 1
    assert kinds("--units", "CA0001-THA01-THA-40-2022", "--as", "CHE01") == kinds(
        "--registry", "XIR01"
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("history", "--units", "CA0001-THA01-THA-9"), "--units is FIRST_ID..LAST_ID"),
        (
            ("history", "--units", "CA0001-THA01-THA-9-2022..CA0001-THA01-THA-9-2023"),
            "more than the serial",
        ),
        (("history", "--as", "CHE01", "--registry", "CHE01"), "filters are the operator's"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(
    sqlite_url: str, words: tuple[str, ...], expected: str
) -> None:
    """It names the option and what it should be."""
    assert expected in refused("query", *words, "--database", sqlite_url)


def test_the_two_roads_do_not_mix(sqlite_url: str) -> None:
    """A database, or a hub with a participant's key."""
    hub = ("--hub", "http://127.0.0.1:9")
    assert "needs" in misused("query", "holdings", *hub)
    assert "hub" in misused("query", "holdings", "--participant", "CHE01")
    wire = (*hub, "--participant", "CHE01", "--key", "env:X", "--hub-key", "x.json")
    assert "--as" in misused("query", "holdings", *wire, "--as", "CHE01")
    assert "--csv" in misused("query", "holdings", "--json", "--csv", "--database", sqlite_url)


def test_a_state_that_does_not_exist_is_misuse_and_all_states_are_named(sqlite_url: str) -> None:
    """Exit status 2, like any value that an option does not take."""
    said = run("query", "holdings", "--status", "lost", "--database", sqlite_url)
    assert said.status == 2
    for state in ("authorized", "itmo", "used", "cancelled"):
        assert f"'{state}'" in said.err
