"""A key is valid for a participant at a time, and each way of not being so has its name."""

from datetime import datetime, timedelta

import pytest

from keys.algorithms import SUITES, Algorithm
from keys.errors import (
    KeyExpiredError,
    KeyNotTrustedError,
    KeyNotYetValidError,
    KeyOfAnotherParticipantError,
    KeyRevokedError,
    KeyUnknownError,
    TrustStoreError,
)
from keys.trust import TrustStore
from tests.keys.support import END, NOW, START, record, seeded_signer

TICK = timedelta(microseconds=1)
SIGNER = seeded_signer()
OTHER = seeded_signer(participant="CHE01", seed="other")


@pytest.mark.parametrize("at", [START, NOW, END - TICK])
def test_a_key_in_its_window_is_found(at: datetime) -> None:
    """From the first instant to the last before the end."""
    made = record(SIGNER)
    assert TrustStore([made]).find(SIGNER.key_id, "THA01", at) is made


@pytest.mark.parametrize(
    ("at", "error"), [(START - TICK, KeyNotYetValidError), (END, KeyExpiredError)]
)
def test_a_key_outside_its_window_is_refused(at: datetime, error: type[KeyNotTrustedError]) -> None:
    """Before the begin, and exactly at the end."""
    with pytest.raises(error):
        TrustStore([record(SIGNER)]).find(SIGNER.key_id, "THA01", at)


def test_a_revocation_counts_from_its_instant_on() -> None:
    """Before it the key is found; at it and after it, even after the window, it is revoked."""
    store = TrustStore([record(SIGNER, revoked_at=NOW)])
    assert store.find(SIGNER.key_id, "THA01", NOW - TICK).revoked_at == NOW
    for at in (NOW, END, END + TICK):
        with pytest.raises(KeyRevokedError):
            store.find(SIGNER.key_id, "THA01", at)


def test_a_key_without_an_end_is_valid_for_ever() -> None:
    """No `valid_until` means an open window."""
    store = TrustStore([record(SIGNER, valid_until=None)])
    assert store.find(SIGNER.key_id, "THA01", NOW.replace(year=9999)).valid_until is None


def test_unknown_and_foreign_keys_are_told_apart() -> None:
    """The reasons differ, because the remedies do."""
    store = TrustStore([record(SIGNER), record(OTHER)])
    with pytest.raises(KeyUnknownError):
        store.find("THA01-0000000000000000", "THA01", NOW)
    with pytest.raises(KeyOfAnotherParticipantError):
        store.find(OTHER.key_id, "THA01", NOW)


def test_each_refusal_has_its_own_stable_reason() -> None:
    """The words that callers map to response codes."""
    kinds = (
        KeyUnknownError,
        KeyOfAnotherParticipantError,
        KeyNotYetValidError,
        KeyRevokedError,
        KeyExpiredError,
    )
    assert [kind.reason for kind in kinds] == [
        "key-unknown",
        "key-of-another-participant",
        "key-not-yet-valid",
        "key-revoked",
        "key-expired",
    ]


def test_one_key_id_has_one_record() -> None:
    """Two windows for one key would let the order of rows decide."""
    with pytest.raises(TrustStoreError, match="two records"):
        TrustStore([record(SIGNER), record(SIGNER, valid_until=None)])


@pytest.mark.parametrize("suites", [frozenset(), frozenset({"RS256"}), frozenset({"ML-DSA-65"})])
def test_a_policy_names_known_suites(suites: frozenset[str]) -> None:
    """A mistyped or empty policy is found when the store is built, not at the door."""
    with pytest.raises(TrustStoreError, match="policy"):
        TrustStore([], {"THA01": suites})
    with pytest.raises(TrustStoreError, match="policy"):
        TrustStore([], default_suites=suites)


def test_a_participant_without_a_policy_has_the_default() -> None:
    """Its own policy comes first."""
    hybrid = frozenset({"ES256+ML-DSA-65"})
    store = TrustStore([], {"THA01": hybrid})
    assert store.suites_of("THA01") == hybrid
    assert store.suites_of("CHE01") == SUITES


def test_a_store_is_replaced_and_never_changed() -> None:
    """The old value still answers as before; policies are carried over."""
    hybrid = frozenset({"ES256+ML-DSA-65"})
    given = {"THA01": hybrid}
    before = TrustStore([record(SIGNER)], given)
    given.clear()
    after = before.replacing([record(SIGNER, revoked_at=NOW), record(OTHER)])
    assert (len(before), len(after)) == (1, 2)
    assert before.find(SIGNER.key_id, "THA01", NOW).revoked_at is None
    with pytest.raises(KeyRevokedError):
        after.find(SIGNER.key_id, "THA01", NOW)
    assert after.suites_of("THA01") == hybrid
    assert after.get(OTHER.key_id) == record(OTHER)
    assert before.get(OTHER.key_id) is None
    assert repr(after) == "TrustStore(2 keys)"


def test_records_come_in_a_stable_order() -> None:
    """All by key id; one participant's by the begin of their windows."""
    late = record(seeded_signer(Algorithm.ES256), valid_from=NOW)
    early = record(SIGNER)
    store = TrustStore([late, record(OTHER), early])
    assert store.records_of("THA01") == (early, late)
    assert [item.key_id for item in store.records()] == sorted(
        [late.key_id, early.key_id, OTHER.key_id]
    )
