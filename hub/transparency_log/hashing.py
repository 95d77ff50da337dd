"""The hashes of the tree: SHA-256 with one prefix for leaves and another for nodes.

The prefixes keep a node from ever being read as a leaf (RFC 6962 §2.1).
"""

from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962 §2.1)."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes: SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node, 32 bytes: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()
