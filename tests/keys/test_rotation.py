"""Keys change with an overlap, without gaps, and only in ways that can be announced."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.algorithms import Algorithm
from keys.public_keys import KeyRecord
from keys.rotation import (
    OVERLAP_DAYS_MAX,
    START_DAYS_MAX,
    AlgorithmBelowPolicyError,
    KeyKnownError,
    KeyReusedError,
    OverlapError,
    RotationError,
    RotationPendingError,
    RotationPlan,
    StartInPastError,
    StartTooFarError,
    coverage_gaps,
    expiring,
    plan_rotation,
)
from tests.keys.support import END, NOW, START, public, record, seeded_signer

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
OLD = record(seeded_signer(), valid_until=None)
NEW = public(seeded_signer(seed="new"))
PQ = record(seeded_signer(Algorithm.ML_DSA_65), valid_until=None)


def plan(
    current: list[KeyRecord], starts_at: datetime = NOW + DAY, overlap: timedelta = 7 * DAY
) -> RotationPlan:
    """Plan a rotation of these records to NEW at NOW."""
    return plan_rotation(current, NEW, starts_at, overlap, NOW)


def test_a_rotation_gives_the_new_key_a_begin_and_the_old_one_an_end() -> None:
    """The new key starts as asked; the old one goes on for the overlap and then ends."""
    made = plan([OLD])
    assert made.new == KeyRecord.of(NEW, NOW + DAY)
    assert made.old == (OLD.ended_at(NOW + 8 * DAY),)
    assert made.old_ends_at == NOW + 8 * DAY


def test_a_rotation_may_change_the_classical_algorithm() -> None:
    """From Ed25519 to ES256 is one key replacing another; the post-quantum key stays."""
    other = public(seeded_signer(Algorithm.ES256, seed="new"))
    made = plan_rotation([OLD, PQ], other, NOW + DAY, DAY, NOW)
    assert [item.key_id for item in made.old] == [OLD.key_id]
    pq = public(seeded_signer(Algorithm.ML_DSA_65, seed="new"))
    made = plan_rotation([OLD, PQ], pq, NOW + DAY, DAY, NOW)
    assert [item.key_id for item in made.old] == [PQ.key_id]


def test_an_old_key_that_ends_earlier_keeps_its_end() -> None:
    """A rotation never prolongs a key."""
    soon = record(seeded_signer(), valid_until=NOW + 2 * DAY)
    assert plan([soon]).old == (soon,)


def test_ended_and_revoked_keys_are_left_alone() -> None:
    """Their records do not change, and a first key needs no predecessor."""
    ended = record(seeded_signer(), valid_until=NOW)
    revoked = record(seeded_signer(seed="lost"), revoked_at=NOW)
    assert plan([ended, revoked]).old == ()
    assert plan([]).new.valid_from == NOW + DAY


@pytest.mark.parametrize(
    ("starts_at", "overlap", "error"),
    [
        (NOW - TICK, DAY, StartInPastError),
        (NOW + START_DAYS_MAX * DAY + TICK, DAY, StartTooFarError),
        (NOW, timedelta(0), OverlapError),
        (NOW, -DAY, OverlapError),
        (NOW, OVERLAP_DAYS_MAX * DAY + TICK, OverlapError),
    ],
)
def test_times_out_of_bounds_are_refused(
    starts_at: datetime, overlap: timedelta, error: type[RotationError]
) -> None:
    """One tick beyond each bound."""
    with pytest.raises(error):
        plan([OLD], starts_at, overlap)


@pytest.mark.parametrize("starts_at", [NOW, NOW + START_DAYS_MAX * DAY])
@pytest.mark.parametrize("overlap", [TICK, OVERLAP_DAYS_MAX * DAY])
def test_times_at_the_bounds_are_accepted(starts_at: datetime, overlap: timedelta) -> None:
    """The bounds themselves are inside."""
    assert plan([OLD], starts_at, overlap).old_ends_at == starts_at + overlap


def test_a_key_is_new_only_once() -> None:
    """A key that the participant has or had cannot be announced again."""
    for known in (record(seeded_signer(seed="new")), record(seeded_signer(seed="new"), START, NOW)):
        with pytest.raises(KeyKnownError):
            plan([OLD, known])


def test_a_key_of_another_participant_is_refused() -> None:
    """The same bytes under another code, or records of another, are never mixed."""
    theirs = record(seeded_signer(participant="CHE01", seed="new"))
    with pytest.raises(KeyReusedError, match="CHE01 has this key"):
        plan_rotation([OLD], NEW, NOW, DAY, NOW, of_others=[theirs])
    with pytest.raises(KeyReusedError, match="not all of THA01"):
        plan([record(seeded_signer(participant="CHE01"))])


def test_a_key_must_fit_the_policy() -> None:
    """A hybrid participant changes either half, and to no other classical algorithm."""
    hybrid = frozenset({"Ed25519+ML-DSA-65"})
    assert plan_rotation([OLD, PQ], NEW, NOW, DAY, NOW, suites=hybrid).new.key_id == NEW.key_id
    below = public(seeded_signer(Algorithm.ES256))
    with pytest.raises(AlgorithmBelowPolicyError, match="ES256 signs in none of"):
        plan_rotation([OLD, PQ], below, NOW, DAY, NOW, suites=hybrid)


def test_one_rotation_waits_at_a_time() -> None:
    """While a key is announced another is refused, until the first is revoked or has started."""
    waiting = record(seeded_signer(seed="waiting"), valid_from=NOW + TICK, valid_until=None)
    with pytest.raises(RotationPendingError, match="revoke it first"):
        plan([OLD, waiting])
    assert len(plan([OLD, waiting.revoked(NOW)]).old) == 1
    started = record(seeded_signer(seed="waiting"), valid_from=NOW, valid_until=None)
    assert len(plan([OLD, started]).old) == 2


def test_each_refusal_has_its_own_reason() -> None:
    """Callers tell them apart by a word."""
    reasons = {kind.reason for kind in RotationError.__subclasses__()}
    assert len(reasons) == len(RotationError.__subclasses__()) == 7


@given(
    days=st.lists(
        st.tuples(st.integers(0, START_DAYS_MAX), st.integers(1, OVERLAP_DAYS_MAX)), max_size=5
    )
)
def test_rotations_leave_no_gap(days: list[tuple[int, int]]) -> None:
    """Whatever rotations follow each other, at every moment some key is valid."""
    records: dict[str, KeyRecord] = {OLD.key_id: OLD}
    now = NOW
    for number, (ahead, overlap) in enumerate(days):
        key = public(seeded_signer(seed=f"rotation {number}"))
        made = plan_rotation(list(records.values()), key, now + ahead * DAY, overlap * DAY, now)
        records.update({item.key_id: item for item in (*made.old, made.new)})
        now = made.new.valid_from
    assert coverage_gaps(records.values(), START, now + 999 * DAY) == ()
    assert sum(item.is_valid_at(now + 999 * DAY) for item in records.values()) == 1


def test_gaps_are_found_to_the_instant() -> None:
    """Before the first key, between two keys, and after the last."""
    first = record(seeded_signer(), NOW, NOW + DAY)
    second = record(seeded_signer(seed="two"), NOW + 3 * DAY, NOW + 4 * DAY)
    assert coverage_gaps([second, first], NOW - DAY, NOW + 5 * DAY) == (
        (NOW - DAY, NOW),
        (NOW + DAY, NOW + 3 * DAY),
        (NOW + 4 * DAY, NOW + 5 * DAY),
    )
    assert coverage_gaps([first], NOW, NOW + DAY) == ()
    assert coverage_gaps([], NOW, NOW + DAY) == ((NOW, NOW + DAY),)
    assert coverage_gaps([], NOW, NOW) == ()


def test_a_revocation_opens_a_gap() -> None:
    """From the revocation on, unless another key is there."""
    assert coverage_gaps([OLD.revoked(NOW)], START, END) == ((NOW, END),)


def test_a_hybrid_policy_needs_both_keys_for_coverage() -> None:
    """Either key alone covers nothing; what is joined is one gap."""
    hybrid = frozenset({"Ed25519+ML-DSA-65"})
    half = record(seeded_signer(Algorithm.ML_DSA_65), NOW, NOW + DAY)
    assert coverage_gaps([OLD, half], START, END, hybrid) == ((START, NOW), (NOW + DAY, END))
    assert coverage_gaps([half], START, END, hybrid) == ((START, END),)


def test_expiring_counts_down_the_soonest_first() -> None:
    """Up to and including `now + within`; ended keys and keys without an end are not listed."""
    soon = record(seeded_signer(), valid_until=NOW + DAY)
    later = record(seeded_signer(seed="later"), valid_until=NOW + 5 * DAY)
    ended = record(seeded_signer(seed="ended"), valid_until=NOW)
    far = record(seeded_signer(seed="far"), valid_until=NOW + 5 * DAY + TICK)
    endless = record(seeded_signer(Algorithm.ML_DSA_65), valid_until=None)
    found = expiring([later, ended, far, endless, soon], NOW, 5 * DAY)
    assert [(item.record, item.remaining) for item in found] == [(soon, DAY), (later, 5 * DAY)]
    assert all(item.has_successor for item in found)


def test_an_end_without_a_successor_is_marked() -> None:
    """A key of the other kind, of another participant or not yet begun does not take over."""
    soon = record(seeded_signer(), valid_until=NOW + DAY)
    others = [
        record(seeded_signer(Algorithm.ML_DSA_65)),
        record(seeded_signer(participant="CHE01", seed="x"), valid_until=None),
        record(seeded_signer(seed="late"), valid_from=NOW + DAY + TICK, valid_until=None),
    ]
    [found] = expiring([soon, *others], NOW, DAY)
    assert not found.has_successor
    successor = record(seeded_signer(seed="next"), valid_from=NOW + DAY, valid_until=None)
    [found] = expiring([soon, successor], NOW, DAY)
    assert found.has_successor


def test_a_key_for_checkpoints_neither_succeeds_a_message_key_nor_becomes_one() -> None:
    """ML-DSA-44 signs in no suite, so it takes over from no key and no rotation brings it."""
    log = seeded_signer(Algorithm.ML_DSA_44)
    soon = record(seeded_signer(Algorithm.ML_DSA_65), valid_until=NOW + DAY)
    [found] = expiring([soon, record(log, valid_until=None)], NOW, DAY)
    assert not found.has_successor
    with pytest.raises(AlgorithmBelowPolicyError):
        plan_rotation([OLD, PQ], public(log), NOW + DAY, DAY, NOW)
