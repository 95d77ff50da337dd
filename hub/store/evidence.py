"""What belongs to one transfer in the log, found by keys and by bisection, never by a scan.

A mailbox's items grow in sequence and in log index together, so the item of an entry is found by
halving. A key's registration is found in the notices that told of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from hub.store import log as log_store
from hub.store.tables import act, delivery, delivery_replaced, envelope, mailbox, mailbox_item


@dataclass(frozen=True, slots=True)
class LoggedContent:
    """What an entry committed to, by name; None and without salt once it was erased.

    ``key_ids`` are those that signed an envelope; they stay.
    """

    entry: bytes
    kind: str
    salt: bytes | None
    contents: Mapping[str, bytes | None]
    key_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MadeDelivery:
    """A stored delivery: its leaf, and the leaf of the envelope that acknowledged it."""

    log_index: int
    acknowledged_log_index: int | None


_ITEM: Final = select(mailbox_item.c.log_index).where(
    mailbox_item.c.recipient == bindparam("b_recipient"),
    mailbox_item.c.sequence == bindparam("b_sequence"),
)
# The sealing that was acknowledged; otherwise the newest, which is what goes out.
_DELIVERY_OF: Final = tuple(
    select(table.c.log_index, table.c.acknowledged_log_index)
    .where(
        table.c.recipient == bindparam("b_recipient"),
        table.c.first_sequence <= bindparam("b_sequence"),
        table.c.last_sequence >= bindparam("b_sequence"),
        *more,
    )
    .order_by(table.c.first_sequence.desc(), table.c.log_index.desc())
    .limit(1)
    for table, more in (
        (delivery_replaced, (delivery_replaced.c.acknowledged_log_index.is_not(None),)),
        (delivery, ()),
    )
)


def content_at(connection: Connection, log_index: int) -> LoggedContent | None:
    """Return an entry and what is left of its contents, or None beyond the head."""
    entry = log_store.entry_at(connection, log_index)
    if entry is None:
        return None
    said = connection.execute(
        select(envelope.c.salt, envelope.c.body, envelope.c.receipt, envelope.c.key_ids).where(
            envelope.c.log_index == log_index
        )
    ).one_or_none()
    if said is not None:
        contents = {"envelope": said[1], "receipt": said[2]}
        return _content(entry, "envelope", said[0], contents, tuple(said[3].split()))
    for table in (delivery, delivery_replaced):
        sent = connection.execute(
            select(table.c.salt, table.c.body).where(table.c.log_index == log_index)
        ).one_or_none()
        if sent is not None:
            return _content(entry, "delivery", sent[0], {"delivery": sent[1]})
    done = connection.execute(
        select(act.c.salt, act.c.document).where(act.c.log_index == log_index)
    ).one_or_none()
    if done is not None:
        return _content(entry, "act", done[0], {"act": done[1]})
    return LoggedContent(entry, "genesis", None, {})


def _content(
    entry: bytes,
    kind: str,
    salt: bytes | None,
    contents: Mapping[str, bytes | None],
    key_ids: tuple[str, ...] = (),
) -> LoggedContent:
    if salt is None:  # erased: the bodies went with it
        return LoggedContent(entry, kind, None, dict.fromkeys(contents), key_ids)
    known = {name: None if raw is None else bytes(raw) for name, raw in contents.items()}
    return LoggedContent(entry, kind, bytes(salt), known, key_ids)


def delivery_of(connection: Connection, recipient: str, log_index: int) -> MadeDelivery | None:
    """Return the delivery that told ``recipient`` of an entry, or None if none did yet."""
    sequence = item_of(connection, recipient, log_index)
    if sequence is None:
        return None
    for statement in _DELIVERY_OF:
        row = connection.execute(
            statement, {"b_recipient": recipient, "b_sequence": sequence}
        ).one_or_none()
        if row is not None:
            return MadeDelivery(row[0], row[1])
    return None


def item_of(connection: Connection, recipient: str, log_index: int) -> int | None:
    """Return the number of the item that tells ``recipient`` of an entry, or None."""
    last = connection.execute(
        select(mailbox.c.last_sequence).where(mailbox.c.recipient == recipient)
    ).scalar_one_or_none()
    low, high = 1, last or 0
    while low <= high:
        middle = (low + high) // 2
        at = connection.execute(
            _ITEM, {"b_recipient": recipient, "b_sequence": middle}
        ).scalar_one_or_none()
        if at == log_index:
            return middle
        if at is not None and at > log_index:
            high = middle - 1
        else:
            low = middle + 1
    return None


def key_entries(connection: Connection, key_id: str) -> set[int]:
    """Return the log indices of all that registered or revoked a key.

    Acts are found by their subject; messages by the notices that told the participant of them.
    """
    participant = key_id[:5]
    position = func.instr if connection.dialect.name == "sqlite" else func.strpos
    acts = select(act.c.log_index).where(
        act.c.subject.in_((key_id, participant)),
        act.c.kind.in_(("participant.add", "key.add", "key.revoke")),
        position(act.c.detail, key_id) > 0,
    )
    told = select(mailbox_item.c.log_index).where(
        mailbox_item.c.recipient == participant,
        mailbox_item.c.notices.like(f'%"key.changed"%{key_id}%'),
    )
    return set(connection.execute(acts).scalars()) | set(connection.execute(told).scalars())
