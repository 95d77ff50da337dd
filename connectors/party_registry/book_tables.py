"""The tables of a Party registry's book: accounts, unit blocks, and the journal that explains them.

1. `account`: who may hold what. Number and kind follow the nomenclature as far as it is known
   (facts: 100 holding, 200 use towards NDC, 210 use towards OIMP, 3xx cancellation).
2. `unit_block`: the blocks as they lie now. Identity is the series and the serials; blocks of a
   series never overlap. A block that left the registry is not here any more.
3. `movement`: what happened to which serials, in order; replaying it gives the blocks again.
4. `cooperative_approach_record`, `authorization_record`: what this registry told the hub of them.

They lie in the same file as the connector's inbox: a notice and its effect are one transaction.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

__all__ = [
    "METADATA",
    "account",
    "authorization_record",
    "cooperative_approach_record",
    "movement",
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
    Index("movement_reference", "reference"),
    Index("movement_serials", "originating_registry", "cooperative_approach", "vintage"),
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
