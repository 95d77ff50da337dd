"""Cosignatures: the bytes of the specification, at the time they say, by the key they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log import cosigned_messages
from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.cosignatures import (
    CosignatureError,
    cosign,
    cosigners,
    cosigning_keys,
    verify_cosignature,
)
from hub.transparency_log.notes import Note, NoteSignature
from tests.hub.transparency_log.signers import LOG, ORIGIN, TIME, W1, W2, W2_PQ, SeededKey, signed
from tests.hub.transparency_log.trees import mth

HEAD = Checkpoint(ORIGIN, 7, mth(0, 7))
EXAMPLE = Checkpoint.parse(
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
)
BOTH = pytest.mark.parametrize("witness", [W1, W2_PQ], ids=["Ed25519", "ML-DSA-44"])


def test_ed25519_signs_the_message_of_the_specification() -> None:
    """Its own example, byte for byte."""
    data = cosigned_messages.message(W1.key, 1679315147, EXAMPLE.head, EXAMPLE.text)
    assert data == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_ml_dsa_44_signs_the_structure_of_the_specification() -> None:
    """Label of twelve bytes, name, time, origin, start 0, end and hash; no extension lines."""
    extended = Checkpoint(EXAMPLE.origin, EXAMPLE.size, EXAMPLE.root, ("more",))
    data = cosigned_messages.message(W2_PQ.key, 1679315147, extended.head, extended.text)
    assert data == (
        b"subtree/v1\n\0"
        + b"\x12witness.example/w2"
        + bytes.fromhex("000000006418 50cb")
        + b"\x1bexample.com/behind-the-sofa"
        + bytes(8)
        + bytes.fromhex("00000000013e2dc3")
        + EXAMPLE.root
    )


@BOTH
@given(time=st.integers(0, 2**63 - 1))
def test_a_cosignature_verifies_at_its_own_time(witness: SeededKey, time: int) -> None:
    """The timestamp stands before the signature, eight bytes."""
    line = witness.cosign(HEAD, time)
    assert verify_cosignature(HEAD, witness.key, line) == time
    assert line.signature[:8] == time.to_bytes(8, "big")
    assert NoteSignature.parse(line.line) == line


@BOTH
@given(data=st.data())
def test_a_flipped_bit_anywhere_refuses_a_cosignature(
    witness: SeededKey, data: st.DataObject
) -> None:
    """Also in the timestamp."""
    line = witness.cosign(HEAD)
    bit = data.draw(st.one_of(st.integers(0, 64), st.integers(0, 8 * len(line.signature) - 1)))
    changed = bytearray(line.signature)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CosignatureError):
        verify_cosignature(HEAD, witness.key, NoteSignature(line.name, line.key_id, bytes(changed)))


@BOTH
def test_a_cosignature_is_of_one_checkpoint_and_one_key(witness: SeededKey) -> None:
    """Another origin, size, root or key: refused."""
    line = witness.cosign(HEAD)
    for other in (
        Checkpoint("log.example/two", 7, HEAD.root),
        Checkpoint(ORIGIN, 8, HEAD.root),
        Checkpoint(ORIGIN, 7, mth(0, 8)),
    ):
        with pytest.raises(CosignatureError):
            verify_cosignature(other, witness.key, line)
    with pytest.raises(CosignatureError, match="is not by"):
        verify_cosignature(HEAD, W2.key, line)
    for cut in (0, 7, 8, len(line.signature) - 1):
        short = NoteSignature(line.name, line.key_id, line.signature[:cut] or b"\0")
        with pytest.raises(CosignatureError):
            verify_cosignature(HEAD, witness.key, short)


def test_extension_lines_are_signed_by_ed25519_alone() -> None:
    """The specification says so of each."""
    extended = Checkpoint(ORIGIN, 7, HEAD.root, ("more",))
    assert verify_cosignature(extended, W2_PQ.key, W2_PQ.cosign(HEAD)) == TIME
    with pytest.raises(CosignatureError):
        verify_cosignature(extended, W1.key, W1.cosign(HEAD))


def test_only_a_cosigners_own_key_cosigns_and_only_within_time() -> None:
    """A key for notes, another's private key, times that no timestamp holds, too long a name."""
    long = Checkpoint("o" * 256, 7, HEAD.root)
    for checkpoint, key, sign, time in (
        (HEAD, LOG.key, LOG.sign, TIME),
        (HEAD, W1.key, W2.sign, TIME),
        (HEAD, W1.key, W1.sign, -1),
        (HEAD, W1.key, W1.sign, 2**63),
        (long, W2_PQ.key, W2_PQ.sign, TIME),
    ):
        with pytest.raises(CosignatureError):
            cosign(checkpoint, key, sign, time)


def test_who_cosigned_is_told_by_key_and_by_name() -> None:
    """Lines that do not verify, of strangers, twice, or without a time count for nobody."""
    false = NoteSignature(W2.key.name, W2.key.key_id, W1.cosign(HEAD).signature)
    note = Note.parse(signed(HEAD, W1.cosign(HEAD, 5), false, W2_PQ.cosign(HEAD, 9)))
    keys = [W1.key, W2.key, W2_PQ.key]
    assert cosigning_keys(note, keys) == {W1.key: 5, W2_PQ.key: 9}
    assert cosigners(note, keys) == {W1.key.name: 5, W2_PQ.key.name: 9}
    assert cosigners(note, [W2.key]) == {}
    twice = Note.parse(signed(HEAD, W1.cosign(HEAD, 5), W1.cosign(HEAD, 6), W2_PQ.cosign(HEAD, 0)))
    assert cosigners(twice, keys) == {}
