"""A participant's public key, and the time for which it may speak.

1. A `PublicKey` says which participant, which algorithm and which bytes; its id follows from them.
2. A `KeyRecord` adds the window: from `valid_from` (inclusive) to `valid_until` (exclusive; none
   means open), and the time of a revocation, which ends the window at once.
3. Both are values: they check themselves when made, and never change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from keys.algorithms import Algorithm, load_public_key
from keys.errors import MalformedKeyError
from keys.key_ids import is_participant, make_key_id

__all__ = ["KeyRecord", "PublicKey"]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of a participant.

    `public_key_der` is the SubjectPublicKeyInfo in DER.

    Raises:
        MalformedKeyError: the bytes, the algorithm and the key id do not belong together.
    """

    participant: str
    key_id: str
    algorithm: Algorithm
    public_key_der: bytes

    def __post_init__(self) -> None:
        if not is_participant(self.participant):
            raise MalformedKeyError(f"{self.participant[:32]!r} is not a participant code")
        algorithm, _ = load_public_key(self.public_key_der)
        if algorithm is not self.algorithm:
            raise MalformedKeyError(f"the key is for {algorithm}, not for {self.algorithm}")
        if self.key_id != make_key_id(self.participant, self.public_key_der):
            raise MalformedKeyError("the key id does not follow from the participant and the key")

    @classmethod
    def from_der(cls, participant: str, public_key_der: bytes) -> PublicKey:
        """Return the public key of a participant; id and algorithm follow from the bytes.

        Raises:
            MalformedKeyError: the participant code or the key is not one this exchange allows.
        """
        if not is_participant(participant):
            raise MalformedKeyError(f"{participant[:32]!r} is not a participant code")
        algorithm, _ = load_public_key(public_key_der)
        key_id = make_key_id(participant, public_key_der)
        return PublicKey(participant, key_id, algorithm, public_key_der)


@dataclass(frozen=True, slots=True)
class KeyRecord(PublicKey):
    """A public key with the window in which it may speak; all times are aware.

    Raises:
        MalformedKeyError: as for `PublicKey`, or a naive time, or a window that ends before it
            begins.
    """

    valid_from: datetime
    valid_until: datetime | None = None
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        # By name: a dataclass with slots is made anew, and super() would look for the first one.
        PublicKey.__post_init__(self)
        for time in (self.valid_from, self.valid_until, self.revoked_at):
            if time is not None and time.utcoffset() is None:
                raise MalformedKeyError("a time of the key's window has no zone")
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise MalformedKeyError("the key's window ends before it begins")

    @classmethod
    def of(
        cls, key: PublicKey, valid_from: datetime, valid_until: datetime | None = None
    ) -> KeyRecord:
        """Return the record of a key that is valid in this window and not revoked."""
        return KeyRecord(
            key.participant,
            key.key_id,
            key.algorithm,
            key.public_key_der,
            valid_from,
            valid_until,
        )

    @property
    def public_key(self) -> PublicKey:
        """The key alone, without its window."""
        return PublicKey(self.participant, self.key_id, self.algorithm, self.public_key_der)

    @property
    def ends_at(self) -> datetime | None:
        """When the key stops speaking: the end of its window or its revocation, or never."""
        ends = [time for time in (self.valid_until, self.revoked_at) if time is not None]
        return min(ends, default=None)

    def is_valid_at(self, at: datetime) -> bool:
        """Tell whether the key may speak at that time."""
        return self.valid_from <= at and (self.ends_at is None or at < self.ends_at)

    def ended_at(self, valid_until: datetime) -> Self:
        """Return the record with its window ending then, or earlier if it did already."""
        if self.valid_until is not None and self.valid_until <= valid_until:
            return self
        return replace(self, valid_until=valid_until)

    def revoked(self, at: datetime) -> Self:
        """Return the record revoked at that time, or earlier if it was already."""
        if self.revoked_at is not None and self.revoked_at <= at:
            return self
        return replace(self, revoked_at=at)
