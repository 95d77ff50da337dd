"""A log to publish: entries by the hundred, the hub's keys, and witnesses that cosign for real."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from hub.services.acts import new_salt
from hub.services.collect_cosignatures import WitnessAnswer, WitnessUnreachableError
from hub.services.log_keys import LogKeys, choose
from hub.services.publish_log import LogPublisher
from hub.store import head as heads
from hub.store import log
from hub.store.database import Database
from hub.store.log import PendingEntry
from hub.store.log_checkpoints import StoredCheckpoint
from hub.transparency_log.checkpoints import Checkpoint, read_checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.notes import SignatureType, VerifierKey
from hub.transparency_log.witnessing import (
    AddCheckpoint,
    WitnessRefusal,
    WitnessState,
    decide,
)
from keys.local_signer import LocalSigner
from tests.integration.peers import now, seeded_signer

ORIGIN = "itmo-hub.invalid/xhb01"
SETTLEMENT_AT = time(0, 10, tzinfo=UTC)


def log_keys(origin: str = ORIGIN, *, settling: bool = False) -> LogKeys:
    """Return the keys of a hub's log, always the same."""
    seed = hashlib.sha256(b"itmo-hub test key of the log's settlements").digest()
    post_quantum = LocalSigner(MLDSA44PrivateKey.from_seed_bytes(seed), "XHB01")
    return choose(origin, [seeded_signer("XHB01")], None, post_quantum if settling else None)


def publisher(database: Database, *, settling: bool = False) -> LogPublisher:
    """Return what publishes a database's log."""
    return LogPublisher(database, log_keys(settling=settling), SETTLEMENT_AT)


def grow(database: Database, count: int, at: datetime | None = None) -> int:
    """Append entries that nothing is stored for; return the size of the tree."""
    with database.writing() as connection:
        head = heads.lock(connection)
        first = head.log_index + 1
        pending = [
            PendingEntry(
                index, "act", at or now(), "XHB01", "XHB01", (), new_salt(), {"act": b"document"}
            )
            for index in range(first, first + count)
        ]
        edge = log.append(connection, head, pending)
        after = replace(head, log_index=head.log_index + count, compact_range=edge)
        heads.advance(connection, head, after)
    return after.log_index + 1


def published(database: Database, count: int = 1) -> StoredCheckpoint:
    """Append entries, publish; return the checkpoint."""
    grow(database, count)
    checkpoint = publisher(database).publish(now())
    assert checkpoint is not None
    return checkpoint


@dataclass(slots=True)
class Witness:
    """A witness that keeps to C2SP tlog-witness, without a network.

    ``broken`` makes it answer with something else; ``asked`` is how often it was.
    """

    name: str
    origin: str = ORIGIN
    state: WitnessState | None = None
    broken: Callable[[AddCheckpoint], WitnessAnswer] | None = None
    unreachable: bool = False
    asked: int = 0
    address: str = ""
    at: Callable[[], datetime] = field(default=now)

    @property
    def signer(self) -> Ed25519PrivateKey:
        """Its private key."""
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(self.name.encode()).digest())

    @property
    def key(self) -> VerifierKey:
        """Its public key."""
        raw = self.signer.public_key().public_bytes_raw()
        return VerifierKey(self.name, SignatureType.COSIGNATURE_ED25519, raw)

    @property
    def url(self) -> str:
        """Where it is asked."""
        return self.address or f"https://{self.name}"

    def cosign(self, note: str) -> str:
        """Return its signature line over a checkpoint, whatever it remembers."""
        checkpoint: Checkpoint = read_checkpoint(note)[0]
        return cosign(checkpoint, self.key, self.signer.sign, int(self.at().timestamp())).line

    def answer(self, body: bytes) -> WitnessAnswer:
        """Answer ``add-checkpoint``. Raises WitnessUnreachableError if it is."""
        self.asked += 1
        if self.unreachable:
            raise WitnessUnreachableError(f"{self.url} is away")
        try:
            request = AddCheckpoint.parse(body)
            if self.broken is not None:
                return self.broken(request)
            self.state = decide(self.state, request, log_keys(self.origin).verifiers)
        except WitnessRefusal as refusal:
            return WitnessAnswer(refusal.status, refusal.content_type, refusal.body.encode())
        return WitnessAnswer(200, "text/plain", self.cosign(request.note).encode())


def policy_text(*witnesses: Witness, threshold: int = 1, urls: bool = True) -> str:
    """Return a policy file of witnesses, any ``threshold`` of whom are the quorum."""
    lines = [
        f"witness w{at} {one.key.vkey}" + (f" {one.url}" if urls else "")
        for at, one in enumerate(witnesses)
    ]
    names = " ".join(f"w{at}" for at in range(len(witnesses)))
    return "\n".join([*lines, f"group all-of-them {threshold} {names}", "quorum all-of-them", ""])


def network(*witnesses: Witness) -> Callable[[str, bytes], Awaitable[WitnessAnswer]]:
    """Return what posts to witnesses by their URL."""
    by_url = {f"{one.url}/add-checkpoint": one for one in witnesses}

    async def post(url: str, body: bytes) -> WitnessAnswer:
        return by_url[url].answer(body)

    return post
