"""Instants are whole milliseconds, aware, and in order on every database."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from hub.store import alerts
from hub.store.database import Database
from hub.store.instants import from_milliseconds, to_milliseconds

MILLISECONDS = st.integers(-62_000_000_000_000, 250_000_000_000_000)


@given(milliseconds=MILLISECONDS)
def test_milliseconds_make_the_way_there_and_back(milliseconds: int) -> None:
    """From a thousand years ago to thousands of years ahead, exactly."""
    instant = from_milliseconds(milliseconds)
    assert instant.tzinfo is UTC
    assert to_milliseconds(instant) == milliseconds


@given(one=MILLISECONDS, other=MILLISECONDS)
def test_the_order_of_instants_is_the_order_of_their_numbers(one: int, other: int) -> None:
    """So that the database may compare the numbers."""
    assert (from_milliseconds(one) < from_milliseconds(other)) == (one < other)


def test_the_zone_of_an_instant_does_not_matter() -> None:
    """Noon in Bangkok and five in the morning in London are one number."""
    bangkok = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=7)))
    assert to_milliseconds(bangkok) == to_milliseconds(datetime(2026, 11, 22, 5, tzinfo=UTC))
    assert to_milliseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0


def test_a_column_gives_back_the_instant_cut_to_milliseconds(database: Database) -> None:
    """Microseconds are below the protocol's resolution: they are dropped, not rounded up."""
    at = datetime(2026, 11, 22, 12, 0, 0, 123_999, tzinfo=UTC)
    with database.writing() as connection:
        alerts.add(connection, kind="note", subject="one", detail="", at=at)
        (found,) = alerts.newest(connection)
    assert found.at == datetime(2026, 11, 22, 12, 0, 0, 123_000, tzinfo=UTC)
