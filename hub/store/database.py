"""Open the hub's database: an embedded SQLite file, or PostgreSQL.

Writers take the whole house at once: on SQLite a transaction begins IMMEDIATE (its default, late,
would let two writers read and then collide), on PostgreSQL the first statement of every writing
service locks the head row. So all writers of one database are in one line, over any number of hub
processes, and what a writer reads stays true until it commits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError

SQLITE_BUSY_SECONDS_MAX = 30
POSTGRES_POOL_SIZE = 8


class DatabaseUnavailableError(Exception):
    """The database is away, busy or unusable: no peer's fault, to be retried."""


class DatabaseUrlError(ValueError):
    """The URL names no database this hub can use; it is not repeated: it may hold a password."""


class Database:
    """The hub's database. ``writing`` and ``reading`` give a connection in a transaction.

    Raises DatabaseUrlError unless the URL is of a SQLite file or a PostgreSQL database.
    """

    def __init__(self, url: str) -> None:
        self.url = _parse(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE")
            self._reader = _sqlite_engine(url, "BEGIN", query_only=True)
        else:
            self._writer = self._reader = create_engine(
                self.url.set(drivername="postgresql+psycopg"),
                pool_size=POSTGRES_POOL_SIZE,
                pool_pre_ping=False,
            )

    @property
    def engine(self) -> Engine:
        """Return the engine that writes (for migrations)."""
        return self._writer

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that may write; commits at the end, rolls back on any exception.

        Raises DatabaseUnavailableError when the server is away or another writer held on too long.
        """
        with _translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads, on one consistent view of the database."""
        with _translated(), self._reader.connect() as connection:
            yield (
                connection
                if self.is_sqlite
                else connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            )

    def dispose(self) -> None:
        """Close all pooled connections."""
        self._writer.dispose()
        self._reader.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn "the database is away or busy" into DatabaseUnavailableError; let defects through."""
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailableError(str(error.orig)) from error
    except DBAPIError as error:
        # SQLite's bare DatabaseError: the file is no database, or is damaged.
        if error.connection_invalidated or type(error) is DatabaseError:
            raise DatabaseUnavailableError(str(error.orig)) from error
        raise


def _parse(url: str) -> URL:
    """Return the parts of a URL. Raises DatabaseUrlError."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise DatabaseUrlError(
            "the database must be a SQLite file or a PostgreSQL database: "
            "sqlite:///hub.db, postgresql://user@host/name"
        )
    return parsed


def _sqlite_engine(url: str, begin: str, *, query_only: bool = False) -> Engine:
    """Return an engine whose transactions begin with ``begin``, durable at every commit."""
    engine = create_engine(
        url, connect_args={"timeout": SQLITE_BUSY_SECONDS_MAX, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _on_connect(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-65536")
        cursor.execute(f"PRAGMA query_only={int(query_only)}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
