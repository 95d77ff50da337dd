"""Public keys and their windows check themselves."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import Algorithm
from keys.errors import MalformedKeyError
from keys.public_keys import KeyRecord, PublicKey
from tests.keys.support import END, NOW, START, public, record, seeded_signer

SIGNER = seeded_signer()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_everything_follows_from_participant_and_bytes(algorithm: Algorithm) -> None:
    """Id and algorithm are computed, so they cannot be wrong."""
    signer = seeded_signer(algorithm)
    key = PublicKey.from_der("THA01", signer.public_key_der)
    assert (key.key_id, key.algorithm) == (signer.key_id, algorithm)
    assert record(signer).public_key == key


@pytest.mark.parametrize(
    "changes",
    [
        {"participant": "CHE01"},
        {"participant": "tha01"},
        {"key_id": "THA01-0000000000000000"},
        {"algorithm": Algorithm.ES256},
        {"public_key_der": b"junk"},
        {"public_key_der": seeded_signer(seed="two").public_key_der},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_key_whose_parts_contradict_each_other_cannot_be_made(
    changes: dict[str, object],
) -> None:
    """Participant, id, algorithm and bytes belong together or there is no key."""
    values = {
        "participant": "THA01",
        "key_id": SIGNER.key_id,
        "algorithm": Algorithm.ED25519,
        "public_key_der": SIGNER.public_key_der,
        **changes,
    }
    with pytest.raises(MalformedKeyError):
        PublicKey(**values)  # type: ignore[arg-type]  # wrong values are the point


def test_a_malformed_participant_has_no_key() -> None:
    """The shorter way of making a key checks the code as well."""
    with pytest.raises(MalformedKeyError, match="participant code"):
        PublicKey.from_der("tha01", SIGNER.public_key_der)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(microseconds=-1)])
def test_a_window_has_a_length(length: timedelta) -> None:
    """A window that ends when it begins, or before, is refused."""
    with pytest.raises(MalformedKeyError, match="ends before it begins"):
        KeyRecord.of(public(SIGNER), NOW, NOW + length)


@pytest.mark.parametrize("name", ["valid_from", "valid_until", "revoked_at"])
def test_times_have_a_zone(name: str) -> None:
    """A time without a zone means something else on each machine, and is refused."""
    naive: datetime = NOW.replace(tzinfo=None)
    with pytest.raises(MalformedKeyError, match="no zone"):
        replace(record(SIGNER), **{name: naive})  # type: ignore[arg-type]  # one name of three


def test_the_window_includes_its_begin_and_not_its_end() -> None:
    """Valid from the first instant, and no longer at the last."""
    made = record(SIGNER)
    tick = timedelta(microseconds=1)
    assert [made.is_valid_at(at) for at in (START - tick, START, END - tick, END)] == [
        False,
        True,
        True,
        False,
    ]


@given(offsets=st.lists(st.integers(-60, 60), min_size=1, max_size=4))
def test_ends_only_move_earlier(offsets: list[int]) -> None:
    """Whatever ends and revocations follow each other, the earliest of each counts."""
    made = KeyRecord.of(public(SIGNER), START)
    assert made.ends_at is None
    times = [END + timedelta(days=offset + 1) for offset in offsets]
    for time in times:
        made = made.ended_at(time + timedelta(days=1)).revoked(time)
    assert made.revoked_at == made.ends_at == min(times)
    assert made.valid_until == min(times) + timedelta(days=1)
