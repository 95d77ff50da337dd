"""One run over one feed: survey it, say what it holds, then push it (or, dry, leave it there).

1. Find the place: a feed seen before goes on where it stopped, if its beginning is unchanged.
2. Survey the whole file and report shares and refusals. A strict run ends here if there are any.
3. Push through a session and wait for every answer. A session that also takes deliveries first
   says hello, once: what software this is, and that it fetches.
4. Report the feed as a whole and write its refusals as JSON lines.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from sqlalchemy import Connection

from connectors.mechanism_registry import store
from connectors.mechanism_registry.feed_fields import FeedRules
from connectors.mechanism_registry.feed_lines import FeedFormat, FeedPlace, format_of
from connectors.mechanism_registry.feeds import Surveyed, find_place, survey_feed
from connectors.mechanism_registry.progress import ProgressView
from connectors.mechanism_registry.push import FeedHandler, Pusher
from connectors.mechanism_registry.report import (
    Report,
    print_shares,
    refusal_line,
    report_of_feed,
    report_of_survey,
    stored_refusals,
    write_refusals,
)
from connectors.mechanism_registry.settings import MechanismSettings
from connectors.mechanism_registry.store import FeedState, Refusal
from connectors.mechanism_registry.survey import Survey
from connectors.mechanism_registry.tables import METADATA
from connectors.session.database import Database
from connectors.session.hello import say_hello
from connectors.session.session import Session, open_database
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

    @property
    def feed_format(self) -> FeedFormat:
        """Return the format given, or the one the file's ending tells."""
        return self.format or format_of(self.path)

    def rules(self, now: datetime) -> FeedRules:
        """Return what the lines are judged against."""
        return FeedRules(self.settings.participant, vintage_max=now.year)


def dry_run(order: Order, now: datetime | None = None) -> tuple[Report, Surveyed]:
    """Judge the whole feed, write its refusals, and send and store nothing.

    What feeds before it pushed counts, if the database is there. Raises FeedRefusedError,
    FeedChangedError, OSError.
    """
    rules = order.rules(now or datetime.now(UTC))
    database = _open_database(order) if order.settings.database.exists() else None
    try:
        state = None
        if database is not None:
            state = database.read_now(store.find_feed, order.path.name)
        find_place(order.path, order.feed_format, state)
        with order.refusals_path.open("w", encoding="utf-8", newline="\n") as file:

            def refuse(refusals: Sequence[Refusal]) -> None:
                file.writelines(refusal_line(refusal) for refusal in refusals)

            surveyed = _survey(order, _new_survey(order, rules, database, state), refuse)
    finally:
        if database is not None:
            database.close()
    return report_of_survey(order.path.name, surveyed), surveyed


async def push(order: Order, signers: Sequence[Signer] | None = None) -> Report:
    """Push the feed from its place on and wait for every answer.

    Raises FeedRefusedError, FeedChangedError, StrictError, PushStoppedError, KeysError, OSError.
    """
    settings = order.settings
    if signers is None:
        signers = [
            open_signer(uri, participant=settings.participant) for uri in settings.signing_keys
        ]
    anchor = [parse_document(path.read_bytes()) for path in settings.hub_keys]
    with closing(_open_database(order)) as database:
        handler = FeedHandler()
        session = Session(settings.session_settings(), database, signers, anchor, handler)
        state, place, surveyed, rules = prepare(order, database)
        async with session:
            if settings.delivery_mode != "none":
                await say_hello(session)
            await session.wake()
            with ProgressView(order.console, "pushed", good_lines(surveyed), "lines") as view:
                pusher = Pusher(
                    session, handler, rules, settings.messages_waiting_max, view.advance_to
                )
                state = await pusher.push(order.path, order.feed_format, state, place, surveyed.end)
            if settings.log_seconds > 0:
                # Prove the newest promises before the process ends; `log audit` covers the others.
                await session.log_monitor.look()
        write_refusals(order.refusals_path, database.read_now(_all_refusals, state.feed_id))
        return database.read_now(report_of_feed, state)


def prepare(order: Order, database: Database) -> tuple[FeedState, FeedPlace, Surveyed, FeedRules]:
    """Find the place of the feed, survey it, and store what the survey refuses."""
    now = datetime.now(UTC)
    rules, at = order.rules(now), timestamps.render(now)
    found = database.read_now(store.find_feed, order.path.name)
    place = find_place(order.path, order.feed_format, found)
    state = found or database.write_now(
        "registry.command",
        lambda work: store.add_feed(work.connection, order.path.name, order.feed_format, at),
    )
    database.write_now(
        "registry.command", lambda work: store.forget_refusals_after(work.connection, state)
    )

    def refuse(refusals: Sequence[Refusal]) -> None:
        fresh = [refusal for refusal in refusals if refusal.line > state.line]
        if fresh:
            database.write_now(
                "registry.command",
                lambda work: store.put_refusals(work.connection, state.feed_id, fresh),
            )

    surveyed = _survey(order, _new_survey(order, rules, database, state), refuse)
    print_shares(order.console, surveyed.tallies)
    if order.strict and surveyed.totals.refused_count:
        write_refusals(order.refusals_path, database.read_now(_all_refusals, state.feed_id))
        raise StrictError(f"{surveyed.totals.refused_count} lines refused; nothing was sent")
    return state, place, surveyed, rules


def good_lines(surveyed: Surveyed) -> int:
    """Return how many lines the survey found good."""
    return surveyed.totals.issuance_count + surveyed.totals.block_count


def _open_database(order: Order) -> Database:
    return open_database(order.settings.database, METADATA)


def _all_refusals(connection: Connection, feed_id: int) -> list[Refusal]:
    return list(stored_refusals(connection, feed_id))


def _new_survey(
    order: Order, rules: FeedRules, database: Database | None, state: FeedState | None
) -> Survey:
    """Return a survey that knows what other feeds pushed."""
    share_rules = order.settings.shares.rules()
    if database is None:
        return Survey(rules, share_rules, lambda _: None, lambda _: {})
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
    )


def _survey(order: Order, survey: Survey, refuse: Callable[[Sequence[Refusal]], None]) -> Surveyed:
    """Survey the file with a progress view in bytes."""
    size = order.path.stat().st_size
    with ProgressView(order.console, "surveyed", size, "bytes") as view:
        surveyed = survey_feed(
            order.path,
            order.feed_format,
            survey,
            refuse,
            order.settings.participant,
            view.advance_to,
        )
    if surveyed.unterminated:
        order.console.print(UNTERMINATED, style="yellow", soft_wrap=True)
    return surveyed
