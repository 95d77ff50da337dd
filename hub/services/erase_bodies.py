"""The time of retention: erase old bodies, and let the log say that it was done.

1. In parts, each a transaction of its own under the head's lock like any writer: the intake waits
   for a part, never for the whole.
2. Contents and salts are erased. Entries, digests, ids, keys and the ledger stay, so every proof
   of the log holds afterwards: that something was said, when and between whom. What it said, only
   the two ends can still show, with the bytes and salt they keep themselves.
3. A run that erased anything is an act in the log, with its counts.

Pages that SQLite frees are overwritten with zeros, and its write-ahead file is emptied at the end;
on PostgreSQL the bytes leave the files with the next VACUUM. Backups keep what they hold.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.services.acts import act_row, record_act
from hub.store import erasure
from hub.store import head as heads
from hub.store.database import Database
from message_schemas import timestamps

PART_ROWS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Erased:
    """How much a run erased."""

    envelopes: int = 0
    deliveries: int = 0

    def __bool__(self) -> bool:
        return bool(self.envelopes or self.deliveries)


def old_bodies(database: Database, *, retention_days: int, now: datetime) -> Erased:
    """Return what a run would erase now; nothing is changed."""
    with database.reading() as connection:
        return Erased(*erasure.count_old(connection, now - timedelta(days=retention_days)))


def erase_part(database: Database, *, hub: str, retention_days: int, now: datetime) -> Erased:
    """Erase one part of what is older than ``retention_days``; an empty answer: nothing is left."""
    before = now - timedelta(days=retention_days)
    with database.writing() as connection:
        head = heads.lock(connection)
        if database.is_sqlite:
            erasure.overwrite_freed_pages(connection)
        done = Erased(
            erasure.erase_envelopes(connection, before, PART_ROWS_MAX),
            erasure.erase_deliveries(connection, before, PART_ROWS_MAX),
        )
        if done:
            row = act_row(
                head.log_index + 1,
                at=now,
                kind="bodies.erased",
                actor=hub,
                subject=f"{done.envelopes} envelopes, {done.deliveries} deliveries",
                reason=f"older than {retention_days} days",
                detail={
                    "before": timestamps.render(before),
                    "envelopes": done.envelopes,
                    "deliveries": done.deliveries,
                },
            )
            record_act(connection, head, row, hub=hub)
    if not done and database.is_sqlite:
        erasure.empty_write_ahead_file(database)
    return done
