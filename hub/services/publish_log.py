"""Publish the log: sign its head as a checkpoint when it has grown, and settle it each night.

1. Read the head and the newest checkpoint. Nothing new: nothing is signed.
2. Prove before signing: the tiles give the head's root, and the tree at the size last signed still
   has the root last signed. If not, the log would be forked by its own hub: stop, raise the alert.
3. Sign and store. A size that another process signed meanwhile is stored once, with one root.
4. The settlement is the first checkpoint after its hour of the day. A night on which no process
   ran is made up at the next run, once.
5. Checkpoints that nobody cosigned are forgotten a minute later, cosigned ones after two days;
   those of settlements are kept for ever.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from sqlalchemy import Connection

from hub.services import crash_points, log_standing
from hub.services.log_keys import LogKeys
from hub.store import head as heads
from hub.store import log as log_store
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.entries import decode
from hub.transparency_log.proofs import root_of
from message_schemas import timestamps

UNCOSIGNED_KEPT: Final = timedelta(minutes=1)
COSIGNED_KEPT: Final = timedelta(days=2)


class LogForkedError(RuntimeError):
    """What would be signed contradicts what was signed, or the tiles: never signed."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that is signed and not stored yet; ``replaces`` one of its size, for settling.

    ``checkpoint.note`` then has the settlement's signatures too.
    """

    checkpoint: StoredCheckpoint
    replaces: bool


class LogPublisher:
    """Signs checkpoints of one database's log. ``settlement_at``: a time of day with its zone."""

    def __init__(self, database: Database, keys: LogKeys, settlement_at: time) -> None:
        self._database = database
        self._keys = keys
        self._settlement_at = settlement_at

    def publish(self, now: datetime) -> StoredCheckpoint | None:
        """Sign and store what is new; return it, or None. Raises as ``sign`` and ``store``."""
        signed = self.sign(now)
        if signed is not None:
            self.store(signed, now)
        return None if signed is None else signed.checkpoint

    def sign(self, now: datetime) -> Signed | None:
        """Return a checkpoint of the head, signed, if there is anything new or to settle.

        Raises LogForkedError, hub.store.log.LogDamagedError, DatabaseUnavailableError, or
        keys.errors.SignerError when the key cannot be used now.
        """
        with self._database.reading() as connection:
            if log_standing.read(connection).halted is not None:
                return None
            head = heads.read(connection)
            newest = log_checkpoints.newest(connection)
            size = head.log_index + 1
            root = CompactRange.from_bytes(size, head.compact_range).root()
            settles = self._is_settlement_due(connection, size, now)
            if newest is not None and newest.size == size and newest.root == root and not settles:
                return None
            _require_continuation(connection, size, root, newest)
        note = self._keys.sign(size, root, int(now.timestamp()) if settles else None)
        checkpoint = StoredCheckpoint(size, root, now, note, settles)
        return Signed(checkpoint, newest is not None and newest.size == size)

    def store(self, signed: Signed, now: datetime) -> None:
        """Store a checkpoint and forget old ones.

        Raises LogForkedError if its size is there with another root, DatabaseUnavailableError.
        """
        new = signed.checkpoint
        with self._database.writing() as connection:
            if signed.replaces or not log_checkpoints.add(connection, new):
                known = log_checkpoints.at_size(connection, new.size)
                if known is None or known.root != new.root:
                    raise LogForkedError(f"size {new.size} was signed with another root")
                if new.settlement and not known.settlement:
                    log_checkpoints.settle(connection, new.size, new.note, new.at)
            log_checkpoints.forget(
                connection, uncosigned_before=now - UNCOSIGNED_KEPT, before=now - COSIGNED_KEPT
            )
            crash_points.reach("checkpoint.before_commit")
        crash_points.reach("checkpoint.after_commit")

    def halt(self, contradiction: str, now: datetime) -> None:
        """Raise the alert of an own fork: nothing is signed or taken until the operator decides."""
        with self._database.writing() as connection:
            subject = self._keys.origin[:200]
            detail = f"{contradiction}. Nothing was signed; run `itmo-hub log check`"
            log_standing.halt(
                connection, kind=log_standing.FORKED, subject=subject, detail=detail, at=now
            )

    def _is_settlement_due(self, connection: Connection, size: int, now: datetime) -> bool:
        """Tell whether an hour of settlement passed since the last one, and there is news since."""
        due = datetime.combine(now.date(), self._settlement_at)
        if due > now:
            due -= timedelta(days=1)
        last = log_checkpoints.newest_settlement(connection)
        if last is not None:
            return last.at < due and last.size < size
        genesis = log_store.entry_at(connection, 0)
        return genesis is not None and timestamps.parse(decode(genesis).at) < due


def _require_continuation(
    connection: Connection, size: int, root: bytes, newest: StoredCheckpoint | None
) -> None:
    """Raise LogForkedError unless the tree of ``size`` continues what was signed last."""

    def read(level: int, index: int, width: int) -> bytes:
        return log_store.read_tile(connection, level, index, width)

    if root_of(size, read) != root:
        raise LogForkedError(f"the tiles of size {size} do not give the root of the head")
    if newest is None:
        return
    if newest.size > size:
        raise LogForkedError(f"size {newest.size} was signed, and the log has {size} entries")
    if root_of(newest.size, read) != newest.root:
        raise LogForkedError(f"the tree no longer has the root signed at size {newest.size}")
