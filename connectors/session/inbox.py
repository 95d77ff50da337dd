"""The inbox in SQL: items by sequence, as they were applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select

from connectors.session import state
from connectors.session.alarms import AlarmKind, raise_alarm
from connectors.session.deliveries import ArrivedItem
from connectors.session.tables import inbox_item
from message_schemas.envelopes import DeliveryItem
from message_schemas.json_codec import encode, encode_body

__all__ = [
    "InboxEntry",
    "confirm",
    "differing",
    "list_items",
    "store_items",
    "store_refusal",
]

_INSERT: Final = insert(inbox_item)


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """An item as the registry behind the local API reads it; `item` is its JSON as delivered."""

    sequence: int
    log_index: int
    recorded_at: str
    received_at: str
    sender: str | None
    envelope_sha256: str | None
    item: Any


def _item_digest(item: DeliveryItem) -> str:
    """Return the SHA-256 of an item as JSON, without `content`, which is there in one binding only.

    What `content` says stands in the envelope.
    """
    return sha256(encode(replace(item, content=None))).hexdigest()


def store_items(
    connection: Connection, items: Iterable[ArrivedItem], delivery_sha256: str, at: str
) -> None:
    """Store applied items; a sequence number that is there already is our defect."""
    connection.execute(
        _INSERT,
        [
            {
                "sequence": item.sequence,
                "log_index": item.log_index,
                "recorded_at": item.recorded_at,
                "received_at": at,
                "sender": None if item.envelope is None else item.envelope.sender,
                "envelope_sha256": item.envelope_sha256,
                "delivery_sha256": delivery_sha256,
                "item_sha256": _item_digest(item.delivered),
                "item": encode(item.delivered),
            }
            for item in items
        ],
    )


def differing(connection: Connection, items: Iterable[DeliveryItem]) -> list[int]:
    """Return the sequence numbers of the items that are stored and say something else there.

    The digest tells most that are equal; the order of members, which another binding may change,
    is no difference.
    """
    told = {item.sequence: item for item in items}
    rows = connection.execute(
        select(inbox_item.c.sequence, inbox_item.c.item_sha256, inbox_item.c.item)
        .where(inbox_item.c.sequence.in_(list(told)))
        .order_by(inbox_item.c.sequence)
    )
    return [
        int(sequence)
        for sequence, digest, stored in rows
        if digest != _item_digest(told[sequence])
        and _value(msgspec.json.decode(stored)) != _value(encode_body(told[sequence]))
    ]


def _value(item: dict[str, Any]) -> bytes:
    members = {name: member for name, member in item.items() if name != "content"}
    return msgspec.json.encode(members, order="sorted")


def list_items(connection: Connection, after: int, limit: int) -> list[InboxEntry]:
    """Return up to `limit` items after a sequence number, in order."""
    rows = connection.execute(
        select(
            inbox_item.c.sequence,
            inbox_item.c.log_index,
            inbox_item.c.recorded_at,
            inbox_item.c.received_at,
            inbox_item.c.sender,
            inbox_item.c.envelope_sha256,
            inbox_item.c.item,
        )
        .where(inbox_item.c.sequence > after)
        .order_by(inbox_item.c.sequence)
        .limit(limit)
    )
    return [InboxEntry(*row[:6], msgspec.json.decode(row[6])) for row in rows]


def confirm(connection: Connection, through: int) -> int:
    """Note that the registry has taken every item up to `through`; never moves backwards.

    Raises:
        ValueError: `through` was not delivered yet.
    """
    if through > state.load_int(connection, state.APPLIED_THROUGH):
        raise ValueError(f"the item {through} has not arrived")
    confirmed = max(through, state.load_int(connection, state.CONFIRMED_THROUGH))
    state.store_int(connection, state.CONFIRMED_THROUGH, confirmed)
    return confirmed


def store_refusal(
    connection: Connection, kind: AlarmKind, detail: str, at: str, raw: bytes
) -> None:
    """Keep the bytes of a refused delivery as the evidence of an alarm, by their digest."""
    raise_alarm(connection, kind, sha256(raw).hexdigest(), detail, at, raw)
