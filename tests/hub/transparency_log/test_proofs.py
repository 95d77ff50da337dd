"""Proofs against the recursive definitions of RFC 6962, and against everyone who bends them."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.hashing import EMPTY_ROOT, leaf_hash
from hub.transparency_log.proofs import (
    ProofError,
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.hub.transparency_log.trees import Tiles, leaf, mth, path, subproof, tiles

# The reference tree of Certificate Transparency, and its roots at 1 to 8 leaves.
REFERENCE_LEAVES = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
REFERENCE_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
SMALL = tiles(700)
EDGES = (1, 2, 255, 256, 257, 511, 512, 513)


def test_the_reference_tree_has_its_published_root() -> None:
    """The eight leaves of Certificate Transparency's own tests."""
    edge = CompactRange()
    hashes = [leaf_hash(bytes.fromhex(text)) for text in REFERENCE_LEAVES]
    for item in hashes:
        edge.append(item)
    assert edge.root().hex() == REFERENCE_ROOT
    level = b"".join(hashes)
    assert root_of(8, lambda _level, _index, width: level[: 32 * width]).hex() == REFERENCE_ROOT


def test_roots_follow_the_recursive_definition_at_every_size() -> None:
    """All sizes up to 300: tiles and compact range agree with MTH."""
    edge = CompactRange()
    for size in range(301):
        assert root_of(size, SMALL.read) == edge.root() == mth(0, size)
        edge.append(leaf(size))


def checked_indices(size: int) -> list[int]:
    """Return every index of a small tree, and edges and a few between of a larger one."""
    if size <= 100:
        return list(range(size))
    return sorted({0, 1, size // 3, size // 2, size - 2, size - 1, *(n for n in EDGES if n < size)})


def test_inclusion_proofs_are_the_audit_paths_of_the_definition() -> None:
    """All sizes up to 300: made from tiles they are PATH(m, D[n]), and they verify."""
    for size in range(1, 301):
        for index in checked_indices(size):
            proof = inclusion_proof(index, size, SMALL.read)
            assert proof == path(index, 0, size)
            verify_inclusion(index, size, leaf(index), proof, mth(0, size))


def test_consistency_proofs_are_those_of_the_definition() -> None:
    """All sizes up to 300: made from tiles they are PROOF(m, D[n]), and they verify."""
    for size in range(1, 301):
        for first in checked_indices(size)[1:]:
            proof = consistency_proof(first, size, SMALL.read)
            assert proof == subproof(first, 0, size, known=True)
            verify_consistency(first, size, mth(0, first), mth(0, size), proof)


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 70_000])
def test_the_third_level_of_tiles_is_right_too(size: int) -> None:
    """Around 256 squared."""
    big = big_tiles()
    assert root_of(size, big.read) == mth(0, size)
    for index in (0, 255, 256, 65_279, 65_280, 65_534, size - 1):
        proof = inclusion_proof(index, size, big.read)
        assert proof == path(index, 0, size)
        verify_inclusion(index, size, leaf(index), proof, mth(0, size))
    for first in (1, 255, 256, 257, 65_280, 65_534, size - 1):
        proof = consistency_proof(first, size, big.read)
        assert proof == subproof(first, 0, size, known=True)
        verify_consistency(first, size, mth(0, first), mth(0, size), proof)


_BIG = Tiles()


def big_tiles() -> Tiles:
    """Return the tiles of 70,000 leaves, made once."""
    _BIG.grow(70_000)
    return _BIG


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600, 65_536, 65_537, 70_000])
def test_each_tile_is_read_once_and_few_are(size: int) -> None:
    """At most two tiles a level, each at the width it has in this tree and once."""
    big = big_tiles()
    for index in {0, size // 2, size - 1}:
        makers = (
            partial(inclusion_proof, index, size, big.read),
            partial(consistency_proof, index, size, big.read),
        )
        for make in makers:
            big.reads.clear()
            make()
            assert len(set(big.reads)) == len(big.reads)
            assert all(sum(read[0] == level for read in big.reads) <= 2 for level in range(3))
            for level, tile, width in big.reads:
                assert width == min(256, size // 256**level - 256 * tile) > 0


def answered(data: bytes, *_asked: int) -> bytes:
    """Return the same bytes for every tile."""
    return data


def test_a_tile_of_a_wrong_length_is_refused() -> None:
    """A store that answers short does not make a false proof."""
    for short in (b"", bytes(31), bytes(32 * 257)):
        with pytest.raises(ProofError, match="bytes"):
            inclusion_proof(0, 3, partial(answered, short))


def test_there_is_no_proof_of_what_is_not_there() -> None:
    """Beyond the tree, before it, or from a larger tree to a smaller one."""
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ProofError, match="no entry"):
            inclusion_proof(index, size, SMALL.read)
        with pytest.raises(ProofError, match="no entry"):
            verify_inclusion(index, size, leaf(0), [], mth(0, 3))
    with pytest.raises(ProofError, match="beginning"):
        consistency_proof(4, 3, SMALL.read)
    with pytest.raises(ProofError, match="beginning"):
        verify_consistency(4, 3, mth(0, 4), mth(0, 3), [])


@st.composite
def included(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    """Draw an index, a size and the proof."""
    size = draw(st.integers(1, 700))
    index = draw(st.integers(0, size - 1))
    return index, size, inclusion_proof(index, size, SMALL.read)


@st.composite
def continued(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    """Draw two sizes, the first not 0 and below the second, and the proof."""
    second = draw(st.integers(2, 700))
    first = draw(st.integers(1, second - 1))
    return first, second, consistency_proof(first, second, SMALL.read)


def flipped(data: bytes, bit: int) -> bytes:
    """Return the bytes with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(case=included(), bit=st.integers(0, 255), where=st.integers(0, 1000))
def test_a_flipped_bit_anywhere_refutes_an_inclusion_proof(
    case: tuple[int, int, list[bytes]], bit: int, where: int
) -> None:
    """In the leaf, the root, or any hash of the proof."""
    index, size, proof = case
    root = mth(0, size)
    verify_inclusion(index, size, leaf(index), proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, flipped(leaf(index), bit), proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, leaf(index), proof, flipped(root, bit))
    if proof:
        at = where % len(proof)
        bad = [flipped(item, bit) if at == place else item for place, item in enumerate(proof)]
        with pytest.raises(ProofError):
            verify_inclusion(index, size, leaf(index), bad, root)


@given(case=included(), other=st.integers(0, 699), where=st.integers(0, 1000))
def test_another_index_or_another_number_of_hashes_refutes_an_inclusion_proof(
    case: tuple[int, int, list[bytes]], other: int, where: int
) -> None:
    """A leaf is proved at its own index only; a hash too many or too few is refused."""
    index, size, proof = case
    root = mth(0, size)
    if other != index:
        with pytest.raises(ProofError):
            verify_inclusion(other, size, leaf(index), proof, root)
    at = where % (len(proof) + 1)
    for bad in ([*proof[:at], root, *proof[at:]], [*proof[:at], *proof[at + 1 :]]):
        if bad != proof:
            with pytest.raises(ProofError):
                verify_inclusion(index, size, leaf(index), bad, root)


@given(case=continued(), bit=st.integers(0, 255), where=st.integers(0, 1000))
def test_a_flipped_bit_anywhere_refutes_a_consistency_proof(
    case: tuple[int, int, list[bytes]], bit: int, where: int
) -> None:
    """In either root or any hash; a hash too many or too few is refused too."""
    first, second, proof = case
    old, new = mth(0, first), mth(0, second)
    verify_consistency(first, second, old, new, proof)
    with pytest.raises(ProofError):
        verify_consistency(first, second, flipped(old, bit), new, proof)
    with pytest.raises(ProofError):
        verify_consistency(first, second, old, flipped(new, bit), proof)
    at = where % len(proof)
    bad = [flipped(item, bit) if at == place else item for place, item in enumerate(proof)]
    for changed in (bad, [*proof, new], proof[:-1], [*proof[:at], *proof[at + 1 :]]):
        with pytest.raises(ProofError):
            verify_consistency(first, second, old, new, changed)


@given(case=continued(), other=st.integers(1, 700))
def test_another_beginning_is_not_proved(case: tuple[int, int, list[bytes]], other: int) -> None:
    """The root of another size, under the first size or its own, is not the beginning."""
    first, second, proof = case
    if other not in {first, second}:
        with pytest.raises(ProofError):
            verify_consistency(first, second, mth(0, other), mth(0, second), proof)


def test_nothing_and_the_tree_itself_need_no_proof() -> None:
    """From 0 and from the same size the proof is empty, and the roots are looked at."""
    root, other = mth(0, 5), mth(0, 4)
    assert consistency_proof(0, 5, SMALL.read) == consistency_proof(5, 5, SMALL.read) == []
    verify_consistency(0, 5, EMPTY_ROOT, root, [])
    verify_consistency(5, 5, root, root, [])
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    for first, old, new, proof in (
        (0, EMPTY_ROOT, root, [root]),
        (0, other, root, []),
        (5, root, root, [root]),
        (5, other, root, []),
        (4, other, root, []),
    ):
        with pytest.raises(ProofError):
            verify_consistency(first, 5, old, new, proof)


def test_hashes_of_other_lengths_and_endless_proofs_are_refused() -> None:
    """32 bytes each, and never more than 63 of them."""
    with pytest.raises(ProofError, match="32 bytes"):
        verify_inclusion(0, 2, leaf(0), [leaf(1)[:-1]], mth(0, 2))
    with pytest.raises(ProofError, match="63"):
        verify_inclusion(0, 2, leaf(0), [leaf(1)] * 64, mth(0, 2))
    with pytest.raises(ProofError, match="63"):
        verify_consistency(1, 2, leaf(0), mth(0, 2), [leaf(1)] * 64)
