"""The transparency log as people look at it: checkpoints, witnesses, entries, and what proves them.

1. The console has none of the log's private keys. It finds the public one by the key id that the
   newest checkpoint names: among the policies' log keys and the hub's own Ed25519 keys. A browser
   keeps the first it sees, and notices another.
2. Proofs are made of stored tiles, for the tree of a published checkpoint. Whoever asks verifies
   them: nothing here is believed because the console says so.
3. A witness is *late* when it has not cosigned what was published some time ago, *missing* when
   nothing of it is among the cosignatures kept lately, and *contradicting* when it said so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from hub.services import log_standing
from hub.services.collect_cosignatures import Policies
from hub.services.console.ground import Ground
from hub.services.console.log.log_keys import known_log_keys
from hub.services.log_standing import Standing
from hub.services.serve_log import LogRequestError, LogServer, keys_of
from hub.store import head as heads
from hub.store import log as log_store
from hub.store import log_checkpoints
from hub.store.console import log_rows
from hub.store.log import LogDamagedError
from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from hub.transparency_log import entries
from hub.transparency_log.entries import Entry
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.notes import Note, SignatureType, VerifierKey
from hub.transparency_log.policies import Policy
from hub.transparency_log.proofs import inclusion_proof

CHECKPOINTS_OF_A_PAGE: Final = 25
COSIGNATURES_LOOKED_AT_MAX: Final = 2_000
LATE_AFTER: Final = timedelta(minutes=2)

__all__ = ["LogDamagedError", "LogDesk", "LogRequestError"]


@dataclass(frozen=True, slots=True)
class Said:
    """That a witness cosigned a checkpoint, and when; ``name`` is its name in the policy."""

    witness: str
    key_id: str
    at: datetime
    is_configured: bool


@dataclass(frozen=True, slots=True)
class Quorum:
    """What a policy says of a checkpoint: met, or what is missing in words (English)."""

    name: str
    is_met: bool
    missing: str


@dataclass(frozen=True, slots=True)
class CheckpointLine:
    """A published checkpoint with who cosigned it."""

    size: int
    root: str
    at: datetime
    settlement: bool
    said: tuple[Said, ...]
    quorums: tuple[Quorum, ...]


class WitnessState(StrEnum):
    """How a witness stands."""

    GOOD = "good"
    LATE = "late"
    MISSING = "missing"
    CONTRADICTING = "contradicting"


@dataclass(frozen=True, slots=True)
class WitnessLine:
    """A witness of the policies: its newest cosignature, if one is kept, and how it stands."""

    name: str
    key_id: str
    algorithm: str
    url: str | None
    policies: tuple[str, ...]
    state: WitnessState
    size: int | None
    at: datetime | None
    contradiction: str | None


@dataclass(frozen=True, slots=True)
class LogPage:
    """The log at a glance. ``next`` is the size below which the next page begins.

    ``vkeys`` are the public keys of the log that are known here.
    """

    origin: str
    size: int
    newest: StoredCheckpoint | None
    standing: Standing
    policies: tuple[tuple[str, str, int], ...]
    vkeys: tuple[str, ...]
    key_ids: tuple[str, ...]
    witnesses: tuple[WitnessLine, ...]
    checkpoints: tuple[CheckpointLine, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry: its bytes as they are hashed, what they say, and where they lead.

    ``entry`` is None if the bytes are none of ours. ``size`` and ``proof``: of the newest
    checkpoint, None and empty if none covers the entry yet. ``vkeys``: as of a ``LogPage``.
    """

    index: int
    newest_index: int
    data: bytes
    leaf: bytes
    entry: Entry | None
    size: int | None
    root: bytes | None
    proof: tuple[bytes, ...]
    note: str | None
    vkeys: tuple[str, ...]


class LogDesk:
    """Looks at one log. Every method may raise DatabaseUnavailableError or LogDamagedError."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._database = ground.database
        self._policies = ground.policies
        self._origin = ground.origin
        self._clock = ground.clock
        self._server = LogServer(ground.database, ground.policies.prompt)

    # --- for people --------------------------------------------------------------------------

    def page(self, below: int | None = None) -> LogPage:
        """Return how the log stands, and a page of its checkpoints below a size."""
        with self._database.reading() as connection:
            rows = log_rows.checkpoints_below(connection, below, CHECKPOINTS_OF_A_PAGE + 1)
            shown = rows[:CHECKPOINTS_OF_A_PAGE]
            said = log_rows.cosignatures_of(connection, [one.size for one in shown])
            newest = log_checkpoints.newest(connection)
            keys = self._log_keys(connection, newest)
            return LogPage(
                origin=self._origin,
                size=heads.read(connection).log_index + 1,
                newest=newest,
                standing=log_standing.read(connection),
                policies=tuple(
                    (name, policy.quorum, len(policy.witnesses))
                    for name, policy in _named(self._policies)
                ),
                vkeys=tuple(key.vkey for key in keys),
                key_ids=() if newest is None else _key_ids(newest, self._origin),
                witnesses=tuple(self._witnesses(connection)),
                checkpoints=tuple(self._line(one, said[one.size]) for one in shown),
                next=shown[-1].size if len(rows) > len(shown) else None,
            )

    def _line(self, one: StoredCheckpoint, said: Sequence[StoredCosignature]) -> CheckpointLine:
        known = {(key.name, key.key_id.hex()) for key in self._policies.keys}
        return CheckpointLine(
            one.size,
            one.root.hex(),
            one.at,
            one.settlement,
            tuple(
                Said(it.witness, it.key_id, it.at, (it.witness, it.key_id) in known) for it in said
            ),
            tuple(Quorum(name, *_quorum(policy, said)) for name, policy in _named(self._policies)),
        )

    def _witnesses(self, connection: Connection) -> list[WitnessLine]:
        """Return every witness of the policies and how it stands."""
        contradictions = {
            subject: detail
            for _, subject, detail in log_rows.alerts_of(
                connection, {log_standing.BEHIND_WITNESS, log_standing.WITNESS_DISAGREES}
            )
        }
        newest: dict[tuple[str, str], StoredCosignature] = {}
        for one in log_rows.newest_cosignatures(connection, COSIGNATURES_LOOKED_AT_MAX):
            newest.setdefault((one.witness, one.key_id), one)
        due = self._due(connection)
        return [
            _witness(key, urls, newest.get((key.name, key.key_id.hex())), due, contradictions)
            for key, urls in _configured(self._policies).items()
        ]

    def _due(self, connection: Connection) -> int:
        """Return the size that every witness should have cosigned by now."""
        before = self._clock() - LATE_AFTER
        for one in log_rows.checkpoints_below(connection, None, CHECKPOINTS_OF_A_PAGE):
            if one.at <= before:
                return one.size
        return 0

    def _log_keys(
        self, connection: Connection, newest: StoredCheckpoint | None
    ) -> list[VerifierKey]:
        """Return the public keys that the newest checkpoint's signatures name, if known here."""
        if newest is None:
            return []
        named = set(_key_ids(newest, self._origin))
        known = known_log_keys(connection, self._ground)
        return [key for key in known if key.key_id.hex() in named]

    def entry(self, index: int) -> EntryView | None:
        """Return an entry with its proof in the newest checkpoint's tree; None if there is none."""
        with self._database.reading() as connection:
            last = heads.read(connection).log_index
            data = log_store.entry_at(connection, index) if index <= last else None
            if data is None:
                return None
            newest = log_checkpoints.newest(connection)
            covered = newest is not None and index < newest.size
            keys = self._log_keys(connection, newest)
            proof: list[bytes] = []
            if newest is not None and covered:
                proof = inclusion_proof(
                    index,
                    newest.size,
                    lambda level, at, width: log_store.read_tile(connection, level, at, width),
                )
        try:
            decoded = entries.decode(data)
        except entries.EntryError:
            decoded = None
        known = newest if covered else None
        return EntryView(
            index=index,
            newest_index=last,
            data=data,
            leaf=leaf_hash(data),
            entry=decoded,
            size=None if known is None else known.size,
            root=None if known is None else known.root,
            proof=tuple(proof),
            note=None if known is None else known.note,
            vkeys=tuple(key.vkey for key in keys),
        )

    # --- for browsers that verify ---------------------------------------------------------------

    def checkpoint(self) -> str:
        """Return the newest checkpoint with its cosignatures. Raises LogRequestError."""
        return self._server.checkpoint()

    def consistency(self, first: str, second: str) -> tuple[int, int, list[bytes]]:
        """Return the proof that one tree begins another. Raises LogRequestError."""
        return self._server.consistency(first, second)

    def witness_vkeys(self) -> list[str]:
        """Return the public keys of the witnesses of the policies."""
        return [key.vkey for key in _configured(self._policies)]


def _named(policies: Policies) -> list[tuple[str, Policy]]:
    found = [("prompt", policies.prompt), ("settlement", policies.settlement)]
    return [(name, policy) for name, policy in found if policy is not None]


def _quorum(policy: Policy, said: Sequence[StoredCosignature]) -> tuple[bool, str]:
    missing = policy.missing(keys_of(policy, said))
    return not missing, missing


def _key_ids(checkpoint: StoredCheckpoint, origin: str) -> tuple[str, ...]:
    """Return the ids of the log's own keys that signed a checkpoint, in lower hex."""
    note = Note.parse(checkpoint.note)
    return tuple(one.key_id.hex() for one in note.signatures if one.name == origin)


def _configured(policies: Policies) -> dict[VerifierKey, tuple[str | None, tuple[str, ...]]]:
    """Return every witness key with its URL and the policies that name it."""
    found: dict[VerifierKey, tuple[str | None, tuple[str, ...]]] = {}
    for name, policy in _named(policies):
        for key, url in policy.witnesses.values():
            before = found.get(key, (None, ()))
            found[key] = (before[0] or url, (*before[1], name))
    return found


def _witness(
    key: VerifierKey,
    where: tuple[str | None, tuple[str, ...]],
    newest: StoredCosignature | None,
    due: int,
    contradictions: Mapping[str, str],
) -> WitnessLine:
    said = contradictions.get(key.name[: log_standing.SUBJECT_CHARACTERS_MAX])
    if said is not None and (newest is None or newest.size < due):
        state = WitnessState.CONTRADICTING
    elif newest is None:
        state = WitnessState.MISSING
    else:
        state = WitnessState.LATE if newest.size < due else WitnessState.GOOD
    is_classic = key.type is SignatureType.COSIGNATURE_ED25519
    return WitnessLine(
        name=key.name,
        key_id=key.key_id.hex(),
        algorithm="Ed25519" if is_classic else "ML-DSA-44",
        url=where[0],
        policies=where[1],
        state=state,
        size=None if newest is None else newest.size,
        at=None if newest is None else newest.at,
        contradiction=said,
    )
