"""The queue before the door's transaction: envelopes that arrive together share one commit.

There is no timer. While one batch is being recorded the next one gathers, up to its bounds in
envelopes and bytes; an idle hub takes a lone envelope at once. Two stages overlap: opening
(signatures, schema) and recording (the transaction), each in its own thread, so the second core
opens batch n+1 while batch n is being committed.

The queue is bounded in envelopes and bytes. When it is full the answer is 503 before any work.
A batch whose transaction fails for a reason of one envelope (our defect) is taken apart and each
envelope tried alone: a poisonous one cannot take its neighbours with it.

Both threads read XML that others wrote, so they are replaced from time to time (``xml_threads``).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog

from hub.protocol.envelopes import OpenEnvelope
from hub.protocol.errors import HubError, UnavailableError
from hub.protocol.response_codes import ResponseCode
from hub.services import crash_points
from hub.services.receive_envelopes import Answer, EnvelopeReceiver, Opened, RecordedBatch
from hub.services.xml_threads import ReplacedThread
from hub.store.database import DatabaseUnavailableError
from keys.trust import TrustStore

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
Waiting = tuple[bytes, "asyncio.Future[bytes]"]


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """How much may wait, and how much shares a commit."""

    batch_envelopes_max: int
    batch_bytes_max: int
    queue_envelopes_max: int
    queue_bytes_max: int
    questions_per_participant_max: int = 8


class Intake:
    """Gathers posted envelopes into batches and hands out the answers."""

    def __init__(
        self,
        receiver: EnvelopeReceiver,
        limits: IntakeLimits,
        *,
        clock: Callable[[], datetime],
        on_recorded: Callable[[Sequence[str]], None],
        on_heard: Callable[[Collection[str]], None],
        answer_question: Callable[[OpenEnvelope], Awaitable[bytes]],
        on_receipt: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._answer_question = answer_question
        self._questions: set[asyncio.Task[None]] = set()
        self._receiver = receiver
        self._limits = limits
        self._clock = clock
        self._on_recorded = on_recorded
        self._on_heard = on_heard
        self._waiting: list[Waiting] = []
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._opening = ReplacedThread("open")
        self._recording = ReplacedThread("record")
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._open_questions: Counter[str] = Counter()
        self._asking: set[asyncio.Future[bytes]] = set()
        self._on_receipt = on_receipt

    def start(self) -> None:
        """Begin taking batches."""
        self._task = asyncio.create_task(self._run(), name="intake")

    async def close(self) -> None:
        """Take no more; finish what was taken."""
        self._closing = True
        self._arrived.set()
        if self._task is not None:
            await self._task
        for question in list(self._questions):
            question.cancel()
        self._opening.shutdown()
        self._recording.shutdown()

    @property
    def waiting_count(self) -> int:
        """Return how many envelopes wait."""
        return len(self._waiting)

    async def submit(self, raw: bytes) -> bytes:
        """Return the receipt of one posted envelope.

        Raises PeerError (no receipt: final) or UnavailableError (retry after a while).
        """
        if self._closing or (
            len(self._waiting) >= self._limits.queue_envelopes_max
            or self._waiting_bytes + len(raw) > self._limits.queue_bytes_max
        ):
            raise UnavailableError(
                ResponseCode.HUB_OVERLOADED,
                f"{len(self._waiting)} envelopes wait already",
                retry_after_seconds=1,
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()
        arrived_at = loop.time()
        self._waiting.append((raw, future))
        self._waiting_bytes += len(raw)
        self._arrived.set()
        try:
            receipt = await future
        finally:
            asked = future in self._asking
            self._asking.discard(future)
        if not asked:  # a question may wait for its answer on purpose
            self._on_receipt(loop.time() - arrived_at)
        return receipt

    def _take(self, batch: Sequence[Waiting] = ()) -> list[Waiting]:
        """Take off the queue what fits one batch, beside what that batch has already."""
        size = before = sum(len(raw) for raw, _ in batch)
        count = 0
        for raw, _ in self._waiting[: self._limits.batch_envelopes_max - len(batch)]:
            if (batch or count) and size + len(raw) > self._limits.batch_bytes_max:
                break
            size += len(raw)
            count += 1
        taken = self._waiting[:count]
        del self._waiting[:count]
        self._waiting_bytes -= size - before
        return taken

    async def _run(self) -> None:
        """Open and record batches, one recording at a time, the next one opened meanwhile."""
        recording: asyncio.Task[None] | None = None
        while True:
            if not self._waiting:
                if self._closing:
                    break
                self._arrived.clear()
                await self._arrived.wait()
                continue
            now, trust = self._clock(), self._receiver.data.trust
            batch, opened = await self._open(self._take(), trust, now)
            while recording is not None and not recording.done():
                # Whoever arrives while the last batch is being committed joins this one.
                if more := self._take(batch):
                    joined, joined_opened = await self._open(more, trust, now)
                    batch += joined
                    opened += joined_opened
                else:
                    await self._until_arrival_or(recording)
            if batch:
                recording = asyncio.create_task(self._record(batch, opened, trust, now))
        if recording is not None:
            await recording

    async def _open(
        self, taken: list[Waiting], trust: TrustStore, now: datetime
    ) -> tuple[list[Waiting], list[Opened]]:
        """Open what was taken; return what is to be recorded, questions being answered apart."""
        raws = [raw for raw, _ in taken]
        try:
            opened = await asyncio.get_running_loop().run_in_executor(
                self._opening, self._receiver.open_batch, raws, trust, now
            )
        except Exception:
            log.exception("opening a batch failed")
            _answer_all(taken, _internal())
            return [], []
        self._on_heard({item.envelope.sender for item in opened if isinstance(item, OpenEnvelope)})
        return self._without_questions(taken, opened)

    async def _until_arrival_or(self, recording: "asyncio.Task[None]") -> None:
        """Wait until something more arrives, or the batch being recorded is done."""
        self._arrived.clear()
        arrival = asyncio.create_task(self._arrived.wait())
        try:
            await asyncio.wait({recording, arrival}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()

    def _without_questions(
        self, batch: list[Waiting], opened: list[Opened]
    ) -> tuple[list[Waiting], list[Opened]]:
        """Answer read-only envelopes on their own; return the part of the batch that records."""
        recorded: list[tuple[Waiting, Opened]] = []
        for waiting, item in zip(batch, opened, strict=True):
            if isinstance(item, OpenEnvelope) and self._receiver.is_question(item):
                self._asking.add(waiting[1])
                self._ask(waiting[1], item)
            else:
                recorded.append((waiting, item))
        return [waiting for waiting, _ in recorded], [item for _, item in recorded]

    def _ask(self, future: "asyncio.Future[bytes]", item: OpenEnvelope) -> None:
        """Begin to answer a question, unless its sender has too many open already."""
        sender = item.envelope.sender
        if self._open_questions[sender] >= self._limits.questions_per_participant_max:
            detail = f"{sender} has {self._open_questions[sender]} questions open"
            too_many = UnavailableError(ResponseCode.HUB_OVERLOADED, detail, retry_after_seconds=1)
            _settle(future, too_many)
            return
        self._open_questions[sender] += 1
        task = asyncio.create_task(self._answer(future, item))
        self._questions.add(task)

        def done(finished: "asyncio.Task[None]") -> None:
            self._questions.discard(finished)
            self._open_questions[sender] -= 1

        task.add_done_callback(done)

    async def _answer(self, future: "asyncio.Future[bytes]", item: OpenEnvelope) -> None:
        """Answer one read-only envelope."""
        try:
            _settle(future, await self._answer_question(item))
        except DatabaseUnavailableError as error:
            _settle(future, _unavailable(str(error)))
        except HubError as error:
            _settle(future, error)
        except Exception:
            log.exception("a question cannot be answered")
            _settle(future, _internal())

    async def _record(
        self, batch: list[Waiting], opened: list[Opened], trust: TrustStore, now: datetime
    ) -> None:
        """Record one batch and answer all who wait for it."""
        try:
            recorded = await self._in_thread([raw for raw, _ in batch], opened, trust, now)
        except DatabaseUnavailableError as error:
            log.warning("database unavailable", detail=str(error))
            _answer_all(batch, _unavailable(str(error)))
        except Exception:
            log.exception("recording a batch failed", envelopes=len(batch))
            await self._record_alone(batch, opened, trust, now)
        else:
            crash_points.reach("intake.before_receipt")
            for (_, future), answer in zip(batch, recorded.answers, strict=True):
                _settle(future, answer)
            self._on_recorded(recorded.recipients)

    async def _record_alone(
        self, batch: list[Waiting], opened: list[Opened], trust: TrustStore, now: datetime
    ) -> None:
        """Record each envelope of a failed batch by itself; only the poisonous one fails."""
        for (raw, future), item in zip(batch, opened, strict=True):
            try:
                recorded = await self._in_thread([raw], [item], trust, now)
            except DatabaseUnavailableError as error:
                _settle(future, _unavailable(str(error)))
            except Exception:
                log.exception("an envelope cannot be recorded", envelope_bytes=len(raw))
                _settle(future, _internal())
            else:
                _settle(future, recorded.answers[0])
                self._on_recorded(recorded.recipients)

    async def run_blocking(self, function: Callable[..., Result], /, *args: object) -> Result:
        """Run another writer's function in the recording thread, between two batches."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._recording, lambda: function(*args))

    async def _in_thread(
        self, raws: list[bytes], opened: list[Opened], trust: TrustStore, now: datetime
    ) -> RecordedBatch:
        return await asyncio.get_running_loop().run_in_executor(
            self._recording, self._receiver.record_batch, raws, opened, trust, now
        )


def _settle(future: "asyncio.Future[bytes]", answer: Answer | HubError) -> None:
    if future.done():  # the peer went away
        return
    if isinstance(answer, bytes):
        future.set_result(answer)
    else:
        future.set_exception(answer)


def _answer_all(batch: list[Waiting], error: HubError) -> None:
    for _, future in batch:
        _settle(future, error)


def _unavailable(detail: str) -> UnavailableError:
    del detail  # the log has it; a peer need not know our database
    return UnavailableError(
        ResponseCode.HUB_UNAVAILABLE, "the ledger cannot be reached now", retry_after_seconds=2
    )


def _internal() -> UnavailableError:
    return UnavailableError(
        ResponseCode.HUB_UNAVAILABLE,
        "a defect of the hub; its operator was told. Nothing was recorded",
        retry_after_seconds=60,
    )
