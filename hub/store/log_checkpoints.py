"""Checkpoints of the log, and what witnesses said of them.

1. One checkpoint a size: two processes that sign the same head at once write one row.
2. A row is written once. Only a settlement adds to it: more signatures under the same text.
3. Cosignatures are lines of notes, one a witness's key and checkpoint, verified by who stores them.
4. Checkpoints nobody cosigned are forgotten after a while, those of settlements never.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.tables import log_checkpoint, log_cosignature


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as published: ``note`` is its text with the log's own signatures."""

    size: int
    root: bytes
    at: datetime
    note: str
    settlement: bool


@dataclass(frozen=True, slots=True)
class StoredCosignature:
    """One line of a witness over the checkpoint of ``size``; ``key_id`` in lower hex."""

    size: int
    witness: str
    key_id: str
    line: str
    at: datetime


_COLUMNS: Final = (
    log_checkpoint.c.size,
    log_checkpoint.c.root,
    log_checkpoint.c.at,
    log_checkpoint.c.note,
    log_checkpoint.c.settlement,
)
_SELECT: Final = select(*_COLUMNS)
_NEWEST: Final = _SELECT.order_by(log_checkpoint.c.size.desc()).limit(1)
_NEWEST_SETTLEMENT: Final = (
    _SELECT.where(log_checkpoint.c.settlement).order_by(log_checkpoint.c.size.desc()).limit(1)
)
_AT_SIZE: Final = _SELECT.where(log_checkpoint.c.size == bindparam("b_size"))
_COSIGNED: Final = exists().where(log_cosignature.c.size == log_checkpoint.c.size)
_NEWEST_COSIGNED: Final = (
    _SELECT.where(log_checkpoint.c.size > bindparam("b_index"), _COSIGNED)
    .order_by(log_checkpoint.c.size.desc())
    .limit(bindparam("b_limit"))
)
_COSIGNATURES: Final = (
    select(
        log_cosignature.c.size,
        log_cosignature.c.witness,
        log_cosignature.c.key_id,
        log_cosignature.c.line,
        log_cosignature.c.at,
    )
    .where(log_cosignature.c.size == bindparam("b_size"))
    .order_by(log_cosignature.c.witness, log_cosignature.c.key_id)
)


def add(connection: Connection, checkpoint: StoredCheckpoint) -> bool:
    """Store a checkpoint; False if one of its size is there already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(log_checkpoint).on_conflict_do_nothing(index_elements=["size"])
    result = connection.execute(
        statement.values(
            size=checkpoint.size,
            root=checkpoint.root,
            at=checkpoint.at,
            note=checkpoint.note,
            settlement=checkpoint.settlement,
        ).returning(log_checkpoint.c.size)
    )
    return result.one_or_none() is not None


def settle(connection: Connection, size: int, note: str, at: datetime) -> None:
    """Make the checkpoint of a size one of a settlement, with the signatures of ``note``."""
    connection.execute(
        update(log_checkpoint)
        .where(log_checkpoint.c.size == size)
        .values(note=note, settlement=True, at=at)
    )


def newest(connection: Connection) -> StoredCheckpoint | None:
    """Return the checkpoint of the largest size."""
    return _one(connection, _NEWEST)


def newest_settlement(connection: Connection) -> StoredCheckpoint | None:
    """Return the settlement checkpoint of the largest size."""
    return _one(connection, _NEWEST_SETTLEMENT)


def at_size(connection: Connection, size: int) -> StoredCheckpoint | None:
    """Return the checkpoint of one size."""
    return _one(connection, _AT_SIZE, b_size=size)


def newest_cosigned(connection: Connection, index: int, limit: int) -> list[StoredCheckpoint]:
    """Return up to ``limit`` checkpoints that cover ``index`` and that any witness cosigned.

    The newest stands first.
    """
    rows = connection.execute(_NEWEST_COSIGNED, {"b_index": index, "b_limit": limit})
    return [StoredCheckpoint(*row) for row in rows]


def from_size(connection: Connection, size: int, limit: int) -> list[StoredCheckpoint]:
    """Return up to ``limit`` checkpoints of ``size`` and more, the smallest first."""
    rows = connection.execute(
        _SELECT.where(log_checkpoint.c.size >= size).order_by(log_checkpoint.c.size).limit(limit)
    )
    return [StoredCheckpoint(*row) for row in rows]


def cosignatures(connection: Connection, size: int) -> list[StoredCosignature]:
    """Return what witnesses said of the checkpoint of a size, by witness and key."""
    return [StoredCosignature(*row) for row in connection.execute(_COSIGNATURES, {"b_size": size})]


def add_cosignatures(connection: Connection, added: Sequence[StoredCosignature]) -> None:
    """Store cosignatures; a later one of the same key and size takes the place of the earlier."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for one in added:
        statement = dialect.insert(log_cosignature).values(
            size=one.size, witness=one.witness, key_id=one.key_id, line=one.line, at=one.at
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["size", "witness", "key_id"],
                set_={"line": statement.excluded.line, "at": statement.excluded.at},
            )
        )


def forget(connection: Connection, *, uncosigned_before: datetime, before: datetime) -> int:
    """Delete superseded checkpoints; return how many.

    Those nobody cosigned go when older than ``uncosigned_before``, cosigned ones when older than
    ``before``, with their cosignatures. The newest and those of settlements stay.
    """
    newest_size = select(func.max(log_checkpoint.c.size)).scalar_subquery()
    cosigned = log_checkpoint.c.size.in_(select(log_cosignature.c.size))
    old = or_(
        and_(log_checkpoint.c.at < uncosigned_before, ~cosigned), log_checkpoint.c.at < before
    )
    sizes = list(
        connection.execute(
            select(log_checkpoint.c.size).where(
                ~log_checkpoint.c.settlement, log_checkpoint.c.size < newest_size, old
            )
        ).scalars()
    )
    if sizes:
        for table in (log_cosignature, log_checkpoint):
            statement = delete(table).where(table.c.size == bindparam("b_size"))
            connection.execute(statement, [{"b_size": size} for size in sizes])
    return len(sizes)


def _one(
    connection: Connection, statement: Select[Any, Any, Any, Any, Any], **values: int
) -> StoredCheckpoint | None:
    row = connection.execute(statement, values).one_or_none()
    return None if row is None else StoredCheckpoint(*row)
