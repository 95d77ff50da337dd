"""The exact bytes that a cosignature signs (C2SP tlog-cosignature, both types).

1. A cosignature is eight bytes of timestamp (POSIX seconds, big-endian), then the signature.
2. Ed25519 (type 4) signs ``cosignature/v1``, the time line, and the checkpoint's whole text.
3. ML-DSA-44 (type 6) signs a structure: label, cosigner's name, timestamp, origin, start (0 for a
   checkpoint), end (the tree size) and root. It leaves the extension lines out.
"""

from typing import Final

from hub.transparency_log.notes import SignatureType, VerifierKey
from hub.transparency_log.text_forms import NUMBER_MAX

TIMESTAMP_BYTES: Final = 8
_LABEL: Final = b"subtree/v1\n\x00"
_NAME_BYTES_MAX: Final = 255


def message(key: VerifierKey, timestamp: int, head: tuple[str, int, bytes], text: str) -> bytes:
    """Return what ``key`` signs of a checkpoint at a time.

    ``head`` is origin, tree size and root (32 bytes); ``text`` is the checkpoint's whole text.

    Raises ValueError: the time is out of range, the origin too long for ML-DSA-44 or the key is
    for notes.
    """
    if not 0 <= timestamp <= NUMBER_MAX:
        raise ValueError(f"the timestamp {timestamp} is not within 0 to 2^63 - 1")
    if key.type is SignatureType.COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {timestamp}\n{text}".encode()
    if key.type is not SignatureType.COSIGNATURE_ML_DSA_44:
        raise ValueError(f"{key.name!r} is a key for notes, not for cosignatures")
    origin, size, root = head
    parts = (
        _LABEL,
        _opaque(key.name),
        timestamp.to_bytes(8, "big"),
        _opaque(origin),
        (0).to_bytes(8, "big"),
        size.to_bytes(8, "big"),
        root,
    )
    return b"".join(parts)


def verified_time(
    key: VerifierKey, signature: bytes, head: tuple[str, int, bytes], text: str
) -> int | None:
    """Return the time (POSIX seconds) at which ``key`` cosigned, or None if it did not.

    ``signature`` is timestamp and signature; ``head`` and ``text`` as for `message`.
    """
    timestamp = int.from_bytes(signature[:TIMESTAMP_BYTES], "big")
    try:
        data = message(key, timestamp, head, text)
    except ValueError:
        return None
    return timestamp if key.is_signed(signature[TIMESTAMP_BYTES:], data) else None


def _opaque(text: str) -> bytes:
    """Return the text with its length before it (RFC 8446 §3.4: ``opaque <1..255>``)."""
    data = text.encode("utf-8")
    if not 1 <= len(data) <= _NAME_BYTES_MAX:
        raise ValueError(f"{text[:64]!r} has {len(data)} bytes; a cosigned name has 1 to 255")
    return bytes([len(data)]) + data
