"""Erase what was said, after the time of retention: bodies, receipts and salts, never the log.

An envelope goes only when nobody waits for it: its addressee acknowledged it, and it is not the
proposal of a transfer still open. A delivery goes some time after it was acknowledged, with what
its items told and with older sealings of them. Ids, digests and entries stay; and so does all that
says whose a key is (``key.rotate``, ``key.revoke`` and the notices of them): evidence of any age
rests on it, and it is public anyway.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    not_,
    or_,
    select,
    text,
    update,
)

from hub.store.database import Database
from hub.store.tables import delivery, delivery_replaced, envelope, mailbox, mailbox_item, transfer

_AWAITED: Final = exists(
    select(mailbox_item.c.sequence)
    .join(mailbox, mailbox.c.recipient == mailbox_item.c.recipient)
    .where(
        mailbox_item.c.recipient == envelope.c.recipient,
        mailbox_item.c.sequence > mailbox.c.acknowledged_sequence,
        mailbox_item.c.log_index == envelope.c.log_index,
    )
)
_OPEN: Final = exists(
    select(transfer.c.transfer_id).where(
        transfer.c.state == "proposed", transfer.c.proposed_log_index == envelope.c.log_index
    )
)


def _old_envelopes(before: datetime) -> ColumnElement[bool]:
    return and_(
        envelope.c.body.is_not(None),
        envelope.c.received_at < before,
        not_(envelope.c.changes_keys),
        not_(_AWAITED),
        not_(_OPEN),
    )


def _old_deliveries(before: datetime) -> ColumnElement[bool]:
    return and_(delivery.c.body.is_not(None), delivery.c.acknowledged_at < before)


def count_old(connection: Connection, before: datetime) -> tuple[int, int]:
    """Return how many envelopes and deliveries would be erased."""
    counts = [
        connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one()
        for table, condition in (
            (envelope, _old_envelopes(before)),
            (delivery, _old_deliveries(before)),
        )
    ]
    return counts[0], counts[1]


def erase_envelopes(connection: Connection, before: datetime, limit: int) -> int:
    """Erase up to ``limit`` envelopes received before ``before``, the oldest first."""
    chosen = connection.execute(
        select(envelope.c.log_index)
        .where(_old_envelopes(before))
        .order_by(envelope.c.log_index)
        .limit(limit)
    ).scalars()
    indices = list(chosen)
    if indices:
        connection.execute(
            update(envelope)
            .where(envelope.c.log_index.in_(indices))
            .values(salt=None, body=None, receipt=None)
        )
    return len(indices)


def erase_deliveries(connection: Connection, before: datetime, limit: int) -> int:
    """Erase up to ``limit`` deliveries acknowledged before ``before``, with their items."""
    rows = connection.execute(
        select(delivery.c.recipient, delivery.c.first_sequence, delivery.c.last_sequence)
        .where(_old_deliveries(before))
        .order_by(delivery.c.log_index)
        .limit(limit)
    ).all()
    for recipient, first, last in rows:
        for table in (delivery, delivery_replaced):
            connection.execute(
                update(table)
                .where(table.c.recipient == recipient, table.c.first_sequence == first)
                .values(salt=None, body=None)
            )
        connection.execute(
            update(mailbox_item)
            .where(
                mailbox_item.c.recipient == recipient,
                mailbox_item.c.sequence >= first,
                mailbox_item.c.sequence <= last,
                or_(
                    mailbox_item.c.notices.is_(None),
                    mailbox_item.c.notices.not_like('%"key.changed"%'),
                ),
            )
            .values(verdicts=None, notices=None)
        )
    return len(rows)


def empty_write_ahead_file(database: Database) -> None:
    """Fold SQLite's write-ahead file into the database: it holds older images of pages."""
    with database.engine.connect() as connection:
        connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def overwrite_freed_pages(connection: Connection) -> None:
    """Have SQLite overwrite with zeros what this connection erases from now on."""
    connection.execute(text("PRAGMA secure_delete=ON"))
