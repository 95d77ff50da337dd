"""Waits double, spread, stop growing at the cap, and never give up."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.retry_schedule import Circuit, RetrySchedule

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SCHEDULES = st.builds(
    RetrySchedule,
    base_seconds=st.floats(0.01, 60),
    cap_seconds=st.floats(60, 86_400),
    circuit_failure_count=st.integers(1, 20),
)
FAILURES = st.integers(1, 100_000)
JITTER = st.floats(0, 1, exclude_max=True)
INSTANTS = st.none() | st.integers(-(10**9), 10**9).map(
    lambda milliseconds: NOW + timedelta(milliseconds=milliseconds)
)


@given(schedule=SCHEDULES, failures=FAILURES, jitter=JITTER)
def test_every_wait_lies_between_half_of_its_step_and_all_of_it(
    schedule: RetrySchedule, failures: int, jitter: float
) -> None:
    """Neither jitter nor the number of failures takes a wait out of its bounds."""
    step = min(schedule.base_seconds * 2 ** min(failures - 1, 32), schedule.cap_seconds)
    wait = schedule.wait(failures, jitter).total_seconds()
    assert step / 2 - 1e-6 <= wait <= step + 1e-6
    assert wait <= schedule.cap_seconds + 1e-6


@given(schedule=SCHEDULES, failures=FAILURES, jitter=JITTER)
def test_a_further_failure_never_shortens_the_wait(
    schedule: RetrySchedule, failures: int, jitter: float
) -> None:
    """With the same jitter the waits only grow, up to the cap."""
    assert schedule.wait(failures, jitter) <= schedule.wait(failures + 1, jitter)


@given(schedule=SCHEDULES, jitter=JITTER)
def test_enough_failures_reach_the_cap_and_stay(schedule: RetrySchedule, jitter: float) -> None:
    """A recipient away for weeks is still tried about once in every cap."""
    assert schedule.wait(33, jitter) == schedule.wait(1_000_000, jitter)


@given(schedule=SCHEDULES, failures=st.integers(0, 30), until=INSTANTS)
def test_the_circuit_is_open_exactly_while_a_failing_recipient_waits(
    schedule: RetrySchedule, failures: int, until: datetime | None
) -> None:
    """Few failures: closed. Many: open until the wait is over, then half-open for one probe."""
    circuit = schedule.circuit(failures, until, NOW)
    assert (circuit is Circuit.CLOSED) == (failures < schedule.circuit_failure_count)
    if circuit is Circuit.OPEN:
        assert not schedule.is_due(until, NOW)
    if circuit is Circuit.HALF_OPEN:
        assert schedule.is_due(until, NOW)


def test_a_recipient_is_due_at_once_without_a_wait_and_at_the_very_end_of_one() -> None:
    """The end of a wait counts as over."""
    schedule = RetrySchedule()
    assert schedule.is_due(None, NOW)
    assert schedule.is_due(NOW, NOW)
    assert not schedule.is_due(NOW + timedelta(milliseconds=1), NOW)
