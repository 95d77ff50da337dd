"""The tables of a connector: transfers with their timeline, actions, numbers given out, webhooks.

A transfer's row says what this end knows: what it asked for, what the hub said of it, and who is
awaited. The hub's word is in the inbox and the outbox; these rows only make it readable.
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

__all__ = ["METADATA", "action", "counter", "transfer", "transfer_event", "webhook_event"]

METADATA: Final = MetaData()

transfer: Final = Table(
    "transfer",
    METADATA,
    Column("transfer_id", String(24), primary_key=True),
    Column("direction", String(8), nullable=False),  # outgoing, incoming
    Column("mode", String(20), nullable=False),  # move, notify_and_record
    Column("state", String(16), nullable=False),
    Column("counterparty", String(5), nullable=False),
    Column("account", String(50), nullable=False),
    Column("cooperative_approach", String(6), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("proposal", LargeBinary, nullable=False),
    Column("proposal_sha256", String(64)),
    Column("answer", String(16)),  # what the acquirer submitted: accept, reject, …
    Column("log_index", Integer),
    Column("created_at", String(24), nullable=False),
    Column("changed_at", String(24), nullable=False),
    Index("transfer_state", "state", "direction"),
)

transfer_event: Final = Table(
    "transfer_event",
    METADATA,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    Column("transfer_id", String(24), nullable=False),
    Column("at", String(24), nullable=False),
    Column("event", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Index("transfer_event_of", "transfer_id", "event_id"),
    sqlite_autoincrement=True,
)

action: Final = Table(
    "action",
    METADATA,
    Column("action_id", String(24), primary_key=True),
    Column("type", String(24), nullable=False),  # action.use, action.cancellation
    Column("state", String(16), nullable=False),  # submitted, accepted, recorded, refused, disputed
    Column("account", String(50)),
    Column("quantity", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", String(24), nullable=False),
    Column("changed_at", String(24), nullable=False),
    Column("detail", Text, nullable=False),
)

counter: Final = Table(
    "counter",
    METADATA,
    Column("name", String(24), primary_key=True),
    Column("value", Integer, nullable=False),
)

webhook_event: Final = Table(
    "webhook_event",
    METADATA,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(40), nullable=False),
    Column("created_at", String(24), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("attempt_count", Integer, nullable=False, default=0),
    Column("due_at_ms", BigInteger, nullable=False, default=0),
    Column("delivered_at", String(24)),
    Column("reason", Text),
    Index("webhook_event_open", "delivered_at", "event_id"),
    sqlite_autoincrement=True,
)
