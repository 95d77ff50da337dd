"""Push deliveries: one in flight per recipient, in order, again and again until acknowledged.

Only the leading hub process of a database pushes. It learns of new items at once from its own
intake, and by looking every quarter of a second from that of other processes. The answer to a push
is a signed envelope with the acknowledgement, in whatever binding: it goes through the same door as
any other.

A failed attempt is written down with the time of the next one. Anything else that the recipient
says, to any hub process, is a sign of life and ends the wait. Its answer to a push is not one,
or a peer that answers every push wrongly would be pushed to without pause.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from hub.protocol.errors import PeerError, UnavailableError
from hub.protocol.retry_schedule import RetrySchedule
from hub.services import crash_points, deliver
from hub.services.deliver import DeliveryMaker
from hub.services.sealing import read_own
from hub.store.database import Database, DatabaseUnavailableError
from hub.store.mailboxes import Delivery
from hub.store.reference import ParticipantRow

log = structlog.get_logger(__name__)


class PushFailedError(Exception):
    """The recipient did not take the delivery: no connection, no 200, or no usable answer."""


class Post(Protocol):
    """Posts a delivery to a participant's endpoint; returns the answer's body."""

    def __call__(self, endpoint: str, body: bytes) -> Awaitable[bytes]:
        """Raise PushFailedError unless the answer is a 200 within the time allowed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the courier finds around it in its process.

    ``participants`` are the rows as last seen, ``refresh`` looks again. ``submit`` takes an answer
    through the door, ``post`` sends a delivery, ``run_blocking`` runs a writer in its turn.
    """

    participants: Callable[[], Mapping[str, ParticipantRow]]
    refresh: Callable[[], None]
    submit: Callable[[bytes], Awaitable[bytes]]
    post: Post
    is_leader: Callable[[], bool]
    clock: Callable[[], datetime]
    run_blocking: Callable[..., Awaitable[object]]
    count: Callable[[str], None]


class Courier:
    """Watches the mailboxes of participants that take pushes."""

    def __init__(
        self,
        database: Database,
        maker: DeliveryMaker,
        *,
        schedule: RetrySchedule,
        poll_seconds: float,
        around: Surroundings,
    ) -> None:
        self._database = database
        self._maker = maker
        self._schedule = schedule
        self._participants = around.participants
        self._submit = around.submit
        self._post = around.post
        self._is_leader = around.is_leader
        self._clock = around.clock
        self._poll_seconds = poll_seconds
        self._run_blocking = around.run_blocking
        self._refresh = around.refresh
        self._count = around.count
        self._backing_off: frozenset[str] = frozenset()
        self._ready: set[str] = set()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._signs: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    def start(self) -> None:
        """Begin watching."""
        self._tasks = [
            asyncio.create_task(self._run(), name="courier"),
            asyncio.create_task(self._look_around(), name="courier-poll"),
        ]

    async def close(self) -> None:
        """Stop; whatever is in flight is sent again after the next start."""
        tasks = [*self._tasks, *self._signs, *self._busy.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def has_news(self, recipients: Collection[str]) -> None:
        """Learn that these recipients have new items, or showed a sign of life."""
        if recipients:
            self._ready.update(recipients)
            self._wake.set()

    def heard_from(self, senders: Collection[str]) -> None:
        """Learn that these participants live: whoever backs off is tried at once."""
        alive = [code for code in senders if code in self._backing_off and code not in self._busy]
        if alive:
            self._backing_off -= set(alive)
            task = asyncio.create_task(self._end_back_off(alive))
            self._signs.add(task)
            task.add_done_callback(self._signs.discard)

    async def _end_back_off(self, alive: list[str]) -> None:
        try:
            await self._run_blocking(deliver.end_back_off, self._database, alive)
        except DatabaseUnavailableError as error:
            log.warning("database unavailable", detail=str(error))
        else:
            self.has_news(alive)

    async def _look_around(self) -> None:
        """Find what other processes recorded and whose waiting time is over."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                outlook = await asyncio.to_thread(self._look)
            except DatabaseUnavailableError as error:
                log.warning("database unavailable", detail=str(error))
            except Exception:
                log.exception("looking at the mailboxes failed")
            else:
                self._backing_off = outlook.backing_off
                if self._is_leader():
                    self.has_news([code for code in outlook.due if code not in self._busy])

    def _look(self) -> deliver.Outlook:
        """Return who waits; where and how they take deliveries may have changed meanwhile."""
        self._refresh()
        return deliver.look_around(self._database, self._clock())

    async def _run(self) -> None:
        """Prepare deliveries for all recipients that are ready, and send each on its own."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            wanted = {code for code in self._ready if code not in self._busy}
            self._ready -= wanted
            pushed = [code for code in sorted(wanted) if self._takes_pushes(code)]
            if not pushed or not self._is_leader():
                continue
            try:
                prepared = await self._run_blocking(
                    self._maker.prepare, self._database, pushed, self._clock()
                )
            except DatabaseUnavailableError as error:
                log.warning("database unavailable", detail=str(error))
                continue
            except Exception:
                log.exception("preparing deliveries failed", recipients=pushed)
                prepared = await self._prepare_alone(pushed)
            assert isinstance(prepared, list)
            for delivery in prepared:
                self._send(delivery)

    async def _prepare_alone(self, recipients: list[str]) -> list[Delivery]:
        """Prepare each delivery by itself: one that cannot be made must not stop the others."""
        prepared: list[Delivery] = []
        for code in recipients:
            try:
                made = await self._run_blocking(
                    self._maker.prepare, self._database, [code], self._clock()
                )
                assert isinstance(made, list)
                prepared.extend(made)
            except DatabaseUnavailableError as error:
                log.warning("database unavailable", detail=str(error))
            except Exception:
                log.exception("a delivery cannot be made", recipient=code)
                await self._run_blocking(self._note_failure, code, "the delivery cannot be made")
        return prepared

    def _takes_pushes(self, code: str) -> bool:
        row = self._participants().get(code)
        return row is not None and row.delivery_mode == "push" and row.endpoint is not None

    def _send(self, delivery: Delivery) -> None:
        """Send one delivery in a task of its own."""
        task = asyncio.create_task(self._push(delivery), name=f"push {delivery.recipient}")
        self._busy[delivery.recipient] = task
        task.add_done_callback(lambda _: self._done(delivery.recipient))

    def _done(self, recipient: str) -> None:
        self._busy.pop(recipient, None)
        if recipient in self._ready:
            self._wake.set()

    async def _push(self, delivery: Delivery) -> None:
        """Post a delivery and take its acknowledgement through the door."""
        recipient = delivery.recipient
        endpoint = self._participants()[recipient].endpoint
        assert endpoint is not None
        try:
            assert delivery.body is not None, "only acknowledged deliveries are erased"
            answer = await self._post(endpoint, delivery.body)
            crash_points.reach("push.before_acknowledgement")
            receipt = await self._submit(answer)
            crash_points.reach("push.after_acknowledgement")
            _require_acknowledged(receipt, delivery)
        except UnavailableError as error:  # ours, not the recipient's: the next look tries again
            log.warning("acknowledgement not taken", recipient=recipient, detail=str(error))
            # It would be pushed again at once, and again; so it stays in flight for a while.
            await asyncio.sleep(error.retry_after_seconds)
        except (PushFailedError, PeerError) as error:
            self._count("failed")
            until = await self._run_blocking(self._note_failure, recipient, str(error))
            self._backing_off |= {recipient}  # a sign of life counts from now on
            log.warning("delivery failed", recipient=recipient, detail=str(error), again_at=until)
        else:
            self._count("acknowledged")
            self._ready.add(recipient)  # there may be more

    def _note_failure(self, recipient: str, error: str) -> datetime:
        return deliver.note_failure(
            self._database,
            recipient,
            error=error,
            schedule=self._schedule,
            jitter=self._random.random(),
            now=self._clock(),
        )


def _require_acknowledged(receipt: bytes, delivery: Delivery) -> None:
    """Raise PushFailedError unless our receipt says that the answer acknowledged the delivery."""
    answered = read_own(receipt, "receipt")
    if answered["recipient"] != delivery.recipient:
        raise PushFailedError(f"the answer was signed by {answered['recipient']}")
    outcomes = answered["outcomes"]
    acknowledged = max(
        ((one.get("result") or {}).get("acknowledged_sequence", 0) for one in outcomes), default=0
    )
    if acknowledged < delivery.last_sequence:
        names = ", ".join(sorted({one["name"] for one in outcomes}))
        raise PushFailedError(
            f"the answer did not acknowledge items up to {delivery.last_sequence} ({names})"
        )
