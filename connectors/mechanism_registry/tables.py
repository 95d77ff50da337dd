"""What the connector remembers of its feeds, in the same file as its session's outbox.

1. ``feed``: one row a feed file, with the place up to which its lines are in the outbox and the
   digest of the bytes before that place. It moves in the transaction that fills the outbox.
2. ``feed_message``: one row a message put into the outbox, by its natural id (of the first
   transfer, or "issuance" and its id), with the hub's outcome once there is a receipt. It is
   what makes a corrected feed send only what is not accepted yet.
3. ``feed_refusal``: one row a problem of a line, found here (``feed``) or by the hub (``hub``).

Quantities are in t CO2 eq, times are TS texts.
"""

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

METADATA: Final = MetaData()

feed: Final = Table(
    "feed",
    METADATA,
    Column("feed_id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("format", String(8), nullable=False),
    Column("offset_bytes", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("prefix_sha256", String(64), nullable=False),
    Column("known_count", Integer, nullable=False),  # lines that an earlier feed had pushed
    Column("started_at", String(24), nullable=False),
    Column("changed_at", String(24), nullable=False),
    sqlite_autoincrement=True,
)

feed_message: Final = Table(
    "feed_message",
    METADATA,
    Column("reference", String(40), primary_key=True),
    Column("feed_id", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("kind", String(16), nullable=False),  # issuance, or the kind of the block
    Column("issuance_id", String(24), nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("vintage", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("account", String(50)),
    Column("block_first", Text),
    Column("block_last", Text),
    Column("issuance", LargeBinary),  # the issuance line itself, as JSON; None for a block
    Column("outcome", String(16)),  # accepted, duplicate-of, refused; None while waiting
    Index("feed_message_feed", "feed_id", "outcome"),
    Index("feed_message_issuance", "issuance_id", "feed_id"),
    sqlite_with_rowid=False,
)

feed_refusal: Final = Table(
    "feed_refusal",
    METADATA,
    Column("feed_id", Integer, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("source", String(8), nullable=False),  # feed, hub
    Column("reference", String(40)),
    Column("block_first", Text),
    Column("block_last", Text),
    Column("rule", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("field", String(64)),
    Column("value", Text),
    Column("text", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("paragraph", Text, nullable=False),
    sqlite_with_rowid=False,
)
