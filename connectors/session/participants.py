"""Keeps the signed list of participants fresh, and remembers it across restarts.

Fetched at the start, when it is older than an hour, and once when a key is unknown: not more
often than every few seconds, so that forged key ids make no storm of requests.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from connectors.session import state
from connectors.session.alarms import AlarmKind
from connectors.session.context import SessionContext
from connectors.session.transport import Received
from connectors.session.trust import ParticipantsInvalidError, Trust

__all__ = ["Participants"]


class Participants:
    """The list of participants of one session, in `context.trust`."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._asked_at: datetime | None = None
        self._lock = asyncio.Lock()

    def load(self) -> None:
        """Believe the list stored last, if there is one."""
        raw = self._context.database.read_now(state.load, state.PARTICIPANTS)
        if raw is None:
            return
        try:
            self._context.trust = self._context.trust.restored(raw)
        except ParticipantsInvalidError as error:
            self._context.log.warning("participants.forgotten", detail=str(error))

    async def keep_fresh(self) -> None:
        """Fetch the list now and again, until cancelled."""
        while True:
            fresh = await self.refresh()
            settings = self._context.settings
            await asyncio.sleep(
                settings.participants_age_seconds_max
                if fresh
                else max(settings.participants_refresh_seconds_min, 0.05)
            )

    async def refresh(self, unlike: Trust | None = None) -> bool:
        """Fetch the list unless that was just done; tell whether a fresh one is believed now.

        `unlike` is what was believed when a key was missing: if another fetch has replaced it
        meanwhile, that is fresh enough.
        """
        async with self._lock:
            if unlike is not None and self._context.trust is not unlike:
                return True
            now = self._context.clock()
            pause = timedelta(seconds=self._context.settings.participants_refresh_seconds_min)
            if self._asked_at is not None and now - self._asked_at < pause:
                return False
            self._asked_at = now
            answer = await self._context.transport.fetch("/v1/participants")
            if not isinstance(answer, Received):
                self._context.log.warning("participants.unreachable", detail=str(answer))
                return False
            return await self._believe(answer.body)

    async def _believe(self, raw: bytes) -> bool:
        try:
            trust = self._context.trust.with_list(raw, self._context.clock(), self._context.skew)
        except ParticipantsInvalidError as error:
            await self._context.raise_alarm(
                AlarmKind.PARTICIPANTS_INVALID, "participants", str(error), raw
            )
            return False
        await self._context.database.write(
            "participants.store",
            lambda work: state.store(work.connection, state.PARTICIPANTS, raw),
        )
        self._context.trust = trust
        return True
