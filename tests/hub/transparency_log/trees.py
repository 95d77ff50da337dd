"""Trees to prove things about: the recursive definition of RFC 6962, and tiles in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from hub.transparency_log.hashing import EMPTY_ROOT, leaf_hash, node_hash
from hub.transparency_log.tiles import TILE_BYTES, bundles_of, encode_bundle, hash_tile, tiles_of


def entry(index: int) -> bytes:
    """Return the bytes of an entry of the example tree."""
    return f"entry {index}".encode()


@cache
def leaf(index: int) -> bytes:
    """Return the hash of an entry of the example tree."""
    return leaf_hash(entry(index))


def split(size: int) -> int:
    """Return the largest power of two below ``size``, as RFC 6962 says it."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


@cache
def mth(start: int, end: int) -> bytes:
    """Return MTH(D[start:end]) of the example tree (RFC 6962 §2.1)."""
    if start == end:
        return EMPTY_ROOT
    if end - start == 1:
        return leaf(start)
    middle = start + split(end - start)
    return node_hash(mth(start, middle), mth(middle, end))


def path(index: int, start: int, end: int) -> list[bytes]:
    """Return PATH(index, D[start:end]) of the example tree (RFC 6962 §2.1.1)."""
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*path(index, start, middle), mth(middle, end)]
    return [*path(index, middle, end), mth(start, middle)]


def subproof(first: int, start: int, end: int, *, known: bool) -> list[bytes]:
    """Return SUBPROOF of the example tree, with ``first`` counted from 0 (RFC 6962 §2.1.2)."""
    if first == end:
        return [] if known else [mth(start, end)]
    middle = start + split(end - start)
    if first <= middle:
        return [*subproof(first, start, middle, known=known), mth(middle, end)]
    return [*subproof(first, middle, end, known=False), mth(start, middle)]


@dataclass
class Tiles:
    """The tiles of the example tree, growing as asked; notes which were read."""

    levels: list[bytes] = field(default_factory=lambda: [b""])
    reads: list[tuple[int, int, int]] = field(default_factory=list)

    def grow(self, size: int) -> None:
        """Have at least ``size`` leaves."""
        have = len(self.levels[0]) // 32
        self.levels[0] += b"".join(leaf(index) for index in range(have, size))
        level = 0
        while len(self.levels[level]) >= TILE_BYTES:
            if level + 1 == len(self.levels):
                self.levels.append(b"")
            done = len(self.levels[level + 1]) // 32
            full = len(self.levels[level]) // TILE_BYTES
            below = self.levels[level]
            self.levels[level + 1] += b"".join(
                hash_tile(below[at * TILE_BYTES : (at + 1) * TILE_BYTES])
                for at in range(done, full)
            )
            level += 1

    def read(self, level: int, index: int, width: int) -> bytes:
        """Return a tile: a `ReadTile`."""
        self.reads.append((level, index, width))
        begin = index * TILE_BYTES
        return self.levels[level][begin : begin + 32 * width]


def tiles(size: int) -> Tiles:
    """Return the tiles of the example tree, of at least this size."""
    found = Tiles()
    found.grow(size)
    return found


def files(size: int) -> dict[str, bytes]:
    """Return every file of the example tree by its path, tiles and bundles."""
    source = tiles(size)
    found = {}
    for address in tiles_of(size):
        assert address.level is not None, "a tile of hashes has a level"
        found[address.path] = source.read(address.level, address.index, address.width)
    for address in bundles_of(size):
        first = address.index * 256
        found[address.path] = encode_bundle(entries(first, address.width))
    return found


def entries(first: int, count: int) -> Sequence[bytes]:
    """Return entries of the example tree."""
    return [entry(index) for index in range(first, first + count)]
