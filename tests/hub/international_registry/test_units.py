"""Tests of series, ranges and blocks."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.international_registry.units import (
    SERIAL_MAX,
    BlockStatus,
    LedgerBlock,
    Range,
    are_one,
)
from tests.hub.international_registry.samples import (
    OTHER_ATTRIBUTES,
    OTHER_SERIES,
    SERIES,
    itmos,
    units,
)

serials = st.integers(min_value=1, max_value=40)
ranges = st.tuples(serials, serials).map(lambda pair: units(min(pair), max(pair)))


def test_an_identifier_has_its_components_in_the_order_of_the_rules() -> None:
    """Cooperative approach, originating registry, first transferring Party, serial, vintage."""
    assert SERIES.identifier(1001) == "CA0003-GHA01-GHA-1001-2023"
    assert str(units(1001, 1500)) == "CA0003-GHA01-GHA-1001-2023..1500"


@pytest.mark.parametrize(("first", "last"), [(0, 5), (5, 4), (-1, 1), (1, SERIAL_MAX + 1)])
def test_a_range_without_serials_cannot_be_made(first: int, last: int) -> None:
    """Serials start at one, end within 64 bits, and there is at least one."""
    with pytest.raises(ValueError, match="no serials"):
        Range(SERIES, first, last)


def test_a_range_may_reach_the_largest_serial() -> None:
    """The largest serial is within, and its successor still fits 64 bits."""
    assert Range(SERIES, SERIAL_MAX, SERIAL_MAX).quantity == 1
    assert SERIAL_MAX + 1 == 2**63 - 1


@given(one=ranges, other=ranges)
def test_intersection_is_that_of_the_sets_of_serials(one: Range, other: Range) -> None:
    """Ranges agree with the sets of serials they stand for, whichever is asked."""
    common = set(range(one.first, one.last + 1)) & set(range(other.first, other.last + 1))
    shared = one.intersect(other)
    assert one.overlaps(other) is other.overlaps(one) is bool(common)
    assert (set(range(shared.first, shared.last + 1)) if shared else set()) == common


def test_ranges_of_two_series_share_nothing() -> None:
    """The same serial in another vintage is another unit."""
    assert units(1, 5).intersect(units(1, 5, OTHER_SERIES)) is None


@given(data=st.data(), quantity=st.integers(min_value=2, max_value=10**9))
def test_split_neither_makes_nor_loses_units(data: st.DataObject, quantity: int) -> None:
    """The two parts touch, do not overlap, add up to the whole, and are one again."""
    block = itmos(1, 1, quantity)
    left, right = block.split_at(data.draw(st.integers(2, quantity)), new_id=2)
    assert (left.first, right.last) == (block.first, block.last)
    assert left.last + 1 == right.first
    assert left.quantity + right.quantity == block.quantity
    assert (left.block_id, right.block_id) == (1, 2)
    assert are_one(left, right)


@pytest.mark.parametrize("serial", [10, 21])
def test_a_split_without_two_parts_is_refused(serial: int) -> None:
    """A split before the first or after the last unit would leave an empty part."""
    with pytest.raises(ValueError, match="no two parts"):
        itmos(1, 10, 20).split_at(serial, 2)


def test_the_parts_of_a_block_inherit_everything() -> None:
    """The first-transfer flag above all: a part must not be first transferred again."""
    block = itmos(1, 10, 20).reserved_for("CHE01-1")
    for part in block.split_at(15, 2):
        assert part.spanning(1, 10, 20) == block


def test_blocks_are_one_if_they_touch_in_this_order() -> None:
    """A gap, or the wrong order, keeps them apart."""
    left, right = itmos(1, 1, 5), itmos(2, 6, 9)
    assert are_one(left, right)
    assert not are_one(right, left)
    assert not are_one(left, itmos(2, 7, 9))


OTHER_STATE: dict[str, object] = {
    "series": OTHER_SERIES,
    "attributes": OTHER_ATTRIBUTES,
    "registry": "THA01",
    "account": "ACC-1",
    "status": BlockStatus.USED,
    "first_transfer": None,
    "reserved_by": "CHE01-1",
    "introduced_by": "CHE01-1",
    "hold": "case-1",
    "underlying_first": "A",
    "underlying_last": "B",
}


@pytest.mark.parametrize(
    "name",
    sorted({field.name for field in fields(LedgerBlock)} - {"block_id", "first", "last"}),
)
def test_blocks_are_one_only_if_all_their_state_is_the_same(name: str) -> None:
    """Every field but id and serials keeps them apart, one that is added later too."""
    left, right = itmos(1, 1, 5), itmos(2, 6, 9)
    # The field names are the parametrization's; the type checker cannot follow them.
    other = replace(right, **{name: OTHER_STATE[name]})  # type: ignore[arg-type]  # see above
    assert not are_one(left, other)


@pytest.mark.parametrize("status", BlockStatus)
def test_used_and_cancelled_are_the_terminal_statuses(status: BlockStatus) -> None:
    """Authorized units and ITMOs can still go somewhere."""
    block = replace(itmos(1, 1, 5), status=status)
    assert block.is_terminal is (status in {BlockStatus.USED, BlockStatus.CANCELLED})
