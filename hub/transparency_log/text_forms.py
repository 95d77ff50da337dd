"""The words all files of a log are made of, each read in its one spelling.

1. A number is ASCII decimal without sign or leading zero, at most 2**63 - 1.
2. Bytes are standard base64 with its padding (RFC 4648 §4), and the unused bits are zero.
3. A text is UTF-8 without control characters below U+0020 other than the newline.

A second spelling of one value would let two readers of one signed text see different things.
"""

import base64
import binascii
import re
from typing import Final

from hub.transparency_log.hashing import HASH_BYTES

NUMBER_MAX: Final = 2**63 - 1
"""The largest tree size, index and timestamp."""

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


def parse_number(text: str) -> int:
    """Return the number that ``text`` spells. Raises ValueError."""
    if _NUMBER.fullmatch(text) is None or int(text) > NUMBER_MAX:
        raise ValueError(f"{text[:24]!r} is not a decimal number of 0 to 2^63 - 1 as it is written")
    return int(text)


def encode_base64(data: bytes) -> str:
    """Return the base64 text of ``data``, with padding."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes that ``text`` spells. Raises ValueError unless it is their one spelling."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(f"{text[:24]!r} is not standard base64 with padding") from error
    if encode_base64(data) != text:
        raise ValueError(f"{text[:24]!r} is not the one base64 spelling of its bytes")
    return data


def decode_hash(text: str) -> bytes:
    """Return the 32 bytes of a hash in base64. Raises ValueError."""
    data = decode_base64(text)
    if len(data) != HASH_BYTES:
        raise ValueError(f"a hash has {HASH_BYTES} bytes, and {text[:24]!r} has {len(data)}")
    return data


def read_text(data: bytes | str, bytes_max: int) -> str:
    """Return a text as its characters. Raises ValueError: too long, not UTF-8, control characters.

    ``bytes_max`` bounds its length in bytes.
    """
    try:
        raw = data.encode("utf-8") if isinstance(data, str) else data
        if len(raw) > bytes_max:
            raise ValueError(f"{len(raw)} bytes; at most {bytes_max} are read")
        text = raw.decode("utf-8")
    except UnicodeError as error:
        raise ValueError("the text is not UTF-8") from error
    found = _CONTROL.search(text)
    if found is not None:
        raise ValueError(f"the control character U+{ord(found[0]):04X} at {found.start()}")
    return text
