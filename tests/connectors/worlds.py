"""Keys of made-up participants, from fixed seeds, and a clock that tests may turn."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord

KEY_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


def make_private_key(participant: str, label: str = "first") -> Ed25519PrivateKey:
    """Return the key of a participant that belongs to this label, always the same."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"{participant}/{label}".encode()).digest())


def make_signer(participant: str, label: str = "first") -> LocalSigner:
    """Return the signer of that key."""
    return LocalSigner(make_private_key(participant, label), participant)


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
