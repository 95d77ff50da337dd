"""Gets the proof of each claim and verifies it, entry and all; what verifies is kept as evidence.

1. The proof's checkpoint is believed only as one history with the last head (`believing`).
2. The entry is at its index of that tree. A false proof is an alarm.
3. The entry is the one that was promised, and our count follows (`judging`).
4. Everything verified in a round is stored in one transaction.
5. The newest come first. What the hub refuses holds nothing else up: it goes behind all others, and
   comes again when there is room for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from connectors.session.alarms import AlarmKind
from connectors.session.context import SessionContext
from connectors.session.database import Work
from connectors.session.log import claims, heads
from connectors.session.log.believing import Believer
from connectors.session.log.client import LogClient, Unserved
from connectors.session.log.findings import Finding, record_finding
from connectors.session.log.judging import entry_faults, read_entry
from connectors.session.log.own_entries import add_own
from connectors.session.log.pins import LogPin
from connectors.session.log.tables import log_proof
from connectors.session.transport import TryLater
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.proof_files import ProofFile
from hub.transparency_log.proofs import ProofError, verify_inclusion
from message_schemas import timestamps

__all__ = ["Proven", "Prover", "load_proof"]


REFUSALS_PER_ROUND_MAX: Final = 4
"""A hub may wait seconds before it refuses what it has not published yet."""


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry proven to be in a tree that is believed; `text` is the tlog-proof."""

    index: int
    entry: bytes
    text: bytes
    size: int


def load_proof(connection: Connection, index: int) -> Proven | None:
    """Return the proof kept for an entry, or nothing."""
    query = select(
        log_proof.c.log_index, log_proof.c.entry, log_proof.c.proof, log_proof.c.size
    ).where(log_proof.c.log_index == index)
    row = connection.execute(query).first()
    return None if row is None else Proven(*row)


class Prover:
    """Proves claims, a bounded number in a round."""

    def __init__(self, context: SessionContext, client: LogClient, believer: Believer) -> None:
        self._context = context
        self._client = client
        self._believer = believer
        self._unproven: set[int] = set()  # what was asked for in vain

    async def prove_pending(self, pin: LogPin) -> int:
        """Prove the newest pending claims; return how many entries were proven.

        A refused entry is passed over; no answer, or a false one, ends the round.
        """
        limit = self._context.settings.log_proofs_per_round_max
        proven: list[Proven] = []
        refusals = 0
        for index in await self._next_in_line(limit):
            found = await self._ask(pin, index)
            if isinstance(found, Proven):
                proven.append(found)
                continue
            self._unproven.add(index)
            refusals += 1
            if not isinstance(found, Unserved) or refusals == REFUSALS_PER_ROUND_MAX:
                break
        await self.store(proven)
        return len(proven)

    async def _next_in_line(self, limit: int) -> list[int]:
        """Return the entries to prove: those not asked for in vain first, the newest before."""
        reach = limit + len(self._unproven)
        pending = await self._context.database.read(claims.pending_indices, reach)
        self._unproven.intersection_update(pending)
        return sorted(pending, key=lambda index: (index in self._unproven, -index))[:limit]

    async def prove(self, pin: LogPin, index: int) -> Proven | None:
        """Return the verified proof of an entry; nothing if there is none now, or a false one."""
        found = await self._ask(pin, index)
        return found if isinstance(found, Proven) else None

    async def _ask(self, pin: LogPin, index: int) -> Proven | Unserved | TryLater | None:
        """Return the verified proof, or why there is none; nothing for one that is not believed."""
        found = await self._client.proof(index)
        if isinstance(found, Unserved | TryLater):
            self._context.log.warning("log.proof_unavailable", index=index, detail=str(found))
            return found
        proof, text = found
        checkpoint = await self._believer.accept(
            proof.checkpoint_note.encode("utf-8"), pin, is_newest=False
        )
        if checkpoint is None:
            return None
        fault = _fault(proof, index, checkpoint.size, checkpoint.root)
        if fault is not None:
            await self._find_false(pin, index, text, fault)
            return None
        assert proof.extra is not None, "a proof without an entry has a fault"
        return Proven(index, proof.extra, text, checkpoint.size)

    async def _find_false(self, pin: LogPin, index: int, text: bytes, fault: str) -> None:
        head = await self._context.database.read(heads.load_head, pin.origin)
        await self._context.find(
            Finding(
                kind=AlarmKind.LOG_PROOF_INVALID,
                reference=f"entry {index}",
                detail=fault,
                believed_note=None if head is None else head.note,
                other=text,
            )
        )

    async def store(self, proven: Iterable[Proven]) -> None:
        """Judge the entries against their claims, and keep the proofs, in one transaction."""
        taken = list(proven)
        if not taken:
            return

        def use(work: Work) -> list[Finding]:
            at = timestamps.render(self._context.clock())
            promised = claims.claims_at(work.connection, [one.index for one in taken])
            found: list[Finding] = []
            for one in taken:
                found += self._take(work.connection, one, promised.get(one.index, []), at)
            for finding in found:
                record_finding(work.connection, finding, at)
            return found

        self._context.note_findings(await self._context.database.write("log.prove", use))

    def _take(
        self, connection: Connection, one: Proven, promised: list[claims.Claim], at: str
    ) -> list[Finding]:
        values = {"entry": one.entry, "proof": one.text, "size": one.size, "got_at": at}
        statement = insert(log_proof).values(log_index=one.index, **values)
        connection.execute(
            statement.on_conflict_do_update(index_elements=[log_proof.c.log_index], set_=values)
        )
        participant = self._context.settings.participant
        entry, fault = read_entry(one.entry, one.index)
        faults = [fault] if fault is not None else []
        if entry is not None and promised:
            faults = entry_faults(entry, promised, participant)
        claims.settle(connection, one.index, "differs" if faults else "proven")
        findings = [_finding(AlarmKind.LOG_ENTRY_DIFFERS, one, text) for text in faults]
        if entry is not None and entry.step_of(participant) is not None:
            gap = add_own(
                connection,
                entry,
                one.entry,
                participant,
                state="known" if promised else "awaited",
            )
            if gap is not None:
                findings.append(_finding(AlarmKind.LOG_COUNTER_GAP, one, gap))
        return findings


def _fault(proof: ProofFile, index: int, size: int, root: bytes) -> str | None:
    if proof.index != index:
        return f"asked for entry {index}, the hub proves entry {proof.index}"
    if proof.extra is None:
        return f"the proof of entry {index} shows no entry"
    try:
        verify_inclusion(index, size, leaf_hash(proof.extra), proof.hashes, root)
    except ProofError as error:
        return str(error)
    return None


def _finding(kind: AlarmKind, one: Proven, detail: str) -> Finding:
    return Finding(kind=kind, reference=f"entry {one.index}", detail=detail, other=one.text)
