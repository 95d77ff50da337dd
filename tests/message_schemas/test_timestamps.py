"""Timestamps: one form, only times that exist, and back again without loss."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given

from message_schemas import timestamps
from message_schemas.validation import reference_errors, schema_errors
from tests.message_schemas.strategies import moments

NOT_TIMESTAMPS = [
    "2026-02-30T00:00:00.000Z",
    "2025-02-29T00:00:00.000Z",
    "2026-13-01T00:00:00.000Z",
    "2026-00-01T00:00:00.000Z",
    "2026-11-31T00:00:00.000Z",
    "2026-11-22T24:00:00.000Z",
    "2026-11-22T23:60:00.000Z",
    "2026-12-31T23:59:60.000Z",
    "2026-11-22T10:15:30Z",
    "2026-11-22T10:15:30.123456Z",
    "2026-11-22T10:15:30.123z",
    "2026-11-22t10:15:30.123Z",
    "2026-11-22 10:15:30.123Z",
    "2026-11-22T10:15:30.123+00:00",
    "2026-11-22T10:15:30.123Z\n",
    " 2026-11-22T10:15:30.123Z",
    "0000-01-01T00:00:00.000Z",
    "٢٠٢٦-11-22T10:15:30.123Z",
    "",
]


@given(moment=moments)
def test_rendering_and_parsing_give_the_same_millisecond(moment: datetime) -> None:
    """Nothing but the microseconds is lost, and those are cut, never rounded up."""
    parsed = timestamps.parse(timestamps.render(moment))
    assert timedelta(0) <= moment - parsed < timedelta(milliseconds=1)
    assert timestamps.render(parsed) == timestamps.render(moment)


def test_other_zones_are_rendered_in_utc() -> None:
    """Bangkok's afternoon is the morning of the wire."""
    bangkok = datetime(2026, 11, 22, 17, 15, 30, 123_999, timezone(timedelta(hours=7)))
    assert timestamps.render(bangkok) == "2026-11-22T10:15:30.123Z"
    assert timestamps.parse("2026-11-22T10:15:30.123Z").tzinfo == UTC


def test_a_time_without_zone_is_not_rendered() -> None:
    """A naive datetime could be any of 38 hours."""
    with pytest.raises(timestamps.TimestampError, match="naive"):
        timestamps.render(datetime.fromisoformat("2026-11-22"))


@pytest.mark.parametrize("text", NOT_TIMESTAMPS)
def test_anything_else_is_refused_by_parser_and_both_validators(text: str) -> None:
    """Parser, fast and reference validator draw the same line."""
    body = {"level": "hub", "subject": "*", "reason": "x", "at": text}
    assert schema_errors("suspension.placed", 1, body)
    assert reference_errors("suspension.placed", 1, body)
    with pytest.raises(timestamps.TimestampError):
        timestamps.parse(text)


@given(moment=moments)
def test_every_rendered_timestamp_satisfies_both_validators(moment: datetime) -> None:
    """What we write we also read."""
    at = timestamps.render(moment)
    body = {"level": "hub", "subject": "*", "reason": "x", "at": at}
    assert not schema_errors("suspension.placed", 1, body)
    assert not reference_errors("suspension.placed", 1, body)


@pytest.mark.parametrize(
    "day", ["2026-02-30", "2025-02-29", "2026-04-31", "2026-1-1", "2026-01-01\n"]
)
def test_days_that_do_not_exist_are_refused_by_both_validators(day: str) -> None:
    """Dates are held to the calendar too."""
    assert schema_errors("rulebook.published", 1, {"rulebook": day})
    assert reference_errors("rulebook.published", 1, {"rulebook": day})
