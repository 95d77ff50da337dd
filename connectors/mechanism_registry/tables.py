"""What the connector remembers of its feeds, in the same file as its session's outbox.

1. ``feed``: one row a feed file, with the place up to which its lines are in the outbox and the
   digest of the bytes before that place. It moves in the transaction that fills the outbox. A
   feed is read with one mapping, or with none.
2. ``feed_message``: one row a message put into the outbox, by its natural id (of the first
   transfer, or "issuance" and its id), with the hub's outcome once there is a receipt. It is
   what makes a corrected feed send only what is not accepted yet.
3. ``feed_refusal``: one row a problem of a line, found here (``feed``) or by the hub (``hub``).
4. ``feed_run``: one row a run over a feed: when, how many lines, how fast, how it ended.
5. ``feed_source``, ``feed_page``: a polled source's cursor and its pages, each a feed (``pages``).

Quantities are in t CO2 eq, times are TS texts. ``line`` counts the records of an XML feed; there
``source_line`` is the line of the file. From ``offset_bytes`` to ``end_bytes`` lies the line.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    text,
)

from connectors.session.database import Database, Work
from connectors.session.session import open_database

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
    Column("mapping_name", String(64)),
    Column("mapping_version", String(32)),
    Column("mapping_sha256", String(64)),
    sqlite_autoincrement=True,
)

feed_message: Final = Table(
    "feed_message",
    METADATA,
    Column("reference", String(40), primary_key=True),
    Column("feed_id", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("kind", String(32), nullable=False),  # as feeds.rows.kind_of says
    Column("issuance_id", String(24), nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("vintage", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("account", String(50)),
    Column("block_first", Text),
    Column("block_last", Text),
    Column("issuance", LargeBinary),  # as JSON: of an issuance or a later authorization
    Column("outcome", String(16)),  # accepted, duplicate-of, refused, kept; None while waiting
    Column("party", String(3)),
    Column("source_line", Integer),
    Column("offset_bytes", Integer),
    Column("end_bytes", Integer),
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
    Column("source_line", Integer),
    Column("source_field", Text),
    Column("source_value", Text),
    Column("issuance_id", String(24)),
    Column("offset_bytes", Integer),
    Column("end_bytes", Integer),
    Index("feed_refusal_issuance", "issuance_id"),
    sqlite_with_rowid=False,
)

feed_run: Final = Table(
    "feed_run",
    METADATA,
    Column("run_id", Integer, primary_key=True, autoincrement=True),
    Column("feed_id", Integer, nullable=False, index=True),
    Column("started_at", String(24), nullable=False),
    Column("ended_at", String(24)),  # None: it runs, or was killed
    Column("ending", Text),  # complete, refusals, or why it stopped
    Column("surveyed_lines", Integer, nullable=False),
    Column("survey_seconds", Float, nullable=False),
    Column("pushed_lines", Integer, nullable=False),
    Column("push_seconds", Float, nullable=False),
    sqlite_autoincrement=True,
)


feed_source: Final = Table(
    "feed_source",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("url", Text, nullable=False),
    Column("cursor", Text),  # None: the beginning
    Column("etag", Text),
    Column("page_count", Integer, nullable=False),
    Column("changed_at", String(24), nullable=False),
    sqlite_with_rowid=False,
)

feed_page: Final = Table(
    "feed_page",
    METADATA,
    Column("source", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("after", Text),
    Column("next_cursor", Text),
    Column("is_end", Boolean, nullable=False),
    Column("etag", Text),
    Column("sha256", String(64), nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("fetched_at", String(24), nullable=False),
    Column("done_at", String(24)),  # None: its lines are not with the outbox yet
    Index("feed_page_after", "source", "after"),
    Index("feed_page_sha256", "source", "sha256"),
    Index("feed_page_open", "source", "done_at"),
    sqlite_with_rowid=False,
)


def missing_columns(connection: Connection) -> list[str]:
    """Return the statements that add what a database of an earlier version lacks."""
    return [
        f"ALTER TABLE {table.name} ADD COLUMN {column.name} "
        f"{column.type.compile(connection.dialect)}"
        for table in METADATA.sorted_tables
        for column in table.columns
        if column.name
        not in {there["name"] for there in inspect(connection).get_columns(table.name)}
    ]


def open_feeds(path: Path) -> Database:
    """Open the connector's database: the session's tables, and those above, as they are now."""
    database = open_database(path, METADATA)
    if statements := database.read_now(missing_columns):

        def add(work: Work) -> None:
            for statement in statements:
                work.connection.execute(text(statement))

        database.write_now("registry.command", add)
    return database
