"""Is this a delivery that may have effect here? Bytes in, items out, no I/O.

1. The hub's signature over a delivery, in either binding; sender the hub, recipient we.
2. The sequence numbers are first, first + 1, … last, one an item.
3. Each envelope inside carries its sender's own signature, by a key valid for that sender when
   the hub recorded it; it is addressed to us, and each of its messages has exactly one verdict.
   So the hub cannot forge a Party.
4. A delivery in the other binding than an original may say beside it what the original says
   (`content`). We read both, so the two must be equal; what counts is the original.
5. Accepted messages and notices of a type that is known here satisfy their schemas. A type that
   is not known is kept and has no effect: a newer hub may tell more than we understand.

A fault of the hub's bytes is `DeliveryRefusedError`; an unknown key is told apart, because the
list of participants may be out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from connectors.session.trust import Trust, open_hub_word
from hub.protocol.envelopes import digest
from hub.protocol.signed_objects import ObjectRefusedError, ReadObject, open_object
from keys.errors import KeysError
from keys.key_ids import participant_of
from message_schemas import timestamps
from message_schemas.blocks import IdentifierInconsistentError
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.envelopes import Delivery, DeliveryItem, Envelope, Message, Notice, Verdict
from message_schemas.json_codec import (
    decode_body,
    decode_delivery,
    decode_envelope,
    encode_body,
)
from message_schemas.validation import schema_errors

__all__ = [
    "Arrived",
    "ArrivedItem",
    "CheckedDelivery",
    "DeliveryFault",
    "DeliveryRefusedError",
    "open_delivery",
    "open_item",
]


class DeliveryFault(StrEnum):
    """Why a delivery has no effect."""

    FORGED = "forged"  # a signature, key, name or date is wrong
    KEY_UNKNOWN = "key-unknown"  # refused too, once the list of participants is fresh
    INVALID = "invalid"  # signed rightly, but not what a delivery may be


class DeliveryRefusedError(Exception):
    """The delivery is refused as a whole, and nothing of it has effect."""

    def __init__(self, fault: DeliveryFault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class CheckedDelivery:
    """A delivery of the hub to us whose items have not been looked into yet."""

    delivery: Delivery
    raw: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """An accepted message or a notice: its body as it was written, and typed.

    `typed` is the dataclass of the type, or nothing if the type or its version is not known here.
    """

    message_id: str | None
    type: str
    plain: Mapping[str, object]
    typed: Any


@dataclass(frozen=True, slots=True)
class ArrivedItem:
    """One item, verified: the sender's messages that the hub accepted, and the hub's notices.

    `envelope` is there if and only if the item carries one, and `envelope_sha256` is the digest
    of its exact bytes, `envelope_raw`: the `previous_sha256` of an answer. `entry_salt` opens the
    log entry's commitment to them. `messages` holds the accepted ones, `delivered` is it all.
    """

    sequence: int
    log_index: int
    recorded_at: str
    envelope: Envelope | None
    envelope_sha256: str | None
    envelope_raw: bytes | None
    entry_salt: str | None
    verdicts: tuple[Verdict, ...]
    messages: tuple[Arrived, ...]
    notices: tuple[Arrived, ...]
    delivered: DeliveryItem


@dataclass(frozen=True, slots=True)
class _Original:
    """A sender's own envelope: its exact bytes, what they hold, and which bodies they do not."""

    raw: bytes
    envelope: Envelope
    read: ReadObject


def open_delivery(
    raw: bytes, *, trust: Trust, participant: str, now: datetime, skew: timedelta
) -> CheckedDelivery:
    """Check the hub's part of a delivery: rules 1 and 2.

    Raises:
        DeliveryRefusedError: a rule is broken; the text says which.
    """
    try:
        word = open_hub_word(raw, "delivery", trust.store, trust.hub, now)
    except KeysError as error:
        raise _key_fault(error, "the hub's signature") from error
    except ObjectRefusedError as error:
        text = f"the delivery {error.path}: {error}"
        raise DeliveryRefusedError(DeliveryFault.INVALID, text) from error
    if errors := schema_errors("delivery", 1, word.document):
        raise DeliveryRefusedError(DeliveryFault.INVALID, f"{errors[0].path}: {errors[0].text}")
    delivery = decode_delivery(word.document)
    if delivery.sender != trust.hub or delivery.recipient != participant:
        names = f"from {delivery.sender} to {delivery.recipient}"
        raise DeliveryRefusedError(DeliveryFault.FORGED, f"the delivery is {names}")
    created_at = timestamps.parse(delivery.created_at)
    if not word.is_in_time(created_at) or created_at > now + skew:
        raise DeliveryRefusedError(
            DeliveryFault.FORGED, f"created_at {delivery.created_at} is not a time of its key"
        )
    numbers = [item.sequence for item in delivery.items]
    if not numbers or numbers != list(range(delivery.first_sequence, delivery.last_sequence + 1)):
        raise DeliveryRefusedError(DeliveryFault.INVALID, "the sequence numbers have a hole")
    return CheckedDelivery(delivery, raw, digest(raw))


def open_item(item: DeliveryItem, *, trust: Trust, participant: str) -> ArrivedItem:
    """Check the sender's part of an item: rules 3 to 5.

    Raises:
        DeliveryRefusedError: the sender's signature, the names or the verdicts are wrong.
    """
    original: _Original | None = None
    where = f"item {item.sequence}"
    if item.envelope is not None:
        original = _open_envelope(item.envelope.encode("utf-8"), item, trust, participant)
        _check_content(item, original.read.document)
        _check_verdicts(original.envelope, item.verdicts, item.sequence)
        if item.entry_salt is None:
            fault = f"{where}: no entry_salt, so its entry could show anything"
            raise DeliveryRefusedError(DeliveryFault.INVALID, fault)
    elif item.verdicts:
        raise DeliveryRefusedError(DeliveryFault.INVALID, f"{where}: no envelope")
    return ArrivedItem(
        item.sequence,
        item.log_index,
        item.recorded_at,
        None if original is None else original.envelope,
        None if original is None else digest(original.raw),
        None if original is None else original.raw,
        item.entry_salt,
        item.verdicts,
        () if original is None else _accepted(original, item.verdicts, where),
        tuple(_arrived(notice, None, where) for notice in item.notices),
        item,
    )


def _accepted(
    original: _Original, verdicts: tuple[Verdict, ...], where: str
) -> tuple[Arrived, ...]:
    """Type the messages that the hub accepted; one that cannot be read cannot be among them."""
    accepted = {verdict.message_id for verdict in verdicts if verdict.outcome == "accepted"}
    arrived: list[Arrived] = []
    for position, message in enumerate(original.envelope.messages):
        if message.message_id not in accepted:
            continue
        fault = original.read.body_faults.get(f"/messages/{position}/body")
        if fault is not None:
            text = f"{where}: {message.type} {fault.path} {fault.text}"
            raise DeliveryRefusedError(DeliveryFault.INVALID, text)
        arrived.append(_arrived(message, message.message_id, where))
    return tuple(arrived)


def _arrived(said: Message | Notice, message_id: str | None, where: str) -> Arrived:
    """Type what was said, as its schema allows."""
    kind = MESSAGE_TYPES.get(said.type) if message_id else NOTICE_TYPES.get(said.type)
    if kind is None or kind.version != said.version:
        return Arrived(message_id, said.type, said.body, None)
    errors = schema_errors(said.type, said.version, said.body)
    if errors:
        text = f"{where}: {said.type} {errors[0].path} {errors[0].text}"
        raise DeliveryRefusedError(DeliveryFault.INVALID, text)
    try:
        typed = decode_body(said.type, said.version, said.body)
    except IdentifierInconsistentError as error:
        raise DeliveryRefusedError(DeliveryFault.INVALID, f"{where}: {error}") from error
    return Arrived(message_id, said.type, said.body, typed)


def _open_envelope(raw: bytes, item: DeliveryItem, trust: Trust, participant: str) -> _Original:
    where = f"item {item.sequence}"
    signer, read = _verified(raw, item, trust)
    if errors := schema_errors("envelope", 1, read.document):
        text = f"{where} {errors[0].path}: {errors[0].text}"
        raise DeliveryRefusedError(DeliveryFault.FORGED, text)
    envelope = decode_envelope(read.document)
    if envelope.sender != signer:
        text = f"{where}: an envelope of {envelope.sender}, signed by {signer}"
        raise DeliveryRefusedError(DeliveryFault.FORGED, text)
    if envelope.recipient != participant or envelope.sender == trust.hub:
        names = f"from {envelope.sender} to {envelope.recipient}"
        raise DeliveryRefusedError(DeliveryFault.FORGED, f"{where}: an envelope {names}")
    return _Original(raw, envelope, read)


def _verified(raw: bytes, item: DeliveryItem, trust: Trust) -> tuple[str, ReadObject]:
    """Return whose keys signed an original, valid when the hub recorded it, and what it says."""
    where = f"item {item.sequence}"
    try:
        opened = open_object(raw, "envelope")
        signer = participant_of(opened.key_ids[0])
    except KeysError as error:
        raise DeliveryRefusedError(DeliveryFault.FORGED, f"{where}: {error.detail}") from error
    try:
        opened.verify(trust.store, signer, timestamps.parse(item.recorded_at))
        return signer, opened.read()
    except KeysError as error:
        raise _key_fault(error, f"{where}: the signature of {signer}") from error
    except ObjectRefusedError as error:
        text = f"{where} {error.path}: {error}"
        raise DeliveryRefusedError(DeliveryFault.INVALID, text) from error


def _check_content(item: DeliveryItem, said: Any) -> None:
    """Compare what the hub says of an original with what it says itself; nothing said is no lie.

    As JSON texts, because in Python `1 == True`; the order of members means nothing.
    """
    if item.content is None:
        return
    told, true = (
        msgspec.json.encode(value, order="sorted") for value in (encode_body(item.content), said)
    )
    if told != true:
        text = f"item {item.sequence}: content says something else than the envelope"
        raise DeliveryRefusedError(DeliveryFault.INVALID, text)


def _check_verdicts(envelope: Envelope, verdicts: tuple[Verdict, ...], sequence: int) -> None:
    wanted = sorted(message.message_id for message in envelope.messages)
    if sorted(verdict.message_id for verdict in verdicts) != wanted:
        text = f"item {sequence}: {len(verdicts)} verdicts for {len(wanted)} messages"
        raise DeliveryRefusedError(DeliveryFault.INVALID, text)


def _key_fault(error: KeysError, what: str) -> DeliveryRefusedError:
    unknown = error.reason == "key-unknown"
    fault = DeliveryFault.KEY_UNKNOWN if unknown else DeliveryFault.FORGED
    return DeliveryRefusedError(fault, f"{what}: {error.detail}")
