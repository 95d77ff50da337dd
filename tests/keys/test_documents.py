"""Public key documents say exactly what a record says."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import Algorithm
from keys.documents import (
    format_time,
    from_document,
    parse_document,
    parse_time,
    render_document,
    to_document,
)
from keys.errors import MalformedDocumentError
from tests.keys.support import NOW, record, seeded_signer

TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants naive bounds and adds the zone


@given(algorithm=st.sampled_from(Algorithm), begin=TIMES, days=st.none() | st.integers(1, 999))
def test_a_document_gives_its_record_back(
    algorithm: Algorithm, begin: datetime, days: int | None
) -> None:
    """To a document and back, as a value and as bytes, nothing is lost."""
    end = None if days is None else begin + timedelta(days=days)
    made = record(seeded_signer(algorithm), begin, end, end)
    assert from_document(to_document(made)) == made
    assert parse_document(render_document(made)) == made


def test_the_members_are_those_of_the_protocol() -> None:
    """Names, order and forms, as another implementation would read them."""
    document = to_document(record(seeded_signer(), NOW, None))
    assert list(document) == [
        "key_id",
        "participant",
        "algorithm",
        "public_key",
        "valid_from",
        "valid_until",
        "revoked_at",
    ]
    assert document["valid_from"] == "2027-03-01T12:00:00.000Z"
    assert document["valid_until"] is document["revoked_at"] is None


@given(time=TIMES, hours=st.integers(-12, 14))
def test_times_are_written_in_utc(time: datetime, hours: int) -> None:
    """A time in any zone is written as the same instant, to the microsecond if needed."""
    moved = time.astimezone(timezone(timedelta(hours=hours)))
    assert format_time(moved) == format_time(time)
    assert parse_time(format_time(time)) == time


@pytest.mark.parametrize("digits", range(1, 7))
def test_a_second_may_have_up_to_six_decimals(digits: int) -> None:
    """Each count of digits is read, and as the same fraction."""
    fraction = "5" + "0" * (digits - 1)
    assert parse_time(f"2027-03-01T12:00:00.{fraction}Z").microsecond == 500_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2027-03-01",
        "2027-03-01T12:00:00",
        "2027-03-01T12:00:00+00:00",
        "2027-03-01T12:00:00z",
        "2027-03-01 12:00:00Z",
        "2027-13-01T12:00:00Z",
        "2027-02-29T12:00:00Z",
        "2027-03-01T12:00:60Z",
        "2027-03-01T24:00:00Z",
        "2027-03-01T12:00:00.Z",
        "2027-03-01T12:00:00.0000000Z",
        "2027-03-01T12:00:00Z\n",
        "٢٠٢٧-03-01T12:00:00Z",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    """UTC with Z, real dates, at most microseconds, ASCII digits."""
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


GOOD: dict[str, object] = dict(to_document(record(seeded_signer())))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**GOOD, "extra": None},
        {name: value for name, value in GOOD.items() if name != "revoked_at"},
        {**GOOD, "algorithm": "RS256"},
        {**GOOD, "algorithm": "ES256"},
        {**GOOD, "algorithm": "EdDSA"},
        {**GOOD, "participant": "CHE01"},
        {**GOOD, "participant": 1},
        {**GOOD, "key_id": "THA01-0000000000000000"},
        {**GOOD, "public_key": "AAAA"},
        {**GOOD, "public_key": f"{GOOD['public_key']}="},
        {**GOOD, "valid_from": None},
        {**GOOD, "valid_until": 0},
        {**GOOD, "valid_until": GOOD["valid_from"]},
        {**GOOD, "revoked_at": "yesterday"},
    ],
    ids=lambda document: str(document)[-50:],
)
def test_a_wrong_document_is_refused(document: object) -> None:
    """Members, types, values and their agreement with each other are checked."""
    with pytest.raises(MalformedDocumentError):
        from_document(document)


TEXT = json.dumps(GOOD)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"null",
        TEXT.encode()[:-1],
        TEXT.replace('"key_id"', '"key_id":"x","key_id"').encode(),
        b"[" * 100_000,
        b'{"a":' * 3000,
        b'{"a":"' + b"x" * 20_000 + b'"}',
    ],
    ids=lambda raw: str(raw)[:30],
)
def test_hostile_bytes_are_no_document(raw: bytes) -> None:
    """Not JSON, twice the same member, nested, too large: one typed refusal."""
    with pytest.raises(MalformedDocumentError):
        parse_document(raw)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_in_a_typed_way(raw: bytes) -> None:
    """Nothing but `MalformedDocumentError` comes out."""
    with pytest.raises(MalformedDocumentError):
        parse_document(raw)
