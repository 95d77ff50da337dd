"""What is cheap to know of the database itself: its kind, its size, whether a hub leads on it."""

from pathlib import Path

from sqlalchemy import Connection, text

from hub.store.database import Database

_LARGEST = text(
    "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    " ORDER BY 2 DESC, 1 LIMIT :limit"
)
_LEADER = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = 0 AND objid = :key AND objsubid = 1"
)


def size_of(connection: Connection, database: Database) -> list[tuple[str, int]]:
    """Return what takes how many bytes: the files of SQLite, or all of PostgreSQL's database."""
    if database.is_sqlite:
        path = Path(str(database.url.database))
        files = (path, path.with_name(f"{path.name}-wal"))
        return [(file.name, file.stat().st_size) for file in files if file.exists()]
    whole = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return [(str(database.url.database), int(whole))]


def largest_tables(connection: Connection, database: Database, limit: int) -> list[tuple[str, int]]:
    """Return PostgreSQL's largest tables with their indexes, in bytes; SQLite does not count."""
    if database.is_sqlite:
        return []
    return [(row[0], int(row[1])) for row in connection.execute(_LARGEST, {"limit": limit})]


def version_of(connection: Connection, database: Database) -> str:
    """Return the database's own version."""
    statement = "SELECT sqlite_version()" if database.is_sqlite else "SHOW server_version"
    return str(connection.execute(text(statement)).scalar_one())


def is_lock_held(connection: Connection, key: int) -> bool:
    """Tell whether any session of this PostgreSQL database holds an advisory lock."""
    return bool(connection.execute(_LEADER, {"key": key}).scalar_one())
