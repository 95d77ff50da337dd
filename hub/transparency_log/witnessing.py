"""What a witness is asked, and how it decides: C2SP tlog-witness, ``add-checkpoint``.

    old <size of the checkpoint last cosigned>
    <base64 of a hash>      (a consistency proof, at most 63 lines)

    <the checkpoint>

A witness answers in this order, and persists its new state before it hands out a cosignature:

1. The request is not of this form, or old is beyond the checkpoint: 400.
2. The origin is none it knows: 404. No key it trusts for the origin has signed: 403.
3. Old is not the size it last cosigned: 409 with that size, so that the log can ask again.
4. The same size with another root: 409. This is a fork, and the request is its evidence.
5. The proof does not hold: 422.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from hub.transparency_log.checkpoints import CheckpointError, open_checkpoint, read_checkpoint
from hub.transparency_log.hashing import EMPTY_ROOT, HASH_BYTES
from hub.transparency_log.notes import NOTE_BYTES_MAX, VerifierKey
from hub.transparency_log.proofs import PROOF_HASHES_MAX, ProofError, verify_consistency
from hub.transparency_log.text_forms import (
    NUMBER_MAX,
    decode_hash,
    encode_base64,
    parse_number,
    read_text,
)

SIZE_CONTENT_TYPE: Final = "text/x.tlog.size"
TEXT_CONTENT_TYPE: Final = "text/plain; charset=utf-8"
REQUEST_BYTES_MAX: Final = NOTE_BYTES_MAX + 64 * PROOF_HASHES_MAX


class WitnessRefusal(Exception):  # noqa: N818 - it is an answer of the protocol, not a fault
    """The witness does not cosign: the HTTP status, body and content type of its answer.

    ``is_fork`` tells that the log has signed two roots for one size: evidence to keep.
    """

    def __init__(
        self,
        status: int,
        body: str,
        content_type: str = TEXT_CONTENT_TYPE,
        *,
        is_fork: bool = False,
    ) -> None:
        super().__init__(f"{status}: {body.strip()}")
        self.status = status
        self.body = body
        self.content_type = content_type
        self.is_fork = is_fork


@dataclass(frozen=True, slots=True)
class WitnessState:
    """What a witness remembers of one log: the size and root (32 bytes) it last cosigned."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign. ``note`` is the checkpoint's text, not believed.

    Raises ValueError: a number or a hash is not of its form.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "proof", tuple(self.proof))
        if not 0 <= self.old_size <= NUMBER_MAX or len(self.proof) > PROOF_HASHES_MAX:
            raise ValueError(
                f"old is 0 to 2^63 - 1 and a consistency proof has at most {PROOF_HASHES_MAX} lines"
            )
        if any(len(item) != HASH_BYTES for item in self.proof):
            raise ValueError(f"each hash of a proof has {HASH_BYTES} bytes")

    def render(self) -> str:
        """Return the body of the request."""
        lines = [f"old {self.old_size}", *(encode_base64(item) for item in self.proof)]
        return "\n".join([*lines, "", self.note])

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Return the request that a body spells. Raises WitnessRefusal with status 400."""
        try:
            head, found, note = read_text(data, REQUEST_BYTES_MAX).partition("\n\n")
            first, *lines = head.split("\n")
            if not found or not first.startswith("old "):
                raise ValueError("'old <size>', proof lines, an empty line and a checkpoint follow")
            if len(lines) > PROOF_HASHES_MAX:
                raise ValueError(f"more than {PROOF_HASHES_MAX} proof lines")
            old_size = parse_number(first.removeprefix("old "))
            return cls(old_size, tuple(decode_hash(line) for line in lines), note)
        except ValueError as error:
            raise WitnessRefusal(400, f"not an add-checkpoint request: {error}\n") from error


def decide(
    state: WitnessState | None, request: AddCheckpoint, log_keys: Sequence[VerifierKey]
) -> WitnessState:
    """Return what to persist, before the checkpoint of the request may be cosigned.

    ``state`` is what the witness remembers of this log, None if it never cosigned for it;
    ``log_keys`` are the keys it trusts, each under the origin it is for.

    Raises WitnessRefusal: the checkpoint must not be cosigned.
    """
    try:
        checkpoint, note = read_checkpoint(request.note)
    except CheckpointError as error:
        raise WitnessRefusal(400, f"{error}\n") from error
    if all(key.name != checkpoint.origin for key in log_keys):
        raise WitnessRefusal(404, f"unknown log {checkpoint.origin[:64]!r}\n")
    try:
        open_checkpoint(note, log_keys)
    except CheckpointError as error:
        raise WitnessRefusal(403, f"{error}\n") from error
    if request.old_size > checkpoint.size:
        raise WitnessRefusal(400, f"old {request.old_size} is beyond {checkpoint.size}\n")
    known = state or WitnessState(0, EMPTY_ROOT)
    if request.old_size != known.size:
        raise WitnessRefusal(409, f"{known.size}\n", SIZE_CONTENT_TYPE)
    if checkpoint.size == known.size and checkpoint.root != known.root:
        raise WitnessRefusal(409, f"{known.size}\n", SIZE_CONTENT_TYPE, is_fork=True)
    try:
        verify_consistency(known.size, checkpoint.size, known.root, checkpoint.root, request.proof)
    except ProofError as error:
        raise WitnessRefusal(422, f"{error}\n") from error
    return WitnessState(checkpoint.size, checkpoint.root)
