"""What witnesses say of a checkpoint: at this time, it was consistent with all I had seen.

1. A cosignature is a note signature with a timestamp in it (C2SP tlog-cosignature). Ed25519
   (type 4) and ML-DSA-44 (type 6); what each signs is in `cosigned_messages`.
2. With ML-DSA-44 the time 0 means: consistent, but perhaps not the newest I have seen. A log may
   sign its own checkpoints so; as a witness's word it does not count here.
3. Two lines under one key are nobody's word: which of them was meant is not known.
"""

from collections.abc import Iterable

from hub.transparency_log import cosigned_messages
from hub.transparency_log.checkpoints import Checkpoint, read_checkpoint
from hub.transparency_log.notes import Note, NoteSignature, Sign, VerifierKey


class CosignatureError(ValueError):
    """The cosignature is not of this key and this checkpoint, or cannot be made."""


def cosign(checkpoint: Checkpoint, key: VerifierKey, sign: Sign, timestamp: int) -> NoteSignature:
    """Return the cosignature of ``key`` (type 4 or 6) at ``timestamp`` (POSIX seconds).

    Raises CosignatureError: the key is for notes, the time out of range, or ``sign`` another key's.
    """
    try:
        data = cosigned_messages.message(key, timestamp, checkpoint.head, checkpoint.text)
    except ValueError as error:
        raise CosignatureError(str(error)) from error
    signature = sign(data)
    if not key.is_signed(signature, data):
        raise CosignatureError(f"the signer does not hold the private key of {key.name!r}")
    stamp = timestamp.to_bytes(cosigned_messages.TIMESTAMP_BYTES, "big")
    return NoteSignature(key.name, key.key_id, stamp + signature)


def verify_cosignature(checkpoint: Checkpoint, key: VerifierKey, signature: NoteSignature) -> int:
    """Return when ``key`` cosigned (POSIX seconds). Raises CosignatureError if it did not."""
    if not signature.is_by(key):
        raise CosignatureError(f"a line of {signature.name!r} is not by {key.name!r}")
    time = cosigned_messages.verified_time(
        key, signature.signature, checkpoint.head, checkpoint.text
    )
    if time is None:
        raise CosignatureError(f"the cosignature of {key.name!r} is not of this checkpoint")
    return time


def cosigning_keys(note: Note, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int]:
    """Return which of the keys cosigned the checkpoint in ``note``, with when (POSIX seconds).

    Lines that do not verify are left out. Raises CheckpointError: the note is no checkpoint.
    """
    checkpoint, _ = read_checkpoint(note)
    times = {}
    for key in dict.fromkeys(keys):
        lines = note.signatures_of(key)
        try:
            time = verify_cosignature(checkpoint, key, lines[0]) if len(lines) == 1 else 0
        except CosignatureError:
            continue
        if time > 0:
            times[key] = time
    return times


def cosigners(note: Note, keys: Iterable[VerifierKey]) -> dict[str, int]:
    """Return the names of the keys that cosigned, with the latest time of each (POSIX seconds).

    A quorum is counted by keys, not by names: see `cosigning_keys`. Raises CheckpointError.
    """
    times: dict[str, int] = {}
    for key, time in cosigning_keys(note, keys).items():
        times[key.name] = max(time, times.get(key.name, 0))
    return times
