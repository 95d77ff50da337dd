"""Keys for the tests of the log, all from fixed seeds, none of them secret."""

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.notes import Note, NoteSignature, SignatureType, VerifierKey, sign_note

ORIGIN = "log.example/one"
TIME = 1_800_000_000


@dataclass(frozen=True)
class SeededKey:
    """A private key and its public half under a name."""

    private: Ed25519PrivateKey | MLDSA44PrivateKey
    key: VerifierKey

    def sign(self, data: bytes) -> bytes:
        """Sign bytes: a `Sign`."""
        return self.private.sign(data)

    def cosign(self, checkpoint: Checkpoint, time: int = TIME) -> NoteSignature:
        """Return a cosignature at a time."""
        return cosign(checkpoint, self.key, self.sign, time)


def seeded(name: str, kind: SignatureType, seed: str | None = None) -> SeededKey:
    """Return the one key that follows from the seed, by default from the name."""
    raw = sha256((seed or name).encode()).digest()
    private: Ed25519PrivateKey | MLDSA44PrivateKey
    if kind is SignatureType.COSIGNATURE_ML_DSA_44:
        private = MLDSA44PrivateKey.from_seed_bytes(raw)
    else:
        private = Ed25519PrivateKey.from_private_bytes(raw)
    public = private.public_key().public_bytes_raw()
    return SeededKey(private, VerifierKey(name, kind, public))


LOG = seeded(ORIGIN, SignatureType.ED25519)
LOG_PQ = seeded(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44)
W1 = seeded("witness.example/w1", SignatureType.COSIGNATURE_ED25519)
W2 = seeded("witness.example/w2", SignatureType.COSIGNATURE_ED25519)
W2_PQ = seeded("witness.example/w2", SignatureType.COSIGNATURE_ML_DSA_44)


def signed(checkpoint: Checkpoint, *more: NoteSignature, by: SeededKey = LOG) -> str:
    """Return the note of a checkpoint, signed by the log and with more signatures."""
    if by.key.type is SignatureType.ED25519:
        first = sign_note(checkpoint.text, by.key, by.sign)
    else:
        first = by.cosign(checkpoint)
    return Note(checkpoint.text, (first, *more)).render()
