"""Base64url without padding (RFC 7515 §2), read strictly: one text for one value.

1. Only the 64 letters of the URL alphabet; no padding, white space or line ends.
2. No length that is 1 modulo 4, and the unused bits of the last letter are zero (RFC 4648 §3.5).

Lenient decoders give one signature many spellings, and the same message many digests.
"""

from __future__ import annotations

import binascii
from typing import Final

import msgspec

__all__ = ["decode", "encode"]

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
# A last group of 2 letters carries 4 unused bits, of 3 letters 2; these letters have them zero.
_LAST_LETTERS: Final = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


def encode(data: bytes) -> str:
    """Return the base64url text of `data`, without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes that `text` spells.

    Raises:
        ValueError: `text` is not the one canonical spelling of any bytes.
    """
    tail = len(text) % 4
    if tail == 1 or (tail and text[-1] not in _LAST_LETTERS[tail]):
        raise ValueError("not canonical base64url")
    raw = text.encode("ascii")
    if b"=" in raw or b"+" in raw or b"/" in raw:
        raise ValueError("a letter outside the base64url alphabet")
    padded = raw.translate(_TO_STANDARD) + b"=" * (-tail % 4)
    # msgspec refuses foreign letters as binascii's strict mode does, in half of the time.
    return msgspec.convert(padded.decode("ascii"), bytes)
