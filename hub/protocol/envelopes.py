"""Open what a peer posted: size, then signature over the exact bytes, then header and messages.

1. The size limit, before anything is parsed.
2. The signed form of either binding (``signed_objects``): which keys claim to have signed. Long XML
   is not read before that signature is found right by itself (``keys.xml_claims``).
3. The claimed keys must belong to one participant, be valid at ``now`` and match the bytes.
4. What was signed is a value and an envelope; its sender is the participant whose keys signed it.
5. Each message is judged by its schema and typed. A message that fails does not spoil its
   neighbours: it carries its faults and will be refused in the receipt.

A ``PeerError`` from steps 1 to 4 means: no receipt, nothing stored. From step 5 on nobody can tell
the bindings apart; ``OpenEnvelope.binding`` says how to answer.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.protocol.errors import PeerError
from hub.protocol.limits import Limits
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import (
    Binding,
    ObjectRefusedError,
    UnverifiedObject,
    claim_first,
    open_object,
)
from keys import errors as key_errors
from keys.key_ids import participant_of
from keys.public_keys import KeyRecord
from keys.trust import TrustStore
from message_schemas import catalogue, json_codec, validation
from message_schemas.blocks import IdentifierInconsistentError
from message_schemas.envelopes import (
    DELIVERY_TYP,
    ENVELOPE_TYP,
    PROTOCOL,
    RECEIPT_TYP,
    Envelope,
    Message,
)
from message_schemas.validation import SchemaError

__all__ = [
    "DELIVERY_TYP",
    "ENVELOPE_TYP",
    "MEDIA_TYPE",
    "PARTICIPANTS_TYP",
    "PROTOCOL",
    "RECEIPT_TYP",
    "Fault",
    "OpenEnvelope",
    "OpenMessage",
    "digest",
    "open_envelope",
    "signer_of",
    "stored_messages",
    "type_message",
]

PARTICIPANTS_TYP: Final = "itmo-participants+jws"
MEDIA_TYPE: Final = "application/jose+json"

_STORED_DEPTH_MAX: Final = 64
"""The door judged the depth when it took the envelope, by the limits of that day."""
_KEY_FAULTS: Final[dict[type[key_errors.KeysError], ResponseCode]] = {
    key_errors.KeyUnknownError: ResponseCode.KEY_UNKNOWN,
    key_errors.KeyNotYetValidError: ResponseCode.KEY_NOT_YET_VALID,
    key_errors.KeyExpiredError: ResponseCode.KEY_EXPIRED,
    key_errors.KeyRevokedError: ResponseCode.KEY_REVOKED,
    key_errors.KeyOfAnotherParticipantError: ResponseCode.KEY_OF_ANOTHER_PARTICIPANT,
    key_errors.SuiteNotAcceptedError: ResponseCode.SIGNATURE_SUITE_NOT_ALLOWED,
    key_errors.SignatureInvalidError: ResponseCode.SIGNATURE_INVALID,
    key_errors.MalformedJwsError: ResponseCode.ENVELOPE_MALFORMED,
    key_errors.MalformedXmlError: ResponseCode.ENVELOPE_MALFORMED,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one message cannot be typed: a code, a sentence and a JSON pointer into its body."""

    code: ResponseCode
    detail: str
    path: str


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """One message of an envelope: its typed ``body``, or the ``faults`` that prevent one."""

    message: Message
    body: object | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class OpenEnvelope:
    """A verified envelope. ``raw`` are the exact bytes and ``sha256`` their digest."""

    raw: bytes
    binding: Binding
    sha256: str
    envelope: Envelope
    key_ids: tuple[str, ...]
    messages: tuple[OpenMessage, ...]


def digest(raw: bytes) -> str:
    """Return the SHA-256 of exact bytes, lower-case hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def open_envelope(raw: bytes, trust: TrustStore, limits: Limits, now: datetime) -> OpenEnvelope:
    """Verify and read one posted envelope as of ``now``. Raises PeerError."""
    if len(raw) > limits.envelope_bytes_max:
        raise PeerError(
            ResponseCode.ENVELOPE_TOO_LARGE,
            f"{len(raw)} bytes; the limit is {limits.envelope_bytes_max}",
        )
    verified, signer = _verified(raw, trust, limits, now)
    envelope, body_faults = _read(verified, limits)
    if envelope.sender != signer:
        raise PeerError(
            ResponseCode.KEY_OF_ANOTHER_PARTICIPANT,
            f"the envelope says it is from {envelope.sender}, its keys are those of {signer}",
        )
    messages = tuple(_within_limits(one, limits) for one in _typed(envelope, body_faults))
    return OpenEnvelope(raw, verified.binding, digest(raw), envelope, verified.key_ids, messages)


def _verified(
    raw: bytes, trust: TrustStore, limits: Limits, now: datetime
) -> tuple[UnverifiedObject, str]:
    """Return the object, its signatures checked, and whose they are."""
    try:
        if (claim := claim_first(raw)) is not None:
            claim.verify(trust, _claimed_key(claim.key_id, trust).participant, now)
        opened = open_object(raw, "envelope", bytes_max=limits.envelope_bytes_max)
        known = _claimed_key(opened.key_ids[0], trust)
        opened.verify(trust, known.participant, now)
    except key_errors.KeysError as error:
        code = next(
            (code for kind, code in _KEY_FAULTS.items() if isinstance(error, kind)),
            ResponseCode.SIGNATURE_INVALID,
        )
        raise PeerError(code, error.detail) from error
    return opened, known.participant


def signer_of(raw: bytes) -> str:
    """Return whose key claims to have signed an envelope; nothing is verified. Raises PeerError.

    XML of a stranger: only in a thread that ends (``hub.protocol.signed_objects``).
    """
    try:
        return participant_of(open_object(raw, "envelope").key_ids[0])
    except key_errors.KeysError as error:
        raise PeerError(ResponseCode.ENVELOPE_MALFORMED, error.detail) from error


def _claimed_key(key_id: str, trust: TrustStore) -> KeyRecord:
    """Return the key that claims to have signed. Raises PeerError if it or its owner is unknown."""
    known = trust.get(key_id)
    if known is not None:
        return known
    participant = participant_of(key_id)
    if not trust.records_of(participant):
        detail = f"no participant {participant} is registered"
        raise PeerError(ResponseCode.SENDER_UNKNOWN, detail)
    raise PeerError(ResponseCode.KEY_UNKNOWN, f"the key {key_id[:64]!r} is not registered")


def _read(verified: UnverifiedObject, limits: Limits) -> tuple[Envelope, Mapping[str, SchemaError]]:
    """Return the envelope that was signed, and the bodies in it that cannot be read.

    Raises PeerError (1013, 1020).
    """
    try:
        read = verified.read(depth_max=limits.json_depth_max)
    except ObjectRefusedError as error:
        raise PeerError(ResponseCode.PAYLOAD_NOT_AN_ENVELOPE, str(error)) from error
    document = read.document
    if isinstance(document, dict) and document.get("protocol", PROTOCOL) != PROTOCOL:
        raise PeerError(
            ResponseCode.PROTOCOL_NOT_SUPPORTED,
            f"protocol {str(document['protocol'])[:40]!r}; this hub speaks {PROTOCOL}",
        )
    problems = validation.schema_errors("envelope", 1, document)
    if problems:
        listed = "; ".join(f"{problem.path or '/'}: {problem.text}" for problem in problems[:5])
        raise PeerError(ResponseCode.PAYLOAD_NOT_AN_ENVELOPE, listed)
    envelope = json_codec.decode_envelope(document)
    if len(envelope.messages) > limits.messages_per_envelope_max:
        raise PeerError(
            ResponseCode.PAYLOAD_NOT_AN_ENVELOPE,
            f"{len(envelope.messages)} messages; the limit is {limits.messages_per_envelope_max}",
        )
    return envelope, read.body_faults


def stored_messages(raw: bytes) -> list[OpenMessage]:
    """Return the messages of an envelope that was verified when it was recorded."""
    read = open_object(raw, "envelope").read(depth_max=_STORED_DEPTH_MAX)
    return _typed(json_codec.decode_envelope(read.document), read.body_faults)


def _typed(envelope: Envelope, body_faults: Mapping[str, SchemaError]) -> list[OpenMessage]:
    if not body_faults:
        return [type_message(message) for message in envelope.messages]
    return [
        type_message(message, body_faults.get(f"/messages/{position}/body"))
        for position, message in enumerate(envelope.messages)
    ]


def _within_limits(opened: OpenMessage, limits: Limits) -> OpenMessage:
    """Return the message, or a faulty one when it names more unit blocks than this hub takes."""
    count = len(getattr(opened.body, "blocks", None) or ())
    if count <= limits.blocks_per_message_max:
        return opened
    detail = f"{count} unit blocks; the limit is {limits.blocks_per_message_max}"
    return OpenMessage(
        opened.message, None, (Fault(ResponseCode.SCHEMA_VIOLATED, detail, "/blocks"),)
    )


def type_message(message: Message, body_fault: SchemaError | None = None) -> OpenMessage:
    """Judge a message by its schema and type its body; never raises.

    ``body_fault`` is why its body could not be read at all, if it could not.
    """
    known = catalogue.MESSAGE_TYPES.get(message.type)
    if known is None:
        fault = Fault(
            ResponseCode.MESSAGE_TYPE_UNKNOWN, f"no message type {message.type[:60]!r}", ""
        )
        return OpenMessage(message, None, (fault,))
    if message.version != known.version:
        detail = f"{message.type} version {message.version}; this hub knows {known.version}"
        fault = Fault(ResponseCode.MESSAGE_VERSION_NOT_SUPPORTED, detail, "")
        return OpenMessage(message, None, (fault,))
    problems: tuple[SchemaError, ...]
    if body_fault is not None:
        problems = (body_fault,)
    else:
        problems = validation.schema_errors(message.type, message.version, message.body)
    if problems:
        faults = tuple(
            Fault(ResponseCode.SCHEMA_VIOLATED, problem.text, problem.path)
            for problem in problems[:20]
        )
        return OpenMessage(message, None, faults)
    try:
        body = json_codec.decode_body(message.type, message.version, message.body)
    except IdentifierInconsistentError as error:
        fault = Fault(ResponseCode.IDENTIFIER_INCONSISTENT, str(error), error.path)
        return OpenMessage(message, None, (fault,))
    return OpenMessage(message, body, ())
