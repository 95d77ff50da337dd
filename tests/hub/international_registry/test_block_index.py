"""Tests of the sorted structure: what it refuses; the window's tests cover what it finds."""

import pytest

from hub.international_registry.block_index import BlockIndex, LedgerInvariantError
from hub.international_registry.units import LedgerBlock
from tests.hub.international_registry.samples import itmos


@pytest.mark.parametrize(
    "new",
    [
        [itmos(1, 1, 5), itmos(2, 7, 10)],
        [itmos(1, 1, 6), itmos(2, 6, 10)],
        [itmos(1, 1, 9)],
        [itmos(1, 1, 11)],
        [itmos(1, 2, 10)],
    ],
    ids=["one lost between", "one made twice", "last lost", "last made", "first lost"],
)
def test_a_replacement_conserves_units(new: list[LedgerBlock]) -> None:
    """Not one unit more or less, wherever it goes missing; the index stays as it was."""
    block = itmos(1, 1, 10)
    index = BlockIndex([block])
    with pytest.raises(LedgerInvariantError):
        index.replace([block], new)
    assert list(index) == [block]


def test_a_stale_block_cannot_be_replaced() -> None:
    """Whoever holds a block from before a change would undo the change."""
    old = itmos(1, 1, 10)
    index = BlockIndex([old])
    new = old.reserved_for("CHE01-1")
    index.change(old, new)
    with pytest.raises(LedgerInvariantError, match="not what the ledger has"):
        index.change(old, old.reserved_for("CHE01-2"))
    with pytest.raises(LedgerInvariantError, match="not what the ledger has"):
        index.replace([old], old.split_at(5, 2))
    assert index.reserved_by("CHE01-1") == [new]
    assert index.reserved_by("CHE01-2") == []


def test_a_change_in_place_keeps_id_and_serials() -> None:
    """Another id or other serials are a replacement, and say so."""
    block = itmos(1, 1, 10)
    index = BlockIndex([block])
    for other in (itmos(2, 1, 10), itmos(1, 1, 9)):
        with pytest.raises(LedgerInvariantError, match="not changed but replaced"):
            index.change(block, other)


def test_neighbours_are_the_blocks_on_either_side() -> None:
    """Touching or not; none beyond the ends."""
    blocks = [itmos(1, 1, 5), itmos(2, 6, 9), itmos(3, 20, 30)]
    index = BlockIndex(blocks)
    assert index.neighbours(blocks[0]) == (None, blocks[1])
    assert index.neighbours(blocks[1]) == (blocks[0], blocks[2])
    assert index.neighbours(blocks[2]) == (blocks[1], None)


def test_what_was_removed_is_found_no_more() -> None:
    """Neither by serial nor by id nor by its hold."""
    block = itmos(1, 1, 5).reserved_for("CHE01-1")
    index = BlockIndex([block])
    index.remove(block)
    assert index.get(1) is None
    assert index.overlapping(block.series, 1, 5) == index.reserved_by("CHE01-1") == []
