"""Two statements of underlying units clash if a unit stands in both."""

import pytest

from hub.checks.underlying import UnderlyingUnits, numbers_of
from hub.international_registry.units import Range
from message_schemas.blocks import UnderlyingUnit
from tests.hub.checks.worlds import SERIES

TAKEN = Range(SERIES, 1, 100)


def unit(first: str, last: str, registry: str = "T-VER") -> UnderlyingUnit:
    """Return underlying units."""
    return UnderlyingUnit(registry, first, last)


@pytest.mark.parametrize(
    ("stated", "clashes"),
    [
        (unit("TV-10", "TV-19"), True),
        (unit("TV-19", "TV-30"), True),
        (unit("TV-1", "TV-10"), True),
        (unit("TV-12", "TV-13"), True),
        (unit("TV-1", "TV-99"), True),
        (unit("TV-19", "else"), True),
        (unit("TV-1", "TV-9"), False),
        (unit("TV-20", "TV-30"), False),
        (unit("TX-10", "TX-19"), False),
        (unit("TV-10", "TV-19", "VCS"), False),
        (unit("a", "z"), False),
    ],
    ids=str,
)
def test_a_common_unit_is_found_and_a_neighbour_is_not(
    stated: UnderlyingUnit, clashes: bool
) -> None:
    """Against units 10 to 19, with others before and after."""
    units = UnderlyingUnits()
    units.add(unit("TV-10", "TV-19"), TAKEN)
    units.add(unit("TV-2000", "TV-2999"), Range(SERIES, 201, 300))
    units.add(unit("TV-0", "TV-0"), Range(SERIES, 301, 301))
    assert (TAKEN in set(units.clashing(stated))) is clashes


def test_ids_without_a_common_beginning_are_not_numbers() -> None:
    """Between "A-1" and "B-9" the hub does not know what lies; a reversed pair it can read."""
    assert numbers_of(unit("A-1", "B-9")) is None
    assert numbers_of(unit("A-9", "A-1")) == ("A-", 1, 9)
