"""The tables of a Party registry's book: accounts, unit blocks, and the journal that explains them.

1. `account`: who may hold what. Number and kind follow the nomenclature as far as it is known
   (facts: 100 holding, 200 use towards NDC, 210 use towards OIMP, 3xx cancellation).
2. `unit_block`: the blocks as they lie now. Identity is the series and the serials; blocks of a
   series never overlap. A block that left the registry is not here any more.
   `known_to_hub` units are compared with the ledger: they arrived by a transfer, were used or
   cancelled by an act on record, or a notice told of their first transfer here.
3. `movement`: what happened to which serials, in order; replaying it gives the blocks again.
4. `recorded_unit`: units that are on record as ours by a transfer that moved none. They lie in
   another registry's book, and are compared as if they lay here.
5. `book_correction`: what an operator put right here, and why.
6. `cooperative_approach_record`, `authorization_record`: what this registry told the hub of them.

They lie in the same file as the connector's inbox: a notice and its effect are one transaction.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

__all__ = [
    "METADATA",
    "account",
    "authorization_record",
    "book_correction",
    "cooperative_approach_record",
    "movement",
    "recorded_unit",
    "unit_block",
]

METADATA: Final = MetaData()

account: Final = Table(
    "account",
    METADATA,
    Column("account_id", String(50), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("party", String(3), nullable=False),
    Column("entity", String(200)),
    Column("cooperative_approach", String(6)),
    Column("status", String(8), nullable=False),
    Column("opened_at", String(24), nullable=False),
)


def _series() -> list[Column[object]]:
    return [
        Column("cooperative_approach", String(6), nullable=False),
        Column("originating_registry", String(5), nullable=False),
        Column("first_transferring_party", String(3), nullable=False),
        Column("vintage", Integer, nullable=False),
        Column("first_serial", Integer, nullable=False),
        Column("last_serial", Integer, nullable=False),
    ]


unit_block: Final = Table(
    "unit_block",
    METADATA,
    Column("block_id", Integer, primary_key=True, autoincrement=True),
    *_series(),
    Column("attributes", Text, nullable=False),
    Column("account_id", String(50), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reserved_by", String(24)),
    Column("first_transfer", String(32)),
    Column("known_to_hub", Boolean, nullable=False, server_default=text("0")),
    Index(
        "unit_block_serials",
        "cooperative_approach",
        "originating_registry",
        "first_transferring_party",
        "vintage",
        "first_serial",
        unique=True,
    ),
    Index("unit_block_reserved", "reserved_by"),
    Index("unit_block_account", "account_id", "status"),
    sqlite_autoincrement=True,
)

movement: Final = Table(
    "movement",
    METADATA,
    Column("movement_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    *_series(),
    Column("attributes", Text, nullable=False),
    Column("account_id", String(50), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reference", String(50), nullable=False),
    Column("first_transfer", String(32)),
    Column("recorded_at", String(24), nullable=False),
    Column("known_to_hub", Boolean),  # None: written before the hub compared books
    Index("movement_reference", "reference"),
    Index("movement_serials", "originating_registry", "cooperative_approach", "vintage"),
    sqlite_autoincrement=True,
)

recorded_unit: Final = Table(
    "recorded_unit",
    METADATA,
    Column("record_id", Integer, primary_key=True, autoincrement=True),
    *_series(),
    Column("attributes", Text, nullable=False),
    Column("first_transfer", String(32)),
    Column("transfer_id", String(24), nullable=False),
    Index(
        "recorded_unit_serials",
        "cooperative_approach",
        "originating_registry",
        "first_transferring_party",
        "vintage",
        "first_serial",
    ),
    sqlite_autoincrement=True,
)

book_correction: Final = Table(
    "book_correction",
    METADATA,
    Column("correction_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(24), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("case_id", String(32)),
    Column("quantity", Integer, nullable=False),
    Column("recorded_at", String(24), nullable=False),
    sqlite_autoincrement=True,
)

cooperative_approach_record: Final = Table(
    "cooperative_approach_record",
    METADATA,
    Column("cooperative_approach", String(6), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

authorization_record: Final = Table(
    "authorization_record",
    METADATA,
    Column("authorization_id", String(50), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("cooperative_approach", String(6), nullable=False),
    Column("state", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
