"""When to try a recipient again: doubling waits with jitter, up to an hour, never giving up.

1. The first failure waits ``base_seconds``; each further one doubles it, to ``cap_seconds``.
2. Jitter spreads the wait over 50 % to 100 % of it, so that recipients of a hub that comes back
   are not all tried in the same second. The caller draws the number: this module is pure.
3. After ``circuit_failure_count`` failures in a row the circuit is *open*: one delivery only is
   sent as a probe when the wait is over (half-open); success closes the circuit.
4. Any sign of life from the recipient, and an operator, end the wait at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Circuit(StrEnum):
    """Whether deliveries to a recipient flow."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """The parameters of the back-off."""

    base_seconds: float = 1.0
    cap_seconds: float = 3_600.0
    circuit_failure_count: int = 5

    def wait(self, failure_count: int, jitter: float) -> timedelta:
        """Return how long to wait after ``failure_count`` failures in a row (at least 1).

        ``jitter`` is in [0, 1): 0 waits half of the step, 1 would wait all of it.
        """
        doublings = min(failure_count - 1, 32)
        step = min(self.base_seconds * 2**doublings, self.cap_seconds)
        return timedelta(seconds=step * (0.5 + jitter / 2))

    def circuit(
        self, failure_count: int, next_attempt_at: datetime | None, now: datetime
    ) -> Circuit:
        """Return the state of a recipient's circuit."""
        if failure_count < self.circuit_failure_count:
            return Circuit.CLOSED
        if next_attempt_at is not None and now < next_attempt_at:
            return Circuit.OPEN
        return Circuit.HALF_OPEN

    def is_due(self, next_attempt_at: datetime | None, now: datetime) -> bool:
        """Tell whether the recipient may be tried."""
        return next_attempt_at is None or next_attempt_at <= now
