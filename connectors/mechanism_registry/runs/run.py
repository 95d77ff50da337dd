"""One run over one feed: survey it, say what it holds, then push it (or, dry, leave it there).

1. Find the place: a feed seen before goes on where it stopped, if its beginning is unchanged.
2. Survey the whole file and report shares and refusals. A strict run ends here if there are any.
3. Push through a session and wait for every answer. A session that also takes deliveries first
   says hello, once: what software this is, and that it fetches.
4. Report the feed as a whole; write its refusals as JSON lines, the refused lines as a feed.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final

from rich.console import Console
from sqlalchemy import Connection

from connectors.mechanism_registry import store
from connectors.mechanism_registry.feeds.fields import FeedRules
from connectors.mechanism_registry.feeds.files import Feed, Surveyed, find_place, survey_feed
from connectors.mechanism_registry.feeds.intervals import IntervalSet
from connectors.mechanism_registry.feeds.lines import FeedFormat, FeedPlace, format_of
from connectors.mechanism_registry.feeds.mapping import Mapping
from connectors.mechanism_registry.feeds.rejected import write_rejected
from connectors.mechanism_registry.issuances.survey import Survey
from connectors.mechanism_registry.one_process import sole_process
from connectors.mechanism_registry.reports.document import find_report, write_report
from connectors.mechanism_registry.reports.report import (
    Report,
    print_shares,
    refusal_line,
    report_of_feed,
    report_of_survey,
    stored_refusals,
    write_refusals,
)
from connectors.mechanism_registry.runs import history as runs
from connectors.mechanism_registry.runs.push import FeedHandler, Pusher, PushStoppedError
from connectors.mechanism_registry.settings import MechanismSettings
from connectors.mechanism_registry.store import FeedState, Refusal
from connectors.mechanism_registry.tables import open_feeds
from connectors.progress import ProgressView
from connectors.session.database import Database
from connectors.session.hello import say_hello
from connectors.session.session import Session
from keys.documents import parse_document
from keys.signer import Signer
from keys.signing import open_signer
from message_schemas import timestamps

UNTERMINATED: Final = (
    "warning: the last line has no line break; it is taken as complete, but see that the export "
    "was not cut off"
)


class StrictError(Exception):
    """A strict run found refusals and sent nothing."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked to do."""

    path: Path
    settings: MechanismSettings
    console: Console
    refusals_path: Path
    format: FeedFormat | None = None
    strict: bool = False
    mapping: Mapping | None = None
    report_dir: Path | None = None
    """Where the report goes; None: beside the feed."""

    @property
    def feed(self) -> Feed:
        """Return the feed, in the format given or the one the file's ending tells."""
        return Feed(self.path, self.format or format_of(self.path), self.mapping)

    def rules(self, now: datetime) -> FeedRules:
        """Return what the lines are judged against."""
        return FeedRules(self.settings.participant, vintage_max=now.year)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A feed that was surveyed and may be pushed from its place on."""

    feed: Feed
    state: FeedState
    place: FeedPlace
    surveyed: Surveyed
    rules: FeedRules
    seconds: float


def dry_run(order: Order, now: datetime | None = None) -> tuple[Report, Surveyed]:
    """Judge the whole feed, write its refusals, and send and store nothing.

    What feeds before it pushed counts, if the database is there. Raises FeedRefusedError,
    FeedChangedError, OSError.
    """
    rules = order.rules(now or datetime.now(UTC))
    database = open_feeds(order.settings.database) if order.settings.database.exists() else None
    rejected: list[Refusal] = []
    try:
        state = None
        if database is not None:
            state = database.read_now(store.find_feed, order.path.name)
        find_place(order.feed, state)
        with order.refusals_path.open("w", encoding="utf-8", newline="\n") as file:

            def refuse(refusals: Sequence[Refusal]) -> None:
                file.writelines(refusal_line(refusal) for refusal in refusals)
                rejected.extend(refusals)

            surveyed = _survey(order, _new_survey(order, rules, database, state), refuse)
        write_rejected(order.feed, rejected)
    finally:
        if database is not None:
            database.close()
    return report_of_survey(order.path.name, surveyed), surveyed


async def push(order: Order, signers: Sequence[Signer] | None = None) -> Report:
    """Push the feed from its place on and wait for every answer.

    Raises FeedRefusedError, FeedChangedError, StrictError, PushStoppedError, KeysError, OSError.
    """
    with closing(open_feeds(order.settings.database)) as database:
        handler = FeedHandler()
        session = new_session(order.settings, database, handler, signers)
        prepared = prepare(order, database)
        async with running(session):
            with ProgressView(
                order.console, "pushed", good_lines(prepared.surveyed), "lines"
            ) as view:
                report = await push_prepared(order, prepared, session, handler, view.advance_to)
        document = database.read_now(find_report, order.path.name, order.settings.participant)
        if document is not None:
            write_report(document, order.report_dir or order.path.parent)
        return report


def new_session(
    settings: MechanismSettings,
    database: Database,
    handler: FeedHandler,
    signers: Sequence[Signer] | None = None,
) -> Session:
    """Return the session that carries feeds. Raises KeysError, OSError."""
    if signers is None:
        signers = [
            open_signer(uri, participant=settings.participant) for uri in settings.signing_keys
        ]
    anchor = [parse_document(path.read_bytes()) for path in settings.hub_keys]
    return Session(settings.session_settings(), database, signers, anchor, handler)


@asynccontextmanager
async def running(session: Session) -> AsyncIterator[None]:
    """Run a session: greet, try what waits; before the end prove the newest promises.

    Raises DatabaseBusyError while another process runs one on this database.
    """
    with sole_process(session.database.path):
        async with session:
            if session.settings.delivery_mode != "none":
                await say_hello(session)
            await session.wake()
            yield
            if session.settings.log_seconds > 0:
                # `log audit` covers the older ones.
                await session.log_monitor.look()


async def push_prepared(
    order: Order,
    prepared: Prepared,
    session: Session,
    handler: FeedHandler,
    progress: Callable[[int], None],
) -> Report:
    """Push a surveyed feed through a running session; write what it refused; return the report.

    Raises FeedChangedError, PushStoppedError, OSError.
    """
    database, state, started = session.database, prepared.state, perf_counter()
    waiting_max = order.settings.messages_waiting_max
    pusher = Pusher(session, handler, prepared.rules, waiting_max, progress)
    surveyed_lines = prepared.surveyed.totals.line_count
    run = runs.Run(state.feed_id, surveyed_lines=surveyed_lines, survey_seconds=prepared.seconds)
    run_id = await session.write(
        "registry.command", lambda work: runs.begin(work.connection, run, work.at)
    )
    ending = "killed or cancelled"
    try:
        state = await pusher.push(prepared.feed, state, prepared.place, prepared.surveyed.end)
        ending = "every line answered"
    except PushStoppedError as error:
        ending = str(error)
        raise
    finally:
        pushed, seconds = state.line - prepared.state.line, perf_counter() - started
        await session.write(
            "registry.command",
            lambda work: runs.end(work.connection, run_id, ending, pushed, seconds, work.at),
        )
    database.read_now(_write_refused, order, state)
    return database.read_now(report_of_feed, state)


def prepare(order: Order, database: Database) -> Prepared:
    """Find the place of the feed, survey it, and store what the survey refuses.

    Raises FeedRefusedError, FeedChangedError, StrictError, OSError.
    """
    now, started, feed = datetime.now(UTC), perf_counter(), order.feed
    rules, at = order.rules(now), timestamps.render(now)
    found = database.read_now(store.find_feed, order.path.name)
    place = find_place(feed, found)
    state = found
    if state is None or state.line == 0:
        state = database.write_now(
            "registry.command",
            lambda work: store.add_feed(
                work.connection, order.path.name, feed.format, at, feed.mapping
            ),
        )
    known = state
    database.write_now(
        "registry.command", lambda work: store.forget_refusals_after(work.connection, known)
    )

    def refuse(refusals: Sequence[Refusal]) -> None:
        fresh = [refusal for refusal in refusals if refusal.line > known.line]
        if fresh:
            database.write_now(
                "registry.command",
                lambda work: store.put_refusals(work.connection, known.feed_id, fresh),
            )

    surveyed = _survey(order, _new_survey(order, rules, database, known), refuse)
    print_shares(order.console, surveyed.tallies())
    if order.strict and surveyed.totals.refused_count:
        database.read_now(_write_refused, order, known)
        raise StrictError(f"{surveyed.totals.refused_count} lines refused; nothing was sent")
    return Prepared(feed, known, place, surveyed, rules, perf_counter() - started)


def _write_refused(connection: Connection, order: Order, state: FeedState) -> None:
    """Write the feed's refusals, and the lines they are about."""
    write_refusals(order.refusals_path, stored_refusals(connection, state.feed_id))
    write_rejected(order.feed, stored_refusals(connection, state.feed_id))


def good_lines(surveyed: Surveyed) -> int:
    """Return how many lines the survey found good."""
    return surveyed.totals.sent_count + surveyed.totals.kept_count


def _new_survey(
    order: Order, rules: FeedRules, database: Database | None, state: FeedState | None
) -> Survey:
    """Return a survey that knows what other feeds pushed."""
    share_rules = order.settings.shares.rules()
    if database is None:
        nothing = IntervalSet(), IntervalSet()
        return Survey(rules, share_rules, lambda _: None, lambda _: {}, lambda _: nothing)
    feed_id = None if state is None else state.feed_id
    return Survey(
        rules,
        share_rules,
        lambda issuance_id: database.read_now(
            lambda connection: store.fetch_tally(connection, issuance_id, except_feed=feed_id)
        ),
        lambda references: database.read_now(
            lambda connection: store.fetch_pushed(connection, references, except_feed=feed_id)
        ),
        lambda issuance_id: database.read_now(
            lambda connection: store.fetch_contribution(
                connection, issuance_id, except_feed=feed_id
            )
        ),
    )


def _survey(order: Order, survey: Survey, refuse: Callable[[Sequence[Refusal]], None]) -> Surveyed:
    """Survey the file with a progress view in bytes."""
    size = order.path.stat().st_size
    with ProgressView(order.console, "surveyed", size, "bytes") as view:
        surveyed = survey_feed(
            order.feed,
            survey,
            refuse,
            order.settings.participant,
            view.advance_to,
        )
    if surveyed.unterminated:
        order.console.print(UNTERMINATED, style="yellow", soft_wrap=True)
    return surveyed
