"""What one leaf of the log says: public, and small, and silent about what was said.

1. An entry names its kind, its time, sender and recipient, and each participant that is told of it
   with that participant's own counter (1, 2, 3 …) and the index of its entry before. So a gap or
   a second entry under one number is evidence, seen from one's own entries alone.
2. What was said stands in it as commitments: SHA-256(salt || content), 16 random bytes of salt an
   entry. Who has content and salt can open it; who has neither cannot guess it, not even when the
   content is one of few. Both can be erased and the tree stays valid.
3. The leaf is the entry's bytes as they were first written. Nobody ever serialises them again.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import msgspec

from hub.transparency_log.tiles import MAX_ENTRY_BYTES

VERSION: Final = 1
SALT_BYTES: Final = 16
KINDS: Final = ("genesis", "envelope", "delivery", "act")
COMMITMENTS: Final[Mapping[str, frozenset[str]]] = {
    "genesis": frozenset(),
    "envelope": frozenset({"envelope", "receipt"}),
    "delivery": frozenset({"delivery"}),
    "act": frozenset({"act"}),
}
"""What each kind of entry commits to."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ENCODER: Final = msgspec.json.Encoder()


class EntryError(ValueError):
    """The bytes are not an entry of this log; the message says where."""


@dataclass(frozen=True, slots=True)
class PartyStep:
    """One participant's own count: this entry is its ``count``-th, the one before ``previous``."""

    code: str
    count: int
    previous: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf. ``at`` is the hub's time; ``commitments`` are digests in lower hex, by name."""

    index: int
    kind: str
    at: str
    sender: str
    recipient: str
    parties: tuple[PartyStep, ...] = ()
    commitments: Mapping[str, str] = field(default_factory=dict)

    def step_of(self, code: str) -> PartyStep | None:
        """Return the count of one participant, or None if the entry was none of its own."""
        return next((step for step in self.parties if step.code == code), None)


def encode(entry: Entry) -> bytes:
    """Return the bytes of a new entry. Raises EntryError when they are more than a bundle holds."""
    return encode_fields(
        entry.index,
        entry.kind,
        entry.at,
        entry.sender,
        entry.recipient,
        [(step.code, step.count, step.previous) for step in entry.parties],
        entry.commitments,
    )


def encode_fields(
    index: int,
    kind: str,
    at: str,
    sender: str,
    recipient: str,
    parties: Sequence[tuple[str, int, int | None]],
    commitments: Mapping[str, str],
) -> bytes:
    """Return the bytes of an entry of these members: what ``encode`` does, without the objects.

    ``parties`` are (code, count, previous). Raises EntryError as ``encode`` does.
    """
    data = _ENCODER.encode(
        {
            "v": VERSION,
            "index": index,
            "kind": kind,
            "at": at,
            "sender": sender,
            "recipient": recipient,
            "parties": parties,
            "commitments": commitments,
        }
    )
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryError(f"entry {index} has {len(data)} bytes; at most {MAX_ENTRY_BYTES}")
    return data


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    index: int
    kind: str
    at: str
    sender: str
    recipient: str
    parties: list[tuple[str, int, int | None]]
    commitments: dict[str, str]


_DECODER: Final = msgspec.json.Decoder(_Wire)


def decode(data: bytes) -> Entry:
    """Return the entry that the bytes of a leaf say. Raises EntryError."""
    try:
        wire = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EntryError(f"not an entry of this log: {error}") from error
    if wire.v != VERSION:
        raise EntryError(f"an entry of version {wire.v}; this code reads version {VERSION}")
    if wire.kind not in COMMITMENTS or set(wire.commitments) != COMMITMENTS[wire.kind]:
        raise EntryError(f"entry {wire.index} of kind {wire.kind[:40]!r} commits to other things")
    if not all(_DIGEST.fullmatch(digest) for digest in wire.commitments.values()):
        raise EntryError(f"entry {wire.index}: a commitment is 64 digits of lower hex")
    steps = tuple(PartyStep(*step) for step in wire.parties)
    if any(step.count < 1 or (step.previous is None) != (step.count == 1) for step in steps):
        raise EntryError(f"entry {wire.index}: a party counts from 1, and only 1 has none before")
    if len({step.code for step in steps}) != len(steps):
        raise EntryError(f"entry {wire.index}: a party is named twice")
    fields: dict[str, Any] = {
        name: getattr(wire, name) for name in ("index", "kind", "at", "sender", "recipient")
    }
    return Entry(**fields, parties=steps, commitments=wire.commitments)


def commitment(salt: bytes, content: bytes) -> str:
    """Return the digest, lower hex, that an entry shows of ``content``."""
    assert len(salt) == SALT_BYTES, "an entry's salt has 16 bytes"
    return sha256(salt + content).hexdigest()


def encode_salt(salt: bytes) -> str:
    """Return a salt as messages carry it: base64url, 22 characters, no padding."""
    return base64.urlsafe_b64encode(salt).decode().rstrip("=")


def decode_salt(text: str) -> bytes:
    """Return the 16 bytes of a salt. Raises EntryError."""
    try:
        salt = base64.b64decode(text + "==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise EntryError("a salt is base64url, 22 characters, no padding") from error
    if len(salt) != SALT_BYTES or encode_salt(salt) != text:
        raise EntryError("a salt is base64url, 22 characters, no padding")
    return salt
