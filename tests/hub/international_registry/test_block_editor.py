"""Tests of the editor: what the window cannot reach, because it never does it."""

import pytest

from hub.international_registry.block_editor import BlockEditor
from hub.international_registry.block_index import LedgerInvariantError
from hub.international_registry.postings import PostingKind
from tests.hub.international_registry.samples import itmos, units


@pytest.mark.parametrize("is_lost", [True, False])
def test_units_that_come_or_go_without_a_posting_stop_the_batch(is_lost: bool) -> None:
    """Conservation is asserted over the whole batch, whatever a single step let through."""
    block = itmos(1, 1, 10)
    editor = BlockEditor([block], 3)
    if is_lost:
        editor.take_out(block, "GHA01-1")
        editor.bring_in(itmos(1, 1, 9), "GHA01-1")
        editor.index.remove(itmos(1, 1, 9))
    else:
        editor.become(block, block.reserved_for("CHE01-1"), (PostingKind.RESERVED, "CHE01-1"))
        editor.take_out(block.reserved_for("CHE01-1"), "CHE01-1")
        editor.index.insert(itmos(1, 1, 11))
    with pytest.raises(LedgerInvariantError, match="without a posting"):
        editor.changes()


def test_changes_cost_what_was_touched() -> None:
    """A batch that changes one block of many reports one; undoing it reports none."""
    editor = BlockEditor([itmos(n, 10 * n, 10 * n + 9) for n in range(1, 100)], 100)
    act = (PostingKind.HELD, "case-1")
    (piece,) = editor.alter([units(500, 509)], lambda _: None, lambda block: block, act)
    assert piece.block_id == 50
    assert (editor.changes().updated, len(editor.changes().postings)) == ((), 1)


def test_nothing_asked_for_is_nothing_done() -> None:
    """An operation on no ranges changes nothing and writes no posting."""
    editor = BlockEditor([itmos(1, 1, 10)], 2)
    act = (PostingKind.HELD, "case-1")
    assert editor.alter([], lambda _: None, lambda block: block, act) == []
    assert editor.changes().postings == ()
