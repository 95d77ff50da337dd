"""One hub process of a database leads: it pushes deliveries and sweeps. The others only take in.

PostgreSQL: a session's advisory lock, gone with its connection. SQLite: a lock on a file beside
the database, gone with the process. Neither needs a clock or a time-out, so a successor takes over
as soon as the leader is dead.
"""

import fcntl
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hub.store.database import Database

ADVISORY_KEY: Final = 0x49544D4F  # "ITMO"


def leader_file(database: Database) -> Path:
    """Return the file beside a SQLite database that the leading process locks."""
    return Path(f"{database.url.database}-leader")


class Leadership:
    """Whether this process leads. ``seek`` is called now and then; it never blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file: IO[str] | None = None
        self._connection: Connection | None = None
        self.leads = False

    def seek(self) -> bool:
        """Take the lead if it is free, keep it if we have it; return whether we lead."""
        self.leads = self._seek_file() if self._database.is_sqlite else self._seek_session()
        return self.leads

    def _seek_file(self) -> bool:
        if self._file is not None:
            return True
        handle = leader_file(self._database).open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return False
        self._file = handle
        return True

    def _seek_session(self) -> bool:
        try:
            if self._connection is None:
                connection = self._database.engine.connect()
                self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            if self.leads:
                self._connection.execute(text("SELECT 1"))
                return True
            got = self._connection.execute(
                text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_KEY}
            ).scalar_one()
            return bool(got)
        except DBAPIError:
            self._drop_connection()
            return False

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Give up the lead."""
        self.leads = False
        if self._file is not None:
            self._file.close()
            self._file = None
        self._drop_connection()
