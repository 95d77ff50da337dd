"""One file that proves one entry, for ever and without a network: C2SP tlog-proof.

    c2sp.org/tlog-proof@v1
    extra <base64>          (may be missing)
    index <decimal>
    <base64 of a hash>      (from the leaf's sibling up to the root's child)

    <the checkpoint, verbatim>

In the files of this log ``extra`` is the entry's own bytes. Nothing vouches for it but the proof:
who checks a file hands the entry to `verify_proof`, from there or from elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from hub.transparency_log.checkpoints import SignedCheckpoint, open_checkpoint, read_checkpoint
from hub.transparency_log.hashing import HASH_BYTES, leaf_hash
from hub.transparency_log.notes import NOTE_BYTES_MAX, VerifierKey
from hub.transparency_log.proofs import PROOF_HASHES_MAX, verify_inclusion
from hub.transparency_log.text_forms import (
    NUMBER_MAX,
    decode_base64,
    decode_hash,
    encode_base64,
    parse_number,
    read_text,
)

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
EXTRA_BYTES_MAX: Final = 1024 * 1024
_FILE_BYTES_MAX: Final = NOTE_BYTES_MAX + 2 * EXTRA_BYTES_MAX


class ProofFileError(ValueError):
    """The text is not a tlog-proof; the message says where."""


@dataclass(frozen=True, slots=True)
class ProofFile:
    """The proof of the entry at ``index``. ``checkpoint_note`` is the note's text, not believed.

    Raises ProofFileError: a number, a hash or the note is not of its form.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint_note: str
    extra: bytes | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "hashes", tuple(self.hashes))
        if not 0 <= self.index <= NUMBER_MAX or len(self.hashes) > PROOF_HASHES_MAX:
            raise ProofFileError(
                f"a proof has an index of 0 to 2^63 - 1 and at most {PROOF_HASHES_MAX} hashes"
            )
        if any(len(item) != HASH_BYTES for item in self.hashes):
            raise ProofFileError(f"each hash of a proof has {HASH_BYTES} bytes")
        if self.extra is not None and not 1 <= len(self.extra) <= EXTRA_BYTES_MAX:
            raise ProofFileError(f"extra data, if any, have 1 to {EXTRA_BYTES_MAX} bytes")
        try:
            read_checkpoint(self.checkpoint_note)
        except ValueError as error:
            raise ProofFileError(f"the checkpoint of the proof: {error}") from error

    def render(self) -> str:
        """Return the text of the file."""
        return render_proof(self.index, self.hashes, self.checkpoint_note, self.extra)

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Return the proof that a file's text spells. Raises ProofFileError."""
        try:
            head, found, note = read_text(data, _FILE_BYTES_MAX).partition("\n\n")
            if not found:
                raise ProofFileError("no empty line before a checkpoint: is the file cut off?")
            first, *lines = head.split("\n")
            if first != FIRST_LINE:
                raise ProofFileError(f"the first line is not {FIRST_LINE}")
            extra = None
            if lines and lines[0].startswith("extra "):
                extra = decode_base64(lines.pop(0).removeprefix("extra "))
            if not lines or not lines[0].startswith("index "):
                raise ProofFileError("no line 'index <number>' after the first lines")
            index = parse_number(lines.pop(0).removeprefix("index "))
            if len(lines) > PROOF_HASHES_MAX:
                raise ProofFileError(f"more than {PROOF_HASHES_MAX} hashes")
            return cls(index, tuple(decode_hash(line) for line in lines), note, extra)
        except ProofFileError:
            raise
        except ValueError as error:
            raise ProofFileError(f"not a tlog-proof: {error}") from error


def render_proof(index: int, hashes: Sequence[bytes], note: str, extra: bytes | None) -> str:
    """Return the text of a proof file. For who made all of it just now: nothing is checked."""
    lines = [FIRST_LINE]
    lines += [] if extra is None else [f"extra {encode_base64(extra)}"]
    lines.append(f"index {index}")
    lines += [encode_base64(item) for item in hashes]
    return "\n".join([*lines, "", note])


def verify_proof(
    proof: ProofFile, entry: bytes, log_keys: Sequence[VerifierKey]
) -> SignedCheckpoint:
    """Check that ``entry`` (its exact bytes) is in the tree that a log key signed.

    Raises CheckpointError: no log key has signed, or falsely; ProofError: the entry is not at this
    index of that tree.
    """
    signed = open_checkpoint(proof.checkpoint_note, log_keys)
    checkpoint = signed.checkpoint
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(entry), proof.hashes, checkpoint.root)
    return signed
