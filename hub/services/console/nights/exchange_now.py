"""The exchange as it goes now: entries a minute, transfers by state, who has what waiting.

What can be counted up is kept by the process and counted on from there, so that a page costs the
same with a thousand transfers and with millions: transfers by state from the log index of the last
look on, entries a minute from the minutes that have passed since. All of it can be lost and is made
again by a full count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from sqlalchemy import Connection

from hub.protocol.retry_schedule import RetrySchedule
from hub.store import head as heads
from hub.store import mailboxes
from hub.store.console import activity
from hub.store.console.activity import Tally, WaitingItem

MINUTES: Final = 60
_MINUTE: Final = timedelta(minutes=1)
_COUNTED_AGAIN_EVERY: Final = timedelta(hours=6)
"""Whatever else may shift a running tally, a full count puts right after so long."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one recipient; ``oldest`` is the first item it has not acknowledged."""

    recipient: str
    count: int
    oldest: WaitingItem | None
    failure_count: int
    next_attempt_at: datetime | None
    last_error: str | None
    circuit: str


@dataclass(frozen=True, slots=True)
class ExchangeNow:
    """What the exchange does. ``minutes`` are (begin, entries), oldest first; the last one runs.

    ``states`` counts transfers. ``queues`` are those with something in them, the fullest first.
    """

    log_size: int
    last_entry_at: datetime | None
    minutes: tuple[tuple[datetime, int], ...]
    states: Mapping[str, int]
    queues: tuple[Queue, ...]

    @property
    def entries(self) -> int:
        """Return how many entries the hour had."""
        return sum(count for _, count in self.minutes)

    @property
    def waiting(self) -> int:
        """Return how many items wait for all recipients."""
        return sum(queue.count for queue in self.queues)

    @property
    def oldest(self) -> WaitingItem | None:
        """Return the item that waits longest."""
        found = [queue.oldest for queue in self.queues if queue.oldest is not None]
        return min(found, key=lambda one: (one.recorded_at, one.recipient), default=None)


class RunningCounts:
    """What one process has counted so far. Threads may ask at once; one counts, the others wait."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tally: Tally | None = None
        self._counted_at = self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._before: dict[datetime, int] = {}

    def states(self, connection: Connection, now: datetime) -> dict[str, int]:
        """Return how many transfers are in which state."""
        with self._lock:
            head, known = heads.read(connection).log_index, self._tally
            if known is None or self._is_to_recount(head, known, now):
                self._tally = known = activity.full_tally(connection)
                self._counted_at = self._looked_at = now
            elif head >= known.log_index:
                self._tally = known = activity.next_tally(connection, known)
                self._looked_at = now
            return dict(known.counts)

    def _is_to_recount(self, head: int, known: Tally, now: datetime) -> bool:
        """Tell whether it is time, or the log is shorter than it was: restored from a backup.

        For a moment it is shorter to a thread that opened its view before another one counted.
        """
        is_old = not timedelta() <= now - self._counted_at < _COUNTED_AGAIN_EVERY
        return is_old or (head < known.log_index and now - self._looked_at > _MINUTE)

    def minutes(
        self, connection: Connection, size: int, now: datetime
    ) -> tuple[tuple[datetime, int], ...]:
        """Return how many entries each minute of the last hour had; the last one is not over."""
        this = now.replace(second=0, microsecond=0)
        begins = [this - place * _MINUTE for place in range(MINUTES - 1, -1, -1)]
        with self._lock:
            known = {at: count for at, count in self._before.items() if at in set(begins)}
            if any(count > size for count in known.values()):
                known = {}  # the log is shorter than it was: restored from a backup
            missing = [at for at in begins if at not in known]
            if missing:
                first = max((count for at, count in known.items() if at < missing[0]), default=0)
                known |= activity.counts_before(connection, missing, first, size)
            # Entries of the clock's last moment may still come, from a hub whose clock is behind.
            self._before = {at: count for at, count in known.items() if at < this}
        ends = [known[at] for at in begins[1:]] + [size]
        return tuple((at, max(0, end - known[at])) for at, end in zip(begins, ends, strict=True))


def look(
    connection: Connection, counts: RunningCounts, retry: RetrySchedule, now: datetime
) -> ExchangeNow:
    """Return what the exchange does now."""
    newest = heads.read(connection).log_index
    return ExchangeNow(
        log_size=newest + 1,
        last_entry_at=activity.times_of(connection, [newest]).get(newest),
        minutes=counts.minutes(connection, newest + 1, now),
        states=counts.states(connection, now),
        queues=tuple(queues(connection, retry, now)),
    )


def queues(connection: Connection, retry: RetrySchedule, now: datetime) -> list[Queue]:
    """Return what waits for whom, the most first."""
    oldest = activity.oldest_waiting(connection)
    found = [
        Queue(
            recipient=box.recipient,
            count=box.last_sequence - box.acknowledged_sequence,
            oldest=oldest.get(box.recipient),
            failure_count=box.failure_count,
            next_attempt_at=box.next_attempt_at,
            last_error=box.last_error,
            circuit=str(retry.circuit(box.failure_count, box.next_attempt_at, now)),
        )
        for box in mailboxes.load_all(connection)
        if box.last_sequence > box.acknowledged_sequence or box.failure_count
    ]
    return sorted(found, key=lambda one: (-one.count, one.recipient))
