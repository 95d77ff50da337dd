"""Signed heads of the log, as C2SP tlog-checkpoint (v1.0.0) lays them down.

    origin
    tree size, decimal
    root, base64
    extension lines, if any

1. A checkpoint is a note with this text. It is the log's only if a key that is trusted for the
   log, under the name of its origin, has signed it.
2. A signature of a trusted key that does not verify refuses the whole note, and so do two lines
   under one trusted key. Lines of other keys (witnesses, newer keys) are left alone.
3. A log key is for notes (Ed25519, type 1) or for cosignatures (ML-DSA-44, type 6). The latter
   does not sign extension lines, so it alone cannot vouch for a checkpoint that has some.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from hub.transparency_log import cosigned_messages
from hub.transparency_log.hashing import EMPTY_ROOT, HASH_BYTES
from hub.transparency_log.notes import Note, NoteError, SignatureType, VerifierKey
from hub.transparency_log.text_forms import (
    NUMBER_MAX,
    decode_hash,
    encode_base64,
    parse_number,
    read_text,
)

LOG_KEY_TYPES: Final = (SignatureType.ED25519, SignatureType.COSIGNATURE_ML_DSA_44)
_TEXT_BYTES_MAX: Final = 64 * 1024


class CheckpointError(ValueError):
    """The bytes are no checkpoint, or none that a trusted key of its log has signed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log says of itself: under this origin, so many leaves have this root (32 bytes).

    Raises CheckpointError: a line would be empty or not text, a number or hash out of range.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if not all(lines) or any("\n" in line for line in lines):
            raise CheckpointError("the origin and each extension is one line that is not empty")
        try:
            read_text("".join(lines), _TEXT_BYTES_MAX)
        except ValueError as error:
            raise CheckpointError(f"not a checkpoint: {error}") from error
        if not 0 <= self.size <= NUMBER_MAX or len(self.root) != HASH_BYTES:
            raise CheckpointError("a checkpoint has a size of 0 to 2^63 - 1 and a root of 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise CheckpointError("the root of a tree without leaves is the hash of nothing")

    @property
    def text(self) -> str:
        """The text that is signed, with its last newline."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @property
    def head(self) -> tuple[str, int, bytes]:
        """Origin, size and root."""
        return self.origin, self.size, self.root

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the checkpoint of a note's text. Raises CheckpointError."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():
            raise CheckpointError("a checkpoint has three lines or more, each with its newline")
        origin, size, root, *extensions = lines
        try:
            return cls(origin, parse_number(size), decode_hash(root), tuple(extensions))
        except CheckpointError:
            raise
        except ValueError as error:
            raise CheckpointError(f"not a checkpoint: {error}") from error


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that a trusted key of its log has signed, and the note it came in."""

    checkpoint: Checkpoint
    note: Note


def open_checkpoint(data: bytes | str | Note, log_keys: Sequence[VerifierKey]) -> SignedCheckpoint:
    """Return the checkpoint of a note if a log key has signed it.

    Raises CheckpointError: it is no checkpoint; a signature under a log key does not verify or
    stands there twice; none of the log keys has signed; or their name is not its origin.
    """
    checkpoint, note = read_checkpoint(data)
    own = [key for key in log_keys if key.name == checkpoint.origin]
    if not own:
        known = ", ".join(sorted({key.name for key in log_keys})) or "none"
        raise CheckpointError(
            f"the checkpoint is of {checkpoint.origin[:64]!r}, and the logs trusted are: {known}"
        )
    signed = [key for key in own if _has_signed(key, checkpoint, note)]
    if not signed:
        raise CheckpointError(f"no trusted key of {checkpoint.origin[:64]!r} has signed")
    if checkpoint.extensions and all(key.type is not SignatureType.ED25519 for key in signed):
        raise CheckpointError("the checkpoint has extension lines that no signature covers")
    return SignedCheckpoint(checkpoint, note)


def read_checkpoint(data: bytes | str | Note) -> tuple[Checkpoint, Note]:
    """Return the checkpoint and its note, without believing them. Raises CheckpointError."""
    try:
        note = data if isinstance(data, Note) else Note.parse(data)
    except NoteError as error:
        raise CheckpointError(f"not a checkpoint: {error}") from error
    return Checkpoint.parse(note.text), note


def _has_signed(key: VerifierKey, checkpoint: Checkpoint, note: Note) -> bool:
    """Tell whether this log key has signed. Raises CheckpointError when its line is false."""
    if key.type not in LOG_KEY_TYPES:
        raise CheckpointError(f"the key {key.name!r} of type {int(key.type)} is no log's key")
    found = note.signatures_of(key)
    if len(found) > 1:
        raise CheckpointError(f"the key {key.name!r} ({key.key_id.hex()}) stands there twice")
    for item in found:
        if key.type is SignatureType.ED25519:
            verified = key.is_signed(item.signature, note.text.encode("utf-8"))
        else:
            head, text = checkpoint.head, note.text
            verified = cosigned_messages.verified_time(key, item.signature, head, text) is not None
        if not verified:
            raise CheckpointError(
                f"the signature of {key.name!r} ({key.key_id.hex()}) is not of this checkpoint"
            )
    return bool(found)
