"""Keys of made-up participants, from fixed seeds, and a clock that tests may turn.

A key whose label begins with `es256` is of ES256, which signs XML; the others are of Ed25519.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys.local_signer import LocalSigner, PrivateKey
from keys.public_keys import KeyRecord

KEY_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
XML_LABEL = "es256"


def make_private_key(participant: str, label: str = "first") -> Ed25519PrivateKey:
    """Return the Ed25519 key of a participant that belongs to this label, always the same."""
    return Ed25519PrivateKey.from_private_bytes(_seed(participant, label))


def make_key(participant: str, label: str = "first") -> PrivateKey:
    """Return the key of a participant that belongs to this label, of the label's algorithm."""
    if not label.startswith(XML_LABEL):
        return make_private_key(participant, label)
    return derive_private_key(int.from_bytes(_seed(participant, label)) >> 1, SECP256R1())


def _seed(participant: str, label: str) -> bytes:
    return sha256(f"{participant}/{label}".encode()).digest()


def make_signer(participant: str, label: str = "first") -> LocalSigner:
    """Return the signer of that key."""
    return LocalSigner(make_key(participant, label), participant)


def make_record(
    participant: str,
    label: str = "first",
    valid_from: datetime = KEY_EPOCH,
    valid_until: datetime | None = None,
    revoked_at: datetime | None = None,
) -> KeyRecord:
    """Return the public record of that key with a window."""
    signer = make_signer(participant, label)
    return KeyRecord(
        participant,
        signer.key_id,
        signer.algorithm,
        signer.public_key_der,
        valid_from,
        valid_until,
        revoked_at,
    )


class Clock:
    """Real time plus an offset that a test may change."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        """Return the time by this clock."""
        return datetime.now(UTC) + self.offset

    def turn(self, **delta: float) -> None:
        """Move the clock by a time difference."""
        self.offset += timedelta(**delta)
