"""Proofs that an entry is in the tree, and that one tree is the beginning of another.

1. Making (RFC 6962 §2.1.1 and §2.1.2): the hashes of a proof are roots of ranges of leaves. Each
   range is cut into perfect subtrees; each of these is a few neighbours in one tile. A tile is
   read once a proof, with the width it has in the tree proved, so partial tiles are enough.
2. Checking (RFC 9162 §2.1.3.2 and §2.1.4.2) needs no tile and shares no code with the making.
"""

from collections.abc import Callable, Sequence
from typing import Final

from hub.transparency_log.hashing import EMPTY_ROOT, HASH_BYTES, node_hash
from hub.transparency_log.text_forms import NUMBER_MAX
from hub.transparency_log.tiles import TILE_HEIGHT, TILE_WIDTH, TileNodes, width_of

ReadTile = Callable[[int, int, int], bytes | TileNodes]
"""Returns 32 * width bytes of the tile (level, index, width), or its nodes as kept in memory."""

PROOF_HASHES_MAX: Final = 63
"""More hashes than any proof in a tree of 2^63 - 1 leaves has."""

_Range = tuple[int, int]


class ProofError(ValueError):
    """A proof does not prove what it should, or cannot be made; the message says which."""


def inclusion_proof(index: int, size: int, read: ReadTile) -> list[bytes]:
    """Return the hashes that lead from leaf ``index`` to the root at ``size``, leaf side first.

    Raises ProofError: there is no such leaf in a tree of this size, or a tile has a wrong length.
    """
    _check_leaf(index, size)
    start, end = 0, size
    ranges: list[_Range] = []
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return _roots(reversed(ranges), _Tiles(size, read))


def consistency_proof(first: int, second: int, read: ReadTile) -> list[bytes]:
    """Return the hashes that show the tree at ``first`` to be the beginning of that at ``second``.

    Empty when ``first`` is 0 or ``second``.

    Raises ProofError: ``first`` is the larger, or a tile has a wrong length.
    """
    _check_sizes(first, second)
    if first in {0, second}:
        return []
    start, end = 0, second
    is_known = True  # whether [start, end) is the whole first tree, whose root the verifier has
    ranges: list[_Range] = []
    while first != end:
        middle = start + _left_size(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, is_known = middle, False
    if not is_known:
        ranges.append((start, end))
    return _roots(reversed(ranges), _Tiles(second, read))


def root_of(size: int, read: ReadTile) -> bytes:
    """Return the root of the tree at ``size``, 32 bytes. Raises ProofError: a false tile length."""
    _check_sizes(0, size)
    return _Tiles(size, read).root(0, size) if size else EMPTY_ROOT


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash ``leaf`` is at ``index`` in the tree of ``size`` with this root.

    Raises ProofError: it is not, or the proof has too many or too few hashes.
    """
    _check_leaf(index, size)
    _check_hashes([*proof, leaf, root])
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError(f"the proof of entry {index} has hashes beyond the root")
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError(f"the proof of entry {index} ends before the root")
    if found != root:
        raise ProofError(f"entry {index} is not in the tree of {size} with this root")


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of ``first`` leaves is the beginning of the tree of ``second``.

    Raises ProofError: it is not, or the proof has too many or too few hashes.
    """
    _check_sizes(first, second)
    _check_hashes([*proof, first_root, second_root])
    if first in {0, second}:
        _check_without_proof(first, second, first_root, second_root, proof)
        return
    if not proof:
        raise ProofError(f"no proof that the tree of {second} continues that of {first}")
    path = [first_root, *proof] if first.bit_count() == 1 else list(proof)
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the consistency proof has hashes beyond the root")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofError("the consistency proof ends before the root")
    if (old, new) != (first_root, second_root):
        raise ProofError(f"the tree of {second} does not continue the tree of {first}")


def _check_without_proof(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> None:
    if proof:
        raise ProofError(f"from {first} to {second} leaves the proof is empty")
    if first == 0 and first_root != EMPTY_ROOT:
        raise ProofError("the root of a tree without leaves is the hash of nothing")
    if first == second and first_root != second_root:
        raise ProofError(f"two trees of {first} leaves have different roots")


class _Tiles:
    """The tiles of one tree, each read once."""

    def __init__(self, size: int, read: ReadTile) -> None:
        self._size = size
        self._read = read
        self._known: dict[tuple[int, int], TileNodes] = {}

    def root(self, start: int, end: int) -> bytes:
        """Return the root of the leaves from ``start`` to before ``end``.

        ``start`` is a multiple of every subtree in the range, as in RFC 6962 it always is.
        """
        subtrees = []
        while start < end:
            height = (end - start).bit_length() - 1
            subtrees.append(self._perfect(height, start >> height))
            start += 1 << height
        found = subtrees.pop()
        while subtrees:
            found = node_hash(subtrees.pop(), found)
        return found

    def _perfect(self, height: int, index: int) -> bytes:
        level, row = divmod(height, TILE_HEIGHT)
        tile, offset = divmod(index, TILE_WIDTH >> row)
        return self._tile(level, tile).node(row, offset)

    def _tile(self, level: int, index: int) -> TileNodes:
        known = self._known.get((level, index))
        if known is None:
            width = width_of(level, index, self._size)
            read = self._read(level, index, width)
            length = read.width * HASH_BYTES if isinstance(read, TileNodes) else len(read)
            if length != width * HASH_BYTES:
                raise ProofError(
                    f"tile {index} of level {level} has {length} bytes, not {width * HASH_BYTES}"
                )
            known = read if isinstance(read, TileNodes) else TileNodes(read)
            self._known[level, index] = known
        return known


def _roots(ranges: "reversed[_Range]", tiles: _Tiles) -> list[bytes]:
    return [tiles.root(start, end) for start, end in ranges]


def _left_size(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _check_leaf(index: int, size: int) -> None:
    if not 0 <= index < size <= NUMBER_MAX:
        raise ProofError(f"there is no entry {index} in a tree of {size}")


def _check_sizes(first: int, second: int) -> None:
    if not 0 <= first <= second <= NUMBER_MAX:
        raise ProofError(f"a tree of {first} leaves is not the beginning of one of {second}")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) - 2 > PROOF_HASHES_MAX:
        raise ProofError(f"a proof has at most {PROOF_HASHES_MAX} hashes")
    if any(len(item) != HASH_BYTES for item in hashes):
        raise ProofError(f"a hash has {HASH_BYTES} bytes")
