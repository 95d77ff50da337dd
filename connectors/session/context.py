"""What the parts of a session share: settings, database, keys, trust, clock and counters."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection

from connectors.session import outbox
from connectors.session.alarms import AlarmKind, raise_alarm
from connectors.session.database import Database, Work
from connectors.session.handler import RegistryHandler, Transaction
from connectors.session.log import claims
from connectors.session.log.claims import Claim
from connectors.session.log.findings import Finding, Pause, record_finding
from connectors.session.metrics import SessionMetrics
from connectors.session.settings import SessionSettings
from connectors.session.transport import Transport
from connectors.session.trust import Trust
from hub.protocol.retry_schedule import RetrySchedule
from hub.protocol.signed_objects import SigningKeys
from keys.errors import SignerError
from message_schemas import timestamps

__all__ = ["SessionContext", "system_clock"]


def system_clock() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class SessionContext:
    """One session's shared parts. `trust` is replaced whole when a newer list is believed.

    While there is a `pause` nothing is sent and nothing taken.
    """

    settings: SessionSettings
    database: Database
    keys: SigningKeys
    trust: Trust
    handler: RegistryHandler
    transport: Transport
    clock: Callable[[], datetime] = system_clock
    random: random.Random = field(default_factory=random.Random)
    metrics: SessionMetrics = field(default_factory=SessionMetrics)
    outbox_changed: asyncio.Event = field(default_factory=asyncio.Event)
    log_nudged: asyncio.Event = field(default_factory=asyncio.Event)
    pause: Pause | None = None
    loop: asyncio.AbstractEventLoop | None = None

    @property
    def skew(self) -> timedelta:
        """How far the hub's clock may be ahead of ours."""
        return timedelta(seconds=self.settings.clock_skew_seconds_max)

    @property
    def log(self) -> structlog.stdlib.BoundLogger:
        """A logger that names the participant in every line."""
        logger: structlog.stdlib.BoundLogger = structlog.get_logger("connectors.session")
        return logger.bind(participant=self.settings.participant)

    def wake_sender(self) -> None:
        """Tell the sender that the outbox changed; may be called from any thread."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.outbox_changed.set)

    def nudge_log(self) -> None:
        """Tell the monitor that the hub promised an entry; may be called from any thread."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.log_nudged.set)

    def file_claims(self, work: Work, promised: Sequence[Claim]) -> None:
        """File what the hub promised in this transaction, and nudge the monitor after it."""
        if promised:
            claims.file_claims(work.connection, promised, timestamps.render(self.clock()))
            work.after_commit(self.nudge_log)

    async def find(self, finding: Finding) -> None:
        """Record what the hub said against itself, and pause if it must."""
        at = timestamps.render(self.clock())
        await self.database.write(
            "log.find", lambda work: record_finding(work.connection, finding, at)
        )
        self.note_findings([finding])

    def note_findings(self, findings: Iterable[Finding]) -> None:
        """Log, count and obey findings that another transaction recorded."""
        for finding in findings:
            self.note_alarm(finding.kind, finding.reference, finding.detail)
            if finding.pauses and self.pause is None:
                self.pause = Pause(
                    finding.kind.value, finding.detail, timestamps.render(self.clock())
                )

    def transaction(self, work: Work) -> Transaction:
        """Return the view of an open transaction that a handler may have."""
        return Transaction(work, self.settings, self.clock(), self.wake_sender, self._seal_at_once)

    def _seal_at_once(self, connection: Connection, recipient: str) -> None:
        """Seal what was submitted in its own commit, if nothing to this recipient is before it.

        Otherwise, or when a key is away, the sender seals it in its turn.
        """
        if self.pause is None and outbox.is_line_empty(connection, recipient):
            with contextlib.suppress(SignerError):
                outbox.seal_next(connection, self.settings, self.keys, recipient, self.clock())

    def retry_delay(self, attempt_count: int, retry_after_seconds: float | None = None) -> float:
        """Return the seconds until the next attempt, after this many failed ones."""
        cap = self.settings.retry_delay_seconds_max
        schedule = RetrySchedule(self.settings.retry_delay_seconds_min, cap)
        delay = schedule.wait(attempt_count, self.random.random()).total_seconds()
        # What the hub asks for only lengthens the wait, and never beyond the cap.
        return max(delay, min(retry_after_seconds or 0.0, cap))

    async def raise_alarm(
        self, kind: AlarmKind, reference: str, detail: str, evidence: bytes | None = None
    ) -> None:
        """Record an alarm in a transaction of its own, log it and count it."""
        self.note_alarm(kind, reference, detail)
        at = timestamps.render(self.clock())
        await self.database.write(
            "alarms.raise",
            lambda work: raise_alarm(work.connection, kind, reference, detail, at, evidence),
        )

    def note_alarm(self, kind: AlarmKind, reference: str, detail: str) -> None:
        """Log and count an alarm that another transaction records."""
        self.log.error("alarm", kind=kind.value, reference=reference, detail=detail)
        self.metrics.alarms.labels(kind.value).inc()
