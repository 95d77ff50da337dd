"""The outbox: what was submitted, sealed into envelopes once, and kept until there is a receipt.

1. `submit` writes messages in the caller's transaction. Their order is the order of positions.
2. `seal_next` takes the oldest waiting messages to one recipient, as many as an envelope holds,
   signs them once and stores the exact bytes. From then on the bytes never change. When nothing is
   before them it runs in the transaction that submitted them: one commit less until they are sent.
   In XML, what turns out too large is sealed with fewer messages. What XML cannot hold at all
   leaves as JSON, which the hub takes from everybody: no message stops the line by its form.
3. An envelope leaves the line only with a verified receipt, or by an operator's hand. A parked
   envelope stops its line: what follows might depend on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import uuid_utils
from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from connectors.session.settings import SessionSettings
from connectors.session.tables import outbox_envelope, outbox_message
from hub.protocol.envelopes import PROTOCOL, digest
from hub.protocol.questions import asks_hub
from hub.protocol.signed_objects import Binding, SigningKeys
from keys.errors import MalformedXmlError
from message_schemas import timestamps
from message_schemas.catalogue import MESSAGE_TYPES
from message_schemas.envelopes import Envelope, Message
from message_schemas.json_codec import encode_body
from message_schemas.validation import schema_errors
from message_schemas.xml_codec import XmlUnwritableError

__all__ = [
    "MessageInvalidError",
    "QueuedEnvelope",
    "SentMessage",
    "build_envelope",
    "fetch_messages_of",
    "fetch_next",
    "is_line_empty",
    "seal_next",
    "submit",
    "waiting_recipients",
]

_ENVELOPE_OVERHEAD_BYTES: Final = 4_096
_MESSAGE_OVERHEAD_BYTES: Final = 160
_XML_MESSAGE_OVERHEAD_BYTES: Final = 300
_SHARE_TAKEN_AGAIN: Final = 0.95
_REFERENCE_CHARACTERS_MAX: Final = 200
_NEW_MESSAGE: Final = insert(outbox_message)
_NEW_ENVELOPE: Final = insert(outbox_envelope)


class MessageInvalidError(ValueError):
    """The message is not one that may wait in an outbox; nothing of the submission was stored."""


@dataclass(frozen=True, slots=True)
class QueuedEnvelope:
    """An envelope ready to be sent: the exact bytes, and how often they were sent before."""

    envelope_id: str
    recipient: str
    raw: bytes
    sha256: str
    attempt_count: int
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message inside a sealed envelope, as the registry submitted it."""

    message_id: str
    recipient: str
    type: str
    reference: str
    body: dict[str, Any]


def milliseconds(at: datetime) -> int:
    """Return the milliseconds since 1970 of an aware time."""
    return int(at.timestamp() * 1000)


def payload_bytes_max(settings: SessionSettings) -> int:
    """Return how many bytes of bodies fit an envelope: base64url makes four of three."""
    return settings.envelope_bytes_max * 3 // 4 - _ENVELOPE_OVERHEAD_BYTES


def submit(
    connection: Connection,
    settings: SessionSettings,
    recipient: str,
    messages: Iterable[tuple[str, object, str]],
    now: datetime,
) -> list[str]:
    """Write `(type, body dataclass, reference)` messages; return their new message ids.

    Raises:
        MessageInvalidError: an unknown or read-only type, a body that its schema refuses, one
            that no envelope can hold, or a reference that is too long.
    """
    rows = [_row(settings, recipient, *message, now) for message in messages]
    if rows:
        connection.execute(_NEW_MESSAGE, rows)
    return [row["message_id"] for row in rows]


def _row(
    settings: SessionSettings, recipient: str, type_: str, body: Any, reference: str, now: datetime
) -> dict[str, Any]:
    kind = MESSAGE_TYPES.get(type_)
    if kind is None or asks_hub(type_, to_hub=recipient == settings.hub):
        raise MessageInvalidError(f"{type_} is not a message that is recorded; ask for it instead")
    document = encode_body(body)
    if errors := schema_errors(type_, kind.version, document):
        raise MessageInvalidError(f"{type_} {errors[0].path}: {errors[0].text}")
    raw = msgspec.json.encode(document)
    if len(raw) + _MESSAGE_OVERHEAD_BYTES > payload_bytes_max(settings):
        raise MessageInvalidError(f"{type_} of {len(raw)} bytes does not fit an envelope")
    if len(reference) > _REFERENCE_CHARACTERS_MAX:
        raise MessageInvalidError(f"the reference {reference[:40]!r} is too long")
    return {
        "message_id": str(uuid_utils.uuid7()),
        "recipient": recipient,
        "type": type_,
        "reference": reference,
        "body": raw,
        "submitted_at": timestamps.render(now),
    }


def build_envelope(
    settings: SessionSettings,
    keys: SigningKeys,
    recipient: str,
    messages: Iterable[tuple[str, str, dict[str, Any]]],
    now: datetime,
) -> tuple[str, bytes]:
    """Return the id and the signed bytes of an envelope of `(message_id, type, body)`.

    In XML several messages may come back beyond the limit of an envelope: seal fewer of them.
    What XML cannot hold, and one message that is too large in it, come back as JSON.

    Raises:
        SignerError: a private key cannot be used now.
    """
    envelope_id = str(uuid_utils.uuid7())
    envelope = Envelope(
        protocol=PROTOCOL,
        envelope_id=envelope_id,
        sender=settings.participant,
        recipient=recipient,
        sent_at=timestamps.render(now),
        messages=tuple(
            Message(
                message_id=message_id,
                type=type_,
                version=MESSAGE_TYPES[type_].version,
                body=body,
            )
            for message_id, type_, body in messages
        ),
    )
    return envelope_id, _seal(settings, keys, envelope)


def _seal(settings: SessionSettings, keys: SigningKeys, envelope: Envelope) -> bytes:
    if settings.binding is Binding.XML:
        try:
            raw = keys.seal("envelope", envelope, Binding.XML)
        except (XmlUnwritableError, MalformedXmlError):
            raw = b""
        is_too_large = len(raw) > settings.envelope_bytes_max
        if raw and not (is_too_large and len(envelope.messages) == 1):
            return raw
    return keys.seal("envelope", envelope, Binding.JSON)


_OPEN_LINES: Final = (
    select(outbox_envelope.c.recipient, outbox_envelope.c.state, func.count())
    .where(outbox_envelope.c.state.in_(("queued", "parked")))
    .group_by(outbox_envelope.c.recipient, outbox_envelope.c.state)
)
_WAITING_LINES: Final = (
    select(outbox_message.c.recipient)
    .where(outbox_message.c.envelope_id.is_(None), outbox_message.c.outcome.is_(None))
    .distinct()
)


def waiting_recipients(connection: Connection) -> list[str]:
    """Return the recipients with something to send and no parked envelope in the way."""
    queued: set[str] = set()
    parked: set[str] = set()
    for recipient, state, _ in connection.execute(_OPEN_LINES):
        (parked if state == "parked" else queued).add(recipient)
    queued.update(connection.execute(_WAITING_LINES).scalars())
    return sorted(queued - parked)


_OPEN_TO: Final = (
    select(outbox_envelope.c.position)
    .where(
        outbox_envelope.c.recipient == bindparam("line"),
        outbox_envelope.c.state.in_(("queued", "parked")),
    )
    .limit(1)
)


def is_line_empty(connection: Connection, recipient: str) -> bool:
    """Tell whether no sealed envelope to this recipient waits for its receipt or an operator."""
    return connection.execute(_OPEN_TO, {"line": recipient}).first() is None


_NEXT_QUEUED: Final = (
    select(
        outbox_envelope.c.envelope_id,
        outbox_envelope.c.recipient,
        outbox_envelope.c.raw,
        outbox_envelope.c.sha256,
        outbox_envelope.c.attempt_count,
        outbox_envelope.c.due_at_ms,
    )
    .where(
        outbox_envelope.c.recipient == bindparam("line"),
        outbox_envelope.c.state == "queued",
        outbox_envelope.c.envelope_id.not_in(bindparam("busy", expanding=True)),
    )
    .order_by(outbox_envelope.c.position)
    .limit(1)
)


def fetch_next(
    connection: Connection, recipient: str, busy: Iterable[str]
) -> QueuedEnvelope | None:
    """Return the oldest sealed envelope to a recipient that is not being sent already."""
    row = connection.execute(_NEXT_QUEUED, {"line": recipient, "busy": list(busy)}).first()
    return None if row is None else QueuedEnvelope(*row)


_WAITING: Final = (
    select(
        outbox_message.c.position,
        outbox_message.c.message_id,
        outbox_message.c.type,
        outbox_message.c.body,
    )
    .where(
        outbox_message.c.envelope_id.is_(None),
        outbox_message.c.outcome.is_(None),
        outbox_message.c.recipient == bindparam("line"),
    )
    .order_by(outbox_message.c.position)
    .limit(bindparam("count_max"))
)
_TAKE: Final = (
    update(outbox_message)
    .where(
        outbox_message.c.envelope_id.is_(None),
        outbox_message.c.outcome.is_(None),
        outbox_message.c.recipient == bindparam("line"),
        outbox_message.c.position <= bindparam("last"),
    )
    .values(envelope_id=bindparam("taken_by"))
)


def seal_next(
    connection: Connection,
    settings: SessionSettings,
    keys: SigningKeys,
    recipient: str,
    now: datetime,
) -> QueuedEnvelope | None:
    """Seal the oldest waiting messages to a recipient into one envelope, or return nothing.

    Raises:
        SignerError: a private key cannot be used now; nothing was sealed.
    """
    parameters = {"line": recipient, "count_max": settings.messages_per_envelope_max}
    rows = _as_many_as_fit(connection.execute(_WAITING, parameters).mappings(), settings)
    if not rows:
        return None
    rows, envelope_id, raw = _seal_rows(settings, keys, recipient, rows, now)
    due_at_ms, sha256 = milliseconds(now), digest(raw)
    connection.execute(
        _NEW_ENVELOPE,
        {
            "envelope_id": envelope_id,
            "recipient": recipient,
            "state": "queued",
            "raw": raw,
            "sha256": sha256,
            "sealed_at": timestamps.render(now),
            "attempt_count": 0,
            "due_at_ms": due_at_ms,
        },
    )
    connection.execute(
        _TAKE, {"line": recipient, "last": rows[-1]["position"], "taken_by": envelope_id}
    )
    return QueuedEnvelope(envelope_id, recipient, raw, sha256, 0, due_at_ms)


def _as_many_as_fit(rows: Iterable[RowMapping], settings: SessionSettings) -> list[RowMapping]:
    """Return the first rows whose envelope is within the limit: surely in JSON, likely in XML."""
    is_xml = settings.binding is Binding.XML
    bytes_max = payload_bytes_max(settings)
    if is_xml:
        bytes_max = settings.envelope_bytes_max - _ENVELOPE_OVERHEAD_BYTES
    taken: list[RowMapping] = []
    size = 0
    for row in rows:
        body = len(row["body"])
        size += _likely_xml_bytes(body) if is_xml else body + _MESSAGE_OVERHEAD_BYTES
        if taken and size > bytes_max:
            break
        taken.append(row)
    return taken


def _likely_xml_bytes(json_bytes: int) -> int:
    """Return about how long a message is in XML: a proposal is 1.5 times as long, tags and all.

    Never less than it takes in JSON, so that JSON can always stand in for XML.
    """
    return json_bytes * 3 // 2 + _XML_MESSAGE_OVERHEAD_BYTES


def _seal_rows(
    settings: SessionSettings,
    keys: SigningKeys,
    recipient: str,
    rows: list[RowMapping],
    now: datetime,
) -> tuple[list[RowMapping], str, bytes]:
    """Seal the rows, or as many of the first of them as fit; return them with id and bytes."""
    while True:
        messages = [
            (row["message_id"], row["type"], msgspec.json.decode(row["body"])) for row in rows
        ]
        envelope_id, raw = build_envelope(settings, keys, recipient, messages, now)
        if len(raw) <= settings.envelope_bytes_max or len(rows) == 1:
            return rows, envelope_id, raw
        share = settings.envelope_bytes_max / len(raw) * _SHARE_TAKEN_AGAIN
        rows = rows[: max(1, int(len(rows) * share))]


_MESSAGES_OF: Final = (
    select(
        outbox_message.c.message_id,
        outbox_message.c.recipient,
        outbox_message.c.type,
        outbox_message.c.reference,
        outbox_message.c.body,
    )
    .where(outbox_message.c.envelope_id == bindparam("envelope"))
    .order_by(outbox_message.c.position)
)


def fetch_messages_of(connection: Connection, envelope_id: str) -> list[SentMessage]:
    """Return the messages of a sealed envelope, in their order."""
    return [
        SentMessage(*row[:4], msgspec.json.decode(row[4]))
        for row in connection.execute(_MESSAGES_OF, {"envelope": envelope_id})
    ]
