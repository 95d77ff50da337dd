"""The keys the log's checkpoints are signed with, under the log's name (its origin).

1. Each checkpoint is signed with one Ed25519 key: a key of the log alone, or else the hub's first
   Ed25519 key (why that is safe: docs/adr/0011).
2. The nightly settlement is signed with ML-DSA-44 too, when there is such a key.
3. The origin is the log's identity for as long as the database lives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.services.start_errors import StartError
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.transparency_log.checkpoints import Checkpoint, read_checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.notes import Note, NoteError, SignatureType, VerifierKey, sign_note
from keys.algorithms import Algorithm, load_public_key
from keys.signer import Signer

_TYPES = {
    Algorithm.ED25519: SignatureType.ED25519,
    Algorithm.ML_DSA_44: SignatureType.COSIGNATURE_ML_DSA_44,
}


@dataclass(frozen=True, slots=True)
class LogKey:
    """A private key of the log, and its public half as others verify with it."""

    signer: Signer
    verifier: VerifierKey


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The log's name and keys; ``settlement`` is the ML-DSA-44 key, if there is one."""

    origin: str
    checkpoint: LogKey
    settlement: LogKey | None = None

    @property
    def verifiers(self) -> tuple[VerifierKey, ...]:
        """The public keys, the Ed25519 one first."""
        keys = (self.checkpoint, self.settlement)
        return tuple(key.verifier for key in keys if key is not None)

    @property
    def vkeys(self) -> list[str]:
        """The public keys as text."""
        return [key.vkey for key in self.verifiers]

    def sign(self, size: int, root: bytes, settled_at: int | None = None) -> str:
        """Return the signed note of a checkpoint.

        With ``settled_at`` (POSIX seconds) the settlement key signs too. Raises NoteError,
        CosignatureError or keys.errors.SignerError if a key cannot be used.
        """
        checkpoint = Checkpoint(self.origin, size, root)
        key = self.checkpoint
        signatures = [sign_note(checkpoint.text, key.verifier, key.signer.sign)]
        if settled_at is not None and self.settlement is not None:
            key = self.settlement
            signatures.append(cosign(checkpoint, key.verifier, key.signer.sign, settled_at))
        return Note(checkpoint.text, tuple(signatures)).render()


def choose(
    origin: str,
    hub_signers: Sequence[Signer],
    log_signer: Signer | None,
    settlement_signer: Signer | None,
) -> LogKeys:
    """Return the keys of the log of this name. Raises StartError when one is of another kind."""
    signer = log_signer or next(
        (one for one in hub_signers if one.algorithm is Algorithm.ED25519), None
    )
    if signer is None:
        raise StartError(
            "the transparency log is signed with Ed25519, and none of the hub's keys is. Make one "
            "with `itmo-hub keys generate --algorithm Ed25519 --out DIR` and name its URI in "
            "`log_signer`"
        )
    settlement = None
    if settlement_signer is not None:
        settlement = _key(origin, settlement_signer, Algorithm.ML_DSA_44, "log_settlement_signer")
    return LogKeys(origin, _key(origin, signer, Algorithm.ED25519, "log_signer"), settlement)


def _key(origin: str, signer: Signer, algorithm: Algorithm, setting: str) -> LogKey:
    if signer.algorithm is not algorithm:
        raise StartError(f"`{setting}` is a key for {signer.algorithm}; it must be {algorithm}")
    raw = load_public_key(signer.public_key_der)[1]
    assert hasattr(raw, "public_bytes_raw"), f"{algorithm} keys have a raw form"
    try:
        return LogKey(signer, VerifierKey(origin, _TYPES[algorithm], raw.public_bytes_raw()))
    except NoteError as error:
        raise StartError(f"`log_origin` or `{setting}` cannot be used: {error}") from error


def require_origin(database: Database, origin: str) -> None:
    """Raise StartError if checkpoints of this database were published under another name."""
    with database.reading() as connection:
        newest = log_checkpoints.newest(connection)
    if newest is None:
        return
    published = read_checkpoint(newest.note)[0].origin
    if published != origin:
        raise StartError(
            f"the log of this database is published as {published!r}, and `log_origin` says "
            f"{origin!r}. Whoever holds a proof knows the log by its first name: set `log_origin` "
            "back, or take the database that belongs to it"
        )
