"""8xxx: the operator's limits."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hub.checks.facts import Arrival, Policy
from hub.international_registry.units import Range
from hub.protocol.response_codes import ResponseCode as Code
from tests.hub.checks.worlds import (
    NOW,
    SERIES,
    Row,
    Sent,
    found,
    held,
    hold_true,
    onward,
    passes,
    proposal,
    sent,
    world,
)

HOUR = timedelta(hours=1)


def limited(today: int = 0, **policy: Any) -> Callable[[], Sent]:
    """Return a first transfer of 100 units under limits."""
    facts = world(policy=Policy(**policy), quantity_today={"THA01": today})
    return lambda: sent(proposal(), facts)


def arrived(
    ago: timedelta, registry: str = "CHE01", seconds: int | None = 3600
) -> Callable[[], Sent]:
    """Return an onward transfer of units that arrived that long ago."""
    arrival = Arrival(Range(SERIES, 100, 200), registry, NOW - ago)
    facts = world(held(1, 100), policy=Policy(onward_delay_seconds=seconds), arrivals=(arrival,))
    return lambda: sent(onward(), facts)


ROWS = [
    passes(Code.QUANTITY_LIMIT_EXCEEDED, "off", limited()),
    passes(Code.QUANTITY_LIMIT_EXCEEDED, "at the limit", limited(quantity_per_transfer_max=100)),
    found(Code.QUANTITY_LIMIT_EXCEEDED, "above", limited(quantity_per_transfer_max=99)),
    passes(Code.VELOCITY_LIMIT_EXCEEDED, "off", limited(10**9)),
    passes(Code.VELOCITY_LIMIT_EXCEEDED, "at the limit", limited(50, quantity_per_day_max=150)),
    found(Code.VELOCITY_LIMIT_EXCEEDED, "above", limited(51, quantity_per_day_max=150)),
    found(Code.ONWARD_TRANSFER_DELAY, "a second too early", arrived(HOUR - timedelta(seconds=1))),
    passes(Code.ONWARD_TRANSFER_DELAY, "at the hour", arrived(HOUR)),
    passes(Code.ONWARD_TRANSFER_DELAY, "off", arrived(timedelta(), seconds=None)),
    passes(Code.ONWARD_TRANSFER_DELAY, "arrived elsewhere", arrived(timedelta(), "GHA01")),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_policy_holds_where_it_should(row: Row) -> None:
    """Each limit stops what is above it, and nothing at it."""
    hold_true(row)


def test_a_delay_names_the_units_and_when_they_are_free() -> None:
    """Only the unit that arrived just now waits; the operator is told until when."""
    (finding,) = arrived(timedelta())().findings()
    assert [(part.first, part.last) for part in finding.ranges] == [(100, 100)]
    assert "2026-11-22T13:00:00.000Z" in finding.detail
