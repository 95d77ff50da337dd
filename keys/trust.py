"""Which key may speak for whom, and when.

1. A trust store is a value made from key records; it never changes, a new one replaces it.
2. A message is judged by the key valid for its sender at a time that the caller names: at the
   door that is now, in a dispute it is the time at which the message was received.
3. So a revocation takes effect at the door at once, and what was signed before stays valid:
   asking with an earlier time still finds the key.
4. Each participant has a policy: the suites it may sign with. Downgrading a hybrid message by
   dropping its second signature fails here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, final

from keys.algorithms import SUITES
from keys.errors import (
    KeyExpiredError,
    KeyNotYetValidError,
    KeyOfAnotherParticipantError,
    KeyRevokedError,
    KeyUnknownError,
    TrustStoreError,
)
from keys.public_keys import KeyRecord

__all__ = ["TrustStore"]

_NO_POLICIES: Final[Mapping[str, frozenset[str]]] = MappingProxyType({})


@final
class TrustStore:
    """The public keys of all participants and their policies, as one immutable value.

    Raises:
        TrustStoreError: a key id occurs twice, or a policy is empty or names an unknown suite.
    """

    __slots__ = ("_by_key_id", "_default_suites", "_policies")

    def __init__(
        self,
        records: Iterable[KeyRecord],
        policies: Mapping[str, frozenset[str]] = _NO_POLICIES,
        default_suites: frozenset[str] = SUITES,
    ) -> None:
        by_key_id: dict[str, KeyRecord] = {}
        for record in records:
            if record.key_id in by_key_id:
                raise TrustStoreError(f"two records for the key {record.key_id}")
            by_key_id[record.key_id] = record
        for suites in (default_suites, *policies.values()):
            if not suites or not suites <= SUITES:
                raise TrustStoreError(f"a policy accepts {sorted(suites)}: no suites or unknown")
        self._by_key_id = by_key_id
        self._policies = dict(policies)
        self._default_suites = default_suites

    def __len__(self) -> int:
        return len(self._by_key_id)

    def __repr__(self) -> str:
        return f"TrustStore({len(self)} keys)"

    def find(self, key_id: str, participant: str, at: datetime) -> KeyRecord:
        """Return the key with this id if it may speak for the participant at this time.

        A revoked key is called revoked also when its window has ended since.

        Raises:
            KeyUnknownError: no key has this id.
            KeyOfAnotherParticipantError: the key speaks for somebody else.
            KeyNotYetValidError: `at` is before `valid_from`.
            KeyRevokedError: revoked at or before `at`.
            KeyExpiredError: `at` is `valid_until` or later.
        """
        record = self._by_key_id.get(key_id)
        if record is None:
            raise KeyUnknownError(f"the key {key_id[:64]!r} is not registered")
        if record.participant != participant:
            raise KeyOfAnotherParticipantError(f"{key_id} does not speak for {participant[:32]!r}")
        if at < record.valid_from:
            raise KeyNotYetValidError(f"{key_id} is valid from {record.valid_from.isoformat()}")
        if record.revoked_at is not None and record.revoked_at <= at:
            raise KeyRevokedError(f"{key_id} was revoked at {record.revoked_at.isoformat()}")
        if record.valid_until is not None and record.valid_until <= at:
            raise KeyExpiredError(f"{key_id} was valid until {record.valid_until.isoformat()}")
        return record

    def get(self, key_id: str) -> KeyRecord | None:
        """Return the record of a key id whatever its window, or nothing."""
        return self._by_key_id.get(key_id)

    def suites_of(self, participant: str) -> frozenset[str]:
        """Return the suites the participant may sign with."""
        return self._policies.get(participant, self._default_suites)

    def records(self) -> tuple[KeyRecord, ...]:
        """Return every record, by key id."""
        return tuple(self._by_key_id[key_id] for key_id in sorted(self._by_key_id))

    def records_of(self, participant: str) -> tuple[KeyRecord, ...]:
        """Return every record of one participant, the earliest window first."""
        own = (item for item in self._by_key_id.values() if item.participant == participant)
        return tuple(sorted(own, key=lambda item: (item.valid_from, item.key_id)))

    def replacing(self, records: Iterable[KeyRecord]) -> TrustStore:
        """Return a store in which these records are added, or take the place of their namesakes."""
        merged = {**self._by_key_id, **{record.key_id: record for record in records}}
        return TrustStore(merged.values(), self._policies, self._default_suites)
