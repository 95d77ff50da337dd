"""When participants were last heard from: noted now and then for all who said something since.

What was said counts once its signature is good, questions too, which leave no other trace. It is
noted to the minute: a commit for every word heard would cost more than it tells.
"""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Final

import structlog

from hub.store import head as heads
from hub.store import reference
from hub.store.database import Database, DatabaseUnavailableError

log = structlog.get_logger(__name__)

NOTED_EVERY_SECONDS: Final = 60.0


class Sightings:
    """Whom one hub process heard since it noted it last."""

    def __init__(
        self,
        database: Database,
        run_blocking: Callable[..., Awaitable[object]],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._run_blocking = run_blocking
        self._clock = clock
        self._heard: set[str] = set()

    def heard_from(self, senders: Collection[str]) -> None:
        """Learn that these participants said something."""
        self._heard.update(senders)

    async def note(self) -> None:
        """Write down who was heard; what cannot be written now is written later."""
        heard, self._heard = self._heard, set()
        if not heard:
            return
        try:
            await self._run_blocking(self._write, heard, self._clock())
        except DatabaseUnavailableError as error:
            self._heard |= heard
            log.warning("database unavailable", detail=str(error))

    def _write(self, codes: Collection[str], at: datetime) -> None:
        with self._database.writing() as connection:
            heads.lock(connection)  # before any other row, as every writer does
            reference.note_seen(connection, codes, at)
