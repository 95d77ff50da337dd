"""A delivery, from its bytes to an acknowledgement: the same by push and by pull.

1. Verify the hub's part (`deliveries.open_delivery`).
2. All of it applied before? Acknowledge again, change nothing.
3. A gap before it? Apply nothing, submit one `delivery.resend` for what is missing.
4. Verify each new item's own sender; with an unknown key, after one look at a fresh list.
5. One transaction: each item in order is stored and given its effect by the handler, with the
   answers it submits. Then, and only then, the signed acknowledgement.

6. The acknowledgement is kept with the items: its entry in the log is ours too.

While the session is paused nothing is taken: 503. Forged or broken: nothing is applied, an alarm
keeps the bytes, the answer is 4xx.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Final

from sqlalchemy import insert

from connectors.session import inbox, outbox_states, state
from connectors.session.alarms import AlarmKind
from connectors.session.context import SessionContext
from connectors.session.crash_points import reach
from connectors.session.database import Work
from connectors.session.deliveries import (
    ArrivedItem,
    CheckedDelivery,
    DeliveryFault,
    DeliveryRefusedError,
    open_delivery,
    open_item,
)
from connectors.session.exchanger import Exchanger
from connectors.session.handler import Transaction
from connectors.session.log.acknowledgements import Given, store_given
from connectors.session.log.claims import claims_of_delivery
from connectors.session.opening import open_aside
from connectors.session.outbox import milliseconds
from connectors.session.participants import Participants
from connectors.session.tables import inbox_delivery
from connectors.session.trust import Trust
from hub.protocol.envelopes import digest
from message_schemas import timestamps
from message_schemas.envelopes import DeliveryItem
from message_schemas.messages.session import DeliveryAcknowledgement, DeliveryResend

__all__ = ["Acknowledged", "Receiver", "Refused"]

_KEY_RETRY_AFTER_SECONDS: Final = 5
_PAUSE_RETRY_AFTER_SECONDS: Final = 60
# A delivery that overlaps an earlier one may be stored already, by the same bytes.
_NEW_DELIVERY: Final = insert(inbox_delivery).prefix_with("OR IGNORE")


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The delivery has its effect, now or from before: the signed answer for the hub."""

    envelope_id: str
    message_id: str
    raw: bytes
    applied_count: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The delivery has no effect: the HTTP status, and why."""

    status: int
    reason: str
    detail: str
    retry_after_seconds: int | None = None


class Receiver:
    """Takes deliveries one at a time."""

    def __init__(
        self, context: SessionContext, participants: Participants, exchanger: Exchanger
    ) -> None:
        self._context = context
        self._participants = participants
        self._exchanger = exchanger
        self._lock = asyncio.Lock()
        self._applied_through: int | None = None

    async def receive(self, raw: bytes) -> Acknowledged | Refused:
        """Give a delivery its effect, at most once, and return what to answer."""
        started = perf_counter()
        async with self._lock:
            answer = await self._receive(raw)
        result = "acknowledged" if isinstance(answer, Acknowledged) else answer.reason
        self._context.metrics.deliveries.labels(result).inc()
        self._context.metrics.receive_seconds.observe(perf_counter() - started)
        return answer

    async def _receive(self, raw: bytes) -> Acknowledged | Refused:
        if (pause := self._context.pause) is not None:
            detail = f"paused since {pause.paused_at}: {pause.kind}"
            return Refused(503, "paused", detail, _PAUSE_RETRY_AFTER_SECONDS)
        for attempt in range(2):
            trust = self._context.trust
            try:
                checked = await open_aside(partial(self._open, raw, trust), [raw])
                return await self._apply(checked, trust)
            except DeliveryRefusedError as error:
                if error.fault is not DeliveryFault.KEY_UNKNOWN or attempt == 1:
                    return await self._refuse(raw, error)
                if not await self._participants.refresh(unlike=trust):
                    # Without a fresh list nobody can tell: not refused, only not yet.
                    return Refused(503, "key-unknown", str(error), _KEY_RETRY_AFTER_SECONDS)
        raise AssertionError("the second attempt returns")

    def _open(self, raw: bytes, trust: Trust) -> CheckedDelivery:
        return open_delivery(
            raw,
            trust=trust,
            participant=self._context.settings.participant,
            now=self._context.clock(),
            skew=self._context.skew,
        )

    async def _apply(self, checked: CheckedDelivery, trust: Trust) -> Acknowledged | Refused:
        delivery = checked.delivery
        applied_through = await self._load_applied_through()
        if delivery.first_sequence > applied_through + 1:
            return await self._ask_again(applied_through + 1, delivery.first_sequence - 1)
        items = await self._open_items(
            [item for item in delivery.items if item.sequence > applied_through], trust
        )
        if len(items) < len(delivery.items):
            await self._compare(checked, applied_through)
        given = await self._acknowledgement(checked, has_effect=bool(items))
        if items:
            await self._context.database.write(
                "inbox.apply", lambda work: self._apply_now(work, checked, items, given)
            )
            self._applied_through = delivery.last_sequence
            self._context.metrics.items_applied.inc(len(items))
            self._context.metrics.applied_through.set(delivery.last_sequence)
        reach("inbox.before_acknowledgement")
        return Acknowledged(given.envelope_id, given.message_id, given.raw, len(items))

    async def _open_items(self, items: list[DeliveryItem], trust: Trust) -> list[ArrivedItem]:
        participant = self._context.settings.participant
        beginnings = [item.envelope[:64].encode() for item in items if item.envelope is not None]
        return await open_aside(
            lambda: [open_item(item, trust=trust, participant=participant) for item in items],
            beginnings,
        )

    async def _acknowledgement(self, checked: CheckedDelivery, *, has_effect: bool) -> Given:
        """Return what will be answered, after the commit only.

        A new one each time: the hub asks again when it lost the last one, but also when it refused
        it, and then the same bytes would be refused for ever.
        """
        body = DeliveryAcknowledgement(
            up_to_sequence=checked.delivery.last_sequence, delivery_sha256=checked.sha256
        )
        envelope_id, message_id, raw = self._exchanger.seal("delivery.acknowledgement", body)
        at = timestamps.render(self._context.clock())
        given = Given(envelope_id, message_id, raw, digest(raw), at)
        if not has_effect:  # otherwise it is stored together with the effect

            def use(work: Work) -> None:
                store_given(work.connection, given, checked.sha256)
                self._context.file_claims(work, claims_of_delivery(checked, []))

            await self._context.database.write("inbox.acknowledge", use)
        return given

    async def _load_applied_through(self) -> int:
        # Read once: afterwards this receiver alone moves it, and the transaction asserts so.
        if self._applied_through is None:
            self._applied_through = await self._context.database.read(
                state.load_int, state.APPLIED_THROUGH
            )
        return self._applied_through

    def _apply_now(
        self, work: Work, checked: CheckedDelivery, items: list[ArrivedItem], given: Given
    ) -> None:
        transaction = self._context.transaction(work)
        applied_through = state.load_int(work.connection, state.APPLIED_THROUGH)
        assert items[0].sequence == applied_through + 1, "two receivers on one inbox"
        work.connection.execute(
            _NEW_DELIVERY,
            {
                "sha256": checked.sha256,
                "first_sequence": checked.delivery.first_sequence,
                "last_sequence": checked.delivery.last_sequence,
                "received_at": transaction.at,
                "raw": checked.raw,
            },
        )
        inbox.store_items(work.connection, items, checked.sha256, transaction.at)
        store_given(work.connection, given, checked.sha256)
        self._context.file_claims(work, claims_of_delivery(checked, items))
        for item in items:
            self._context.handler.item_arrived(transaction, item)
        state.store_int(work.connection, state.APPLIED_THROUGH, items[-1].sequence)
        self._greet_hub(work, transaction)

    def _greet_hub(self, work: Work, transaction: Transaction) -> None:
        """A verified delivery is a sign of life: what waits for the hub need not wait longer."""
        if outbox_states.wake_postponed(work.connection, milliseconds(transaction.now)):
            work.after_commit(self._context.wake_sender)

    async def _compare(self, checked: CheckedDelivery, applied_through: int) -> None:
        """Raise an alarm if the hub tells something else under a number than it did before."""
        applied = [item for item in checked.delivery.items if item.sequence <= applied_through]
        for sequence in await self._context.database.read(inbox.differing, applied):
            await self._context.raise_alarm(
                AlarmKind.HISTORY_DIFFERS,
                str(sequence),
                f"item {sequence} differs from the one applied before",
                checked.raw,
            )

    async def _ask_again(self, first: int, last: int) -> Refused:
        wanted = f"{first}-{last}"

        def use(work: Work) -> None:
            transaction = self._context.transaction(work)
            if state.load(work.connection, state.RESEND_ASKED) == wanted.encode():
                return
            state.store(work.connection, state.RESEND_ASKED, wanted.encode())
            body = DeliveryResend(from_sequence=first, to_sequence=last)
            transaction.submit(transaction.hub, [("delivery.resend", body, wanted)])
            transaction.alarm(AlarmKind.DELIVERY_GAP, wanted, f"deliveries {wanted} are missing")

        await self._context.database.write("inbox.refuse", use)
        self._context.note_alarm(AlarmKind.DELIVERY_GAP, wanted, "a delivery came too early")
        return Refused(409, "gap", f"the deliveries {wanted} come first; asked for them")

    async def _refuse(self, raw: bytes, error: DeliveryRefusedError) -> Refused:
        invalid = error.fault is DeliveryFault.INVALID
        kind = AlarmKind.DELIVERY_INVALID if invalid else AlarmKind.DELIVERY_FORGED
        self._context.note_alarm(kind, "delivery", str(error))
        at = timestamps.render(self._context.clock())
        await self._context.database.write(
            "inbox.refuse",
            lambda work: inbox.store_refusal(work.connection, kind, str(error), at, raw),
        )
        return Refused(422 if invalid else 401, error.fault.value, str(error))
