"""The worker that watches the hub's log: a look every few seconds, and soon after each promise.

1. Learn origin and keys from the hub's signed list, once; afterwards a change is an alarm.
2. Fetch the checkpoint; believe it only as one history with the last one (`believing`).
3. Prove the newest claims, a bounded number a round (`proving`); the audit covers the others.
4. A promised entry that no checkpoint covers after `log_stale_seconds` is an alarm, and so is one
   that neither a proof nor an audit has shown after two days.
5. Hand our cosignature to the hub, if we are a witness.

While the session is paused nothing is asked and nothing is proven.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from connectors.session.alarms import AlarmKind
from connectors.session.context import SessionContext
from connectors.session.database import Work
from connectors.session.log import claims, findings, heads, pins
from connectors.session.log.audit import Audit, AuditProgress, AuditReport
from connectors.session.log.believing import Believer
from connectors.session.log.client import LogClient, Unserved
from connectors.session.log.findings import Finding
from connectors.session.log.heads import Head
from connectors.session.log.pins import LogPin
from connectors.session.log.proving import Proven, Prover, load_proof
from connectors.session.log.witness import Witness
from connectors.session.transport import TryLater
from hub.transparency_log.checkpoints import CheckpointError, open_checkpoint
from keys.errors import SignerError
from message_schemas import timestamps

__all__ = ["LogMonitor", "LogUnknownError"]

_UNSHOWN_MAX: Final = timedelta(days=2)
"""The audit of each day shows what no proof was got for; by then it failed twice."""


class LogUnknownError(Exception):
    """The hub's log cannot be asked now; the text says why, and what to do."""


class LogMonitor:
    """Watches the log of one session's hub. `run` until cancelled."""

    def __init__(self, context: SessionContext, witness: Witness | None = None) -> None:
        self._context = context
        self._client = LogClient(context.transport)
        self._believer = Believer(context, self._client)
        self._prover = Prover(context, self._client, self._believer)
        self._witness = witness
        self._lock = asyncio.Lock()
        self._changed_to: LogPin | None = None
        self._has_backlog = False
        self._auditing: asyncio.Task[None] | None = None
        self.audit = Audit(context, self._client)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        settings = self._context.settings
        nudged = self._context.log_nudged
        while True:
            if self._has_backlog:
                # More is promised than is proven one by one: keep to the pace, leave it to audits.
                await asyncio.sleep(settings.log_seconds)
            try:
                # not wait_for(): on Python 3.11 it can swallow a cancellation
                async with asyncio.timeout(settings.log_seconds):
                    await nudged.wait()
                await asyncio.sleep(settings.log_nudge_seconds)
            except TimeoutError:
                pass
            nudged.clear()
            if self._context.pause is None:
                await self.look()

    async def run_daily(self) -> None:
        """Audit once a day at the set time, until cancelled."""
        hour, minute = map(int, self._context.settings.log_audit_at.split(":"))
        while True:
            now = self._context.clock()
            at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            at += timedelta(days=0 if at > now else 1)
            await asyncio.sleep((at - now).total_seconds())
            try:
                await self.run_audit()
            except LogUnknownError as error:
                self._context.log.warning("log.audit_impossible", detail=str(error))

    def start_audit(self) -> bool:
        """Let an audit run beside everything else; tell whether none was running."""
        if self._auditing is not None and not self._auditing.done():
            return False
        self.audit.progress = AuditProgress(running=True, last=self.audit.progress.last)
        self._auditing = asyncio.create_task(self._audit_now())
        return True

    async def _audit_now(self) -> None:
        try:
            await self.run_audit()
        except LogUnknownError as error:
            self.audit.progress.error = str(error)
        finally:
            self.audit.progress.running = False

    async def stop(self) -> None:
        """Stop an audit that runs; it goes on from its place another time."""
        if self._auditing is not None:
            self._auditing.cancel()
            await asyncio.gather(self._auditing, return_exceptions=True)

    async def look(self) -> bool:
        """Take one look; tell whether the newest checkpoint is believed."""
        async with self._lock:
            pin = await self._learn()
            if pin is None:
                return False
            before = await self._load_head(pin)
            believed = await self._advance(pin)
            if believed:
                count = await self._prover.prove_pending(pin)
                self._has_backlog = count == self._context.settings.log_proofs_per_round_max
            head = await self._load_head(pin)
            await self._watch_age(head)
            await self._watch_unshown()
            if head is not None and _is_new(before, head) and self._context.pause is None:
                await self._cosign(head, settlement=False)
            return believed

    async def run_audit(self) -> AuditReport:
        """Audit the log up to the newest checkpoint, then cosign it; raises LogUnknownError."""
        await self.look()
        async with self._lock:
            pin = await self._learn()
            head = None if pin is None else await self._load_head(pin)
            if head is None:
                raise LogUnknownError(
                    "no checkpoint of the hub's log was verified yet: `registry alarms` and "
                    "`registry log show` say why"
                )
            report = await self.audit.run(head)
            if report.is_sound and self._context.pause is None:
                await self._cosign(head, settlement=True)
            return report

    async def prove(self, index: int) -> Proven:
        """Return the proof of an entry, from the database or from the hub.

        Raises:
            LogUnknownError: the hub gives none now, or a false one, which is an alarm.
        """
        kept = await self._context.database.read(load_proof, index)
        if kept is not None:
            return kept
        async with self._lock:
            pin = await self._learn()
            found = None if pin is None else await self._prover.prove(pin, index)
            if found is None:
                raise LogUnknownError(
                    f"the hub gives no proof of entry {index} that can be believed: ask again "
                    "later, and see `registry alarms`"
                )
            await self._prover.store([found])
            return found

    async def resume(self, reason: str, *, follow_hub: bool = False) -> bool:
        """End the pause; with `follow_hub` begin again from the checkpoint the hub shows now.

        Returns whether there was a pause. Raises LogUnknownError.
        """
        async with self._lock:
            new = await self._fetch_anew() if follow_hub else None
            at = timestamps.render(self._context.clock())

            def use(work: Work) -> bool:
                if new is not None:
                    heads.replace_head(work.connection, new)
                    if self._witness is not None:
                        self._witness.spend(work.connection)
                    self.audit.begin_again(work.connection)
                return findings.resume(work.connection, reason, at)

            paused = await self._context.database.write("log.resume", use)
            self._context.pause = None
        self._context.log.warning("log.resumed", reason=reason, follow_hub=follow_hub)
        self._context.wake_sender()
        self._context.nudge_log()
        return paused

    async def pin_anew(self, reason: str) -> LogPin:
        """Pin what the hub's list names now; raises LogUnknownError."""
        listed = self._context.trust.log
        if listed is None:
            raise LogUnknownError("the hub's list of participants names no log")
        at = timestamps.render(self._context.clock())
        await self._context.database.write(
            "log.pin", lambda work: pins.store_pin(work.connection, listed, at, reason)
        )
        self._context.nudge_log()
        return listed

    async def _fetch_anew(self) -> Head:
        pin = await self._context.database.read(pins.load_pin)
        found = await self._client.checkpoint()
        if pin is None or isinstance(found, Unserved | TryLater):
            raise LogUnknownError(f"no checkpoint to begin again from: {found!r:.200}")
        try:
            checkpoint = open_checkpoint(found, pin.keys).checkpoint
        except CheckpointError as error:
            raise LogUnknownError(f"no checkpoint to begin again from: {error}") from error
        at = timestamps.render(self._context.clock())
        return Head(checkpoint.origin, checkpoint.size, checkpoint.root, found, at)

    async def _learn(self) -> LogPin | None:
        """Return what is pinned, after pinning it if this is the first list that names a log."""
        listed = self._context.trust.log
        pinned = await self._context.database.read(pins.load_pin)
        if pinned is None and listed is not None:
            at = timestamps.render(self._context.clock())
            await self._context.database.write(
                "log.pin",
                lambda work: pins.store_pin(work.connection, listed, at, "first list"),
            )
            return listed
        if pinned is not None and listed not in {None, pinned, self._changed_to}:
            self._changed_to = listed
            assert listed is not None, "no list is no change"
            detail = (
                f"the hub's list names the log {listed.origin} with {len(listed.vkeys)} keys, "
                f"pinned are {pinned.origin} with {len(pinned.vkeys)}; ask the secretariat, then "
                "`registry log pin --reason …`"
            )
            await self._context.find(
                Finding(
                    kind=AlarmKind.LOG_KEY_CHANGED,
                    reference=pinned.origin,
                    detail=detail,
                    other="\n".join([listed.origin, *listed.vkeys]).encode(),
                )
            )
        return pinned

    async def _load_head(self, pin: LogPin) -> Head | None:
        return await self._context.database.read(heads.load_head, pin.origin)

    async def _advance(self, pin: LogPin) -> bool:
        found = await self._client.checkpoint()
        if isinstance(found, Unserved | TryLater):
            self._context.log.warning("log.checkpoint_unavailable", detail=str(found))
            return False
        return await self._believer.accept(found, pin) is not None

    async def _watch_age(self, head: Head | None) -> None:
        size = 0 if head is None else head.size
        oldest = await self._context.database.read(claims.oldest_pending, size)
        if oldest is None or self._context.pause is not None:
            return
        index, filed_at = oldest
        age = (self._context.clock() - timestamps.parse(filed_at)).total_seconds()
        if age > self._context.settings.log_stale_seconds:
            detail = (
                f"entry {index} was promised at {filed_at}, and the last verified checkpoint has "
                f"{size} entries: is the hub reachable, and does it publish?"
            )
            await self._context.find(
                Finding(
                    kind=AlarmKind.LOG_CHECKPOINT_STALE,
                    reference="checkpoint" if head is None else head.origin,
                    detail=detail,
                    believed_note=None if head is None else head.note,
                )
            )

    async def _watch_unshown(self) -> None:
        """Call the operator if the hub publishes heads and shows neither proofs nor entries."""
        oldest = await self._context.database.read(claims.oldest_pending, 0)
        if oldest is None or self._context.pause is not None:
            return
        index, filed_at = oldest
        if self._context.clock() - timestamps.parse(filed_at) > _UNSHOWN_MAX:
            detail = (
                f"entry {index} was promised at {filed_at}, and neither a proof nor an audit has "
                "shown it since: `registry log audit` says what the hub does not serve"
            )
            await self._context.find(
                Finding(kind=AlarmKind.LOG_CHECKPOINT_STALE, reference="proofs", detail=detail)
            )

    async def _cosign(self, head: Head, *, settlement: bool) -> None:
        if self._witness is None:
            return
        try:
            lines = await self._witness.cosign_head(head, settlement=settlement)
        except SignerError as error:
            self._context.log.error("log.witness_signer_unavailable", detail=str(error))
            return
        if not lines:
            return
        refused = await self._client.send_cosignatures(head.size, lines)
        if refused is not None:
            self._context.log.info("log.cosignature_not_taken", detail=refused)


def _is_new(before: Head | None, head: Head) -> bool:
    return before is None or before.size != head.size
