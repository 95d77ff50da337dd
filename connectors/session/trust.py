"""Whom this end believes: the hub's keys given by hand, and the list that the hub signs.

1. The anchor is one or more public key documents of the hub, handed over outside the exchange.
2. The hub publishes every participant's keys as a signed list; its own later keys stand in it too.
   A list counts only when a key of the anchor, or of a list believed before, signed it.
3. The hub is judged by the clock at our door: a revoked hub key counts for nothing from then on,
   whatever date it writes. A key whose window merely ended still proves what it signed in time:
   a stored receipt or delivery is sent again unchanged after a rotation.
4. A Party inside a delivery is judged at the time at which the hub recorded its envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.session.log.pins import LogPin, make_pin, signs_checkpoints
from hub.protocol.envelopes import PARTICIPANTS_TYP
from hub.protocol.signed_objects import (
    ObjectKind,
    ObjectRefusedError,
    claim_first,
    open_object,
)
from keys.documents import from_document, parse_time
from keys.errors import KeyExpiredError, KeysError, MalformedDocumentError
from keys.jws import open_signed, verify
from keys.public_keys import KeyRecord
from keys.trust import TrustStore
from message_schemas.json_codec import JsonRefusedError, parse_strict

__all__ = [
    "HubWord",
    "ParticipantsInvalidError",
    "Trust",
    "open_hub_word",
]


class ParticipantsInvalidError(Exception):
    """The list of participants is not what the hub may publish; the old one stays."""


@dataclass(frozen=True, slots=True)
class HubWord:
    """A JSON value that the hub signed; if `before` is set, it must be dated earlier than that."""

    document: Any
    before: datetime | None

    def is_in_time(self, said_at: datetime) -> bool:
        """Tell whether the key was still valid at the time that the payload itself claims."""
        return self.before is None or said_at < self.before


def open_hub_word(
    raw: bytes, kind: ObjectKind, trust: TrustStore, hub: str, now: datetime
) -> HubWord:
    """Verify what the hub signed, in either binding, now or while an older key of it was valid.

    Raises:
        KeysError: malformed, signed wrongly, or by a key that may not speak for the hub.
        ObjectRefusedError: signed rightly, but no value of its binding.
    """
    if (claim := claim_first(raw)) is not None:  # anybody may push, and XML is dear to read
        _verify((claim.key_id,), lambda at: claim.verify(trust, hub, at), trust, now)
    opened = open_object(raw, kind)
    before = _verify(opened.key_ids, lambda at: opened.verify(trust, hub, at), trust, now)
    read = opened.read()
    for place, fault in read.body_faults.items():
        raise ObjectRefusedError(fault.text, place + fault.path)
    return HubWord(read.document, before)


def _open_list(raw: bytes, trust: TrustStore, hub: str, now: datetime) -> HubWord:
    """Verify a list of participants, which is JSON for everybody; raises as `open_hub_word`."""
    opened = open_signed(raw, PARTICIPANTS_TYP)
    before = _verify(opened.key_ids, lambda at: verify(opened, trust, hub, at), trust, now)
    return HubWord(_parse(opened.payload), before)


def _verify(
    key_ids: Sequence[str],
    verify_at: Callable[[datetime], object],
    trust: TrustStore,
    now: datetime,
) -> datetime | None:
    """Verify as of now, or just before the keys' end; then return that end."""
    try:
        verify_at(now)
    except KeyExpiredError:
        end = _earliest_end(key_ids, trust)
        verify_at(end - timedelta(microseconds=1))
        return end
    return None


def _earliest_end(key_ids: Sequence[str], trust: TrustStore) -> datetime:
    records = [trust.get(key_id) for key_id in key_ids]
    return min(item.valid_until for item in records if item is not None and item.valid_until)


def _parse(payload: bytes) -> Any:
    try:
        return parse_strict(payload)
    except JsonRefusedError as error:
        raise ObjectRefusedError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys believed at one moment: `hub_store` for the hub's word, `store` for everybody's."""

    hub: str
    anchor: tuple[KeyRecord, ...]
    store: TrustStore
    created_at: datetime | None = None
    log: LogPin | None = None  # the transparency log, as the list names it

    @classmethod
    def of_anchor(cls, hub: str, anchor: tuple[KeyRecord, ...]) -> Trust:
        """Return what is believed before the first list: the anchor alone.

        Raises:
            ValueError: there is no anchor, or a key of it is not the hub's.
        """
        if not anchor or any(record.participant != hub for record in anchor):
            raise ValueError(f"the anchor is one or more public keys of {hub}, and no other")
        return cls(hub, anchor, TrustStore(anchor))

    def restored(self, raw: bytes) -> Trust:
        """Return what was believed when this list was stored, which was after verifying it.

        It is not verified again: the hub key that signed it may be known from an earlier list
        only, which the anchor alone does not vouch for.

        Raises:
            ParticipantsInvalidError: the bytes are not such a list any more.
        """
        try:
            return self._believing(_parse(open_signed(raw, PARTICIPANTS_TYP).payload))
        except (KeysError, ValueError) as error:
            raise ParticipantsInvalidError(str(error)[:300]) from error

    def with_list(self, raw: bytes, now: datetime, skew: timedelta) -> Trust:
        """Return what is believed once this signed list is read.

        Raises:
            ParticipantsInvalidError: not signed by the hub, malformed, older than the list
                believed now, or dated in the future.
        """
        try:
            word = _open_list(raw, self.store, self.hub, now)
            believed = self._believing(word.document)
        except (KeysError, ValueError) as error:
            raise ParticipantsInvalidError(str(error)[:300]) from error
        created_at = believed.created_at
        assert created_at is not None, "a list has a date"
        if created_at > now + skew or not word.is_in_time(created_at):
            raise ParticipantsInvalidError(f"the list is dated {created_at.isoformat()}")
        if self.created_at is not None and created_at < self.created_at:
            raise ParticipantsInvalidError("the list is older than the one believed now")
        return believed

    def _believing(self, document: Any) -> Trust:
        created_at, records, policies = _read_list(document, self.hub)
        in_list = {record.key_id for record in records}
        # The anchor stays, but the list may end or revoke a key of it.
        kept = [record for record in self.anchor if record.key_id not in in_list]
        store = TrustStore([*records, *kept], policies)
        return Trust(self.hub, self.anchor, store, created_at, _read_log(document.get("log")))


def _read_list(
    document: Any, hub: str
) -> tuple[datetime, list[KeyRecord], dict[str, frozenset[str]]]:
    if not isinstance(document, dict) or document.get("sender", hub) != hub:
        raise ValueError("the list is not an object of this hub's")
    created_at, participants = document.get("created_at"), document.get("participants")
    if not isinstance(created_at, str) or not isinstance(participants, list):
        raise ValueError("created_at or participants is missing")
    records: list[KeyRecord] = []
    policies: dict[str, frozenset[str]] = {}
    for entry in participants:
        code, suites = _read_entry(entry, records)
        if suites:
            policies[code] = suites
    return parse_time(created_at), records, policies


def _read_log(member: Any) -> LogPin | None:
    if member is None:
        return None
    if not isinstance(member, dict) or not isinstance(member.get("vkeys"), list):
        raise ValueError("log is not an object with origin and vkeys")
    known = [str(vkey) for vkey in member["vkeys"] if signs_checkpoints(str(vkey))]
    return make_pin(str(member.get("origin")), known) if known else None


def _read_entry(entry: Any, records: list[KeyRecord]) -> tuple[str, frozenset[str]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("code"), str):
        raise ValueError("an entry names no participant")
    code: str = entry["code"]
    for document in entry.get("keys", []):
        record = from_document(document)
        if record.participant != code:
            raise MalformedDocumentError(f"{record.key_id} stands under {code}")
        records.append(record)
    return code, frozenset(str(suite) for suite in entry.get("suites", []))
