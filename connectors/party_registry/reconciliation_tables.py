"""The tables of a registry's side of reconciliation, and the triggers that keep its sums honest.

1. `reconciliation_sum`: the digest of each chunk of 2^16 positions, under the key in
   `reconciliation_key` (one row, or none while there are no sums).
2. `reconciliation_change`: what was added to the compared units, or taken away, since the sums were
   last brought up to date. Triggers write it, in the transaction of whatever changed a block: the
   book, a command, or a hand with a database tool. So the sums are those of the blocks as they are.
3. `reconciliation_question`: what the hub asked, and what was answered.
4. `reconciliation_result`: how each comparison ended.

While there are no sums the triggers write nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
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
    "prepare_book",
    "reconciliation_change",
    "reconciliation_key",
    "reconciliation_question",
    "reconciliation_result",
    "reconciliation_sum",
]

METADATA: Final = MetaData()
_SERIES: Final = (
    ("cooperative_approach", String(6)),
    ("originating_registry", String(5)),
    ("first_transferring_party", String(3)),
    ("vintage", Integer),
)

reconciliation_sum: Final = Table(
    "reconciliation_sum",
    METADATA,
    *(Column(name, kind, primary_key=True) for name, kind in _SERIES),
    Column("chunk", BigInteger, primary_key=True),
    Column("digest", LargeBinary(16), nullable=False),
    sqlite_with_rowid=False,
)

reconciliation_key: Final = Table(
    "reconciliation_key",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("key_id", String(10), nullable=False),
    Column("key_check", String(64), nullable=False),  # SHA-256 over a label and the key
    Column("folded_to", Integer, nullable=False),  # a change_id
    Column("state", String(32), nullable=False),  # another one after each change of the sums
    Column("built_at", String(24), nullable=False),
)

reconciliation_change: Final = Table(
    "reconciliation_change",
    METADATA,
    Column("change_id", Integer, primary_key=True, autoincrement=True),
    Column("sign", Integer, nullable=False),
    *(Column(name, kind, nullable=False) for name, kind in _SERIES),
    Column("first_serial", Integer, nullable=False),
    Column("last_serial", Integer, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("is_first_transferred", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

reconciliation_question: Final = Table(
    "reconciliation_question",
    METADATA,
    Column("question_id", Integer, primary_key=True, autoincrement=True),
    Column("session", String(24), nullable=False),
    Column("number", Integer, nullable=False),
    Column("type", String(40), nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("key_id", String(32)),
    Column("asked_at", String(24), nullable=False),
    Column("answer", String(40), nullable=False),
    Column("reason", Text),
    Index("reconciliation_question_session", "session", "number"),
    sqlite_autoincrement=True,
)

reconciliation_result: Final = Table(
    "reconciliation_result",
    METADATA,
    Column("result_id", Integer, primary_key=True, autoincrement=True),
    Column("session", String(24), nullable=False),
    Column("log_index", BigInteger, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("received_at", String(24), nullable=False),
    Column("agreed", Boolean, nullable=False),
    Column("basis", String(16), nullable=False),
    Column("finding_count", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("reconciliation_result_session", "session"),
    sqlite_autoincrement=True,
)

_NAMES: Final = (*(name for name, _ in _SERIES), "first_serial", "last_serial", "attributes")
_OF_BLOCK: Final = ("status", "known_to_hub", "first_transfer")


_LENGTHS: Final = (
    "CREATE INDEX IF NOT EXISTS unit_block_length ON unit_block (cooperative_approach, "
    "originating_registry, first_transferring_party, vintage, last_serial - first_serial) "
    "WHERE known_to_hub = 1"
)
"""How long the longest block of a series is: how far before a window one may begin."""


def prepare_book(connection: Connection) -> None:
    """Create the triggers and the index on the book that are not there yet."""
    for statement in (_LENGTHS, *_triggers()):
        connection.exec_driver_sql(statement)


def _triggers() -> Iterator[str]:
    written = ", ".join(("sign", *_NAMES, "status", "is_first_transferred"))
    for table in ("unit_block", "recorded_unit"):
        is_block = table == "unit_block"
        columns = ", ".join((*_NAMES, *_OF_BLOCK) if is_block else (*_NAMES, "first_transfer"))
        for event, row, sign in (
            ("INSERT", "new", 1),
            ("DELETE", "old", -1),
            (f"UPDATE OF {columns}", "old", -1),
            (f"UPDATE OF {columns}", "new", 1),
        ):
            name = f"{table}_{event[:6].lower()}_{row}"
            known = f"{row}.known_to_hub AND " if is_block else ""
            status = f"{row}.status" if is_block else "'itmo'"
            values = ", ".join(f"{row}.{one}" for one in _NAMES)
            head = f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table}"
            when = f"WHEN {known}EXISTS (SELECT 1 FROM reconciliation_key)"  # noqa: S608 - our names
            note = f"INSERT INTO reconciliation_change ({written}) VALUES"
            values = f"({sign}, {values}, {status}, {row}.first_transfer IS NOT NULL)"
            yield f"{head} {when} BEGIN {note} {values}; END"
