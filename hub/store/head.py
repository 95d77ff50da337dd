"""The head row: the writers' lock, the total order, and the versions of what is cached."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from hub.store.tables import head


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log, the block ids and the cached data stand.

    ``compact_range`` is the right edge of the log's tree of ``log_index`` + 1 leaves.
    """

    log_index: int
    compact_range: bytes
    next_block_id: int
    trust_version: int
    reference_version: int


_COLUMNS = (
    head.c.log_index,
    head.c.compact_range,
    head.c.next_block_id,
    head.c.trust_version,
    head.c.reference_version,
)
_SELECT = select(*_COLUMNS).where(head.c.id == 1)
_ADVANCE = (
    update(head)
    .where(head.c.id == 1, head.c.log_index == bindparam("b_before"))
    .values(
        log_index=bindparam("b_log_index"),
        compact_range=bindparam("b_compact_range"),
        next_block_id=bindparam("b_next_block_id"),
        trust_version=bindparam("b_trust_version"),
        reference_version=bindparam("b_reference_version"),
    )
)
_SELECT_LOCKED = _SELECT.with_for_update()


def lock(connection: Connection) -> Head:
    """Return the head and hold it: no other writer passes until this transaction ends."""
    return Head(*connection.execute(_SELECT_LOCKED).one())


def read(connection: Connection) -> Head:
    """Return the head as it stands, without holding it."""
    return Head(*connection.execute(_SELECT).one())


def advance(connection: Connection, before: Head, after: Head) -> None:
    """Move the head by compare-and-swap: two writers can never number the same entry twice."""
    result = connection.execute(
        _ADVANCE,
        {
            "b_before": before.log_index,
            "b_log_index": after.log_index,
            "b_compact_range": after.compact_range,
            "b_next_block_id": after.next_block_id,
            "b_trust_version": after.trust_version,
            "b_reference_version": after.reference_version,
        },
    )
    assert result.rowcount == 1, f"the head moved from {before.log_index} under our lock"
