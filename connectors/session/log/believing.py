"""Which heads of the log are believed: signed by a pinned key, and one history with the last one.

| the new checkpoint is | believed when |
|---|---|
| the first ever | it is signed: trust begins here, and the first audit reads all before it |
| of the same size | the root is the same; else it is a fork |
| larger | the hub proves that it continues the last; a false proof twice is a fork |
| smaller | never; if the hub can still prove that the last continues it, it is only old |

A smaller one that the hub cannot continue to the last is a rollback. Bytes that no pinned key has
signed prove nothing about the hub: they are an alarm at most.
"""

from __future__ import annotations

from typing import Final

from connectors.session.alarms import AlarmKind
from connectors.session.context import SessionContext
from connectors.session.database import Work
from connectors.session.log import heads
from connectors.session.log.client import LogClient, Unserved
from connectors.session.log.findings import Finding
from connectors.session.log.heads import Head
from connectors.session.log.pins import LogPin
from connectors.session.transport import TryLater
from hub.transparency_log.checkpoints import (
    Checkpoint,
    CheckpointError,
    open_checkpoint,
    read_checkpoint,
)
from hub.transparency_log.proofs import ProofError, verify_consistency
from message_schemas import timestamps

__all__ = ["Believer"]

_ATTEMPT_COUNT_MAX: Final = 3


class Believer:
    """Judges checkpoints against the last one believed, and moves on to newer ones."""

    def __init__(self, context: SessionContext, client: LogClient) -> None:
        self._context = context
        self._client = client
        self._behind_since: float | None = None

    async def accept(
        self, data: bytes, pin: LogPin, *, is_newest: bool = True
    ) -> Checkpoint | None:
        """Return the checkpoint of a note that is one history with all believed before.

        `is_newest` tells that the hub shows it as its newest: the one of a proof may be older.
        Returns nothing when it cannot be believed, or not now; what that says of the hub is
        recorded.
        """
        try:
            checkpoint = open_checkpoint(data, pin.keys).checkpoint
        except CheckpointError as error:
            await self._doubt(data, pin, error)
            return None
        for _ in range(_ATTEMPT_COUNT_MAX):
            head = await self._context.database.read(heads.load_head, pin.origin)
            if head is not None and checkpoint.size == head.size:
                return await self._compare(head, checkpoint, data)
            if head is not None and checkpoint.size < head.size:
                return await self._look_back(head, checkpoint, data, is_newest=is_newest)
            if head is not None and not await self._is_continued(head, checkpoint, data):
                return None
            if await self._move(head, checkpoint, data):
                return checkpoint
        return None

    async def _compare(self, head: Head, checkpoint: Checkpoint, data: bytes) -> Checkpoint | None:
        if checkpoint.root != head.root:
            detail = f"the hub has signed two trees of {head.size} entries"
            await self._find(AlarmKind.LOG_FORK, head, data, detail)
            return None
        self._behind_since = None
        at = timestamps.render(self._context.clock())
        await self._context.database.write(
            "log.advance", lambda work: heads.see_again(work.connection, head.origin, at)
        )
        return checkpoint

    async def _is_continued(self, head: Head, checkpoint: Checkpoint, data: bytes) -> bool:
        """Tell whether the new tree is proven to continue the last; a fork is recorded."""
        reason = ""
        for _ in range(2):
            hashes = await self._client.consistency(head.size, checkpoint.size)
            if isinstance(hashes, Unserved | TryLater):
                self._context.log.warning("log.consistency_unavailable", detail=str(hashes))
                return False
            try:
                verify_consistency(head.size, checkpoint.size, head.root, checkpoint.root, hashes)
            except ProofError as error:
                reason = str(error)
            else:
                return True
        detail = f"the hub cannot show one history: {reason}"
        await self._find(AlarmKind.LOG_FORK, head, data, detail)
        return False

    async def _look_back(
        self, head: Head, checkpoint: Checkpoint, data: bytes, *, is_newest: bool
    ) -> Checkpoint | None:
        """Tell an old checkpoint from one of another history and from a rollback."""
        known = await self._context.database.read(heads.root_at, checkpoint.size)
        if known is not None and known != checkpoint.root:
            detail = f"the hub has signed two trees of {checkpoint.size} entries"
            await self._find(AlarmKind.LOG_FORK, head, data, detail)
            return None
        if known is not None and not is_newest:
            return checkpoint
        hashes = await self._client.consistency(checkpoint.size, head.size)
        if isinstance(hashes, TryLater):
            self._context.log.warning("log.consistency_unavailable", detail=hashes.reason)
            return None
        lost = f"the hub shows {checkpoint.size} entries, and had shown {head.size}"
        if isinstance(hashes, Unserved):
            await self._find(AlarmKind.LOG_ROLLED_BACK, head, data, lost)
            return None
        try:
            verify_consistency(checkpoint.size, head.size, checkpoint.root, head.root, hashes)
        except ProofError as error:
            detail = f"the hub cannot show one history: {error}"
            await self._find(AlarmKind.LOG_FORK, head, data, detail)
            return None
        await self._keep(checkpoint, data)
        if not is_newest or await self._is_only_old(head, data, lost):
            return checkpoint
        return None

    async def _keep(self, checkpoint: Checkpoint, data: bytes) -> None:
        """Remember an older tree that was proven, so that its next proof needs no question."""
        at = timestamps.render(self._context.clock())
        old = Head(checkpoint.origin, checkpoint.size, checkpoint.root, data, at)
        await self._context.database.write(
            "log.advance", lambda work: heads.keep_checkpoint(work.connection, old)
        )

    async def _is_only_old(self, head: Head, data: bytes, lost: str) -> bool:
        """Tell whether an old checkpoint may be a cache's; not when it is shown for long."""
        now = self._context.clock().timestamp()
        self._behind_since = self._behind_since or now
        if now - self._behind_since < self._context.settings.log_stale_seconds:
            return True
        await self._find(AlarmKind.LOG_ROLLED_BACK, head, data, lost)
        return False

    async def _move(self, head: Head | None, checkpoint: Checkpoint, data: bytes) -> bool:
        at = timestamps.render(self._context.clock())
        new = Head(checkpoint.origin, checkpoint.size, checkpoint.root, data, at)

        def use(work: Work) -> bool:
            return heads.move_head(work.connection, head, new)

        moved = await self._context.database.write("log.advance", use)
        if moved:
            self._behind_since = None
        return moved

    async def _find(self, kind: AlarmKind, head: Head, data: bytes, detail: str) -> None:
        finding = Finding(
            kind=kind,
            reference=head.origin,
            detail=detail,
            believed_note=head.note,
            other_note=data,
        )
        await self._context.find(finding)

    async def _doubt(self, data: bytes, pin: LogPin, error: CheckpointError) -> None:
        """Judge bytes that no pinned key has signed: another key, another log, or nothing."""
        try:
            checkpoint, note = read_checkpoint(data)
        except CheckpointError:
            self._context.log.warning("log.checkpoint_unreadable", detail=str(error))
            return
        ours = checkpoint.origin == pin.origin
        named = any(note.signatures_of(key) for key in pin.keys)
        kind = AlarmKind.LOG_PROOF_INVALID if ours and named else AlarmKind.LOG_KEY_CHANGED
        detail = f"{error}: pin anew only what the secretariat confirms"
        await self._context.find(
            Finding(kind=kind, reference=pin.origin, detail=detail, other_note=data, may_go_on=True)
        )
