"""The shelf of tallies: as a dictionary in order, however few are at hand."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.mechanism_registry.feeds.fields import read_row
from connectors.mechanism_registry.feeds.rows import BlockKind, IssuanceLine
from connectors.mechanism_registry.issuances.shares import IssuanceTally
from connectors.mechanism_registry.issuances.tally_shelf import TallyShelf
from tests.connectors.mechanism_registry.rows import RULES, issuance


def tally(number: int) -> IssuanceTally:
    """Return the tally of an issuance of which nothing was taken yet."""
    row = read_row(issuance(issuance_id=f"XMR01-{number}"), RULES)
    assert isinstance(row, IssuanceLine)
    return IssuanceTally.of(row)


@given(
    at_hand=st.integers(1, 4),
    numbers=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), max_size=60),
)
def test_a_shelf_is_a_dictionary_that_keeps_every_change(
    at_hand: int, numbers: list[tuple[int, int]]
) -> None:
    """What was taken of an issuance is there when it comes back, and so is the order."""
    shelf, plain = TallyShelf(at_hand), dict[str, IssuanceTally]()
    for number, quantity in numbers:
        name = f"XMR01-{number}"
        assert (name in shelf) == (name in plain)
        if name not in plain:
            shelf[name], plain[name] = tally(number), tally(number)
        for place in (shelf, plain):
            one = place[name]
            one.take(BlockKind.OMGE, quantity) if quantity else None
    assert list(shelf.each()) == list(plain.values())
    assert list(shelf) == list(plain)
    assert len(shelf) == len(plain)
    assert {name: shelf[name] for name in plain} == plain


def test_what_was_taken_out_is_gone() -> None:
    """As in a dictionary."""
    shelf = TallyShelf()
    shelf["XMR01-1"] = tally(1)
    del shelf["XMR01-1"]
    assert "XMR01-1" not in shelf
    assert shelf.pop("XMR01-1", None) is None
