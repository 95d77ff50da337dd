"""The sums of all holdings, kept in memory: counted once, then folded on by the journal.

1. The first count reads every block. It runs in a thread of its own; who asks meanwhile is told so.
2. Whoever asks later gets the sums as of the newest index, if that is a short way to fold. After a
   long silence they get what is known, with its index, and a thread catches up.
3. If the database was put back, so that an entry is not what it was, everything is counted anew.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from hub.store import head as heads
from hub.store.console import holdings_sums
from hub.store.console.holdings_sums import SeriesNames, Sums, UntoldError
from hub.store.database import Database, DatabaseUnavailableError
from hub.transparency_log import entries
from message_schemas import timestamps

log = structlog.get_logger(__name__)

ENTRIES_AT_ONCE_MAX: Final = 2_000
"""Entries folded while somebody waits for a page."""
ENTRIES_A_STEP: Final = 20_000
FIRST_WAIT_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The sums as of a log index. ``series`` tells what each series in them is made of."""

    sums: Sums
    series: Mapping[int, SeriesNames]

    @property
    def log_index(self) -> int:
        """Return the index of the newest entry that is in the sums."""
        return self.sums.log_index

    @property
    def at(self) -> datetime | None:
        """Return the time of that entry."""
        try:
            return timestamps.parse(entries.decode(self.sums.mark).at)
        except ValueError:
            return None


class HoldingsBook:
    """The sums of one database, for any number of threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: Snapshot | None = None
        self._is_at_work = False
        self._counted = threading.Event()

    def begin(self) -> None:
        """Begin to count, if nothing is known yet."""
        if self._known is None:
            self._work()

    def now(self, wait_seconds: float = FIRST_WAIT_SECONDS) -> Snapshot | None:
        """Return the sums; None while they are counted, which was waited for a moment.

        Raises DatabaseUnavailableError.
        """
        known = self._known
        if known is not None:
            after, head = self._step(known, ENTRIES_AT_ONCE_MAX)
            if after is not None:
                if after.log_index < head:
                    self._work()
                return after
        self._work()
        self._counted.wait(wait_seconds)
        return self._known

    def _step(self, known: Snapshot, count_max: int) -> tuple[Snapshot | None, int]:
        """Fold on by up to ``count_max`` entries; return the sums, and the head's index.

        No sums if they must be counted anew: what was known is forgotten then.
        """
        with self._database.reading() as connection:
            head = heads.read(connection).log_index
            after = _followed(connection, known, min(head, known.log_index + count_max))
        with self._lock:
            if after is None:
                if self._known is known:
                    self._known = None
                    self._counted.clear()
            elif self._known is None or self._known.log_index < after.log_index:
                self._known = after
        return after, head

    def _work(self) -> None:
        """Let a thread count, or catch up, unless one does."""
        with self._lock:
            if self._is_at_work:
                return
            self._is_at_work = True
            if self._known is None:
                self._counted.clear()
        threading.Thread(target=self._run, name="holdings", daemon=True).start()

    def _run(self) -> None:
        try:
            while True:
                known = self._known
                if known is None:
                    self._count()
                    continue
                after, head = self._step(known, ENTRIES_A_STEP)
                if after is not None and after.log_index >= head:
                    return
        except DatabaseUnavailableError as error:
            log.warning("holdings cannot be counted now", detail=str(error))
        finally:
            self._is_at_work = False
            self._counted.set()

    def _count(self) -> None:
        with self._database.reading() as connection:
            sums = holdings_sums.count(connection)
            counted = Snapshot(sums, _names(connection, sums, {}))
        with self._lock:
            self._known = counted
        self._counted.set()


def _followed(connection: Connection, known: Snapshot, up_to: int) -> Snapshot | None:
    """Return the sums folded on to an index; None if they must be counted anew."""
    if holdings_sums.mark_at(connection, known.log_index) != known.sums.mark:
        return None
    if up_to <= known.log_index:
        return known
    try:
        sums = holdings_sums.fold(connection, known.sums, up_to)
    except UntoldError:
        return None
    return Snapshot(sums, _names(connection, sums, known.series))


def _names(
    connection: Connection, sums: Sums, known: Mapping[int, SeriesNames]
) -> Mapping[int, SeriesNames]:
    """Return what every series of the sums is made of; those known are not read again."""
    new = {held.series_id for held in sums.units} | set(sums.moved)
    new -= known.keys()
    return {**known, **holdings_sums.series_names(connection, new)} if new else known
