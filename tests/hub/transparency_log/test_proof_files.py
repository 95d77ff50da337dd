"""Proof files: the text of C2SP tlog-proof, a real one of a large log, and our own."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.checkpoints import Checkpoint, CheckpointError
from hub.transparency_log.notes import Note, VerifierKey
from hub.transparency_log.proof_files import ProofFile, ProofFileError, verify_proof
from hub.transparency_log.proofs import ProofError, inclusion_proof, verify_inclusion
from tests.hub.transparency_log.signers import LOG, LOG_PQ, ORIGIN, W1, seeded, signed
from tests.hub.transparency_log.test_notes import SUMDB_KEY
from tests.hub.transparency_log.trees import entry, mth, tiles

KEYS = (LOG.key, LOG_PQ.key)
TREE = tiles(300)

# Entry 43930254 of Go's checksum database, in a tree of 58 million: its leaf hash and its proof.
SUMDB_LEAF = "0fa57c511c3b2ffcc0a05ad63172568d265aaf9844e9b636a0978795396f2ab1"
SUMDB_PROOF = """c2sp.org/tlog-proof@v1
index 43930254
Q2cuq1e21q4UC1RQ6wtmXmCxk2q3Wqz/yFvD12P2KSM=
VdgHwjNYSv9fZVxvYzn8kySGvrjqeCnzdJqJILieWf4=
ARfBpZjsj3LSP42V4xBVdCKbHVa4WXSbuFAa0rUSCVQ=
0VYgz0Vmgz6jOM8H6edZBWHtO6+R7tPvN4EOwwRRSws=
vq+ifloynXE+ORFC1wymQT0cpNIJA1tqg2mQpA55+kc=
SCRewH6vHE1/Vwkt5yEW8xT7il0WbWltXjFIVqlGtQQ=
p//fIG8jgZie4MMwjHF7quCIJ4hErr7U4at0HV34MZQ=
D3K5YdBlxQcklrgF8vSbDyT05J5/mA9lzuhhp72uSOk=
jeYlYyH9FhYGwu+ZJmfPr8GvSNdgrydwqmJgHsygoR0=
p6RFgfGhu8Uuy0LyyZdI4MrSPOZkMe+ycwWJFfr8zTI=
AMZsxrVKBPSe8nSNVVCTyTxWns0CiNbChG/FoiSJWuM=
e+rtSmK5Pd1K5LgFwj7VSo5XJXOcq7OOcqPVZn1hqeM=
expmv1e6XiGr5NMUjMRkSZijlcBx+fZcpqQmUnawhOY=
+Wuic0YARH84k80/Q+KJIbhRCldxG8npjLFiHMLtEpo=
NOMeJqlyUxFXUKYRI/1YqAF4WJBfXJr8UM/SlWGqxgY=
Lm6+TAlLb2lvUs/3unZ2t6RSmJw8RO+WuEuUbAw3QEc=
Jhh2EDG15gDBoLmLiF88lVTgd+uvx3L0xczb8Y3kSq8=
taenaiKqtYMXS3gDzIF3q8VZzqAXqftHqL9BC39njaw=
kZNKypGwEANnt1+msLINnqrIrwX+0MGZUTTKXTfbloI=
A4NJSymjVJ5dvGPaGC3Gj04x8qVRKYfh0pP24mwd6Yk=
KQq808D9W4NUgr4ip+rF/RCyAUERYKKCwKiiAJfaFOc=
I3EVN3zM2rDjs5Q06Zr5gxhg+ksnX2h77E75uL+h3aI=
7iNSYSDhMeRkeV7r9krKbKelNPiqDCJU1i6xAn/Fbuw=
MYqdo6zSjxaAn+29EEjNRbPYm0myB3bheu+HTZIAbVY=
S7olT9TPLXk+bbawbV3sAzWMmhcpWrtjbw++9ZTiyn8=
xJ20xXM4QItt5vxFOtolZ5l18p7ej1+RimNkgWmoRFM=

go.sum database tree
58253265
lIyLAEe4zJUQAda6pFFg3yPOf7j1SgfMEDrpgoX39JU=

— sum.golang.org \
Az3grkvBHbFcpEFQ3BhGlktgB7pcswIW+ez91eWY6rNPtWfAey8bJO2rVoG2yO5zXvgiaikWVHqon+e14JhA+WXvpAY=
"""


def proof_of(index: int, size: int, *, extra: bytes | None = None) -> ProofFile:
    """Return the proof file of an entry of the example tree, signed and cosigned."""
    checkpoint = Checkpoint(ORIGIN, size, mth(0, size))
    note = signed(checkpoint, LOG_PQ.cosign(checkpoint), W1.cosign(checkpoint))
    return ProofFile(index, tuple(inclusion_proof(index, size, TREE.read)), note, extra)


def test_a_real_proof_of_a_large_log_verifies() -> None:
    """Text, signature and path of Go's checksum database, whose origin is not its key's name."""
    proof = ProofFile.parse(SUMDB_PROOF.encode())
    assert proof.render() == SUMDB_PROOF
    note = Note.parse(proof.checkpoint_note)
    key = VerifierKey.parse(SUMDB_KEY)
    assert key.is_signed(note.signatures_of(key)[0].signature, note.text.encode())
    head = Checkpoint.parse(note.text)
    leaf = bytes.fromhex(SUMDB_LEAF)
    verify_inclusion(proof.index, head.size, leaf, proof.hashes, head.root)
    with pytest.raises(ProofError):
        verify_inclusion(proof.index + 1, head.size, leaf, proof.hashes, head.root)
    with pytest.raises(CheckpointError):
        verify_proof(proof, b"", [key])


@given(data=st.data(), size=st.integers(1, 300), extra=st.none() | st.binary(min_size=1))
def test_every_proof_file_is_read_back_and_verifies(
    data: st.DataObject, size: int, extra: bytes | None
) -> None:
    """Any entry of any tree; the extra data change nothing."""
    index = data.draw(st.integers(0, size - 1))
    proof = proof_of(index, size, extra=extra)
    read = ProofFile.parse(proof.render())
    assert read == proof
    assert verify_proof(read, entry(index), KEYS).checkpoint.size == size


def test_the_lines_are_those_of_the_specification() -> None:
    """First line, extra, index, hashes, an empty line, the checkpoint verbatim."""
    proof = proof_of(2, 3, extra=entry(2))
    first, extra, index, only, empty, *note = proof.render().split("\n")
    assert (first, index, empty) == ("c2sp.org/tlog-proof@v1", "index 2", "")
    assert b64decode(extra.removeprefix("extra ")) == entry(2)
    assert b64decode(only) == mth(0, 2)
    assert "\n".join(note) == proof.checkpoint_note


def test_a_proof_of_another_entry_index_or_log_is_refused() -> None:
    """The entry is the caller's, never the file's extra data."""
    proof = proof_of(2, 3, extra=entry(2))
    with pytest.raises(ProofError):
        verify_proof(proof, entry(1), KEYS)
    moved = ProofFile(1, proof.hashes, proof.checkpoint_note)
    with pytest.raises(ProofError):
        verify_proof(moved, entry(2), KEYS)
    with pytest.raises(ProofError):
        verify_proof(ProofFile(3, proof.hashes, proof.checkpoint_note), entry(2), KEYS)
    with pytest.raises(CheckpointError):
        verify_proof(proof, entry(2), [seeded(ORIGIN, LOG.key.type, "other").key])


FILE = proof_of(2, 3).render()
FILE_BYTES = FILE.encode()


@given(bit=st.integers(0, 8 * len(FILE_BYTES) - 1))
def test_a_flipped_bit_is_refused_or_is_in_a_line_nobody_asked_about(bit: int) -> None:
    """Every bit counts but those of the witness's line, which a log key does not vouch for."""
    data = bytearray(FILE_BYTES)
    data[bit // 8] ^= 1 << bit % 8
    try:
        found = verify_proof(ProofFile.parse(bytes(data)), entry(2), KEYS)
    except ValueError:
        return
    mine = [line for line in found.note.signatures if line.is_by(LOG.key) or line.is_by(LOG_PQ.key)]
    assert mine, "one of the log's own signatures still stands"
    assert found.checkpoint == Checkpoint(ORIGIN, 3, mth(0, 3))


SPOILT = {
    "another version": FILE.replace("@v1", "@v2"),
    "no first line": FILE.partition("\n")[2],
    "leading zero": FILE.replace("index 2", "index 02"),
    "sign": FILE.replace("index 2", "index -2"),
    "no index": FILE.replace("index 2\n", ""),
    "index too large": FILE.replace("index 2", "index 9223372036854775808"),
    "extra after the index": FILE.replace("index 2\n", "index 2\nextra AAAA\n"),
    "extra twice": FILE.replace("index 2\n", "extra AAAA\nextra AAAA\nindex 2\n"),
    "extra without data": FILE.replace("index 2\n", "extra \nindex 2\n"),
    "extra not canonical": FILE.replace("index 2\n", "extra AB==\nindex 2\n"),
    "short hash": FILE.replace("index 2\n", "index 2\nAAAA\n"),
    "64 hashes": FILE.replace("index 2\n", "index 2\n" + ("A" * 43 + "=\n") * 63),
    "carriage returns": FILE.replace("\n", "\r\n"),
    "no checkpoint": FILE.partition("\n\n")[0] + "\n\n",
    "cut off": FILE[:-1],
    "nothing": "",
}


@pytest.mark.parametrize("text", SPOILT.values(), ids=SPOILT)
def test_other_forms_are_no_proofs(text: str) -> None:
    """One spelling, or none."""
    with pytest.raises(ProofFileError):
        ProofFile.parse(text)
