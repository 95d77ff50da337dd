"""The acknowledgements that we gave: each is an envelope of ours, and may become an entry.

The answer to a push brings no receipt, so its entry in the log is known by order alone: the audit
attributes each envelope from us to the hub without a claim to the oldest acknowledgement that has
no entry yet. Given through the hub's door it brings a receipt, and with it a claim. Not every one
becomes an entry: answers get lost, and the next one is another.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert

from connectors.session.log.tables import log_acknowledgement

__all__ = ["Given", "attribute", "note_receipt", "store_given"]


@dataclass(frozen=True, slots=True)
class Given:
    """A sealed acknowledgement of a delivery."""

    envelope_id: str
    message_id: str
    raw: bytes
    sha256: str
    sealed_at: str


def store_given(connection: Connection, given: Given, delivery_sha256: str) -> None:
    """Keep an acknowledgement before it is given."""
    connection.execute(
        insert(log_acknowledgement)
        .values(
            **{name: getattr(given, name) for name in Given.__dataclass_fields__},
            delivery_sha256=delivery_sha256,
        )
        .on_conflict_do_nothing()
    )


def note_receipt(connection: Connection, envelope_id: str, receipt: bytes, log_index: int) -> bool:
    """Keep the receipt of an acknowledgement; tell whether it is one of ours without one."""
    result = connection.execute(
        update(log_acknowledgement)
        .where(
            log_acknowledgement.c.envelope_id == envelope_id,
            log_acknowledgement.c.receipt.is_(None),
        )
        .values(receipt=receipt, log_index=log_index)
    )
    return result.rowcount == 1


def attribute(connection: Connection, log_index: int) -> bool:
    """Give an entry to the oldest acknowledgement without one; tell whether there was one."""
    oldest = (
        select(log_acknowledgement.c.envelope_id)
        .where(log_acknowledgement.c.log_index.is_(None))
        .order_by(log_acknowledgement.c.sealed_at, log_acknowledgement.c.envelope_id)
        .limit(1)
        .scalar_subquery()
    )
    result = connection.execute(
        update(log_acknowledgement)
        .where(log_acknowledgement.c.envelope_id == oldest)
        .values(log_index=log_index)
    )
    return result.rowcount == 1
