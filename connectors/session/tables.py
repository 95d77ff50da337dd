"""The tables of a session: outbox, inbox, what is known of the participants, and alarms.

1. `outbox_message`: what the registry wants said, durable before `submit` returns. It belongs to
   no envelope until one is sealed, and has its outcome once there is a receipt.
2. `outbox_envelope`: the exact bytes that were signed, and the exact bytes of the receipt. The
   bytes of an envelope never change; a new attempt only changes the count and the due time.
3. `inbox_delivery` and `inbox_item`: the exact bytes of what the hub delivered, and its items by
   sequence. An item is there if and only if its effect is.
4. Times are `TS` texts (UTC, milliseconds), due times are milliseconds since 1970.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = [
    "METADATA",
    "alarm",
    "inbox_delivery",
    "inbox_item",
    "outbox_envelope",
    "outbox_message",
    "session_state",
]

METADATA: Final = MetaData()

outbox_message: Final = Table(
    "outbox_message",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("message_id", String(36), nullable=False, unique=True),
    Column("recipient", String(5), nullable=False),
    Column("type", String(64), nullable=False),
    Column("reference", String(200), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("submitted_at", String(24), nullable=False),
    Column("envelope_id", String(36)),
    Column("outcome", String(16)),
    Column("outcome_json", LargeBinary),
    Index("outbox_message_waiting", "envelope_id", "outcome", "position"),
    Index("outbox_message_reference", "reference"),
    sqlite_autoincrement=True,
)

outbox_envelope: Final = Table(
    "outbox_envelope",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("envelope_id", String(36), nullable=False, unique=True),
    Column("recipient", String(5), nullable=False),
    Column("state", String(16), nullable=False),  # queued, receipted, parked, abandoned
    Column("raw", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("sealed_at", String(24), nullable=False),
    Column("attempt_count", Integer, nullable=False, default=0),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("reason", Text),  # of the last failure, for the operator
    Column("receipt", LargeBinary),
    Column("receipted_at", String(24)),
    Index("outbox_envelope_open", "state", "position"),
    sqlite_autoincrement=True,
)

inbox_delivery: Final = Table(
    "inbox_delivery",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("first_sequence", Integer, nullable=False),
    Column("last_sequence", Integer, nullable=False),
    Column("received_at", String(24), nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

inbox_item: Final = Table(
    "inbox_item",
    METADATA,
    Column("sequence", Integer, primary_key=True),
    Column("log_index", Integer, nullable=False),
    Column("recorded_at", String(24), nullable=False),
    Column("received_at", String(24), nullable=False),
    Column("sender", String(5)),
    Column("envelope_sha256", String(64)),
    Column("delivery_sha256", String(64), nullable=False),
    Column("item_sha256", String(64), nullable=False),
    Column("item", LargeBinary, nullable=False),
)

session_state: Final = Table(
    "session_state",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

alarm: Final = Table(
    "alarm",
    METADATA,
    Column("alarm_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("reference", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    Column("raised_at", String(24), nullable=False),
    Column("last_at", String(24), nullable=False),
    Column("count", Integer, nullable=False),
    Column("evidence", LargeBinary),
    Column("closed_at", String(24)),
    Index("alarm_open", "closed_at", "kind", "reference"),
    sqlite_autoincrement=True,
)
