"""The right edge of a tree: all that is needed to append to it and to tell its root.

A tree of n leaves is a row of perfect subtrees, one for each bit of n, the biggest on the left.
Their roots are the compact range: at most 27 hashes (864 bytes) at 10^8 leaves. Appending merges
equal neighbours, as adding one to a binary number carries.
"""

from collections.abc import Iterable
from typing import Final

from hub.transparency_log.hashing import EMPTY_ROOT, HASH_BYTES, node_hash

SIZE_MAX: Final = 2**63 - 1


class CompactRange:
    """The roots of a tree's perfect subtrees, left to right; changed by appending only."""

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Raises ValueError unless there is one hash of 32 bytes for each bit set in ``size``."""
        self._size = size
        self._hashes = list(hashes)
        if not 0 <= size <= SIZE_MAX or len(self._hashes) != size.bit_count():
            raise ValueError(
                f"a tree of {size} leaves has {size.bit_count()} subtrees, "
                f"not {len(self._hashes)}: the stored range is damaged"
            )
        if any(len(one) != HASH_BYTES for one in self._hashes):
            raise ValueError("a hash of a compact range has 32 bytes: the stored range is damaged")

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "CompactRange":
        """Return the range whose hashes are ``data``, one after the other. Raises ValueError."""
        return cls(size, [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)])

    def to_bytes(self) -> bytes:
        """Return the hashes one after the other, 32 bytes each."""
        return b"".join(self._hashes)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, the biggest first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf by its hash (32 bytes)."""
        carry = self._size
        while carry & 1:
            leaf = node_hash(self._hashes.pop(), leaf)
            carry >>= 1
        self._hashes.append(leaf)
        self._size += 1

    def root(self) -> bytes:
        """Return the root of the tree, 32 bytes (RFC 6962 §2.1)."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root
