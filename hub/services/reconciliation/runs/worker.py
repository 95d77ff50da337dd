"""The leading hub goes on with every session that was answered, and begins those that are due.

A turn, every quarter of a second or so; a few small statements while nothing is open:

1. Sessions whose question nobody answered in time end as silent.
2. Sessions that were answered are compared, in a thread with a reading connection; what comes of it
   (the next question, or the end) is written in the recording thread, like everything.
3. The night, requests and movements begin what they want (``nights``).
4. Once a minute the digests are folded on, so that a night has nothing left to fold.

Nothing is kept here that the tables do not have: a process that is killed, or loses the lead,
leaves no gap. What fails for a reason of one session ends that session as failed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services import crash_points
from hub.services.load_facts import HubIdentity
from hub.services.metrics import Metrics
from hub.services.reconciliation.cases.ending import Ending, SessionEndedError, end_session
from hub.services.reconciliation.ledger import books, folding, own_books
from hub.services.reconciliation.ledger.books import SqlBook
from hub.services.reconciliation.ledger.own_books import OwnBooks
from hub.services.reconciliation.reports import reports
from hub.services.reconciliation.runs import nights, questions, records
from hub.services.reconciliation.runs.link_secrets import NO_MASTER, LinkSecretError, LinkSecrets
from hub.services.reconciliation.runs.night_dates import latest_due
from hub.services.reconciliation.runs.nights import Round, Target
from hub.services.reconciliation.runs.questions import Asked, Beginning
from hub.services.reconciliation.runs.sessions import Known, LiveSession, Step, listed_series
from hub.store import head as heads
from hub.store import reference
from hub.store.database import Database, DatabaseUnavailableError
from hub.store.interning import Interning
from hub.store.reconciliation import links, movements
from hub.store.reconciliation import nights as night_rows
from hub.store.reconciliation import sessions as session_rows
from hub.store.reconciliation.movements import TotalKey
from hub.store.reconciliation.nights import WAITING, NightRow, RequestRow
from hub.store.reconciliation.sessions import SessionRow
from message_schemas import timestamps
from reconciliation.link_keys import LinkKey

log = structlog.get_logger(__name__)

FOLD_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 60.0
"""How long a session, or a check, that met a defect of ours is left alone."""
DEFECT: Final = "a defect of the hub, whose operator was told"

Result = TypeVar("Result")


class StoppedError(Exception):
    """The process ends while digests are folded or books are checked."""


_OF_ALL: Final = (DatabaseUnavailableError, StoppedError)
"""What fails for no reason of one session."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the worker finds around it in its process.

    ``works`` tells whether this process leads, ``run_blocking`` runs a writer in its turn,
    ``on_recorded`` is told who has a new item.
    """

    works: Callable[[], bool]
    run_blocking: Callable[..., Awaitable[Any]]
    clock: Callable[[], datetime]
    on_recorded: Callable[[Collection[str]], None]
    metrics: Metrics
    poll_seconds: float = 0.25


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a turn finds to do."""

    answered: list[SessionRow]
    overdue: list[SessionRow]
    open_now: list[SessionRow]
    night: NightRow | None
    requests: list[RequestRow]


class Worker:
    """One hub process's part in reconciliation; it works while the process leads."""

    def __init__(
        self,
        database: Database,
        secrets: LinkSecrets,
        *,
        identity: HubIdentity,
        policy: ReconciliationPolicy,
        around: Around,
    ) -> None:
        self._database, self._secrets = database, secrets
        self._identity, self._policy, self._around = identity, policy, around
        self._metrics = around.metrics
        self._interning = Interning()
        self._live: dict[str, LiveSession] = {}
        self._left_alone: dict[str, datetime] = {}
        self._comparing = ThreadPoolExecutor(1, "reconcile")
        self._checking = ThreadPoolExecutor(1, "own-books")
        self._task: asyncio.Task[None] | None = None
        self._check: asyncio.Task[None] | None = None
        self._folded_at: datetime | None = None
        self._looked_for: date | None = None
        self._failed_check: str | None = None
        self._is_closing = False

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work; say so once if nobody can be compared by digests."""
        if not self._secrets.has_master:
            log.warning("no registry is compared by digests", detail=NO_MASTER)
        self._task = asyncio.create_task(self._run(), name="reconciliation")

    async def close(self) -> None:
        """Stop. What was under way is done again by whoever leads next."""
        self._is_closing = True
        tasks = [task for task in (self._task, self._check) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pool in (self._comparing, self._checking):
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            try:
                if self._around.works():
                    await self.turn()
                else:
                    self._live.clear()
                    self._looked_for = None
            except DatabaseUnavailableError as error:
                log.warning("database unavailable", detail=str(error))
            except Exception:
                log.exception("a turn of reconciliation failed")
                await asyncio.sleep(self._around.poll_seconds)
            await asyncio.sleep(self._around.poll_seconds)

    async def turn(self) -> None:
        """Do everything there is to do now. Raises DatabaseUnavailableError."""
        now = self._around.clock()
        outlook = await self._take_requests(await self._in_thread(self._look, now), now)
        for row in outlook.overdue:
            await self._apart(row, now, self._end_silent)
        for row in outlook.answered:
            await self._apart(row, now, self._advance)
        await self._go_on(outlook, now)
        if self._folded_at is None or now >= self._folded_at + timedelta(seconds=FOLD_SECONDS):
            self._folded_at = now
            await self._by_day(now)

    async def _in_thread(self, function: Callable[..., Result], *args: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._comparing, function, *args)

    async def _write(self, function: Callable[..., Result], *args: Any, **named: Any) -> Result:
        result: Result = await self._around.run_blocking(lambda: function(*args, **named))
        return result

    def _look(self, now: datetime) -> Outlook:
        with self._database.reading() as connection:
            return Outlook(
                session_rows.answered(connection),
                session_rows.overdue(connection, now),
                session_rows.open_sessions(connection),
                night_rows.running(connection),
                night_rows.open_requests(connection),
            )

    # --- sessions ------------------------------------------------------------------------------

    async def _apart(
        self,
        row: SessionRow,
        now: datetime,
        step: Callable[[SessionRow, datetime], Awaitable[None]],
    ) -> None:
        """Do a step of a session. If it fails, the session is made again from its answers.

        In memory it may have taken half of one. A defect of ours leaves it alone for a while.
        """
        if self._left_alone.get(row.session, now) > now:
            return
        try:
            await step(row, now)
        except BaseException as error:
            self._live.pop(row.session, None)
            if not isinstance(error, Exception) or isinstance(error, _OF_ALL):
                raise
            log.exception("a session cannot go on", session=row.session)
            self._left_alone[row.session] = now + timedelta(seconds=RETRY_SECONDS)
        else:
            self._left_alone.pop(row.session, None)

    async def _advance(self, row: SessionRow, now: datetime) -> None:
        """Compare what was answered, and ask on or end."""
        try:
            step = await self._in_thread(self._compare, row)
        except _OF_ALL:
            raise
        except LinkSecretError as error:
            step = Step(row.mode, ending=Ending("failed", None, reason=str(error)))
        except Exception:
            log.exception("a session cannot be compared", session=row.session)
            step = Step(row.mode, ending=Ending("failed", None, reason=DEFECT))
        if step is None:
            return
        row = replace(row, mode=step.mode)
        if step.ending is not None:
            await self._end(row, step.ending)
        elif step.question is not None:
            asked = await self._write(
                questions.ask,
                self._database,
                row,
                step.question,
                hub=self._identity.hub,
                answer_seconds=self._policy.answer_seconds,
                now=now,
            )
            self._around.on_recorded(asked.recipients)

    def _compare(self, row: SessionRow) -> Step | None:
        """Give a session the answers it has not taken yet; in a thread, on one snapshot."""
        of_units = row.mode != "records"
        if of_units:
            key = self._key_of(row)
            folding.bring_up_to_date(self._database, {row.registry: key}, self._watch)
        with self._database.reading() as connection:
            asked = {one.number: one for one in session_rows.questions(connection, row.session)}
            book: SqlBook | None = None
            if of_units:
                link = links.load(connection, row.registry)
                assert link is not None, "what was folded has a link"
                book = books.open_book(connection, self._interning, link, key)
            live = self._live.get(row.session)
            if live is None:
                known = self._known(connection, row, book)
                live = LiveSession(row, asked[1], None if book is None else book.hasher, known)
                self._live[row.session] = live
            answers = session_rows.answers(connection, row.session, after=live.taken)
            return live.take(book, answers, asked)

    def _known(self, connection: Connection, row: SessionRow, book: SqlBook | None) -> Known:
        """Return what a session needs beside the book; the same whenever it is made anew."""
        return Known(
            row.log_index,
            () if book is None else listed_series(connection, row, book),
            lambda asked: records.comparison(self._database, row.registry, asked),
        )

    def _key_of(self, row: SessionRow) -> LinkKey:
        """Return the key of a session: the one it began with, also after the turn of a year."""
        if row.key_id is None:
            return self._secrets.own_key(row.registry, row.asked_at.astimezone(UTC).year)
        return self._secrets.key(row.registry, int(row.key_id.rpartition("-")[2]))

    async def _end_silent(self, row: SessionRow, _now: datetime) -> None:
        by = timestamps.render(row.answer_by)
        await self._end(row, Ending("silent", None, reason=f"no answer by {by}"))

    async def _end(self, row: SessionRow, ending: Ending) -> None:
        self._live.pop(row.session, None)
        try:
            ended = await self._write(
                end_session,
                self._database,
                identity=self._identity,
                policy=self._policy,
                session=row,
                ending=ending,
                now=self._around.clock(),
            )
        except SessionEndedError:
            return
        crash_points.reach("result.after_commit")
        self._around.on_recorded(ended.recipients)
        agreed = ending.outcome is not None and ending.outcome.agreed
        result = ("agreed" if agreed else "differs") if ending.state == "done" else ending.state
        self._metrics.reconciled.labels(result).inc()
        log.info("session ended", session=row.session, result=result, reason=ending.reason)

    # --- rounds --------------------------------------------------------------------------------

    async def _go_on(self, outlook: Outlook, now: datetime) -> None:
        """Begin what the night and the requests lack; end those that have everything."""
        night = outlook.night or await self._begin_night(now)
        if night is None and not outlook.requests:
            return
        known = await self._in_thread(self._targets)
        open_now = list(outlook.open_now)
        for request in outlook.requests:
            if await self._go_on_round(nights.round_of_request(request), known, open_now, now):
                await self._write(nights.finish_request, self._database, request, now)
        if night is not None:
            round_ = nights.round_of_night(night, self._policy)
            is_over = await self._go_on_round(round_, known, open_now, now)
            if await self._own_books_are_checked(night) and is_over:
                await self._end_night(night, known)

    def _targets(self) -> list[Target]:
        with self._database.reading() as connection:
            return nights.targets(connection, self._secrets)

    async def _go_on_round(
        self, round_: Round, known: list[Target], open_now: list[SessionRow], now: datetime
    ) -> bool:
        """Begin what a round lacks; return whether it has everything, and nothing is open."""
        own = await self._in_thread(self._sessions_of, round_)
        plan = nights.plan(
            round_, known, own, open_now, open_max=self._policy.open_sessions_max, now=now
        )
        open_now += await self._begin(plan.beginnings, now)
        return plan.is_over

    def _sessions_of(self, round_: Round) -> list[SessionRow]:
        with self._database.reading() as connection:
            return nights.sessions_of(connection, round_)

    async def _begin(self, beginnings: list[Beginning], now: datetime) -> list[SessionRow]:
        """Ask the first question of sessions, some dozens in a transaction."""
        begun: list[SessionRow] = []
        for start in range(0, len(beginnings), questions.BEGUN_TOGETHER_MAX):
            asked: Asked = await self._write(
                questions.begin,
                self._database,
                beginnings[start : start + questions.BEGUN_TOGETHER_MAX],
                hub=self._identity.hub,
                answer_seconds=self._policy.answer_seconds,
                now=now,
            )
            self._around.on_recorded(asked.recipients)
            begun += asked.begun
        return begun

    async def _take_requests(self, outlook: Outlook, now: datetime) -> Outlook:
        """Refuse the waiting requests that can compare nobody; let the others run."""
        running: list[RequestRow] = []
        for row in outlook.requests:
            if row.state != WAITING:
                running.append(row)
                continue
            hindrance = await self._in_thread(self._hindrance, row)
            if hindrance is None:
                await self._write(nights.run_request, self._database, row)
                running.append(row)
            else:
                await self._write(nights.refuse_request, self._database, row, hindrance, now)
        return replace(outlook, requests=running)

    def _hindrance(self, row: RequestRow) -> str | None:
        with self._database.reading() as connection:
            known = nights.targets(connection, self._secrets)
            codes = {one.code for one in reference.participants(connection)}
        return nights.hindrance_of(row.registry, known, codes)

    # --- nights --------------------------------------------------------------------------------

    async def _begin_night(self, now: datetime) -> NightRow | None:
        """Begin the night that is due; the tables are asked once a date."""
        tonight = latest_due(self._policy.at, now)
        if self._looked_for == tonight:
            return None
        row: NightRow | None = await self._write(
            nights.begin_due, self._database, at=self._policy.at, now=now
        )
        self._looked_for = tonight
        if row is not None:
            log.info("night begins", night=row.night)
        return row

    async def _own_books_are_checked(self, night: NightRow) -> bool:
        """Tell whether tonight's check of the own books is done; begin it if it is not begun.

        A check that fails for a defect of ours is told to the operator, and holds up no night.
        """
        if night.own_books is not None or self._failed_check == night.night:
            return True
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._check_own_books(night.night))
        return False

    async def _check_own_books(self, night: str) -> None:
        try:
            loop = asyncio.get_running_loop()
            checked = await loop.run_in_executor(self._checking, self._checked, night)
            await self._write(own_books.keep, self._database, night, checked, self._around.clock())
        except DatabaseUnavailableError as error:
            log.warning("database unavailable", detail=str(error))
        except Exception as error:
            log.exception("the check of the own books failed", night=night)
            self._failed_check = night
            with suppress(DatabaseUnavailableError):
                await self._write(
                    own_books.tell_failure, self._database, night, str(error), self._around.clock()
                )

    def _checked(self, night: str) -> OwnBooks:
        with self._database.reading() as connection:
            known = links.load_all(connection)
        keys = {
            row.registry: self._secrets.key_for(row.mode, row.registry, row.key_year)
            for row in known
            if row.key_year is not None and (row.mode != "digests" or self._secrets.has_master)
        }
        day = date.fromisoformat(night)
        return own_books.check(self._database, keys=keys, night=day, progress=self._watch)

    async def _end_night(self, night: NightRow, known: list[Target]) -> None:
        ended = await self._write(
            nights.finish_night, self._database, night, known, self._policy, self._around.clock()
        )
        if ended is None:
            return
        log.info("night ends", night=ended.night, summary=ended.summary)
        if ended.started_at is not None and ended.finished_at is not None:
            seconds = (ended.finished_at - ended.started_at).total_seconds()
            self._metrics.reconciliation_night_seconds.set(seconds)
        directory = self._policy.report_directory
        if directory is not None:
            try:
                folder, at = Path(directory), ended.finished_at
                await self._in_thread(reports.write_night, self._database, ended.night, folder, at)
            except (OSError, DatabaseUnavailableError) as error:
                log.warning("the report of a night cannot be written", detail=str(error))

    # --- by day --------------------------------------------------------------------------------

    async def _by_day(self, now: datetime) -> None:
        """Fold the digests on, begin what movements ask for, and tell how old agreement is."""
        moved, known, open_now = await self._in_thread(self._fold, now)
        await self._begin(nights.by_day(known, moved, open_now, self._policy, now), now)

    def _fold(self, now: datetime) -> tuple[dict[str, int], list[Target], list[SessionRow]]:
        """Fold every link on; return how often each registry's units moved since its last cut."""
        with self._database.reading() as connection:
            known = nights.targets(connection, self._secrets)
            open_now = session_rows.open_sessions(connection)
        keys = {row.registry: self._key_of(row) for row in open_now if row.mode != "records"}
        year = now.astimezone(UTC).year
        for target in known:
            for mode in target.modes:
                if mode != "records" and target.registry not in keys:
                    keys[target.registry] = self._secrets.key_for(mode, target.registry, year)
        folding.bring_up_to_date(self._database, keys, self._watch)
        with self._database.reading() as connection:
            self._tell_ages(connection, now)
            cuts = session_rows.last_cuts(connection)
            head = heads.read(connection).log_index
            most = self._policy.movements_between
            moved = {
                row.registry: movements.count_between(
                    connection,
                    TotalKey(row.registry, row.key_year),
                    cuts.get(row.registry, row.movements_from or 0),
                    head,
                    most,
                )
                for row in links.load_all(connection)
                if row.key_year is not None and most
            }
        return moved, known, open_now

    def _watch(self, *_progress: object) -> None:
        """Stop what takes long when the process ends; it is done again, or goes on, later."""
        if self._is_closing:
            raise StoppedError

    def _tell_ages(self, connection: Connection, now: datetime) -> None:
        self._metrics.reconciliation_questions.set(session_rows.open_question_count(connection))
        for row in links.load_all(connection):
            if row.agreed_at is not None:
                age = (now - row.agreed_at).total_seconds()
                self._metrics.reconciliation_agreed_age.labels(row.registry).set(age)
