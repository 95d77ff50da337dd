"""An implementation by other hands reads what we write, and we read what it writes.

The package `aics-tlog` is an independent transparency log (Ed25519 only). It runs on older Pythons
than it says, so it is installed from a list of its own: requirements-crosscheck.lock.
"""

import aics_tlog
import pytest
from aics_tlog import tiles as their_tiles
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.transparency_log.checkpoints import Checkpoint, open_checkpoint
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.cosignatures import cosigners, verify_cosignature
from hub.transparency_log.hashing import EMPTY_ROOT, leaf_hash
from hub.transparency_log.notes import Note, NoteSignature, VerifierKey, sign_note
from hub.transparency_log.proofs import (
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from hub.transparency_log.tiles import (
    bundles_of,
    decode_bundle,
    parse_tile_path,
    tile_path,
    tiles_of,
)
from tests.hub.transparency_log.signers import LOG, ORIGIN, TIME, W1, W2, SeededKey, signed
from tests.hub.transparency_log.trees import entries, entry, files, leaf, mth, tiles

SIZES = [1, 2, 3, 255, 256, 257, 511, 512, 700]
OURS = tiles(700)
THEIRS = aics_tlog.MerkleTree(entries(0, 700))


def private(key: SeededKey) -> Ed25519PrivateKey:
    """Return the private key that the other implementation signs with."""
    assert isinstance(key.private, Ed25519PrivateKey), "it knows no other algorithm"
    return key.private


def read_theirs(size: int) -> dict[str, bytes]:
    """Return every file of their tree of the example's entries."""
    return aics_tlog.TileWriter(list(entries(0, size))).materialise()


@pytest.mark.parametrize("size", [*SIZES, 70_000])
def test_both_write_the_same_tiles_and_bundles(size: int) -> None:
    """Path by path and byte by byte."""
    assert files(size) == read_theirs(size)


@pytest.mark.parametrize("size", SIZES)
def test_they_audit_our_tiles_and_bundles(size: int) -> None:
    """Every tile and every bundle, against the root that our compact range gives."""
    edge = CompactRange()
    for index in range(size):
        edge.append(leaf(index))
    reader = aics_tlog.MemoryTileReader(files(size))
    report = aics_tlog.audit_tiles(reader, size, edge.root())
    assert (report.tiles, report.bundles) == (len(tiles_of(size)), len(bundles_of(size)))
    assert aics_tlog.read_entry(reader, size - 1, size) == entry(size - 1)
    assert aics_tlog.tree_root_from_tiles(reader, size) == edge.root()


@pytest.mark.parametrize("size", SIZES)
def test_we_read_their_tiles_and_bundles(size: int) -> None:
    """Root, entries and proofs, from their files alone."""
    held = read_theirs(size)

    def read(level: int, index: int, width: int) -> bytes:
        return held[tile_path(level, index, width)]

    assert root_of(size, read) == THEIRS.root(size) == mth(0, size)
    addresses = sorted(map(parse_tile_path, held), key=lambda item: (item.level or 0, item.index))
    bundles = [item for item in addresses if item.level is None]
    found = [one for item in bundles for one in decode_bundle(held[item.path])]
    assert found == list(entries(0, size))
    for index in {0, size // 2, size - 1}:
        proof = inclusion_proof(index, size, read)
        verify_inclusion(index, size, leaf_hash(found[index]), proof, root_of(size, read))


@pytest.mark.parametrize("size", SIZES)
def test_they_verify_our_proofs_and_we_theirs(size: int) -> None:
    """Inclusion and consistency, from edges and from between."""
    root = mth(0, size)
    chosen = sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)))
    for index in chosen:
        ours = inclusion_proof(index, size, OURS.read)
        theirs = THEIRS.inclusion_proof(index, size)
        assert aics_tlog.verify_leaf_inclusion(entry(index), index, size, ours, root)
        verify_inclusion(index, size, leaf(index), theirs, THEIRS.root(size))
    for first in chosen:
        old = mth(0, first) if first else EMPTY_ROOT
        ours = consistency_proof(first, size, OURS.read)
        theirs = THEIRS.consistency_proof(first, size)
        assert aics_tlog.verify_consistency(first, size, old, root, ours)
        verify_consistency(first, size, THEIRS.root(first), THEIRS.root(size), theirs)


def test_both_refuse_the_same_spoilt_proofs() -> None:
    """A proof with one hash altered, left out or added convinces neither."""
    size, index, root = 700, 300, mth(0, 700)
    good = inclusion_proof(index, size, OURS.read)
    for bad in ([root, *good[1:]], good[:-1], [*good, root], good[::-1]):
        assert not aics_tlog.verify_inclusion(leaf(index), index, size, bad, root)
        with pytest.raises(ValueError, match="entry 300"):
            verify_inclusion(index, size, leaf(index), bad, root)
    good = consistency_proof(300, size, OURS.read)
    for bad in ([root, *good[1:]], good[:-1], [*good, root], good[::-1]):
        assert not aics_tlog.verify_consistency(300, size, mth(0, 300), root, bad)
        with pytest.raises(ValueError, match=r"consistency proof|does not continue"):
            verify_consistency(300, size, mth(0, 300), root, bad)


def test_verifier_keys_are_the_same_text() -> None:
    """For notes and for cosignatures, both ways."""
    ours = (LOG.key.vkey, W1.key.vkey)
    theirs = (
        aics_tlog.vkey_from_ed25519(ORIGIN, private(LOG).public_key()),
        aics_tlog.cosignature_vkey(W1.key.name, private(W1).public_key()),
    )
    assert tuple(map(aics_tlog.format_vkey, theirs)) == ours
    assert tuple(map(aics_tlog.parse_vkey, ours)) == theirs
    assert [VerifierKey.parse(aics_tlog.format_vkey(key)) for key in theirs] == [LOG.key, W1.key]


def test_they_verify_our_checkpoint_and_its_cosignatures() -> None:
    """The log's signature and a quorum of two witnesses."""
    head = Checkpoint(ORIGIN, 700, mth(0, 700))
    note = aics_tlog.parse_note(signed(head, W1.cosign(head), W2.cosign(head, TIME + 1)).encode())
    result = aics_tlog.verify_checkpoint(
        note,
        aics_tlog.parse_vkey(LOG.key.vkey),
        [aics_tlog.parse_vkey(key.key.vkey) for key in (W1, W2)],
        quorum=2,
    )
    assert result.ok, result.error
    assert (result.origin, result.size, result.root) == (head.origin, head.size, head.root)
    assert result.timestamps == {W1.key.name: TIME, W2.key.name: TIME + 1}


def test_we_verify_their_checkpoint_and_its_cosignatures() -> None:
    """Byte for byte the note that we would have written: Ed25519 leaves no choice."""
    head = aics_tlog.Checkpoint(ORIGIN, 700, THEIRS.root(700))
    note = aics_tlog.sign_checkpoint(head, private(LOG), ORIGIN)
    _, line = aics_tlog.sign_cosignature(
        private(W1), W1.key.name, TIME, ORIGIN, 700, THEIRS.root(700)
    )
    text = aics_tlog.Note(text=note.text, signatures=(*note.signatures, line)).serialise()
    opened = open_checkpoint(text, [LOG.key])
    ours = Checkpoint(ORIGIN, 700, mth(0, 700))
    assert opened.checkpoint == ours
    assert cosigners(opened.note, [W1.key, W2.key]) == {W1.key.name: TIME}
    own_line = NoteSignature(line.name, line.key_id, line.signature)
    assert verify_cosignature(ours, W1.key, own_line) == TIME
    assert text == signed(ours, W1.cosign(ours))


def test_notes_go_both_ways() -> None:
    """Any text, not only checkpoints."""
    text = "a text\n\nwith an empty line\n"
    ours = Note(text, (sign_note(text, LOG.key, LOG.sign),))
    theirs = aics_tlog.parse_note(ours.render())
    assert aics_tlog.verify_note(theirs, [aics_tlog.parse_vkey(LOG.key.vkey)])
    line = aics_tlog.sign_note(text, private(LOG), ORIGIN)
    made = aics_tlog.Note(text=text, signatures=(line,)).serialise()
    assert Note.parse(made) == ours


def test_paths_are_the_same() -> None:
    """For every tile of a tree of 70,000 and for large indices."""
    for address in [*tiles_of(70_000), parse_tile_path("tile/3/x123/x456/789.p/7")]:
        width = None if address.is_full else address.width
        assert address.level is not None
        assert their_tiles.tile_path(address.level, address.index, width) == address.path
        assert their_tiles.parse_tile_path(address.path) == (address.level, address.index, width)
