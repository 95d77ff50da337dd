"""``itmo-hub db …``, and how every command treats a database it cannot use."""

from pathlib import Path

import pytest
from sqlalchemy import text

from hub.store.database import Database
from hub.store.schema import newest_revision
from tests.hub.commands.runner import done, refused, run
from tests.hub.world import World


def test_an_empty_database_is_upgraded_and_checked(database_url: str) -> None:
    """From empty to the newest revision; a second time nothing changes; all invariants hold."""
    newest = newest_revision()
    words = ("db", "upgrade", "--database", database_url)
    assert done(*words).lines == [["schema", "empty", newest]]
    assert done(*words).lines == [["schema", newest, newest]]
    check = ("db", "check", "--database", database_url)
    assert "every invariant holds" in done(*check).out
    assert done(*check, "--json").document == {
        "log_index": 0,
        "violations": [],
        "faults": [],
        "log": [],
    }


def test_damage_is_reported_with_status_one(sqlite_url: str) -> None:
    """As lines and as JSON; a script sees the status."""
    database = Database(sqlite_url)
    world = World(database)
    world.begin()
    world.transfer("THA01-1", 1, 9)
    with database.writing() as connection:
        connection.execute(text("UPDATE unit_block SET registry = 'GHA01'"))
        connection.execute(text("UPDATE mailbox SET last_sequence = 99"))
        connection.execute(text("UPDATE log_party SET entry_count = 99 WHERE code = 'CHE01'"))
    check = ("db", "check", "--database", sqlite_url)
    said = run(*check)
    assert said.status == 1
    kinds = [line[0] for line in said.lines]
    assert {"difference", "exchange", "log"} <= set(kinds)
    as_json = run(*check, "--json")
    assert as_json.status == 1
    assert as_json.document["violations"]
    assert as_json.document["faults"]
    assert "CHE01" in as_json.document["log"][0]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nonsense", "SQLite file or a PostgreSQL database"),
        ("mysql://root:secret@localhost/hub", "SQLite file or a PostgreSQL database"),
        ("postgresql://nobody:secret@127.0.0.1:1/hub", "cannot be reached"),
        ("sqlite:////missing/folder/hub.db", "cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_clear_line(url: str, expected: str) -> None:
    """In every command that needs one; no password is repeated."""
    for words in (
        ("db", "check"),
        ("db", "upgrade"),
        ("participant", "list"),
        ("account", "list"),
        ("transfer", "list"),
        ("suspension", "list"),
        ("alerts",),
        ("log", "show"),
        ("log", "check"),
    ):
        said = refused(*words, "--database", url)
        assert expected in said
        assert "secret" not in said


def test_a_database_of_newer_code_is_refused_by_every_command(sqlite_url: str) -> None:
    """Nothing is changed by code that does not know the schema."""
    with Database(sqlite_url).writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for words in (("db", "upgrade"), ("db", "check"), ("participant", "list")):
        assert "newer code" in refused(*words, "--database", sqlite_url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A text file in the place of the database is left as it is."""
    path = tmp_path / "notes.db"
    path.write_text("These are notes, not a database. " * 100)
    before = path.read_bytes()
    assert "database" in refused("db", "check", "--database", f"sqlite:///{path}")
    assert path.read_bytes() == before
