"""``mechanism serve``: keep the session, and answer each query once.

1. The session fetches the mailbox. A query is filed in the transaction that stores its item.
2. Queries that wait are answered a few at a time: the books are asked outside any transaction,
   then one transaction submits the answer and takes the query off the list. A kill at any moment
   leaves it waiting, or answered: never both, never twice.
3. Books that cannot be read are asked again with growing pauses; after ``give_up_seconds`` the
   asker is told so.
4. Feeds that wait in the outbox go on as well. One process at a time works on a database.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from connectors.mechanism_registry.runs.push import FeedHandler
from connectors.mechanism_registry.runs.run import new_session, running
from connectors.mechanism_registry.secrets_by_uri import read_secret
from connectors.mechanism_registry.settings import MechanismSettings
from connectors.mechanism_registry.tables import open_feeds
from connectors.mechanism_registry.views import answers, asked, parties
from connectors.mechanism_registry.views.asked import AskedQuery
from connectors.mechanism_registry.views.cursors import SECRET_BYTES
from connectors.mechanism_registry.views.files import FileViews
from connectors.mechanism_registry.views.http import HttpViews
from connectors.mechanism_registry.views.port import Views, ViewUnavailableError
from connectors.mechanism_registry.views.settings import ViewSettings
from connectors.session import state
from connectors.session.database import Work
from connectors.session.deliveries import ArrivedItem
from connectors.session.handler import KnownOutcome, Transaction
from connectors.session.outbox import MessageInvalidError
from connectors.session.session import Session
from hub.protocol.retry_schedule import RetrySchedule
from keys.signer import Signer
from message_schemas import timestamps

CURSOR_KEY: Final = "cursor_key"
"""The row of the session's state with the secret that seals the cursors."""
TOGETHER_MAX: Final = 4
LOOK_SECONDS: Final = 30.0
_ANSWER: Final = "answer:"

log = structlog.get_logger(__name__)


class ServeError(Exception):
    """The connector cannot serve as it is set up; the text says what to do."""


class ClosableViews(Views, Protocol):
    """Books that hold connections."""

    async def close(self) -> None:
        """Let them go."""
        ...


class ServingHandler(FeedHandler):
    """Files queries, settles feeds, and notes when the hub refused an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()

    def item_arrived(self, transaction: Transaction, item: ArrivedItem) -> None:
        """File what the item asks."""
        if asked.file_queries(transaction, item):
            transaction.after_commit(self._wake_answers)

    def outcome_known(self, transaction: Transaction, known: KnownOutcome) -> None:
        """Settle a feed's message; an answer that was refused is noted, and nobody gets it."""
        reference = known.message.reference
        if not reference.startswith(_ANSWER):
            super().outcome_known(transaction, known)
        elif not known.in_effect:
            found = [item.text for item in known.outcome.findings] or [known.outcome.name]
            asked.note_refusal(
                transaction.connection, reference.removeprefix(_ANSWER), "; ".join(found)
            )
            log.error("answer refused", query=reference, code=known.outcome.name)

    def _wake_answers(self) -> None:
        self._loop.call_soon_threadsafe(self.asked.set)


@dataclass(slots=True)
class AnswerWorker:
    """Answers what waits, until it is cancelled."""

    session: Session
    handler: ServingHandler
    answerer: answers.Answerer
    settings: ViewSettings
    clock: Callable[[], datetime]

    async def run(self) -> None:
        """Answer, wait for the next query or the next attempt, and again."""
        while True:
            self.handler.asked.clear()
            due = await self.session.database.read(asked.fetch_due, self._now_ms(), TOGETHER_MAX)
            await asyncio.gather(*(self._answer(one) for one in due))
            if not due:
                await self._wait()

    async def _wait(self) -> None:
        due_ms = await self.session.database.read(asked.next_due_ms)
        seconds = LOOK_SECONDS if due_ms is None else (due_ms - self._now_ms()) / 1000
        try:
            async with asyncio.timeout(min(max(seconds, 0.01), LOOK_SECONDS)):
                await self.handler.asked.wait()
        except TimeoutError:
            return

    async def _answer(self, query: AskedQuery) -> None:
        now = timestamps.render(self.clock())
        party = await self._party(query.asker)
        try:
            answer = await self.answerer.answer(query, party, now)
        except ViewUnavailableError as error:
            log.warning("books unavailable", query=query.message_id, detail=str(error))
            if not self._is_over(query):
                await self._postpone(query, str(error))
                return
            answer = answers.unanswered(query, now)
        try:
            await self._submit(query, answer)
        except MessageInvalidError as error:
            await self._submit(query, answers.not_sent(query, now, str(error)))

    async def _submit(self, query: AskedQuery, answer: answers.Answer) -> None:
        """Submit the answer and take the query off the list, in one transaction."""
        reason = answer.reasons[0].text if answer.reasons else None

        def use(transaction: Transaction) -> None:
            rows = len(answer.items)
            if asked.settle(transaction.connection, query.message_id, rows, reason):
                message = (answers.type_of(answer), answer, f"{_ANSWER}{query.message_id}")
                transaction.submit(query.asker, [message])

        await self.session.write("registry.command", use)

    async def _party(self, asker: str) -> str | None:
        """Return the asker's Party; a participant that is new may need a fresh list."""
        found = await self.session.database.read(parties.party_of, asker)
        if found is None and await self.session.refresh_participants():
            found = await self.session.database.read(parties.party_of, asker)
        return found

    def _is_over(self, query: AskedQuery) -> bool:
        age = self.clock() - timestamps.parse(query.arrived_at)
        return age > timedelta(seconds=self.settings.give_up_seconds)

    async def _postpone(self, query: AskedQuery, reason: str) -> None:
        settings = self.settings
        schedule = RetrySchedule(settings.retry_delay_seconds_min, settings.retry_delay_seconds_max)
        wait = schedule.wait(query.attempt_count + 1, random.random())  # noqa: S311 - no secret
        due_ms = self._now_ms() + round(wait.total_seconds() * 1000)

        def use(work: Work) -> None:
            asked.postpone(work.connection, query.message_id, due_ms, reason)

        await self.session.database.write("registry.command", use)

    def _now_ms(self) -> int:
        return round(self.clock().timestamp() * 1000)


def open_views(settings: ViewSettings) -> ClosableViews:
    """Open the books. Raises ValueError, KeysError, OSError (the token); inside a loop."""
    if settings.url is None:
        return FileViews(settings.holdings, settings.history)
    token = None if settings.token is None else read_secret(settings.token)
    return HttpViews(settings.url, token, settings.request_seconds_max)


def load_secret(connection: Connection) -> bytes:
    """Return the secret that seals the cursors, made at the first start."""
    secret = state.load(connection, CURSOR_KEY)
    if secret is None:
        secret = secrets.token_bytes(SECRET_BYTES)
        state.store(connection, CURSOR_KEY, secret)
    return secret


async def serve(
    settings: MechanismSettings,
    started: Callable[[Session], None],
    stop: asyncio.Event,
    signers: Sequence[Signer] | None = None,
) -> None:
    """Serve until ``stop`` is set; ``started`` is called once the session runs.

    Raises ServeError, KeysError, OSError (DatabaseBusyError among them), ValueError.
    """
    if settings.views is None:
        raise ServeError("nothing to answer from: give [views] in the settings")
    if settings.delivery_mode != "pull":
        raise ServeError('queries come with the deliveries: set delivery_mode = "pull"')
    async with AsyncExitStack() as stack:
        database = stack.enter_context(closing(open_feeds(settings.database)))
        views = open_views(settings.views)
        stack.push_async_callback(views.close)
        handler = ServingHandler()
        session = new_session(settings, database, handler, signers)
        await stack.enter_async_context(running(session))
        secret = await database.write("outbox.operate", lambda work: load_secret(work.connection))
        answerer = answers.Answerer(views, secret, settings.views.items_max)
        worker = AnswerWorker(session, handler, answerer, settings.views, _clock)
        task = asyncio.create_task(worker.run())
        stack.callback(task.cancel)
        started(session)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()


def _clock() -> datetime:
    return datetime.now(UTC)
