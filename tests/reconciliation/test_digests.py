"""Edge sums: what leaves them alone, what changes them, and the tables of them."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.digests import (
    BASE_SHIFT,
    KEPT_SHIFTS,
    MASK,
    DigestTable,
    EdgeHasher,
    commitment,
    field_bytes,
    rolled_up,
    total_of,
)
from reconciliation.link_keys import KEY_BYTES, key_of_year
from reconciliation.movements import Piece, edge_deltas
from reconciliation.owned import OWNED, SERIAL_MAX, Block, Series
from tests.reconciliation.worlds import SERIES, values, with_field

KEY = bytes(range(KEY_BYTES))
HASHER = EdgeHasher(KEY)
A = SERIES[0]
SERIALS = st.integers(1, SERIAL_MAX)


def digest(*blocks: Block) -> int:
    """Return the root of some blocks."""
    return DigestTable.build(HASHER, blocks).root


@st.composite
def cut_blocks(draw: st.DrawFn) -> tuple[Block, list[Block]]:
    """Draw a block, and the same units in other blocks in another order."""
    first, last = sorted((draw(SERIALS), draw(SERIALS)))
    whole = Block(draw(st.sampled_from(SERIES)), first, last, values(draw(st.integers(0, 3))))
    cuts = {draw(st.integers(first, last)) + 1 for _ in range(draw(st.integers(0, 6)))}
    borders = sorted({first, last + 1} | cuts)
    parts = [whole._replace(first=a, last=b - 1) for a, b in pairwise(borders)]
    return whole, draw(st.permutations(parts))


@given(cut_blocks())
def test_a_split_or_a_merge_changes_no_digest_at_any_level(
    drawn: tuple[Block, list[Block]],
) -> None:
    """Only units and what is owned of them count; how the blocks are cut does not."""
    whole, parts = drawn
    one, other = DigestTable.build(HASHER, [whole]), DigestTable.build(HASHER, parts)
    assert one.root == other.root == HASHER.block(whole)
    assert all(one.level(shift) == other.level(shift) for shift in KEPT_SHIFTS)


@pytest.mark.parametrize("name", OWNED)
def test_each_owned_attribute_changes_the_digest(name: str) -> None:
    """Whatever both sides own is in the sum; None is not the empty text."""
    block = Block(A, 1, 100, values(0))
    digests = {
        digest(block._replace(owned=with_field(block.owned, name, value)))
        for value in ("one", "other", "", None)
    }
    assert len(digests) == 4


def test_each_part_of_the_identifier_changes_the_digest() -> None:
    """The same serials in another series are other units."""
    others = [A._replace(cooperative_approach="CA0004"), A._replace(originating_registry="GHA02")]
    others += [A._replace(first_transferring_party="CHE"), A._replace(vintage=2030), A]
    assert len({digest(Block(series, 1, 100, values(0))) for series in others}) == 5


@given(st.lists(st.none() | st.text()), st.lists(st.none() | st.text()))
def test_no_two_lists_of_fields_give_the_same_bytes(
    one: list[str | None], other: list[str | None]
) -> None:
    """Nor is one the beginning of another of the same length, which the keyed hash relies on."""
    assert (field_bytes(one) == field_bytes(other)) == (one == other)
    if len(one) == len(other) and one != other:
        assert not field_bytes(one).startswith(field_bytes(other))


def test_a_unit_held_twice_does_not_vanish() -> None:
    """Sums count, where an exclusive or would forget."""
    block = Block(A, 1, 10, values(0))
    assert digest(block, block) == 2 * digest(block) & MASK != 0


def test_a_folded_table_is_the_table_of_what_the_blocks_became() -> None:
    """Movement by movement, and back again, at every level."""
    dice = random.Random(5)
    blocks = [Block(A, 1000 * n + 1, 1000 * n + 900, values(n % 3)) for n in range(300)]
    table = DigestTable.build(HASHER, blocks)
    done = []
    for number in dice.sample(range(300), 100):
        block = blocks[number]
        after = None if number % 2 else values(number % 3, "used")
        low, high = sorted(dice.sample(range(block.first + 1, block.last), 2))
        done.append(edge_deltas(HASHER, [Piece(A, low, high, block.owned, after)]))
        table.fold(done[-1])
        parts = [block._replace(last=low - 1), block._replace(first=high + 1)]
        if after is not None:
            parts.append(Block(A, low, high, after))
        blocks[number : number + 1] = [parts[0]]
        blocks += parts[1:]
    again = DigestTable.build(HASHER, sorted(blocks))
    assert table.root == again.root
    assert all(table.level(shift) == again.level(shift) for shift in KEPT_SHIFTS)
    assert total_of(rolled_up(table.level(BASE_SHIFT), 10)) == table.root
    for deltas in reversed(done):
        table.fold(deltas, -1)
    assert table.root != again.root


def test_everything_taken_away_leaves_an_empty_table() -> None:
    """No row of zeros stays behind."""
    piece = Piece(A, 5, 500_000_000, None, values(0))
    table = DigestTable()
    table.fold(edge_deltas(HASHER, [piece]))
    assert table.root != 0
    table.fold(edge_deltas(HASHER, [piece]), -1)
    assert table.root == 0
    assert not any(table.level(shift) for shift in KEPT_SHIFTS)


def test_sums_under_different_keys_have_nothing_in_common() -> None:
    """The key of a link and a year makes all its sums."""
    block = Block(A, 1, 10, values(0))
    keys = [key_of_year(b"s" * 32, "KEN01", 2026), key_of_year(b"s" * 32, "KEN01", 2027)]
    keys += [key_of_year(b"s" * 32, "GHA01", 2026), key_of_year(b"t" * 32, "KEN01", 2026)]
    assert len({EdgeHasher(key.secret).block(block) for key in keys}) == 4
    assert keys[0].key_id == "KEN01-2026"
    assert "secret" not in repr(keys[0])


def test_keys_and_secrets_of_the_wrong_length_are_refused() -> None:
    """A short key would be no key."""
    with pytest.raises(ValueError, match="64 bytes"):
        EdgeHasher(b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        key_of_year(b"s" * 31, "KEN01", 2026)


def test_what_may_be_published_differs_by_index_and_digest() -> None:
    """The commitment binds both and shows neither sum nor difference."""
    assert len({commitment(1, 2), commitment(2, 2), commitment(1, 3), commitment(12, 3)}) == 4


def test_series_read_as_any_tuple_are_the_same_series() -> None:
    """A registry's plain tuple and our named one are one key."""
    plain = ("CA0003", "GHA01", "GHA", 2023)
    assert digest(Block(Series(*plain), 1, 2, values(0))) == digest(Block(A, 1, 2, values(0)))
