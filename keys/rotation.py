"""Changing keys without a minute in which a participant cannot speak.

1. The next key is announced before it is used: it starts in the future, or at once.
2. For an overlap both keys are good, so that nobody must switch in the same minute.
3. At the end of the overlap the old keys of the same kind (classical or post-quantum) end.
4. `expiring` counts down to an end; `coverage_gaps` shows times in which no accepted suite could
   be signed.

Pure: the caller brings the records, the time and the policy, and keeps what comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from keys.algorithms import (
    SUITES,
    Algorithm,
    algorithms_of_suite,
    is_post_quantum,
    signs_messages,
)
from keys.errors import KeysError
from keys.public_keys import KeyRecord, PublicKey

__all__ = [
    "OVERLAP_DAYS_MAX",
    "START_DAYS_MAX",
    "AlgorithmBelowPolicyError",
    "Expiry",
    "KeyKnownError",
    "KeyReusedError",
    "OverlapError",
    "RotationError",
    "RotationPendingError",
    "RotationPlan",
    "StartInPastError",
    "StartTooFarError",
    "coverage_gaps",
    "expiring",
    "plan_rotation",
]

START_DAYS_MAX: Final = 180
"""How far ahead a new key may start; further off it would be forgotten."""
OVERLAP_DAYS_MAX: Final = 90
"""How long both keys may be good; longer, and the old one is not being retired."""


class RotationError(KeysError):
    """A change of keys that must not take place."""

    reason = "rotation-refused"


class StartInPastError(RotationError):
    """The new key would have been valid before anyone knew it."""

    reason = "rotation-start-in-past"


class StartTooFarError(RotationError):
    """The new key starts too far ahead."""

    reason = "rotation-start-too-far"


class OverlapError(RotationError):
    """The overlap is not positive, or too long."""

    reason = "rotation-overlap-refused"


class KeyKnownError(RotationError):
    """The participant has or had this key already."""

    reason = "rotation-key-known"


class KeyReusedError(RotationError):
    """Another participant has or had this very key, or the records are another's."""

    reason = "rotation-key-reused"


class AlgorithmBelowPolicyError(RotationError):
    """The participant's policy has no suite in which this algorithm signs."""

    reason = "rotation-algorithm-below-policy"


class RotationPendingError(RotationError):
    """A key of the same kind is announced and has not started; revoke it first."""

    reason = "rotation-pending"


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """The new record, and the old records with their new end.

    `old_ends_at` is when the overlap ends; an old key that ends earlier by itself keeps its end.
    """

    new: KeyRecord
    old: tuple[KeyRecord, ...]
    old_ends_at: datetime


@dataclass(frozen=True, slots=True)
class Expiry:
    """A key that ends soon, the time left, and whether a key of its kind goes on after it."""

    record: KeyRecord
    remaining: timedelta
    has_successor: bool


def plan_rotation(
    current: Sequence[KeyRecord],
    new: PublicKey,
    starts_at: datetime,
    overlap: timedelta,
    now: datetime,
    *,
    of_others: Iterable[KeyRecord] = (),
    suites: frozenset[str] = SUITES,
) -> RotationPlan:
    """Return what a change to the key `new` makes of the participant's records.

    `current` holds all records of the participant, the ended ones too; `of_others` those of every
    other participant; `suites` is the participant's policy.

    Raises:
        KeyReusedError, KeyKnownError, AlgorithmBelowPolicyError: the key may not be taken.
        StartInPastError, StartTooFarError, OverlapError: the times are not acceptable.
        RotationPendingError: another key of the same kind waits to start.
    """
    _check_key(current, new, of_others, suites)
    _check_times(starts_at, overlap, now)
    same_kind = [
        record
        for record in current
        if _kind(record.algorithm) == _kind(new.algorithm)
        and (record.ends_at is None or record.ends_at > now)
    ]
    for record in same_kind:
        if record.valid_from > now:
            detail = f"{record.key_id} starts at {record.valid_from.isoformat()}; revoke it first"
            raise RotationPendingError(detail)
    ends_at = starts_at + overlap
    old = tuple(record.ended_at(ends_at) for record in same_kind)
    return RotationPlan(KeyRecord.of(new, starts_at), old, ends_at)


def expiring(records: Iterable[KeyRecord], now: datetime, within: timedelta) -> tuple[Expiry, ...]:
    """Return the keys that are or become valid and end by `now + within`, the soonest first."""
    alive = [item for item in records if item.ends_at is None or item.ends_at > now]
    soon = [
        Expiry(item, item.ends_at - now, _has_successor(item, item.ends_at, alive))
        for item in alive
        if item.ends_at is not None and item.ends_at <= now + within
    ]
    return tuple(sorted(soon, key=lambda item: (item.remaining, item.record.key_id)))


def coverage_gaps(
    records: Iterable[KeyRecord],
    since: datetime,
    until: datetime,
    suites: frozenset[str] = SUITES,
) -> tuple[tuple[datetime, datetime], ...]:
    """Return the spans in [since, until) in which one participant can sign no accepted suite.

    Each span is (begin inclusive, end exclusive); touching spans are joined.
    """
    own = list(records)
    wanted = [algorithms_of_suite(suite) for suite in suites]
    times = {item.valid_from for item in own} | {item.ends_at for item in own if item.ends_at}
    marks = [since, *sorted(time for time in times if since < time < until), until]
    gaps: list[tuple[datetime, datetime]] = []
    for begin, end in pairwise(marks):
        present = {item.algorithm for item in own if item.is_valid_at(begin)}
        if begin >= end or any(suite <= present for suite in wanted):
            continue
        if gaps and gaps[-1][1] == begin:
            gaps[-1] = (gaps[-1][0], end)
        else:
            gaps.append((begin, end))
    return tuple(gaps)


def _check_key(
    current: Sequence[KeyRecord],
    new: PublicKey,
    of_others: Iterable[KeyRecord],
    suites: frozenset[str],
) -> None:
    for record in (*current, *of_others):
        same_key = record.public_key_der == new.public_key_der
        if same_key and record.participant != new.participant:
            raise KeyReusedError(f"{record.participant} has this key as {record.key_id}")
        if same_key:
            raise KeyKnownError(f"{new.key_id} is known already; a rotation brings a new key")
    if any(record.participant != new.participant for record in current):
        raise KeyReusedError(f"the keys to be replaced are not all of {new.participant}")
    if not any(new.algorithm in algorithms_of_suite(suite) for suite in suites):
        wanted = ", ".join(sorted(suites))
        raise AlgorithmBelowPolicyError(f"{new.algorithm} signs in none of: {wanted}")


def _check_times(starts_at: datetime, overlap: timedelta, now: datetime) -> None:
    if starts_at < now:
        raise StartInPastError(f"the start {starts_at.isoformat()} is before {now.isoformat()}")
    if starts_at > now + timedelta(days=START_DAYS_MAX):
        raise StartTooFarError(f"the start is more than {START_DAYS_MAX} days ahead")
    if not timedelta(0) < overlap <= timedelta(days=OVERLAP_DAYS_MAX):
        raise OverlapError(f"an overlap is positive and at most {OVERLAP_DAYS_MAX} days")


def _has_successor(record: KeyRecord, ends_at: datetime, alive: Sequence[KeyRecord]) -> bool:
    return any(
        other.key_id != record.key_id
        and other.participant == record.participant
        and _kind(other.algorithm) == _kind(record.algorithm)
        and other.is_valid_at(ends_at)
        for other in alive
    )


def _kind(algorithm: Algorithm) -> tuple[bool, bool]:
    """Return what a successor must share: its place in a suite, and whether it has one at all."""
    return is_post_quantum(algorithm), signs_messages(algorithm)
