"""Make the next delivery of each recipient: stored before it is sent, the same until answered.

1. Asked to resend: the stored delivery that holds the item asked for, unchanged.
2. A stored delivery not yet acknowledged: the same bytes again.
3. Either, if a key that signed it was revoked since: no recipient takes it any more. The same items
   are sealed again with the keys and in the binding of today, as a new leaf that names the ones it
   replaces; the row is replaced, the older sealing is kept beside it.
4. Otherwise the items after the last stored delivery, up to the limits, sealed in the recipient's
   binding and stored now, and a leaf of the transparency log.

While the hub's own key for a recipient's binding speaks no more, its mailbox waits as it is.

One transaction serves all recipients that are ready. The mailbox rows are locked, so that two hub
processes never cut a recipient's items into different deliveries.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from hub.protocol.envelopes import PROTOCOL, digest
from hub.protocol.limits import Limits
from hub.protocol.retry_schedule import RetrySchedule
from hub.protocol.signed_objects import Binding, open_object
from hub.services import crash_points, delivery_items
from hub.services.acts import new_salt
from hub.services.own_keys import OwnKeys
from hub.services.sealing import read_own, seal
from hub.store import head as heads
from hub.store import log, mailboxes, reference, replaced_deliveries
from hub.store.database import Database
from hub.store.log import PendingEntry
from hub.store.mailboxes import Delivery, Mailbox
from hub.transparency_log.entries import encode_salt
from message_schemas import timestamps

REPLACED_MAX: Final = 100
"""How many earlier sealings a delivery names, the newest of them; the schema bounds it too."""


class DeliveryErasedError(Exception):
    """The delivery asked for was acknowledged, and erased after the time of retention."""


@dataclass(frozen=True, slots=True)
class DeliveryMaker:
    """What it takes to make deliveries."""

    hub: str
    limits: Limits
    keys: OwnKeys

    def prepare(
        self, database: Database, recipients: Collection[str], now: datetime
    ) -> list[Delivery]:
        """Return the delivery to send next to each of ``recipients`` that has one.

        None to those whose binding the hub has no key for that speaks now: they wait.
        """
        ready: list[Delivery] = []
        with database.writing() as connection:
            batch = _Sealing(self, connection, recipients, now)
            for mailbox in mailboxes.lock(connection, recipients):
                if mailbox.next_attempt_at is not None and now < mailbox.next_attempt_at:
                    continue  # new items do not cut a back-off short
                if batch.must_wait(mailbox.recipient):
                    continue
                delivery = batch.next_of(mailbox)
                if delivery is not None:
                    ready.append(delivery)
            batch.store()
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
        Raises DeliveryErasedError when it was stored and erased, UnavailableError while the hub's
        key for the recipient's binding speaks no more.
        """
        with database.writing() as connection:
            batch = _Sealing(self, connection, [recipient], now)
            locked = mailboxes.lock(connection, [recipient])
            if not locked:
                return None, 0
            mailbox = locked[0]
            if mailbox.last_sequence > after:
                batch.require_open(recipient)
            delivery = batch.stored_or_new(mailbox, after, items_max)
            if delivery is not None and delivery.body is None:
                raise DeliveryErasedError(
                    f"items {delivery.first_sequence} to {delivery.last_sequence} were delivered "
                    f"and acknowledged at {delivery.acknowledged_at}"
                )
            batch.store()
            crash_points.reach("delivery.before_commit")
        crash_points.reach("delivery.after_commit")
        last = mailbox.last_sequence
        return delivery, last - (delivery.last_sequence if delivery else min(after, last))


class _Sealing:
    """One transaction's deliveries: each new one is sealed with its place in the log."""

    def __init__(
        self,
        maker: DeliveryMaker,
        connection: Connection,
        recipients: Collection[str],
        now: datetime,
    ) -> None:
        self._maker = maker
        self._connection = connection
        self._now = now
        # Before the mailboxes, as every writer does: two processes cannot wait for each other.
        self._head = heads.lock(connection)
        self._bindings = reference.bindings(connection, recipients)
        self._trust = maker.keys.trust_as_of(connection, self._head)
        self._keys = maker.keys.usable(self._trust, now)
        self._revoked_key_ids = {
            record.key_id for record in self._trust.records() if record.revoked_at is not None
        }
        self._sealed: list[Delivery] = []
        self._replaced: list[tuple[Delivery, Delivery]] = []

    def must_wait(self, recipient: str) -> bool:
        """Tell whether the hub's key for a recipient's binding speaks no more."""
        keys, binding = self._maker.keys, self._binding_for(recipient)
        return not keys.is_open(self._trust, binding, self._now)

    def require_open(self, recipient: str) -> None:
        """Raise UnavailableError if the recipient must wait."""
        self._maker.keys.require_open(self._trust, self._binding_for(recipient), self._now)

    def next_of(self, mailbox: Mailbox) -> Delivery | None:
        """Return what is to be pushed next, honouring a request to send again."""
        after = mailbox.acknowledged_sequence
        if mailbox.resend_from is None or mailbox.resend_to is None:
            return self.stored_or_new(mailbox, after)
        connection, recipient = self._connection, mailbox.recipient
        again = mailboxes.delivery_after(connection, recipient, mailbox.resend_from - 1)
        asked = again is not None and again.first_sequence <= mailbox.resend_to
        gone = again is None or again.acknowledged_at is None or again.body is None
        if again is None or gone or not asked:
            mailboxes.request_resend(connection, recipient, None)
            return self.stored_or_new(mailbox, after)
        rest = (again.last_sequence + 1, mailbox.resend_to)
        mailboxes.request_resend(connection, recipient, rest)
        return self._fit_to_send(again)

    def stored_or_new(
        self, mailbox: Mailbox, after: int, items_max: int | None = None
    ) -> Delivery | None:
        """Return the stored delivery with the item after ``after``, or seal the next one."""
        if mailbox.last_sequence <= after:
            return None
        if after < mailbox.stored_sequence:
            found = mailboxes.delivery_after(self._connection, mailbox.recipient, after)
            return None if found is None else self._fit_to_send(found)
        # The next delivery begins where the stored ones end.
        most = self._maker.limits.delivery_items_max
        limit = min(items_max or most, most)
        items = mailboxes.items_after(
            self._connection, mailbox.recipient, mailbox.stored_sequence, limit
        )
        binding = self._binding_for(mailbox.recipient)
        bytes_max = self._maker.limits.delivery_bytes_max
        return self._seal(mailbox.recipient, delivery_items.written(items, binding, bytes_max))

    def _seal(self, recipient: str, items: Sequence[dict[str, Any]]) -> Delivery:
        """Return a signed delivery of the given items, at the next index of the log."""
        return self._signed(
            {
                "protocol": PROTOCOL,
                "sender": self._maker.hub,
                "recipient": recipient,
                "first_sequence": items[0]["sequence"],
                "last_sequence": items[-1]["sequence"],
                "items": items,
            }
        )

    def _signed(self, content: dict[str, Any]) -> Delivery:
        """Return a delivery of ``content``, signed now, at the next index of the log."""
        log_index = self._head.log_index + len(self._sealed) + 1
        salt = new_salt()
        items = content.pop("items")
        payload = content | {
            "log_index": log_index,
            "entry_salt": encode_salt(salt),
            "created_at": timestamps.render(self._now),
            "items": items,
        }
        binding = self._binding_for(content["recipient"])
        body = seal(self._keys, "delivery", payload, binding)
        sealed = Delivery(
            recipient=content["recipient"],
            first_sequence=content["first_sequence"],
            last_sequence=content["last_sequence"],
            log_index=log_index,
            sha256=digest(body),
            created_at=self._now,
            acknowledged_at=None,
            salt=salt,
            body=body,
            is_new=True,
        )
        self._sealed.append(sealed)
        return sealed

    def _fit_to_send(self, stored: Delivery) -> Delivery:
        """Return a stored delivery, or its items sealed again if a key of it was revoked."""
        if stored.body is None or not self._revoked_key_ids:
            return stored
        binding = self._binding_for(stored.recipient)
        if self._revoked_key_ids.isdisjoint(open_object(stored.body, "delivery").key_ids):
            return stored
        said = read_own(stored.body, "delivery")
        bytes_max = self._maker.limits.delivery_bytes_max
        content: dict[str, Any] = {
            "protocol": PROTOCOL,
            "sender": self._maker.hub,
            "recipient": stored.recipient,
            "first_sequence": stored.first_sequence,
            "last_sequence": stored.last_sequence,
            "replaces": [*said.get("replaces", []), stored.log_index][-REPLACED_MAX:],
            "items": delivery_items.rewritten(said["items"], binding, bytes_max),
        }
        again = replace(self._signed(content), acknowledged_at=stored.acknowledged_at)
        self._replaced.append((stored, again))
        return again

    def _binding_for(self, recipient: str) -> Binding:
        """Return in which binding a recipient is written to: JSON without a key for its own."""
        binding = Binding(self._bindings[recipient])
        return binding if self._maker.keys.keys.speaks(binding) else Binding.JSON

    def store(self) -> None:
        """Store the new deliveries, each a leaf of the log, and move the head."""
        if not self._sealed:
            return
        again = {one.log_index for _, one in self._replaced}
        fresh = [one for one in self._sealed if one.log_index not in again]
        mailboxes.add_deliveries(self._connection, fresh)
        replaced_deliveries.replace_deliveries(self._connection, self._replaced)
        leaves = [_leaf(one, self._maker.hub) for one in self._sealed]
        after = replace(
            self._head,
            log_index=self._sealed[-1].log_index,
            compact_range=log.append(self._connection, self._head, leaves),
        )
        heads.advance(self._connection, self._head, after)


def _leaf(sealed: Delivery, hub: str) -> PendingEntry:
    assert sealed.body is not None
    assert sealed.salt is not None
    return PendingEntry(
        index=sealed.log_index,
        kind="delivery",
        at=sealed.created_at,
        sender=hub,
        recipient=sealed.recipient,
        parties=[sealed.recipient],
        salt=sealed.salt,
        contents={"delivery": sealed.body},
    )


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
        # By code, as every writer holds several: an update alone takes them as they happen to lie.
        mailboxes.lock(connection, recipients)
        mailboxes.note_sign_of_life(connection, recipients)
