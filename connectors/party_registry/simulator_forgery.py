"""Envelopes that must not be believed, made from a real one. Only simulators make them.

Each function takes the exact bytes of one of our envelopes and returns other bytes that are wrong
in exactly one respect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import uuid_utils

from hub.protocol.envelopes import ENVELOPE_TYP
from keys.jws import open_signed, sign
from keys.signer import Signer
from message_schemas import timestamps

__all__ = [
    "changed",
    "with_date",
    "with_other_content",
    "with_sender",
    "with_signers",
    "without_digest",
]


def changed(
    raw: bytes, signers: Sequence[Signer], change: Callable[[dict[str, Any]], object]
) -> bytes:
    """Return the envelope with its payload changed, signed anew."""
    document = json.loads(open_signed(raw, ENVELOPE_TYP).payload)
    change(document)
    return sign(json.dumps(document).encode(), ENVELOPE_TYP, signers)


def _new_id(document: dict[str, Any]) -> None:
    # A forgery under an id of its own: it must not spoil the id of the real envelope.
    document["envelope_id"] = str(uuid_utils.uuid7())


def with_signers(raw: bytes, signers: Sequence[Signer]) -> bytes:
    """Return the same content signed by somebody else."""
    return changed(raw, signers, _new_id)


def with_sender(raw: bytes, signers: Sequence[Signer], sender: str) -> bytes:
    """Return the same content in another participant's name, signed by us."""

    def change(document: dict[str, Any]) -> None:
        _new_id(document)
        document["sender"] = sender

    return changed(raw, signers, change)


def with_date(raw: bytes, signers: Sequence[Signer], now: datetime) -> bytes:
    """Return the same content dated a day ahead."""

    def change(document: dict[str, Any]) -> None:
        _new_id(document)
        document["sent_at"] = timestamps.render(now + timedelta(days=1))

    return changed(raw, signers, change)


def with_other_content(raw: bytes, signers: Sequence[Signer]) -> bytes:
    """Return an envelope with the same id and a message less or another message id."""

    def change(document: dict[str, Any]) -> None:
        document["messages"][0]["message_id"] = str(uuid_utils.uuid7())

    return changed(raw, signers, change)


def without_digest(raw: bytes, signers: Sequence[Signer], digest: str | None) -> bytes:
    """Return an acknowledgement with another digest, or with none at all."""

    def change(document: dict[str, Any]) -> None:
        body = document["messages"][0]["body"]
        if digest is None:
            del body["delivery_sha256"]
        else:
            body["delivery_sha256"] = digest

    return changed(raw, signers, change)
