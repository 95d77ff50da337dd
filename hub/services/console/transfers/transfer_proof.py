"""The evidence of one transfer: to take away, and checked here by the code that auditors run.

1. What is taken away are the bytes that ``itmo-hub evidence export`` writes.
2. The check is the verifier's own, from the first signature to the last witness. Its anchor is made
   of what this database and the settings say: the log's key, the hub's keys, the witnesses. So it
   finds whatever was changed in the database afterwards; who trusts neither takes the file away and
   checks it with an anchor of his own.
3. One check at a time for a person: it costs processor time, whatever it is asked for.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from hub.evidence import anchor_files, bundles
from hub.evidence.anchors import ED25519_NOTE, NoteKey, Tree
from hub.evidence.archives import MALFORMED, RefutedError, UnusableError
from hub.evidence.reports import FAILED, NOT_PROVED, Finding, Report, Step
from hub.evidence.verification import verify
from hub.services.console.ground import Ground
from hub.services.console.log.log_keys import known_log_keys
from hub.services.export_evidence import (
    EvidenceDamagedError,
    EvidenceError,
    EvidenceExporter,
    NotCoveredYetError,
)
from hub.services.log_duties import policy_file
from hub.services.serve_log import keys_of
from hub.store import log_checkpoints, reference
from hub.store.log import LogDamagedError
from hub.transparency_log.policies import Policy
from hub.transparency_log.tiles import TileError
from keys.errors import KeysError

__all__ = ["EvidenceError", "NotCoveredYetError"]

CHECKS_MAX: Final = 3
UNREADABLE: Final = (LogDamagedError, TileError, RefutedError, KeysError, *MALFORMED)
"""What damaged rows can make of an export."""


class ProofBusyError(Exception):
    """This person has a check running already, or too many others have."""


class LogKeyUnknownError(EvidenceError):
    """The key that signs the log is none that is registered: only its owner can name it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a check said: the verdict, the checks one by one, and what no check can show.

    ``byte_count`` is the size of the file that was checked, ``entry_count`` the entries in it.
    """

    verdict: str
    outcome: str
    steps: tuple[Step, ...]
    limits: tuple[Finding, ...]
    byte_count: int
    entry_count: int

    @property
    def failures(self) -> tuple[Step, ...]:
        """The checks that failed."""
        return tuple(one for one in self.steps if one.status == FAILED)


@dataclass(frozen=True, slots=True)
class _LogKey:
    """The public key of the log, as an anchor names it."""

    vkeys: list[str]


class TransferProofs:
    """Exports evidence and checks it."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._exporter = EvidenceExporter(
            ground.database, ground.identity.hub, ground.origin, ground.policies
        )
        self._checking = set[str]()
        self._lock = threading.Lock()

    def evidence(self, transfer_id: str, *, deliveries: bool = True) -> bytes:
        """Return the file of a transfer. Raises EvidenceError, NotCoveredYetError."""
        try:
            return self._exporter.export(transfer_id, self._ground.clock(), deliveries=deliveries)
        except UNREADABLE as error:
            raise EvidenceDamagedError(
                f"the evidence cannot be put together: {error}; `itmo-hub log check` says more"
            ) from error

    def check(self, transfer_id: str, person: str) -> Proof:
        """Export the evidence of a transfer and check it, one at a time for ``person``.

        What cannot be put together because of damage is a failed check. Raises EvidenceError,
        NotCoveredYetError, LogKeyUnknownError, ProofBusyError.
        """
        with self._one_for(person):
            try:
                return self._checked(self.evidence(transfer_id))
            except EvidenceDamagedError as error:
                return _refused("content", str(error))
            except KeysError as error:
                return _refused("keys", f"the keys of this database cannot be read: {error}")

    @contextmanager
    def _one_for(self, person: str) -> Iterator[None]:
        with self._lock:
            if person in self._checking or len(self._checking) >= CHECKS_MAX:
                raise ProofBusyError
            self._checking.add(person)
        try:
            yield
        finally:
            with self._lock:
                self._checking.discard(person)

    def _checked(self, bundle: bytes) -> Proof:
        evidence = bundles.read(bundle)
        with self._ground.database.reading() as connection:
            anchor = self._anchor(connection, evidence.checkpoint)
        try:
            report = verify(bundle, anchor)
        except UnusableError as error:
            return _refused("tree", str(error))
        return _proof(report, len(bundle), len(evidence.items))

    def _anchor(self, connection: Connection, checkpoint: bytes) -> bytes:
        """Return whom the check trusts: the log, its witnesses, the hub, as they are known here."""
        hub = self._ground.identity.hub
        keys = {
            one.key_id: one.public_key_der
            for one in reference.key_records(connection)
            if one.participant == hub
        }
        tree = Tree.parse(checkpoint)
        names = {(name, key_id) for name, key_id, _ in tree.lines}
        logs = [
            one.vkey
            for one in known_log_keys(connection, self._ground)
            if (one.name, NoteKey(one.name, ED25519_NOTE, one.public_key).key_id) in names
        ]
        if not logs:
            raise LogKeyUnknownError(
                "the log is signed with a key of its own (`log_signer`), which is registered "
                "nowhere: name it in `console.log_keys` (`itmo-hub log vkey` prints it), or take "
                "the evidence away and check it with the anchor of `itmo-hub evidence anchor`"
            )
        policy = self._policy_of(connection, tree.size)
        return anchor_files.write(policy_file(_LogKey(logs), policy), keys, {})

    def _policy_of(self, connection: Connection, size: int) -> Policy | None:
        """Return the policy that the checkpoint was chosen by."""
        known = log_checkpoints.cosignatures(connection, size)
        policies = (self._ground.policies.settlement, self._ground.policies.prompt)
        wanted = [one for one in policies if one is not None]
        met = [one for one in wanted if one.is_met_by(keys_of(one, known))]
        return next(iter([*met, *reversed(wanted)]), None)


def _proof(report: Report, byte_count: int, entry_count: int) -> Proof:
    limits = tuple(one for one in report.findings if one.status == NOT_PROVED)
    return Proof(report.verdict, report.outcome, report.steps, limits, byte_count, entry_count)


def _refused(kind: str, text: str) -> Proof:
    return Proof("failed", "unknown", (Step.of(kind, "bundle", FAILED, text),), (), 0, 0)
