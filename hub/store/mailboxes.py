"""Each recipient's numbered items, the deliveries made of them, and how far it acknowledged.

The statements are made once, as constants: SQLAlchemy then compiles and keys them once too, which
is most of what a small statement costs.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, insert, or_, select, update

from hub.store.many_rows import Insert, Update
from hub.store.pairs import PairLookup
from hub.store.tables import delivery, envelope, mailbox, mailbox_item


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where a recipient's sequence stands, and when it may be tried again.

    Items up to ``stored_sequence`` are cut into stored deliveries; those up to
    ``acknowledged_sequence`` the recipient has.
    """

    recipient: str
    last_sequence: int
    stored_sequence: int
    acknowledged_sequence: int
    failure_count: int
    next_attempt_at: datetime | None
    last_error: str | None
    resend_from: int | None
    resend_to: int | None


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
class ReadyItem:
    """An item with the envelope it carries, if it does: exact bytes, and the entry's salt."""

    item: MailboxItem
    envelope: bytes | None
    salt: bytes | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A signed delivery, stored before it is first sent; ``is_new`` until it is stored.

    ``log_index`` is its leaf; ``salt`` and ``body`` are None once they were erased.
    """

    recipient: str
    first_sequence: int
    last_sequence: int
    log_index: int
    sha256: str
    created_at: datetime
    acknowledged_at: datetime | None
    salt: bytes | None
    body: bytes | None
    is_new: bool = False


_RECIPIENTS = mailbox.c.recipient.in_(bindparam("recipients", expanding=True))
_MAILBOX = select(
    mailbox.c.recipient,
    mailbox.c.last_sequence,
    mailbox.c.stored_sequence,
    mailbox.c.acknowledged_sequence,
    mailbox.c.failure_count,
    mailbox.c.next_attempt_at,
    mailbox.c.last_error,
    mailbox.c.resend_from,
    mailbox.c.resend_to,
).order_by(mailbox.c.recipient)
_LOAD = _MAILBOX.where(_RECIPIENTS)
_LOCK = _LOAD.with_for_update()
_WAITING = _MAILBOX.where(
    or_(
        mailbox.c.last_sequence > mailbox.c.acknowledged_sequence,
        mailbox.c.resend_from.is_not(None),
    )
)


def open_mailbox(connection: Connection, recipient: str) -> None:
    """Give a new participant its mailbox, at sequence 0."""
    connection.execute(
        insert(mailbox).values(
            recipient=recipient,
            last_sequence=0,
            stored_sequence=0,
            acknowledged_sequence=0,
            failure_count=0,
        )
    )


def load(connection: Connection, recipients: Collection[str]) -> dict[str, Mailbox]:
    """Return the mailboxes of ``recipients`` that exist."""
    rows = connection.execute(_LOAD, {"recipients": sorted(recipients)})
    return {row[0]: Mailbox(*row) for row in rows}


def lock(connection: Connection, recipients: Collection[str]) -> list[Mailbox]:
    """Return the mailboxes of ``recipients``, by code, held until the transaction ends."""
    rows = connection.execute(_LOCK, {"recipients": sorted(recipients)})
    return [Mailbox(*row) for row in rows]


def load_all(connection: Connection) -> list[Mailbox]:
    """Return every mailbox, by recipient."""
    return [Mailbox(*row) for row in connection.execute(_MAILBOX)]


def waiting(connection: Connection) -> list[Mailbox]:
    """Return the mailboxes with something unacknowledged or asked for again, by recipient."""
    return [Mailbox(*row) for row in connection.execute(_WAITING)]


_ADD_ITEMS = Insert(
    mailbox_item,
    (
        "recipient",
        "sequence",
        "log_index",
        "recorded_at",
        "carries_envelope",
        "verdicts",
        "notices",
    ),
)
_SET_LAST = Update(mailbox, key=["recipient"], values=["last_sequence"])


def add_items(
    connection: Connection, items: Sequence[MailboxItem], last_sequences: Mapping[str, int]
) -> None:
    """Append numbered items and move the sequence counters (``last_sequences`` by recipient)."""
    _ADD_ITEMS.run(
        connection,
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
    _SET_LAST.run(
        connection,
        [
            {"recipient": code, "last_sequence": last}
            for code, last in sorted(last_sequences.items())
        ],
    )


_ITEMS_AFTER = (
    select(
        mailbox_item.c.recipient,
        mailbox_item.c.sequence,
        mailbox_item.c.log_index,
        mailbox_item.c.recorded_at,
        mailbox_item.c.carries_envelope,
        mailbox_item.c.verdicts,
        mailbox_item.c.notices,
        envelope.c.body,
        envelope.c.salt,
    )
    .outerjoin(
        envelope,
        and_(envelope.c.log_index == mailbox_item.c.log_index, mailbox_item.c.carries_envelope),
    )
    .where(
        mailbox_item.c.recipient == bindparam("b_recipient"),
        mailbox_item.c.sequence > bindparam("b_after"),
        mailbox_item.c.sequence <= bindparam("b_up_to"),
    )
    .order_by(mailbox_item.c.sequence)
)


def items_after(
    connection: Connection, recipient: str, sequence: int, limit: int
) -> list[ReadyItem]:
    """Return up to ``limit`` items after ``sequence`` in order, with their envelopes."""
    rows = connection.execute(
        _ITEMS_AFTER,
        {"b_recipient": recipient, "b_after": sequence, "b_up_to": sequence + limit},
    )
    return [ReadyItem(MailboxItem(*row[:7]), row[7], row[8]) for row in rows]


_ADD_DELIVERY = Insert(
    delivery,
    (
        "recipient",
        "first_sequence",
        "last_sequence",
        "log_index",
        "sha256",
        "created_at",
        "salt",
        "body",
    ),
)
_SET_STORED = Update(mailbox, key=["recipient"], values=["stored_sequence"])


def add_deliveries(connection: Connection, rows: Sequence[Delivery]) -> None:
    """Store signed deliveries before they are first sent."""
    if not rows:
        return
    _ADD_DELIVERY.run(
        connection,
        [
            {
                "recipient": row.recipient,
                "first_sequence": row.first_sequence,
                "last_sequence": row.last_sequence,
                "log_index": row.log_index,
                "sha256": row.sha256,
                "created_at": row.created_at,
                "salt": row.salt,
                "body": row.body,
            }
            for row in rows
        ],
    )
    _SET_STORED.run(
        connection,
        [{"recipient": row.recipient, "stored_sequence": row.last_sequence} for row in rows],
    )


_DELIVERY = select(
    delivery.c.recipient,
    delivery.c.first_sequence,
    delivery.c.last_sequence,
    delivery.c.log_index,
    delivery.c.sha256,
    delivery.c.created_at,
    delivery.c.acknowledged_at,
    delivery.c.salt,
    delivery.c.body,
)
_DELIVERY_AFTER = (
    _DELIVERY.where(
        delivery.c.recipient == bindparam("b_recipient"),
        delivery.c.last_sequence > bindparam("b_after"),
    )
    .order_by(delivery.c.last_sequence)
    .limit(1)
)


def delivery_after(connection: Connection, recipient: str, sequence: int) -> Delivery | None:
    """Return the stored delivery that contains or follows item ``sequence`` + 1, if any."""
    row = connection.execute(
        _DELIVERY_AFTER, {"b_recipient": recipient, "b_after": sequence}
    ).one_or_none()
    return None if row is None else Delivery(*row)


_DIGESTS = PairLookup(
    (delivery.c.recipient, delivery.c.last_sequence, delivery.c.sha256),
    delivery.c.recipient,
    delivery.c.last_sequence,
)


def delivery_digests(
    connection: Connection, ends: Collection[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """Return the digests of the deliveries that end at (recipient, last sequence) pairs."""
    return {(row[0], row[1]): row[2] for row in _DIGESTS.rows(connection, ends)}


_ACKNOWLEDGE_DELIVERIES = (
    update(delivery)
    .where(
        delivery.c.recipient == bindparam("b_recipient"),
        delivery.c.last_sequence > bindparam("b_before"),
        delivery.c.last_sequence <= bindparam("b_up_to"),
    )
    .values(acknowledged_at=bindparam("b_at"), acknowledged_log_index=bindparam("b_log_index"))
)
_ACKNOWLEDGE = Update(
    mailbox,
    key=["recipient"],
    values=["acknowledged_sequence", "failure_count", "next_attempt_at", "last_error"],
)


def acknowledge(
    connection: Connection, up_to: Iterable[tuple[Mailbox, int, int]], at: datetime
) -> None:
    """Note up to which item recipients have everything; a sign of life ends their back-off.

    ``up_to`` holds mailbox, last item, and the log index of the envelope that says so.
    """
    rows = [
        {
            "b_recipient": box.recipient,
            "b_before": box.acknowledged_sequence,
            "b_up_to": last,
            "b_at": at,
            "b_log_index": log_index,
        }
        for box, last, log_index in up_to
    ]
    if rows:
        connection.execute(_ACKNOWLEDGE_DELIVERIES, rows)
        _ACKNOWLEDGE.run(
            connection,
            [
                {
                    "recipient": row["b_recipient"],
                    "acknowledged_sequence": row["b_up_to"],
                    "failure_count": 0,
                    "next_attempt_at": None,
                    "last_error": None,
                }
                for row in rows
            ],
        )


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


def request_resend(connection: Connection, recipient: str, range_: tuple[int, int] | None) -> None:
    """Ask for stored deliveries with these items (first, last) again; None: that is done."""
    first, last = range_ or (None, None)
    connection.execute(
        update(mailbox)
        .where(mailbox.c.recipient == recipient)
        .values(resend_from=first, resend_to=last)
    )
