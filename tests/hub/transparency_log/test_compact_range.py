"""The right edge of a tree: it grows as the tree does, and damage to it is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.hashing import EMPTY_ROOT
from tests.hub.transparency_log.trees import leaf, mth


@given(size=st.integers(0, 2000), more=st.integers(0, 20))
def test_a_stored_range_goes_on_where_it_stopped(size: int, more: int) -> None:
    """Kept as bytes and read again, it gives the roots of the recursive definition."""
    edge = CompactRange(size, perfect_roots(size))
    for index in range(size, size + more):
        edge = CompactRange.from_bytes(edge.size, edge.to_bytes())
        edge.append(leaf(index))
    assert edge.size == size + more
    assert edge.root() == mth(0, size + more)
    assert list(edge.hashes) == perfect_roots(size + more)


def perfect_roots(size: int) -> list[bytes]:
    """Return the roots of the perfect subtrees of the example tree, the biggest first."""
    found = []
    start = 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            found.append(mth(start, start + (1 << bit)))
            start += 1 << bit
    return found


def test_it_takes_a_hash_for_each_bit_of_the_size() -> None:
    """At 10^8 leaves 12 of 27 bits are set; the tree without leaves takes none."""
    assert CompactRange().to_bytes() == b""
    assert CompactRange().root() == EMPTY_ROOT
    assert len(CompactRange.from_bytes(10**8, bytes(32 * 12)).to_bytes()) == 384


@pytest.mark.parametrize(
    ("size", "data"),
    [(0, bytes(32)), (1, b""), (1, bytes(31)), (1, bytes(33)), (3, bytes(32)), (2, bytes(64))],
)
def test_a_damaged_range_is_refused(size: int, data: bytes) -> None:
    """Another number of hashes than the size has bits, or a hash cut short."""
    with pytest.raises(ValueError, match="damaged"):
        CompactRange.from_bytes(size, data)


@pytest.mark.parametrize("size", [-1, 2**63])
def test_a_size_is_within_what_a_checkpoint_can_say(size: int) -> None:
    """0 to 2^63 - 1."""
    with pytest.raises(ValueError, match="damaged"):
        CompactRange(size, [bytes(32)])
