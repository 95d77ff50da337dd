"""Checkpoints in pages, and who cosigned them."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, select

from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from hub.store.parts import in_parts
from hub.store.tables import alert, log_checkpoint, log_cosignature

_CHECKPOINT: Final = (
    log_checkpoint.c.size,
    log_checkpoint.c.root,
    log_checkpoint.c.at,
    log_checkpoint.c.note,
    log_checkpoint.c.settlement,
)
_COSIGNATURE: Final = select(
    log_cosignature.c.size,
    log_cosignature.c.witness,
    log_cosignature.c.key_id,
    log_cosignature.c.line,
    log_cosignature.c.at,
)
_OF_SIZES: Final = _COSIGNATURE.where(
    log_cosignature.c.size.in_(bindparam("sizes", expanding=True))
).order_by(log_cosignature.c.size, log_cosignature.c.witness, log_cosignature.c.key_id)


def checkpoints_below(
    connection: Connection, size: int | None, limit: int
) -> list[StoredCheckpoint]:
    """Return up to ``limit`` checkpoints of less than ``size`` entries, the largest first."""
    statement = select(*_CHECKPOINT).order_by(log_checkpoint.c.size.desc()).limit(limit)
    if size is not None:
        statement = statement.where(log_checkpoint.c.size < size)
    return [StoredCheckpoint(*row) for row in connection.execute(statement)]


def cosignatures_of(
    connection: Connection, sizes: Collection[int]
) -> dict[int, list[StoredCosignature]]:
    """Return what witnesses said of the checkpoints of some sizes, by size."""
    found: dict[int, list[StoredCosignature]] = {size: [] for size in sizes}
    for part in in_parts(sorted(set(sizes))):
        for row in connection.execute(_OF_SIZES, {"sizes": part}):
            found[row[0]].append(StoredCosignature(*row))
    return found


def newest_cosignatures(connection: Connection, limit: int) -> list[StoredCosignature]:
    """Return up to ``limit`` cosignatures, those of the largest trees first."""
    rows = connection.execute(_COSIGNATURE.order_by(log_cosignature.c.size.desc()).limit(limit))
    return [StoredCosignature(*row) for row in rows]


def alerts_of(connection: Connection, kinds: Collection[str]) -> list[tuple[str, str, str]]:
    """Return the kind, subject and detail of the alerts of some kinds."""
    rows = connection.execute(
        select(alert.c.kind, alert.c.subject, alert.c.detail)
        .where(alert.c.kind.in_(sorted(kinds)))
        .order_by(alert.c.at.desc())
    )
    return [(row[0], row[1], row[2]) for row in rows]
