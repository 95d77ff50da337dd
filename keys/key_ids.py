"""Key ids: who speaks, and with which key, in one short word.

`THA01-3f9a0c4d5e6f7081` is the participant's code and the first 16 hexadecimal digits of the
SHA-256 of the key's SubjectPublicKeyInfo (DER). So a key id cannot be moved to another key, and
the same key registered by two participants has two ids, each naming its own participant.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

__all__ = [
    "fingerprint",
    "is_key_id",
    "is_participant",
    "make_key_id",
    "participant_of",
]

_PARTICIPANT: Final = re.compile(r"[A-Z]{3}[0-9]{2}")
_KEY_ID: Final = re.compile(r"[A-Z]{3}[0-9]{2}-[0-9a-f]{16}")
_DIGEST_DIGITS: Final = 16
_PARTICIPANT_LETTERS: Final = 5


def is_participant(text: str) -> bool:
    """Tell whether the text is a participant code: three capitals, two digits."""
    return _PARTICIPANT.fullmatch(text) is not None


def is_key_id(text: str) -> bool:
    """Tell whether the text has the form of a key id. It may still name no key."""
    return _KEY_ID.fullmatch(text) is not None


def fingerprint(public_key_der: bytes) -> str:
    """Return the SHA-256 of a SubjectPublicKeyInfo, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(public_key_der).hexdigest()


def make_key_id(participant: str, public_key_der: bytes) -> str:
    """Return the key id of a participant's public key (SubjectPublicKeyInfo, DER).

    Raises:
        ValueError: the participant code is malformed.
    """
    if not is_participant(participant):
        raise ValueError(f"{participant[:32]!r} is not a participant code such as THA01")
    return f"{participant}-{fingerprint(public_key_der)[:_DIGEST_DIGITS]}"


def participant_of(key_id: str) -> str:
    """Return the participant that a well-formed key id names.

    Raises:
        ValueError: the text is not a key id.
    """
    if not is_key_id(key_id):
        raise ValueError(f"{key_id[:64]!r} is not a key id such as THA01-3f9a0c4d5e6f7081")
    return key_id[:_PARTICIPANT_LETTERS]
