"""Failures to sign in, counted by whom they are of; several consoles count on the same rows.

Bounded: a bucket that nothing failed in for a while is deleted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.people.tables import limit


@dataclass(frozen=True, slots=True)
class LimitRow:
    """What a bucket has counted, and until when it is closed."""

    bucket: str
    failure_count: int
    failed_at: datetime
    blocked_until: datetime | None


def lock(connection: Connection, buckets: Collection[str], now: datetime) -> Mapping[str, LimitRow]:
    """Return what buckets have counted, made where they were missing, for this transaction alone.

    Rows are locked in the order of their names, so that two transactions never wait for each other.
    """
    ordered = sorted(buckets)
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        insert(limit)
        .values([{"bucket": one, "failure_count": 0, "failed_at": now} for one in ordered])
        .on_conflict_do_nothing()
    )
    rows = connection.execute(
        select(limit.c.bucket, limit.c.failure_count, limit.c.failed_at, limit.c.blocked_until)
        .where(limit.c.bucket.in_(ordered))
        .order_by(limit.c.bucket)
        .with_for_update()
    )
    return {row[0]: LimitRow(*row) for row in rows}


def closed_until(
    connection: Connection, buckets: Collection[str], now: datetime
) -> datetime | None:
    """Return until when any of the buckets is closed; None if all are open."""
    until: datetime | None = connection.execute(
        select(limit.c.blocked_until)
        .where(limit.c.bucket.in_(list(buckets)), limit.c.blocked_until > now)
        .order_by(limit.c.blocked_until.desc())
        .limit(1)
    ).scalar_one_or_none()
    return until


def write(connection: Connection, row: LimitRow) -> None:
    """Write what a bucket has counted."""
    connection.execute(
        update(limit)
        .where(limit.c.bucket == row.bucket)
        .values(
            failure_count=row.failure_count,
            failed_at=row.failed_at,
            blocked_until=row.blocked_until,
        )
    )


def remove(connection: Connection, buckets: Collection[str]) -> None:
    """Forget what buckets have counted."""
    connection.execute(delete(limit).where(limit.c.bucket.in_(list(buckets))))


def erase_before(connection: Connection, at: datetime) -> None:
    """Delete the buckets that nothing failed in since an instant."""
    connection.execute(delete(limit).where(limit.c.failed_at < at))
