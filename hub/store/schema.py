"""Bring a database up to the code, and refuse one that is ahead of it."""

from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, insert, inspect, select

from hub.store import log
from hub.store.database import Database
from hub.store.tables import head

_UPGRADE_LOCK = 0x49544D50  # beside the advisory key of the leadership
_MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaError(Exception):
    """The database's schema is not the one this code was written for."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def revision_of(connection: Connection) -> str | None:
    """Return the revision the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """Return the revision this code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the schema to the newest revision; return the revisions before and after.

    Raises SchemaError when the database was written by newer code.
    """
    with database.writing() as connection:
        if not database.is_sqlite:
            # Hub processes that start together: there is no head yet to stand in line at.
            connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        before = revision_of(connection)
        _refuse_newer(before)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.execute(select(head.c.id)).one_or_none() is None:
            connection.execute(
                insert(head).values(
                    id=1,
                    log_index=0,
                    compact_range=log.begin(connection, datetime.now(UTC)),
                    next_block_id=1,
                    trust_version=1,
                    reference_version=1,
                )
            )
    return before, newest_revision()


def require_current(database: Database) -> None:
    """Raise SchemaError unless the database is at exactly the revision this code needs."""
    with database.reading() as connection:
        found = revision_of(connection)
        empty = not inspect(connection).get_table_names()
    if found == newest_revision():
        return
    _refuse_newer(found)
    what = "is empty" if empty else f"is at revision {found}"
    raise SchemaError(
        f"the database {what}; this code needs {newest_revision()}. Run `itmo-hub db upgrade`."
    )


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaError(
            f"the database is at revision {found}, which this version does not know: it was "
            "written by newer code. Install that version; nothing was changed."
        )
