"""Reads every entry since the last audit, recomputes the root, and settles our own accounts.

1. Entry bundles from the working place on, hashed into a compact range; every few bundles the
   place and the entries that name us are stored, so that a killed audit goes on from there.
2. At the head's size the root must be the head's. If not, what was read is thrown away and the
   next audit begins at the confirmed place: the hub's entries and its signature disagree.
3. Only then the entries count: our counter 1, 2, 3 …, each claim at its entry, each entry known.
4. An entry that may still reach us is awaited, and looked at again in the next audit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from connectors.session.alarms import AlarmKind
from connectors.session.context import SessionContext
from connectors.session.database import Work
from connectors.session.log import audit_judging, own_entries
from connectors.session.log.client import LogClient, Unserved
from connectors.session.log.findings import Finding, record_finding
from connectors.session.log.heads import Head
from connectors.session.log.places import forget_places, load_places, store_place
from connectors.session.transport import TryLater
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.entries import Entry, EntryError, decode
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.tiles import TILE_WIDTH
from message_schemas import timestamps

__all__ = ["Audit", "AuditProgress", "AuditReport"]

_BUNDLES_A_COMMIT: Final = 16


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit came to. `findings` are sentences; `reason` says why it is not complete."""

    first: int
    size: int
    own_count: int
    awaited_count: int
    findings: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether the whole log was read and nothing was found."""
        return self.reason is None and not self.findings


@dataclass(slots=True)
class AuditProgress:
    """How far the audit that runs now has come, and what the last one came to."""

    running: bool = False
    done: int = 0
    size: int = 0
    last: AuditReport | None = None
    error: str | None = None


@dataclass(slots=True)
class _Reading:
    """The entries read since the last commit, and the tree so far."""

    tree: CompactRange
    own: list[tuple[Entry, bytes]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Audit:
    """Audits the log of one session's hub; one at a time, its caller sees to that."""

    def __init__(self, context: SessionContext, client: LogClient) -> None:
        self._context = context
        self._client = client
        self.progress = AuditProgress()

    async def run(self, head: Head) -> AuditReport:
        """Audit up to a head that is believed."""
        self.progress = AuditProgress(True, 0, head.size, self.progress.last)
        try:
            report = await self._run(head)
            self.progress.last = report
        finally:
            self.progress.running = False
        self._context.log.info(
            "log.audited", size=report.size, findings=len(report.findings), reason=report.reason
        )
        return report

    async def _run(self, head: Head) -> AuditReport:
        first, working = await self._context.database.read(load_places)
        if working.size > head.size:
            working = first
        reading = _Reading(CompactRange.from_bytes(working.size, working.to_bytes()))
        bundles = 0
        while reading.tree.size < head.size:
            reason = await self._read_bundle(reading, head.size)
            if reason is not None:
                await self._store(reading)
                return AuditReport(first.size, reading.tree.size, 0, 0, reason=reason)
            bundles += 1
            if bundles % _BUNDLES_A_COMMIT == 0:
                await self._store(reading)
            self.progress.done = reading.tree.size
        await self._store(reading)
        if reading.tree.root() != head.root:
            return await self._find_other_tree(head, first)
        return await self._conclude(head, first.size, reading)

    async def _read_bundle(self, reading: _Reading, size: int) -> str | None:
        """Read on to the end of one bundle; return why that is impossible, if it is."""
        index, skipped = divmod(reading.tree.size, TILE_WIDTH)
        width = min(TILE_WIDTH, size - index * TILE_WIDTH)
        found = await self._client.bundle(index, width)
        if isinstance(found, Unserved | TryLater):
            return f"entry bundle {index}: {found}"
        for raw in found[skipped:]:
            self._read_entry(reading, raw)
        return None

    def _read_entry(self, reading: _Reading, raw: bytes) -> None:
        index = reading.tree.size
        reading.tree.append(leaf_hash(raw))
        try:
            entry = decode(raw)
        except EntryError as error:
            reading.faults.append(f"leaf {index}: {error}")
            return
        if entry.index != index:
            reading.faults.append(f"leaf {index} says that it is entry {entry.index}")
        elif entry.step_of(self._context.settings.participant) is not None:
            reading.own.append((entry, raw))

    async def _store(self, reading: _Reading) -> None:
        """Store the working place and the entries that name us."""
        participant = self._context.settings.participant

        def use(work: Work) -> list[str]:
            gaps = [
                own_entries.add_own(work.connection, entry, raw, participant, state="awaited")
                for entry, raw in reading.own
            ]
            store_place(work.connection, "working", reading.tree, self._at)
            return [gap for gap in gaps if gap is not None]

        # A gap shows again when the whole is judged, once it is known to be the signed tree.
        await self._context.database.write("log.audit", use)
        reading.own.clear()

    async def _find_other_tree(self, head: Head, confirmed: CompactRange) -> AuditReport:
        detail = (
            f"the {head.size} entries that the hub shows are not those of the tree it signed; "
            f"the first {confirmed.size} were confirmed before"
        )
        finding = Finding(
            kind=AlarmKind.LOG_ENTRY_DIFFERS,
            reference=f"entries {confirmed.size} to {head.size - 1}",
            detail=detail,
            believed_note=head.note,
        )

        def use(work: Work) -> None:
            own_entries.forget_unconfirmed(work.connection, confirmed.size)
            store_place(work.connection, "working", confirmed, self._at)
            record_finding(work.connection, finding, self._at)

        await self._context.database.write("log.audit", use)
        self._context.note_findings([finding])
        return AuditReport(confirmed.size, head.size, 0, 0, (detail,))

    async def _conclude(self, head: Head, first: int, reading: _Reading) -> AuditReport:
        """Judge the entries of the confirmed tree, and move the confirmed place to its size."""
        participant, hub = self._context.settings.participant, self._context.settings.hub

        def use(work: Work) -> tuple[list[Finding], dict[str, int]]:
            own_entries.confirm_audited(work.connection, head.size)
            found = [
                Finding(kind=AlarmKind.LOG_ENTRY_DIFFERS, reference="entries", detail=fault)
                for fault in reading.faults
            ]
            found += audit_judging.judge(work.connection, first, head.size, participant, hub)
            for finding in found:
                record_finding(work.connection, finding, self._at)
            store_place(work.connection, "confirmed", reading.tree, self._at)
            return found, own_entries.count_own(work.connection)

        found, counts = await self._context.database.write("log.audit", use)
        self._context.note_findings(found)
        return AuditReport(
            first,
            head.size,
            sum(counts.values()),
            counts["awaited"],
            tuple(finding.detail for finding in found),
        )

    def begin_again(self, connection: Connection) -> None:
        """Let the next audit read the log from its first entry."""
        forget_places(connection)

    @property
    def _at(self) -> str:
        return timestamps.render(self._context.clock())
