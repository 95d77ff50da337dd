"""Empties the outbox: one line a recipient, the same bytes until there is a receipt.

1. Woken by a submission, an answer, an operator or the time of the next attempt; never by polling.
2. For each recipient: the oldest sealed envelope that is due, or a new one sealed from what waits.
3. Send. A verified receipt is stored with the handler's effect and, in the same transaction, the
   next envelope of the line is sealed: one commit an envelope when the line is busy.
4. No receipt: the attempt is counted and the time of the next is stored. A final answer parks the
   envelope and calls the operator. A receipt that does not fit raises an alarm and is tried again.
5. While the session is paused nothing is sealed and nothing sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter

from connectors.session import outbox, outbox_states
from connectors.session.alarms import AlarmKind, raise_alarm
from connectors.session.context import SessionContext
from connectors.session.crash_points import reach
from connectors.session.database import Work
from connectors.session.handler import KnownOutcome
from connectors.session.log.claims import claims_of_receipt
from connectors.session.opening import open_aside
from connectors.session.outbox import QueuedEnvelope, SentMessage, milliseconds
from connectors.session.participants import Participants
from connectors.session.receipts import ReceiptInvalidError, open_receipt, require_entry
from connectors.session.transport import Problem, Received, TryLater
from connectors.session.trust import Trust
from keys.errors import SignerError
from message_schemas import timestamps
from message_schemas.envelopes import Receipt

__all__ = ["Sender"]

_IDLE_SECONDS_MAX = 60.0


@dataclass(slots=True)
class _Plan:
    """What one look at the outbox says: send these now, look again then."""

    now: list[QueuedEnvelope]
    next_due_ms: int | None = None

    def wait_until(self, due_ms: int) -> None:
        if self.next_due_ms is None or due_ms < self.next_due_ms:
            self.next_due_ms = due_ms


class Sender:
    """The worker that sends. `run` until cancelled; what it was sending is sent again later."""

    def __init__(self, context: SessionContext, participants: Participants) -> None:
        self._context = context
        self._participants = participants
        self._in_flight: dict[str, str] = {}  # envelope id -> recipient
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send until cancelled."""
        changed = self._context.outbox_changed
        try:
            while True:
                changed.clear()
                wait = await self._start_due()
                with contextlib.suppress(TimeoutError):
                    # not wait_for(): on Python 3.11 it can swallow a cancellation
                    async with asyncio.timeout(wait):
                        await changed.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start_due(self) -> float:
        if self._context.pause is not None:
            return _IDLE_SECONDS_MAX
        try:
            plan = await self._context.database.write("outbox.seal", self._plan)
        except SignerError as error:
            self._context.log.error("signer.unavailable", detail=str(error))
            return self._context.settings.retry_delay_seconds_min
        for envelope in plan.now:
            self._start(envelope)
        if plan.next_due_ms is None:
            return _IDLE_SECONDS_MAX
        late = plan.next_due_ms / 1000 - self._context.clock().timestamp()
        return min(max(late, 0.0) + 0.001, _IDLE_SECONDS_MAX)

    def _start(self, envelope: QueuedEnvelope) -> None:
        self._in_flight[envelope.envelope_id] = envelope.recipient
        task = asyncio.create_task(self._send_line(envelope))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _plan(self, work: Work) -> _Plan:
        plan = _Plan([])
        now = self._context.clock()
        lines = list(self._in_flight.values())
        for recipient in outbox.waiting_recipients(work.connection):
            free = self._context.settings.in_flight_per_recipient_max - lines.count(recipient)
            self._fill_line(work, recipient, free, now, plan)
        return plan

    def _fill_line(self, work: Work, recipient: str, free: int, now: datetime, plan: _Plan) -> None:
        taken = list(self._in_flight)
        for _ in range(free):
            found = outbox.fetch_next(work.connection, recipient, taken)
            if found is not None and found.due_at_ms > milliseconds(now):
                plan.wait_until(found.due_at_ms)
                return
            if found is None:
                found = self._seal(work, recipient, now)
            if found is None:
                return
            taken.append(found.envelope_id)
            plan.now.append(found)

    def _seal(self, work: Work, recipient: str, now: datetime) -> QueuedEnvelope | None:
        return outbox.seal_next(
            work.connection, self._context.settings, self._context.keys, recipient, now
        )

    async def _send_line(self, envelope: QueuedEnvelope) -> None:
        following: QueuedEnvelope | None = envelope
        try:
            while following is not None:
                current, following = following, None
                self._in_flight[current.envelope_id] = current.recipient
                try:
                    following = await self._send(current)
                finally:
                    del self._in_flight[current.envelope_id]
        finally:
            self._context.outbox_changed.set()

    async def _send(self, envelope: QueuedEnvelope) -> QueuedEnvelope | None:
        started = perf_counter()
        reach("outbox.before_send")
        answer = await self._context.transport.post_envelope(envelope.raw)
        reach("outbox.after_send")
        counter = self._context.metrics.envelopes_sent
        match answer:
            case Received(body):
                following = await self._take_receipt(envelope, body)
                self._context.metrics.send_seconds.observe(perf_counter() - started)
                return following
            case Problem():
                counter.labels("parked").inc()
                await self._park(envelope, answer)
            case TryLater(reason, retry_after):
                counter.labels("later").inc()
                await self._postpone(envelope, reason, retry_after)
        return None

    async def _take_receipt(self, envelope: QueuedEnvelope, body: bytes) -> QueuedEnvelope | None:
        messages = await self._context.database.read(outbox.fetch_messages_of, envelope.envelope_id)
        try:
            receipt = await self._open(envelope, body, messages)
        except ReceiptInvalidError as error:
            self._context.metrics.envelopes_sent.labels("receipt-invalid").inc()
            await self._context.raise_alarm(
                AlarmKind.RECEIPT_INVALID, envelope.envelope_id, str(error), body
            )
            await self._postpone(envelope, f"receipt refused: {error}")
            return None
        self._context.metrics.envelopes_sent.labels("receipted").inc()
        return await self._store_receipt(envelope, body, receipt, messages)

    async def _open(
        self, envelope: QueuedEnvelope, body: bytes, messages: list[SentMessage]
    ) -> Receipt:
        def use(trust: Trust) -> Receipt:
            return self._open_now(trust, envelope, body, messages)

        trust = self._context.trust
        try:
            return await open_aside(partial(use, trust), [body])
        except ReceiptInvalidError as error:
            if not (error.key_unknown and await self._participants.refresh(unlike=trust)):
                raise
        return await open_aside(partial(use, self._context.trust), [body])

    def _open_now(
        self, trust: Trust, envelope: QueuedEnvelope, body: bytes, messages: list[SentMessage]
    ) -> Receipt:
        context = self._context
        receipt = open_receipt(
            body,
            trust=trust,
            participant=context.settings.participant,
            envelope_id=envelope.envelope_id,
            envelope_sha256=envelope.sha256,
            message_ids=[message.message_id for message in messages],
            now=context.clock(),
            skew=context.skew,
        )
        require_entry(receipt)
        return receipt

    async def _store_receipt(
        self,
        envelope: QueuedEnvelope,
        body: bytes,
        receipt: Receipt,
        messages: list[SentMessage],
    ) -> QueuedEnvelope | None:
        outcomes = {outcome.message_id: outcome for outcome in receipt.outcomes}
        known = [
            KnownOutcome(
                message,
                outcomes[message.message_id],
                envelope.envelope_id,
                envelope.sha256,
                receipt.log_index,
            )
            for message in messages
        ]

        def use(work: Work) -> QueuedEnvelope | None:
            transaction = self._context.transaction(work)
            if outbox_states.record_receipt(
                work.connection, envelope.envelope_id, body, outcomes, transaction.at
            ):
                promised = claims_of_receipt(receipt, envelope.raw, body, envelope.recipient)
                self._context.file_claims(work, promised)
                for one in known:
                    self._context.handler.outcome_known(transaction, one)
            return self._follow(work, envelope, transaction.now)

        following = await self._context.database.write("outbox.receipt", use)
        self._count(known)
        return following

    def _follow(self, work: Work, envelope: QueuedEnvelope, now: datetime) -> QueuedEnvelope | None:
        if self._context.pause is not None:
            return None
        busy = list(self._in_flight)
        if outbox.fetch_next(work.connection, envelope.recipient, busy) is not None:
            return None  # an older one goes first, when it is due
        with contextlib.suppress(SignerError):  # the receipt counts also when a key is away
            return self._seal(work, envelope.recipient, now)
        return None

    def _count(self, known: Iterable[KnownOutcome]) -> None:
        for one in known:
            self._context.metrics.messages_answered.labels(one.outcome.outcome).inc()
            if not one.in_effect:
                self._context.log.warning(
                    "message.refused",
                    type=one.message.type,
                    reference=one.message.reference,
                    code=one.outcome.code,
                    name=one.outcome.name,
                )

    async def _postpone(
        self, envelope: QueuedEnvelope, reason: str, retry_after: float | None = None
    ) -> None:
        delay = self._context.retry_delay(envelope.attempt_count + 1, retry_after)
        due = milliseconds(self._context.clock() + timedelta(seconds=delay))
        self._context.log.warning(
            "envelope.postponed",
            envelope_id=envelope.envelope_id,
            attempt_count=envelope.attempt_count + 1,
            delay_seconds=round(delay, 3),
            reason=reason,
        )
        await self._context.database.write(
            "outbox.postpone",
            lambda work: outbox_states.postpone(work.connection, envelope.envelope_id, due, reason),
        )

    async def _park(self, envelope: QueuedEnvelope, problem: Problem) -> None:
        reason = f"HTTP {problem.status}: {problem}"
        self._context.note_alarm(AlarmKind.ENVELOPE_PARKED, envelope.envelope_id, reason)

        def use(work: Work) -> None:
            at = timestamps.render(self._context.clock())
            outbox_states.park(work.connection, envelope.envelope_id, reason)
            raise_alarm(
                work.connection, AlarmKind.ENVELOPE_PARKED, envelope.envelope_id, reason, at
            )

        await self._context.database.write("outbox.park", use)
