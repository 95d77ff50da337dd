"""Prove again, from the rows alone, every invariant of the ledger and of the exchange.

The ledger's proof is ``international_registry.invariants``: no overlap, the journal replayed gives
the blocks, units conserved, reservations only of transfers in flight, caps. Around it: mailboxes
without gaps, receipts for every log index, no log index twice, corrections as their acts say.
Memory is flat in the ledger's size.
"""

from collections.abc import Iterator
from itertools import combinations

from sqlalchemy import Connection, func, select

from hub.international_registry.invariants import (
    Expectations,
    Violation,
    prove,
)
from hub.services import reference_data
from hub.services.check_corrections import correction_faults
from hub.store import head as heads
from hub.store import ledger, reference
from hub.store.database import Database
from hub.store.interning import Interning
from hub.store.tables import (
    act,
    delivery,
    delivery_replaced,
    envelope,
    mailbox,
    mailbox_item,
    transfer,
)


def check_ledger(database: Database) -> list[Violation]:
    """Return what is wrong with the ledger; an empty list is the proof."""
    interning = Interning()
    with database.reading() as connection:
        expectations = _expectations(connection)
        return prove(
            ledger.all_blocks(connection, interning),
            ledger.all_postings(connection, interning),
            expectations,
        )


def _expectations(connection: Connection) -> Expectations:
    """Return what transfers and authorizations say about the ledger."""
    data = reference_data.load(connection, heads.read(connection))
    in_flight = connection.execute(
        select(transfer.c.transfer_id, transfer.c.quantity).where(transfer.c.state == "proposed")
    )
    keys = set(data.authorizations)
    return Expectations(
        in_flight={row[0]: row[1] for row in in_flight},
        usage=reference.usages(connection, keys),
        quantity_max={key: row.quantity_max for key, row in data.authorizations.items()},
    )


def check_exchange(database: Database) -> list[str]:
    """Return what is wrong with the log, the mailboxes and corrections, one sentence each."""
    with database.reading() as connection:
        return [
            *_log_faults(connection),
            *_mailbox_faults(connection),
            *correction_faults(connection),
        ]


def _log_faults(connection: Connection) -> Iterator[str]:
    """Every index from 1 to the head is exactly one envelope, act, delivery or replaced one."""
    head = heads.read(connection)
    counted = 0
    tables = (envelope, act, delivery, delivery_replaced)
    for table in tables:
        count, highest = connection.execute(select(func.count(), func.max(table.c.log_index))).one()
        counted += count
        if highest is not None and highest > head.log_index:
            yield f"{table.name} {highest} lies beyond the head {head.log_index}"
    if counted != head.log_index:
        yield f"the head counts {head.log_index} entries, the tables hold {counted}"
    for one, other in combinations(tables, 2):
        both = connection.execute(
            select(func.count()).select_from(one.join(other, one.c.log_index == other.c.log_index))
        ).scalar_one()
        if both:
            yield f"{both} log indices are both in {one.name} and in {other.name}"


def _mailbox_faults(connection: Connection) -> Iterator[str]:
    """Items and deliveries of each recipient are 1, 2, 3 … without gaps."""
    rows = connection.execute(
        select(
            mailbox.c.recipient,
            mailbox.c.last_sequence,
            mailbox.c.acknowledged_sequence,
            func.count(mailbox_item.c.sequence),
            func.coalesce(func.max(mailbox_item.c.sequence), 0),
        )
        .outerjoin(mailbox_item, mailbox_item.c.recipient == mailbox.c.recipient)
        .group_by(mailbox.c.recipient, mailbox.c.last_sequence, mailbox.c.acknowledged_sequence)
    )
    for recipient, last, acknowledged, count, highest in rows:
        if not last == count == highest:
            yield f"mailbox {recipient}: last is {last}, {count} items, highest {highest}"
        if acknowledged > last:
            yield f"mailbox {recipient}: acknowledged {acknowledged} of {last}"
    gaps = connection.execute(
        select(
            delivery.c.recipient,
            func.sum(delivery.c.last_sequence - delivery.c.first_sequence + 1),
            func.max(delivery.c.last_sequence),
        ).group_by(delivery.c.recipient)
    )
    for recipient, covered, highest in gaps:
        if covered != highest:
            yield f"deliveries to {recipient} cover {covered} items up to {highest}"
