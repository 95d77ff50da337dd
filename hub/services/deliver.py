"""Make the next delivery of each recipient: stored before it is sent, the same until answered.

1. Asked to resend: the stored delivery that holds the item asked for, unchanged.
2. A stored delivery not yet acknowledged: the same bytes again.
3. Otherwise the items after the last stored delivery, up to the limits, sealed and stored now.

One transaction serves all recipients that are ready. The mailbox rows are locked, so that two hub
processes never cut a recipient's items into different deliveries.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.protocol.envelopes import DELIVERY_TYP, PROTOCOL, digest
from hub.protocol.limits import Limits
from hub.protocol.retry_schedule import RetrySchedule
from hub.services import crash_points
from hub.store import mailboxes
from hub.store.database import Database
from hub.store.mailboxes import Delivery, Mailbox, MailboxItem
from keys.jws import sign
from keys.signer import Signer
from message_schemas import timestamps


@dataclass(frozen=True, slots=True)
class DeliveryMaker:
    """What it takes to make deliveries."""

    hub: str
    limits: Limits
    signers: Sequence[Signer]

    def prepare(
        self, database: Database, recipients: Collection[str], now: datetime
    ) -> list[Delivery]:
        """Return the delivery to send next to each of ``recipients`` that has one."""
        ready: list[Delivery] = []
        with database.writing() as connection:
            for mailbox in mailboxes.lock(connection, recipients):
                if mailbox.next_attempt_at is not None and now < mailbox.next_attempt_at:
                    continue  # new items do not cut a back-off short
                delivery = self._next(connection, mailbox, mailbox.acknowledged_sequence, now)
                if delivery is not None:
                    ready.append(delivery)
            mailboxes.add_deliveries(connection, [one for one in ready if one.is_new])
            crash_points.reach("delivery.before_commit")
        crash_points.reach("delivery.after_commit")
        return ready

    def fetch(
        self,
        database: Database,
        recipient: str,
        after: int,
        now: datetime,
        items_max: int | None = None,
    ) -> tuple[Delivery | None, int]:
        """Return the delivery with the item after ``after``, and how many items follow it.

        ``items_max`` bounds a delivery that is made now; a stored one stays as it is.
        """
        with database.writing() as connection:
            locked = mailboxes.lock(connection, [recipient])
            if not locked:
                return None, 0
            mailbox = locked[0]
            delivery = self._stored_or_new(connection, mailbox, after, now, items_max)
            if delivery is not None and delivery.is_new:
                mailboxes.add_deliveries(connection, [delivery])
            crash_points.reach("delivery.before_commit")
        crash_points.reach("delivery.after_commit")
        last = mailbox.last_sequence
        return delivery, last - (delivery.last_sequence if delivery else min(after, last))

    def _next(
        self, connection: Connection, mailbox: Mailbox, after: int, now: datetime
    ) -> Delivery | None:
        """Return what is to be pushed next, honouring a request to send again."""
        if mailbox.resend_from is None or mailbox.resend_to is None:
            return self._stored_or_new(connection, mailbox, after, now)
        again = mailboxes.delivery_after(connection, mailbox.recipient, mailbox.resend_from - 1)
        asked = again is not None and again.first_sequence <= mailbox.resend_to
        if again is None or again.acknowledged_at is None or not asked:
            mailboxes.request_resend(connection, mailbox.recipient, None)
            return self._stored_or_new(connection, mailbox, after, now)
        rest = (again.last_sequence + 1, mailbox.resend_to)
        mailboxes.request_resend(connection, mailbox.recipient, rest)
        return again

    def _stored_or_new(
        self,
        connection: Connection,
        mailbox: Mailbox,
        after: int,
        now: datetime,
        items_max: int | None = None,
    ) -> Delivery | None:
        if mailbox.last_sequence <= after:
            return None
        if after < mailbox.stored_sequence:
            return mailboxes.delivery_after(connection, mailbox.recipient, after)
        # The next delivery begins where the stored ones end.
        limit = min(items_max or self.limits.delivery_items_max, self.limits.delivery_items_max)
        items = mailboxes.items_after(connection, mailbox.recipient, mailbox.stored_sequence, limit)
        return self.seal(mailbox.recipient, _within(items, self.limits.delivery_bytes_max), now)

    def seal(
        self, recipient: str, items: Sequence[tuple[MailboxItem, bytes | None]], now: datetime
    ) -> Delivery:
        """Return a signed delivery of the given items."""
        first, last = items[0][0].sequence, items[-1][0].sequence
        payload = {
            "protocol": PROTOCOL,
            "sender": self.hub,
            "recipient": recipient,
            "first_sequence": first,
            "last_sequence": last,
            "created_at": timestamps.render(now),
            "items": [_item(item, envelope) for item, envelope in items],
        }
        body = sign(msgspec.json.encode(payload), DELIVERY_TYP, self.signers)
        return Delivery(recipient, first, last, digest(body), now, None, body, is_new=True)


def _item(item: MailboxItem, envelope: bytes | None) -> dict[str, Any]:
    """Return one item as the wire shows it; verdicts and notices are stored as JSON."""
    shown: dict[str, Any] = {
        "sequence": item.sequence,
        "log_index": item.log_index,
        "recorded_at": timestamps.render(item.recorded_at),
    }
    if envelope is not None:
        shown["envelope"] = envelope.decode()
        shown["verdicts"] = msgspec.Raw((item.verdicts or "[]").encode())
    if item.notices is not None:
        shown["notices"] = msgspec.Raw(item.notices.encode())
    return shown


def _within(
    items: Sequence[tuple[MailboxItem, bytes | None]], bytes_max: int
) -> Sequence[tuple[MailboxItem, bytes | None]]:
    """Return as many items as fit ``bytes_max``, at least one."""
    size = 0
    for count, (item, envelope) in enumerate(items):
        size += len(envelope or b"") + len(item.verdicts or "") + len(item.notices or "")
        if count and size > bytes_max:
            return items[:count]
    return items


def note_failure(
    database: Database,
    recipient: str,
    *,
    error: str,
    schedule: RetrySchedule,
    jitter: float,
    now: datetime,
) -> datetime:
    """Remember a failed attempt; return when the next one is due."""
    with database.writing() as connection:
        (mailbox,) = mailboxes.lock(connection, [recipient])
        count = mailbox.failure_count + 1
        until = now + schedule.wait(count, jitter)
        mailboxes.note_failure(
            connection, recipient, failure_count=count, error=error[:500], until=until
        )
    return until


@dataclass(frozen=True, slots=True)
class Outlook:
    """Who may be tried now, and who is backing off."""

    due: list[str]
    backing_off: frozenset[str]


def look_around(database: Database, now: datetime) -> Outlook:
    """Return the recipients with something to send: those that may be tried, those that wait."""
    with database.reading() as connection:
        boxes = mailboxes.waiting(connection)
    return Outlook(
        due=[
            box.recipient
            for box in boxes
            if box.next_attempt_at is None or box.next_attempt_at <= now
        ],
        backing_off=frozenset(box.recipient for box in boxes if box.failure_count > 0),
    )


def end_back_off(database: Database, recipients: Collection[str]) -> None:
    """Let recipients be tried at once: they showed a sign of life."""
    with database.writing() as connection:
        mailboxes.note_sign_of_life(connection, recipients)
