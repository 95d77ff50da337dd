"""Tests of how postings are made from blocks."""

from dataclasses import replace

import pytest

from hub.international_registry import postings
from hub.international_registry.postings import PostingKind
from tests.hub.international_registry.samples import INTERNATIONAL, itmos

BLOCK = replace(itmos(1, 1, 10), account="ACC-1", underlying_first="A", underlying_last="B")


def test_an_introduction_tells_everything() -> None:
    """Nothing else in the journal could tell status and underlying units."""
    posting = postings.introduction(BLOCK, "XMR01-1")
    assert (posting.from_registry, posting.from_account) == (None, None)
    assert (posting.to_registry, posting.to_account) == ("CHE01", "ACC-1")
    assert (posting.status, posting.first_transfer) == (BLOCK.status, INTERNATIONAL)
    assert (posting.underlying_first, posting.underlying_last) == ("A", "B")
    assert posting.balance == posting.quantity == 10


def test_a_withdrawal_leads_nowhere() -> None:
    """The units had a holder and have none."""
    posting = postings.withdrawal(BLOCK, "GHA01-1")
    assert (posting.from_registry, posting.from_account) == ("CHE01", "ACC-1")
    assert (posting.to_registry, posting.to_account) == (None, None)
    assert posting.balance == -10


@pytest.mark.parametrize("was_flagged", [True, False])
def test_a_change_names_the_first_transfer_it_brought(was_flagged: bool) -> None:
    """And no event if the units were first transferred before."""
    before = BLOCK if was_flagged else replace(BLOCK, first_transfer=None)
    after = replace(BLOCK, registry="THA01", account=None)
    posting = postings.alteration(PostingKind.MOVED, before, after, "CHE01-1")
    assert posting.first_transfer is (None if was_flagged else INTERNATIONAL)
    assert (posting.from_registry, posting.from_account) == ("CHE01", "ACC-1")
    assert (posting.to_registry, posting.to_account) == ("THA01", None)
    assert posting.balance == 0
