"""Each recipient's numbered items, the deliveries made of them, and how far it acknowledged."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from hub.store.tables import delivery, envelope, mailbox, mailbox_item


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where a recipient's sequence stands, and when it may be tried again."""

    recipient: str
    last_sequence: int
    acknowledged_sequence: int
    failure_count: int
    next_attempt_at: datetime | None
    last_error: str | None
    resend_from: int | None


@dataclass(frozen=True, slots=True)
class MailboxItem:
    """One numbered item; ``verdicts`` and ``notices`` are JSON arrays as text."""

    recipient: str
    sequence: int
    log_index: int
    recorded_at: datetime
    carries_envelope: bool
    verdicts: str | None
    notices: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A signed delivery, stored before it is first sent."""

    recipient: str
    first_sequence: int
    last_sequence: int
    sha256: str
    created_at: datetime
    acknowledged_at: datetime | None
    body: bytes


_MAILBOX = select(
    mailbox.c.recipient,
    mailbox.c.last_sequence,
    mailbox.c.acknowledged_sequence,
    mailbox.c.failure_count,
    mailbox.c.next_attempt_at,
    mailbox.c.last_error,
    mailbox.c.resend_from,
)
_DELIVERY = select(
    delivery.c.recipient,
    delivery.c.first_sequence,
    delivery.c.last_sequence,
    delivery.c.sha256,
    delivery.c.created_at,
    delivery.c.acknowledged_at,
    delivery.c.body,
)


def open_mailbox(connection: Connection, recipient: str) -> None:
    """Give a new participant its mailbox, at sequence 0."""
    connection.execute(
        insert(mailbox).values(
            recipient=recipient, last_sequence=0, acknowledged_sequence=0, failure_count=0
        )
    )


def load(connection: Connection, recipients: Collection[str]) -> dict[str, Mailbox]:
    """Return the mailboxes of ``recipients`` that exist."""
    rows = connection.execute(_MAILBOX.where(mailbox.c.recipient.in_(sorted(recipients))))
    return {row[0]: Mailbox(*row) for row in rows}


def lock(connection: Connection, recipients: Collection[str]) -> list[Mailbox]:
    """Return the mailboxes of ``recipients``, by code, held until the transaction ends."""
    rows = connection.execute(
        _MAILBOX.where(mailbox.c.recipient.in_(sorted(recipients)))
        .order_by(mailbox.c.recipient)
        .with_for_update()
    )
    return [Mailbox(*row) for row in rows]


def load_all(connection: Connection) -> list[Mailbox]:
    """Return every mailbox, by recipient."""
    return [Mailbox(*row) for row in connection.execute(_MAILBOX.order_by(mailbox.c.recipient))]


def waiting(connection: Connection) -> list[Mailbox]:
    """Return the mailboxes with something unacknowledged or asked for again, by recipient."""
    rows = connection.execute(
        _MAILBOX.where(
            or_(
                mailbox.c.last_sequence > mailbox.c.acknowledged_sequence,
                mailbox.c.resend_from.is_not(None),
            )
        ).order_by(mailbox.c.recipient)
    )
    return [Mailbox(*row) for row in rows]


def add_items(
    connection: Connection, items: Sequence[MailboxItem], last_sequences: Mapping[str, int]
) -> None:
    """Append numbered items and move the sequence counters (``last_sequences`` by recipient)."""
    connection.execute(
        insert(mailbox_item),
        [
            {
                "recipient": item.recipient,
                "sequence": item.sequence,
                "log_index": item.log_index,
                "recorded_at": item.recorded_at,
                "carries_envelope": item.carries_envelope,
                "verdicts": item.verdicts,
                "notices": item.notices,
            }
            for item in items
        ],
    )
    connection.execute(
        update(mailbox)
        .where(mailbox.c.recipient == bindparam("b_recipient"))
        .values(last_sequence=bindparam("b_last")),
        [{"b_recipient": code, "b_last": last} for code, last in sorted(last_sequences.items())],
    )


def items_after(
    connection: Connection, recipient: str, sequence: int, limit: int
) -> list[tuple[MailboxItem, bytes | None]]:
    """Return up to ``limit`` items after ``sequence`` in order, with the envelope's bytes."""
    rows = connection.execute(
        select(
            mailbox_item.c.recipient,
            mailbox_item.c.sequence,
            mailbox_item.c.log_index,
            mailbox_item.c.recorded_at,
            mailbox_item.c.carries_envelope,
            mailbox_item.c.verdicts,
            mailbox_item.c.notices,
            envelope.c.body,
        )
        .outerjoin(
            envelope,
            (envelope.c.log_index == mailbox_item.c.log_index) & mailbox_item.c.carries_envelope,
        )
        .where(mailbox_item.c.recipient == recipient, mailbox_item.c.sequence > sequence)
        .order_by(mailbox_item.c.sequence)
        .limit(limit)
    )
    return [(MailboxItem(*row[:7]), row[7]) for row in rows]


def add_delivery(connection: Connection, row: Delivery) -> None:
    """Store a signed delivery before it is first sent."""
    connection.execute(
        insert(delivery).values(
            recipient=row.recipient,
            first_sequence=row.first_sequence,
            last_sequence=row.last_sequence,
            sha256=row.sha256,
            created_at=row.created_at,
            body=row.body,
        )
    )


def delivery_after(connection: Connection, recipient: str, sequence: int) -> Delivery | None:
    """Return the stored delivery that contains or follows item ``sequence`` + 1, if any."""
    row = connection.execute(
        _DELIVERY.where(delivery.c.recipient == recipient, delivery.c.last_sequence > sequence)
        .order_by(delivery.c.last_sequence)
        .limit(1)
    ).one_or_none()
    return None if row is None else Delivery(*row)


def last_delivered(connection: Connection, recipient: str) -> int:
    """Return the last item of the last stored delivery; 0 before the first."""
    last = connection.execute(
        select(func.max(delivery.c.last_sequence)).where(delivery.c.recipient == recipient)
    ).scalar_one()
    return int(last or 0)


def find_deliveries(
    connection: Connection, ends: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Delivery]:
    """Return the deliveries that end at the given (recipient, last sequence) pairs."""
    found: dict[tuple[str, int], Delivery] = {}
    for recipient, last in ends:
        row = connection.execute(
            _DELIVERY.where(delivery.c.recipient == recipient, delivery.c.last_sequence == last)
        ).one_or_none()
        if row is not None:
            found[recipient, last] = Delivery(*row)
    return found


def acknowledge(connection: Connection, recipient: str, up_to: int, at: datetime) -> None:
    """Note that ``recipient`` has everything up to ``up_to``; a sign of life ends its back-off."""
    connection.execute(
        update(delivery)
        .where(
            delivery.c.recipient == recipient,
            delivery.c.last_sequence <= up_to,
            delivery.c.acknowledged_at.is_(None),
        )
        .values(acknowledged_at=at)
    )
    connection.execute(
        update(mailbox)
        .where(mailbox.c.recipient == recipient, mailbox.c.acknowledged_sequence < up_to)
        .values(acknowledged_sequence=up_to)
    )
    note_sign_of_life(connection, [recipient])


def note_sign_of_life(connection: Connection, recipients: Collection[str]) -> None:
    """End the back-off of recipients that just showed that they live."""
    connection.execute(
        update(mailbox)
        .where(mailbox.c.recipient.in_(sorted(recipients)), mailbox.c.failure_count > 0)
        .values(failure_count=0, next_attempt_at=None, last_error=None)
    )


def note_failure(
    connection: Connection, recipient: str, *, failure_count: int, error: str, until: datetime
) -> None:
    """Remember a failed attempt and when the next one is due."""
    connection.execute(
        update(mailbox)
        .where(mailbox.c.recipient == recipient)
        .values(failure_count=failure_count, next_attempt_at=until, last_error=error)
    )


def request_resend(connection: Connection, recipient: str, from_sequence: int | None) -> None:
    """Ask for (or, with None, finish) sending stored deliveries again from an item on."""
    connection.execute(
        update(mailbox).where(mailbox.c.recipient == recipient).values(resend_from=from_sequence)
    )
