"""The JSON binding: strict parsing, and the way between JSON and the frozen dataclasses.

1. ``parse_strict`` the signed bytes.
2. ``validation.schema_errors("envelope", 1, document)``, then ``decode_envelope``.
3. For each message ``validation.schema_errors(type, version, body)``, then ``decode_body``.

Decoding trusts that the schema was satisfied; it adds only what a schema cannot say, that the
two identifiers of a block belong together. Encoding writes compact UTF-8 JSON.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.envelopes import Body, Delivery, Envelope, Message, Notice, Receipt
from message_schemas.strict_json import DEPTH_MAX, JsonRefusedError, parse_strict
from message_schemas.wire_forms import from_plain, to_plain

__all__ = [
    "DEPTH_MAX",
    "JsonRefusedError",
    "UnknownTypeError",
    "compose_message",
    "compose_notice",
    "decode_body",
    "decode_delivery",
    "decode_envelope",
    "decode_receipt",
    "encode",
    "encode_body",
    "parse_strict",
]


class UnknownTypeError(LookupError):
    """No message or notice type has this name and version."""


_BODY_CLASSES: Final[Mapping[tuple[str, int], type]] = {
    **{(kind.name, kind.version): kind.body_class for kind in MESSAGE_TYPES.values()},
    **{(kind.name, kind.version): kind.body_class for kind in NOTICE_TYPES.values()},
}


def decode_envelope(document: object) -> Envelope:
    """Return the envelope of a parsed payload; the message bodies stay mappings.

    Raises ValueError when the document does not fit (its schema would have refused it).
    """
    return msgspec.convert(document, Envelope)


def decode_receipt(document: object) -> Receipt:
    """Return the receipt of a parsed payload. Raises as ``decode_body`` does."""
    return from_plain(cast("Body", document), Receipt)


def decode_delivery(document: object) -> Delivery:
    """Return the delivery of a parsed payload; notice bodies stay mappings.

    Raises ValueError when the document does not fit (its schema would have refused it).
    """
    return msgspec.convert(document, Delivery)


def decode_body(type_: str, version: int, body: Body) -> Any:
    """Return the body of a message or notice that its schema has already accepted.

    Raises UnknownTypeError, and IdentifierInconsistentError with the JSON pointer of a block
    whose identifiers differ in more than the serial number.
    """
    return from_plain(body, body_class(type_, version))


def body_class(type_: str, version: int) -> type:
    """Return the dataclass of a message or notice type. Raises UnknownTypeError."""
    try:
        return _BODY_CLASSES[type_, version]
    except KeyError:
        raise UnknownTypeError(f"no type {type_!r} in version {version}") from None


def encode_body(body: object) -> dict[str, Any]:
    """Return the JSON object of a message or notice body."""
    return cast("dict[str, Any]", to_plain(body))


def encode(payload: object) -> bytes:
    """Return any payload dataclass (envelope, receipt, delivery, body) as compact JSON."""
    return msgspec.json.encode(to_plain(payload))


def compose_message(message_id: str, type_: str, body: object) -> Message:
    """Return the message that carries a body dataclass. Raises UnknownTypeError."""
    kind = MESSAGE_TYPES.get(type_)
    if kind is None or type(body) is not kind.body_class:
        raise UnknownTypeError(f"no message type {type_!r} carries {type(body).__name__}")
    return Message(message_id=message_id, type=type_, version=kind.version, body=encode_body(body))


def compose_notice(type_: str, body: object) -> Notice:
    """Return the notice that carries a body dataclass. Raises UnknownTypeError."""
    kind = NOTICE_TYPES.get(type_)
    if kind is None or type(body) is not kind.body_class:
        raise UnknownTypeError(f"no notice type {type_!r} carries {type(body).__name__}")
    return Notice(type=type_, version=kind.version, body=encode_body(body))
