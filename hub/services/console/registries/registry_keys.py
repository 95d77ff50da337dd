"""Keys of participants as people look at them: how long they speak, and what a proof document says.

Nobody registers a key nobody holds: what is pasted or uploaded is the document signed by the key
itself (``KEY.proof.jws``). Its fingerprint is read to each other over the phone before it counts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.services.administration.deeds import AdministrationError
from keys.errors import KeysError
from keys.key_ids import fingerprint
from keys.possession import verify_possession
from keys.public_keys import KeyRecord

SOON: Final = timedelta(days=30)
URGENT: Final = timedelta(days=7)
PROOFS_MAX: Final = 5
"""With how many keys at once a participant may be registered."""


@dataclass(frozen=True, slots=True)
class KeyShown:
    """A key, its window, and its fingerprint in groups of four digits.

    ``state`` is valid, not_yet_valid, ended or revoked. ``signed_last``: the newest envelope of its
    owner that the hub knows was signed with it.
    """

    key_id: str
    participant: str
    algorithm: str
    valid_from: datetime
    valid_until: datetime | None
    revoked_at: datetime | None
    state: str
    fingerprint: str
    urgency: str
    signed_last: bool = False


@dataclass(frozen=True, slots=True)
class KeyEnd:
    """Which of the keys that speak now ends first, and whether another one goes on.

    ``key_id`` is None when no key speaks now, ``ends_at`` when none of them ends.
    """

    key_id: str | None
    ends_at: datetime | None
    has_successor: bool

    def urgency(self, now: datetime) -> str:
        """Return fine, soon, urgent, or none when no key speaks."""
        if self.key_id is None:
            return "none"
        if self.ends_at is None or self.has_successor:
            return "fine"
        return _urgency(self.ends_at, now)


@dataclass(frozen=True, slots=True)
class Proof:
    """A key document that its own key signed: what is shown, and what is registered."""

    shown: KeyShown
    record: KeyRecord


def ends_first(records: Sequence[KeyRecord], now: datetime) -> KeyEnd:
    """Return which of a participant's keys that speak now ends first."""
    valid = [one for one in records if one.is_valid_at(now)]
    ending = sorted((one for one in valid if one.ends_at is not None), key=_end_of)
    if not valid:
        return KeyEnd(None, None, False)
    if not ending:
        return KeyEnd(valid[0].key_id, None, True)
    first = ending[0]
    at = _end_of(first)
    return KeyEnd(first.key_id, at, any(one.is_valid_at(at) for one in records))


def shown_keys(
    records: Sequence[KeyRecord], now: datetime, signed_last: Collection[str]
) -> tuple[KeyShown, ...]:
    """Return keys as they are shown: those that speak first, the newest first among equals."""
    order = ("valid", "not_yet_valid", "ended", "revoked")
    shown = [_shown(one, now, one.key_id in signed_last) for one in records]
    newest_first = sorted(shown, key=lambda one: one.valid_from, reverse=True)
    return tuple(sorted(newest_first, key=lambda one: order.index(one.state)))


def read_proofs(text: str, now: datetime) -> list[Proof]:
    """Return the keys of proof documents, set apart by white space.

    Raises AdministrationError that says which of them is none, and why.
    """
    documents = text.split()
    if not 1 <= len(documents) <= PROOFS_MAX:
        raise AdministrationError(
            f"give 1 to {PROOFS_MAX} documents KEY.proof.jws; these are {len(documents)}"
        )
    proofs: list[Proof] = []
    for place, document in enumerate(documents, 1):
        try:
            record = verify_possession(document.encode())
        except KeysError as error:
            raise AdministrationError(
                f"document {place} is no proof of a key: {error}. Paste the whole file "
                "KEY.proof.jws that `itmo-hub keys generate` wrote"
            ) from error
        proofs.append(Proof(_shown(record, now, signed_last=False), record))
    if len({one.record.key_id for one in proofs}) < len(proofs):
        raise AdministrationError("the same key is there twice")
    return proofs


def grouped(digits: str) -> str:
    """Return digits in groups of four, to be read aloud."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _shown(record: KeyRecord, now: datetime, signed_last: bool) -> KeyShown:
    return KeyShown(
        key_id=record.key_id,
        participant=record.participant,
        algorithm=str(record.algorithm.value),
        valid_from=record.valid_from,
        valid_until=record.valid_until,
        revoked_at=record.revoked_at,
        state=_state(record, now),
        fingerprint=grouped(fingerprint(record.public_key_der)),
        urgency="fine" if record.ends_at is None else _urgency(record.ends_at, now),
        signed_last=signed_last,
    )


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked_at is not None and record.revoked_at <= now:
        return "revoked"
    if now < record.valid_from:
        return "not_yet_valid"
    return "valid" if record.is_valid_at(now) else "ended"


def _urgency(ends_at: datetime, now: datetime) -> str:
    if ends_at - now > SOON:
        return "fine"
    return "soon" if ends_at - now > URGENT else "urgent"


def _end_of(record: KeyRecord) -> datetime:
    assert record.ends_at is not None, "only those that end are asked"
    return record.ends_at
