"""The schema: one on both databases, made by migrations, refused when it is not ours."""

import subprocess
import sys
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from hub.store import head as heads
from hub.store import log, schema
from hub.store.console import indexes as _indexes  # noqa: F401 - adds its indexes
from hub.store.database import Database
from hub.store.head import Head
from hub.store.people import tables as _people  # noqa: F401 - adds its tables
from hub.store.reconciliation import tables as _reconciliation  # noqa: F401 - adds its tables
from hub.store.schema import SchemaError
from hub.store.tables import metadata
from hub.transparency_log.hashing import leaf_hash


def test_an_empty_database_is_brought_up_to_the_newest_revision(empty_database: Database) -> None:
    """From nothing to the newest, told as such, with the head at the beginning of the log."""
    assert schema.upgrade(empty_database) == (None, schema.newest_revision())
    schema.require_current(empty_database)
    with empty_database.reading() as connection:
        assert schema.revision_of(connection) == schema.newest_revision()
        found = heads.read(connection)
        genesis = log.entry_at(connection, 0)
        assert genesis is not None
        assert found == Head(0, leaf_hash(genesis), 1, 1, 1)


def test_a_second_upgrade_changes_nothing(empty_database: Database) -> None:
    """Whoever is careful and upgrades twice loses nothing, not even the head."""
    schema.upgrade(empty_database)
    with empty_database.writing() as connection:
        before = heads.lock(connection)
        heads.advance(connection, before, Head(7, b"edge", 8, 9, 10))
    newest = schema.newest_revision()
    assert schema.upgrade(empty_database) == (newest, newest)
    with empty_database.reading() as connection:
        assert heads.read(connection) == Head(7, b"edge", 8, 9, 10)


@pytest.mark.postgres
def test_hub_processes_that_start_together_make_one_schema(postgres_database_url: str) -> None:
    """Two processes upgrade an empty database at once: both succeed, one of them made it.

    (SQLite's writers stand in line anyway: see ``test_database``.)
    """
    command = [sys.executable, "-m", "hub", "db", "upgrade", "--database", postgres_database_url]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert sum(b"empty" in out for out, _ in said) == 1
    schema.require_current(Database(postgres_database_url))


def test_the_migrations_make_exactly_the_tables_of_the_code(empty_database: Database) -> None:
    """Alembic finds nothing to add: who changes ``tables`` must write a migration."""
    schema.upgrade(empty_database)
    with empty_database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_the_migrations_make_the_same_constraints_and_indexes(
    empty_database: Database,
) -> None:
    """What Alembic does not compare (checks, partial indexes, names) is the same as well."""
    schema.upgrade(empty_database)
    with empty_database.writing() as connection:
        migrated = shape_of(connection)
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert shape_of(connection) == migrated
    assert set(migrated) == set(metadata.tables)


def shape_of(connection: Connection) -> dict[str, Any]:
    """Return all that a database knows of our tables, in an order that does not matter."""
    found = inspect(connection)
    return {
        name: {
            "columns": [
                (one["name"], str(one["type"]), one["nullable"], one["default"])
                for one in found.get_columns(name)
            ],
            "primary key": found.get_pk_constraint(name),
            "foreign keys": sorted(map(str, found.get_foreign_keys(name))),
            "uniques": sorted(map(str, found.get_unique_constraints(name))),
            "checks": sorted(map(str, found.get_check_constraints(name))),
            "indexes": sorted(index_of(one) for one in found.get_indexes(name)),
        }
        for name in metadata.tables
    }


def index_of(found: Any) -> str:
    """Return an index as one line; the condition of a partial one is an object of its own."""
    options = {name: str(value) for name, value in found.get("dialect_options", {}).items()}
    return str({**found, "dialect_options": options})


def test_a_database_of_newer_code_is_refused_and_left_alone(empty_database: Database) -> None:
    """A hub that was downgraded by mistake neither starts nor changes anything."""
    schema.upgrade(empty_database)
    with empty_database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match=r"9999.*newer code"):
        schema.upgrade(empty_database)
    with pytest.raises(SchemaError, match=r"9999.*newer code"):
        schema.require_current(empty_database)
    with empty_database.reading() as connection:
        assert schema.revision_of(connection) == "9999"


def test_a_database_behind_the_code_is_refused_with_the_remedy(empty_database: Database) -> None:
    """The operator reads which command brings it up to date, for an empty one too."""
    with pytest.raises(SchemaError, match=r"is empty.*itmo-hub db upgrade"):
        schema.require_current(empty_database)
    schema.upgrade(empty_database)
    with empty_database.writing() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(SchemaError, match=r"revision None.*itmo-hub db upgrade"):
        schema.require_current(empty_database)
