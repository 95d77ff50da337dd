"""The tree as files that never change, as C2SP tlog-tiles lays them down.

1. A tile holds up to 256 hashes of one level. At level 0 they are leaves; at level L each is the
   root of a full tile at level L - 1. A full tile has 8,192 bytes; the last one of a level may be
   partial, with 1 to 255 hashes.
2. Entry bundles go beside level 0: up to 256 entries, each with its length before it (two bytes,
   big-endian).
3. A path is ``tile/<level>/<index>[.p/<width>]`` or ``tile/entries/<index>[.p/<width>]``. The
   index is written in groups of three digits, all but the last with an ``x`` before them.

Nothing here reads a file: a path is a name.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from hub.transparency_log.hashing import HASH_BYTES, node_hash
from hub.transparency_log.text_forms import NUMBER_MAX, parse_number

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 256
TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
MAX_ENTRY_BYTES: Final = 65_535
LEVEL_MAX: Final = 63
INDEX_MAX: Final = NUMBER_MAX // TILE_WIDTH

_LENGTH_BYTES: Final = 2
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class TileError(ValueError):
    """A path, a tile or a bundle is not of the form of C2SP tlog-tiles; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class TileAddress:
    """Which tile: its level (None: the entries of level 0), its index, and its width (1 to 256).

    Raises TileError: a number is out of its range.
    """

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if self.level is not None and not 0 <= self.level <= LEVEL_MAX:
            raise TileError(f"a level is 0 to {LEVEL_MAX}, not {self.level}")
        if not 0 <= self.index <= INDEX_MAX:
            raise TileError(f"a tile's index is 0 to {INDEX_MAX}, not {self.index}")
        if not 1 <= self.width <= TILE_WIDTH:
            raise TileError(f"a tile has 1 to {TILE_WIDTH} hashes, not {self.width}")

    @property
    def is_full(self) -> bool:
        """Whether the tile holds all 256."""
        return self.width == TILE_WIDTH

    @property
    def path(self) -> str:
        """The path under the log's prefix, without a slash before it."""
        groups = []
        rest = self.index
        while True:
            groups.append(f"{rest % 1000:03d}")
            rest //= 1000
            if rest == 0:
                break
        number = "/".join([f"x{group}" for group in reversed(groups[1:])] + groups[:1])
        level = "entries" if self.level is None else str(self.level)
        return f"tile/{level}/{number}" + ("" if self.is_full else f".p/{self.width}")

    @classmethod
    def parse(cls, path: str) -> Self:
        """Return the address that a path spells. Raises TileError unless it is its one path."""
        found = _PATH.fullmatch(path) if path.isascii() and len(path) <= 64 else None
        if found is None:
            raise TileError(f"{path[:64]!r} is not the path of a tile, such as tile/0/x001/234")
        level = None if found["level"] == "entries" else parse_number(found["level"])
        index = int(found["index"].replace("x", "").replace("/", ""))
        width = TILE_WIDTH if found["width"] is None else parse_number(found["width"])
        address = cls(level, index, width)
        if address.path != path:
            raise TileError(f"{path!r} is not how the tile is spelled: {address.path}")
        return address


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile of hashes. Raises TileError."""
    return TileAddress(level, index, width).path


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of an entry bundle. Raises TileError."""
    return TileAddress(None, index, width).path


def parse_tile_path(path: str) -> TileAddress:
    """Return which tile or bundle a path names. Raises TileError."""
    return TileAddress.parse(path)


def hashes_at(level: int, size: int) -> int:
    """Return how many hashes a tree of ``size`` leaves has at a level."""
    return size >> (TILE_HEIGHT * level)


def width_of(level: int, index: int, size: int) -> int:
    """Return how wide one tile is in a tree of ``size`` leaves: 0 (not there) to 256."""
    return max(0, min(TILE_WIDTH, hashes_at(level, size) - index * TILE_WIDTH))


def tiles_of(size: int) -> list[TileAddress]:
    """Return every tile of hashes of a tree of ``size`` leaves, level by level."""
    found = []
    level = 0
    while hashes_at(level, size) > 0:
        full, rest = divmod(hashes_at(level, size), TILE_WIDTH)
        found += [TileAddress(level, index) for index in range(full)]
        found += [TileAddress(level, full, rest)] if rest else []
        level += 1
    return found


def bundles_of(size: int) -> list[TileAddress]:
    """Return every entry bundle of a tree of ``size`` leaves, the first one first."""
    full, rest = divmod(size, TILE_WIDTH)
    found = [TileAddress(None, index) for index in range(full)]
    return found + ([TileAddress(None, full, rest)] if rest else [])


def split_hashes(hashes: bytes) -> list[bytes]:
    """Return the hashes of a tile, 32 bytes each. Raises TileError."""
    if not hashes or len(hashes) % HASH_BYTES or len(hashes) > TILE_BYTES:
        raise TileError(f"a tile has 1 to 256 hashes of 32 bytes, not {len(hashes)} bytes")
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def hash_tile(hashes: bytes) -> bytes:
    """Return the root of a full tile (8,192 bytes): its hash at the level above.

    Raises TileError: the tile is partial; such a tile must not be hashed into the level above.
    """
    if len(hashes) != TILE_BYTES:
        raise TileError(f"a full tile has {TILE_BYTES} bytes, not {len(hashes)}")
    return perfect_root(split_hashes(hashes))


class TileNodes:
    """The nodes within one tile, each hashed once: row 0 are the tile's hashes, row 8 its root.

    For tiles that many proofs are made of, in any number of threads. Takes 32 bytes for each of 1
    to 256 hashes, and twice that in memory once all rows were asked for. A partial tile has the
    nodes over full pairs only.
    """

    __slots__ = ("_rows",)

    def __init__(self, hashes: bytes) -> None:
        """Raises TileError: not a tile's number of bytes."""
        if not hashes or len(hashes) % HASH_BYTES or len(hashes) > TILE_BYTES:
            raise TileError(f"a tile has 1 to 256 hashes of 32 bytes, not {len(hashes)} bytes")
        self._rows: tuple[bytes, ...] = (hashes,)

    @property
    def width(self) -> int:
        """The number of hashes of the tile."""
        return len(self._rows[0]) // HASH_BYTES

    def node(self, row: int, offset: int) -> bytes:
        """Return the root over 2^row hashes of the tile, from hash ``offset`` * 2^row on."""
        rows = self._rows
        while len(rows) <= row:
            rows = (*rows, _next_row(rows[-1]))
        self._rows = rows  # put in place whole: two threads may both have made the same
        return rows[row][offset * HASH_BYTES : (offset + 1) * HASH_BYTES]


def _next_row(row: bytes) -> bytes:
    pair = 2 * HASH_BYTES
    return b"".join(
        node_hash(row[at : at + HASH_BYTES], row[at + HASH_BYTES : at + pair])
        for at in range(0, len(row) - len(row) % pair, pair)
    )


def perfect_root(hashes: list[bytes]) -> bytes:
    """Return the root over a number of hashes that is a power of two."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [node_hash(left, right) for left, right in pairs]
    return hashes[0]


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return the bundle of 1 to 256 entries. Raises TileError: too many, or one is too long."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise TileError(f"an entry has at most {MAX_ENTRY_BYTES} bytes, not {len(entry)}")
        parts += [len(entry).to_bytes(_LENGTH_BYTES, "big"), entry]
    if not 1 <= len(parts) // 2 <= TILE_WIDTH:
        raise TileError(f"a bundle has 1 to {TILE_WIDTH} entries, not {len(parts) // 2}")
    return b"".join(parts)


def decode_bundle(data: bytes) -> list[bytes]:
    """Return the entries of a bundle, 1 to 256. Raises TileError: it is cut off or too long."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(data[begin - _LENGTH_BYTES : begin], "big")
        if begin > len(data) or at > len(data):
            raise TileError(f"the bundle is cut off within its entry {len(entries)}")
        entries.append(data[begin:at])
        if len(entries) > TILE_WIDTH:
            raise TileError(f"the bundle has more than {TILE_WIDTH} entries")
    if not entries:
        raise TileError("a bundle without entries is never served")
    return entries
