"""Whether some hub process leads on the database, as far as anybody beside it can tell.

The leader holds a lock: an advisory one of PostgreSQL, or one on a file beside a SQLite database.
It is looked at and never taken, or a look could keep a hub from leading.
"""

from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Final

from sqlalchemy import Connection

from hub.services.leadership import ADVISORY_KEY, leader_file
from hub.store.console import system_facts
from hub.store.database import Database

_LOCKS: Final = Path("/proc/locks")
PATIENCE: Final = timedelta(minutes=1)
"""How long nobody may lead before it is told: as long as a restart takes."""


class LeaderWatch:
    """Remembers since when nobody was seen to lead."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._missing_since: datetime | None = None

    def missing_since(
        self, connection: Connection, database: Database, now: datetime
    ) -> datetime | None:
        """Return since when nobody leads, once that is longer than a restart takes; else None."""
        with self._lock:
            if is_led(connection, database) is not False:
                self._missing_since = None
                return None
            if self._missing_since is None:
                self._missing_since = now
            return self._missing_since if now - self._missing_since >= PATIENCE else None


def is_led(connection: Connection, database: Database) -> bool | None:
    """Tell whether some hub process leads on a database; None if nobody can tell."""
    if not database.is_sqlite:
        return system_facts.is_lock_held(connection, ADVISORY_KEY)
    return _is_locked(leader_file(database))


def _is_locked(path: Path) -> bool | None:
    """Tell whether a process of this machine locks a file, without trying to lock it."""
    try:
        found = path.stat()
        locks = _LOCKS.read_text(encoding="ascii")
    except FileNotFoundError:
        return None if not _LOCKS.exists() else False
    except OSError:
        return None
    # 1: FLOCK  ADVISORY  WRITE 4242 fd:00:123456 0 EOF; the device is in hexadecimal
    device = f"{found.st_dev >> 8 & 0xFFF:02x}:{found.st_dev & 0xFF:02x}:{found.st_ino}"
    return any(device in line.split() for line in locks.splitlines() if "FLOCK" in line)
