"""Envelopes that must not be believed, made from a real one. Only simulators make them.

Each function takes the exact bytes of one of our envelopes, in either binding, and returns other
bytes that are wrong in exactly one respect.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import uuid_utils

from hub.protocol.signed_objects import Binding, SigningKeys, binding_of, open_object
from keys import base64url
from message_schemas import timestamps

__all__ = [
    "altered",
    "changed",
    "with_date",
    "with_keys",
    "with_other_content",
    "with_sender",
    "without_digest",
    "wrapped",
]

_ID: Final = b"<envelope_id>"
_SIGNATURE: Final = b"<ds:Signature "


def changed(raw: bytes, keys: SigningKeys, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the envelope with its content changed, signed anew in its own binding."""
    document = open_object(raw, "envelope").read().document
    change(document)
    return keys.seal("envelope", document, binding_of(raw))


def _new_id(document: dict[str, Any]) -> None:
    # A forgery under an id of its own: it must not spoil the id of the real envelope.
    document["envelope_id"] = str(uuid_utils.uuid7())


def with_keys(raw: bytes, keys: SigningKeys) -> bytes:
    """Return the same content signed by somebody else."""
    return changed(raw, keys, _new_id)


def with_sender(raw: bytes, keys: SigningKeys, sender: str) -> bytes:
    """Return the same content in another participant's name, signed by us."""

    def change(document: dict[str, Any]) -> None:
        _new_id(document)
        document["sender"] = sender

    return changed(raw, keys, change)


def with_date(raw: bytes, keys: SigningKeys, now: datetime) -> bytes:
    """Return the same content dated a day ahead."""

    def change(document: dict[str, Any]) -> None:
        _new_id(document)
        document["sent_at"] = timestamps.render(now + timedelta(days=1))

    return changed(raw, keys, change)


def with_other_content(raw: bytes, keys: SigningKeys) -> bytes:
    """Return an envelope with the same id and a message less or another message id."""

    def change(document: dict[str, Any]) -> None:
        document["messages"][0]["message_id"] = str(uuid_utils.uuid7())

    return changed(raw, keys, change)


def without_digest(raw: bytes, keys: SigningKeys, digest: str | None) -> bytes:
    """Return an acknowledgement with another digest, or with none at all."""

    def change(document: dict[str, Any]) -> None:
        body = document["messages"][0]["body"]
        if digest is None:
            del body["delivery_sha256"]
        else:
            body["delivery_sha256"] = digest

    return changed(raw, keys, change)


def altered(raw: bytes) -> bytes:
    """Return the envelope under another id, with the signature that it had."""
    if binding_of(raw) is Binding.XML:
        start = raw.index(_ID) + len(_ID)
        other = str(uuid_utils.uuid7()).encode()
        return raw[:start] + other + raw[start + len(other) :]
    jws = json.loads(raw)
    document = json.loads(base64url.decode(jws["payload"]))
    _new_id(document)
    jws["payload"] = base64url.encode(json.dumps(document).encode())
    return json.dumps(jws).encode()


def wrapped(raw: bytes) -> bytes | None:
    """Return our signed envelope whole inside another, which has the signature once more.

    Only XML has places for it. A reader that verifies the inner one and reads the outer one would
    take what nobody signed.
    """
    if binding_of(raw) is not Binding.XML:
        return None
    end = raw.rindex(_SIGNATURE)
    return altered(raw)[:end] + raw + raw[end:]
