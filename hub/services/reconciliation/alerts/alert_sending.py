"""Send the alerts that wait: the leader's job, every few seconds.

1. Each waiting row is tried on its own, some at a time: a receiver that hangs holds up no other.
2. One that fails is tried again after growing waits (``RetrySchedule``), and given up after
   ``GIVE_UP_DAYS``; then the operator is told by an alert of the hub itself (``itmo-hub alerts``).
3. A receiver that is no longer in the settings gets nothing more.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.protocol.retry_schedule import RetrySchedule
from hub.services.metrics import Metrics
from hub.services.reconciliation.alerts.alerts import receivers, trial
from hub.services.reconciliation.alerts.mail import Mailer
from hub.services.reconciliation.alerts.webhooks import NotSentError, Webhooks
from hub.services.reconciliation.ledger.book_faults import OwnBooks
from hub.store import alerts as hub_alerts
from hub.store.database import Database, DatabaseUnavailableError
from hub.store.reconciliation import alerts as rows
from hub.store.reconciliation import own_books as book_rows
from hub.store.reconciliation import reports as report_rows
from hub.store.reconciliation.alerts import AlertRow
from keys.signer import Signer

log = structlog.get_logger(__name__)

SECONDS: Final = 5.0
"""How often waiting alerts are looked for."""
GIVE_UP_DAYS: Final = 3
TOGETHER_MAX: Final = 8
"""Alerts that are being sent at the same time."""
A_ROUND_MAX: Final = 64
ALERT_KIND: Final = "alert_not_sent"
_ERROR_CHARACTERS_MAX: Final = 500


class Channels:
    """The two ways by which alerts leave."""

    def __init__(self, webhooks: Webhooks, mailer: Mailer | None) -> None:
        self._webhooks, self._mailer = webhooks, mailer

    async def send(self, channel: str, target: str, document: str, now: datetime) -> None:
        """Send a document to one receiver. Raises NotSentError."""
        if channel == "webhook":
            await self._webhooks.send(target, document)
        elif self._mailer is not None:
            await self._mailer.send(target, document, now)
        else:
            raise NotSentError("no server for e-mail is set (`reconciliation.mail`)")


def channels_of(
    policy: ReconciliationPolicy, signers: Sequence[Signer], *, allow_http: bool
) -> Channels:
    """Return the ways that the operator's settings open."""
    mailer = None if policy.mail is None else Mailer(policy.mail)
    return Channels(Webhooks(signers, allow_http=allow_http), mailer)


@dataclass(frozen=True, slots=True)
class Around:
    """What the job needs of the process it runs in."""

    is_leader: Callable[[], bool]
    clock: Callable[[], datetime]
    run_blocking: Callable[..., Awaitable[Any]]
    metrics: Metrics


def sender(
    database: Database,
    policy: ReconciliationPolicy,
    schedule: RetrySchedule,
    signers: Sequence[Signer],
    around: Around,
    *,
    allow_http: bool,
) -> "AlertSender":
    """Return the job, with the ways that the operator's settings open."""
    channels = channels_of(policy, signers, allow_http=allow_http)
    return AlertSender(database, policy, channels, schedule, around)


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test of one receiver went; ``error`` is None if it took the test."""

    channel: str
    target: str
    error: str | None


class AlertSender:
    """Sends what waits. ``run`` is one round."""

    def __init__(
        self,
        database: Database,
        policy: ReconciliationPolicy,
        channels: Channels,
        schedule: RetrySchedule,
        around: Around,
    ) -> None:
        self._database, self._policy, self._channels = database, policy, channels
        self._schedule, self._around = schedule, around
        self._gate = asyncio.Semaphore(TOGETHER_MAX)

    async def run(self) -> None:
        """Try what is due, and tell the numbers; nothing unless this process leads."""
        if not self._around.is_leader():
            return
        try:
            due = await self._around.run_blocking(self._due, self._around.clock())
            await asyncio.gather(*(self._try(row) for row in due))
            await self._around.run_blocking(self._measure, self._around.clock())
        except DatabaseUnavailableError as error:
            log.warning("database unavailable", detail=str(error))

    def _due(self, now: datetime) -> list[AlertRow]:
        with self._database.reading() as connection:
            return rows.due(connection, now, A_ROUND_MAX)

    async def _try(self, row: AlertRow) -> None:
        async with self._gate:
            error: str | None = None
            try:
                if (row.channel, row.target) not in receivers(self._policy):
                    error = "it is no longer in the settings"
                else:
                    await self._channels.send(
                        row.channel, row.target, row.body, self._around.clock()
                    )
            except NotSentError as failure:
                error = str(failure)[:_ERROR_CHARACTERS_MAX]
            await self._around.run_blocking(self._note, row, error, self._around.clock())

    def _note(self, row: AlertRow, error: str | None, now: datetime) -> None:
        """Write what came of one attempt."""
        place = f"{row.channel} {row.target}"
        with self._database.writing() as connection:
            if error is None:
                rows.finish(connection, row.alert_id, state=rows.SENT, at=now)
                log.info("alert sent", to=place, alert=row.subject)
                return
            log.warning("alert not sent", to=place, alert=row.subject, detail=error)
            gone = (row.channel, row.target) not in receivers(self._policy)
            if gone or now - row.created_at >= timedelta(days=GIVE_UP_DAYS):
                rows.finish(connection, row.alert_id, state=rows.GIVEN_UP, at=now, error=error)
                detail = f"{row.subject} was given up: {error}"
                hub_alerts.add(connection, kind=ALERT_KIND, subject=place, detail=detail, at=now)
                return
            failures = row.failure_count + 1
            wait = self._schedule.wait(failures, random.random())  # noqa: S311 - jitter, no secret
            rows.postpone(
                connection, row.alert_id, failure_count=failures, until=now + wait, error=error
            )

    def _measure(self, now: datetime) -> None:
        """Tell the metrics how many cases and alerts there are."""
        with self._database.reading() as connection:
            oldest = report_rows.oldest_open(connection)
            checked = book_rows.newest_check(connection)
            self._around.metrics.cases.tell(
                cases=report_rows.case_counts(connection),
                frozen_units=report_rows.frozen_units(connection),
                oldest_seconds=0.0 if oldest is None else (now - oldest).total_seconds(),
                alerts=rows.counts(connection),
                own_books_faults=(
                    0 if checked is None else OwnBooks.from_json(checked[1]).fault_count
                ),
            )


async def try_all(
    policy: ReconciliationPolicy, channels: Channels, *, hub: str, now: datetime
) -> list[Trial]:
    """Send a test to every receiver at once, and return how each went, in their order."""
    document = trial(hub, now).as_json()

    async def one(channel: str, target: str) -> Trial:
        try:
            await channels.send(channel, target, document, now)
        except NotSentError as error:
            return Trial(channel, target, str(error))
        return Trial(channel, target, None)

    return list(await asyncio.gather(*(one(*to) for to in receivers(policy))))
