"""Push a feed: fill the outbox a few hundred lines at a time, and wait for the hub's answers.

1. One step reads some lines from the place on. One transaction puts their messages into the
   session's outbox, remembers them, and moves the place. A kill at any moment loses nothing and
   repeats nothing: the bytes of an envelope are durable before they are sent, and stay the same.
2. The session sends one envelope after the other, in the order of the feed, so that the shares
   of an issuance always reach the hub before its forwarding.
3. Each receipt settles its messages in the session's own transaction; a refusal is written down
   with the hub's rule, text, remedy and paragraph.
4. The outbox is kept short: reading pauses while enough messages wait.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from connectors.mechanism_registry import store, totals
from connectors.mechanism_registry.feeds.fields import FeedRules, read_row
from connectors.mechanism_registry.feeds.files import Feed, FeedChangedError
from connectors.mechanism_registry.feeds.lines import FeedLine, FeedPlace, Reader
from connectors.mechanism_registry.feeds.rows import Row, content_sha256, reference_of
from connectors.mechanism_registry.issuances.messages import message_of
from connectors.mechanism_registry.store import FeedState, Refusal
from connectors.mechanism_registry.views.asked import file_queries
from connectors.session.deliveries import ArrivedItem
from connectors.session.handler import KnownOutcome, Transaction
from connectors.session.log.findings import load_pause
from connectors.session.outbox_states import list_envelopes
from connectors.session.session import Session
from message_schemas.envelopes import Finding

LOOK_SECONDS: Final = 1.0
"""How often to look whether the line stands still, when no answer comes."""
ENVELOPES_SHOWN_MAX: Final = 50


class PushStoppedError(Exception):
    """The hub's final answer stopped the line; an operator must look at it."""


class FeedHandler:
    """Notes each outcome of a feed's message, and wakes the pusher after the commit."""

    def __init__(self) -> None:
        self.settled = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def _wake(self) -> None:
        """Wake the pusher from the database's thread."""
        self._loop.call_soon_threadsafe(self.settled.set)

    def item_arrived(self, transaction: Transaction, item: ArrivedItem) -> None:
        """File what the item asks, for ``mechanism serve``; no block's fate depends on it."""
        file_queries(transaction, item)

    def outcome_known(self, transaction: Transaction, known: KnownOutcome) -> None:
        """Settle the message, and write down why if the hub refused it."""
        outcome = "refused" if not known.in_effect else known.outcome.outcome
        found = store.settle(transaction.connection, known.message.reference, outcome)
        if found is not None and outcome == "refused":
            feed_id, blank = found
            findings = [item for item in known.outcome.findings if item.severity == "stop"]
            refusals = [_refusal(blank, finding) for finding in findings]
            if not refusals:
                rule, name = known.outcome.code, known.outcome.name
                refusals = [replace(blank, rule=rule, name=name, text=name)]
            store.put_refusals(transaction.connection, feed_id, refusals)
        transaction.after_commit(self._wake)


def _refusal(blank: Refusal, finding: Finding) -> Refusal:
    """Return the hub's finding as a refusal of the line."""
    return replace(
        blank,
        rule=finding.rule,
        name=finding.name,
        field=finding.path,
        value=finding.hub_view,
        text=finding.text,
        remedy=finding.remedy,
        paragraph=finding.paragraph,
    )


class Pusher:
    """Pushes one surveyed feed through a running session, whose handler is ``handler``.

    ``progress`` is called with the number of lines that the hub answered, counted from the
    beginning of the feed.
    """

    def __init__(
        self,
        session: Session,
        handler: FeedHandler,
        rules: FeedRules,
        messages_waiting_max: int,
        progress: Callable[[int], None],
    ) -> None:
        self._session = session
        self._settled = handler.settled
        self._rules = rules
        self._waiting_max = messages_waiting_max
        self._progress = progress
        self._queued_count = 0

    async def push(
        self, feed: Feed, state: FeedState, place: FeedPlace, end: FeedPlace
    ) -> FeedState:
        """Push the lines between two places and wait for every answer; return the new state.

        Raises FeedChangedError when the file changes meanwhile, PushStoppedError when the hub
        will never take an envelope.
        """
        outcomes = await self._session.database.read(totals.count_outcomes, state.feed_id)
        self._queued_count = sum(outcomes.values()) + state.known_count
        with closing(feed.open()) as reader:
            reader.seek(place)
            for step in feed.steps(_lines_until(reader, end)):
                state = await self._fill(state, step, reader.place)
                await self._wait_until_at_most(state, self._waiting_max)
            if reader.place.digest.hexdigest() != end.digest.hexdigest():
                raise FeedChangedError(f"{feed.path.name} changed while it was pushed")
        await self._wait_until_at_most(state, 0)
        return state

    async def _fill(
        self, state: FeedState, lines: Sequence[FeedLine], place: FeedPlace
    ) -> FeedState:
        """Put the messages of some lines into the outbox and move the place behind them."""
        return await self._session.write(
            "registry.command",
            lambda transaction: self._fill_now(transaction, state, lines, place),
        )

    def _fill_now(
        self,
        transaction: Transaction,
        state: FeedState,
        lines: Sequence[FeedLine],
        place: FeedPlace,
    ) -> FeedState:
        connection, registry = transaction.connection, self._rules.mechanism_registry
        refused = store.fetch_refused_lines(
            connection, state.feed_id, lines[0].number, lines[-1].number
        )
        rows = [(line, self._row(line)) for line in lines if line.number not in refused]
        pushed = store.fetch_pushed(connection, [reference_of(row) for _, row in rows])
        fresh: dict[str, tuple[FeedLine, Row]] = {}
        for line, row in rows:
            reference = reference_of(row)
            known = pushed.get(reference)
            if known is not None and known != content_sha256(row):
                raise FeedChangedError(f"line {line.number}: {reference} was pushed meanwhile")
            if known is None:
                fresh.setdefault(reference, (line, row))
        store.put_messages(connection, state.feed_id, list(fresh.values()), registry)
        made = ((message_of(row, registry), reference) for reference, (_, row) in fresh.items())
        messages = [(*message, reference) for message, reference in made if message is not None]
        moved = replace(
            state,
            offset_bytes=place.offset,
            line=place.line,
            prefix_sha256=place.digest.hexdigest(),
            known_count=state.known_count + len(rows) - len(fresh),
        )
        if not store.move_place(connection, state, moved, transaction.at):
            raise FeedChangedError(f"another process pushes {state.name}")
        transaction.submit(transaction.hub, messages)
        self._queued_count += len(rows)
        return moved

    def _row(self, line: FeedLine) -> Row:
        """Return the row of a line that the survey found good."""
        row = () if line.fields is None else read_row(line.fields, self._rules)
        if isinstance(row, tuple):
            raise FeedChangedError(f"line {line.number} changed since the survey")
        return row

    async def _wait_until_at_most(self, state: FeedState, waiting_max: int) -> None:
        """Wait until no more than so many messages of the feed wait for an answer."""
        while True:
            self._settled.clear()
            waiting = await self._session.database.read(store.count_waiting, state.feed_id)
            self._progress(self._queued_count - waiting)
            if waiting <= waiting_max:
                return
            try:
                # Not wait_for: before Python 3.12 it can swallow a cancellation.
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._settled.wait()
            except TimeoutError:
                await self._session.database.read(raise_if_stopped)


def _lines_until(reader: Reader, end: FeedPlace) -> Iterator[FeedLine]:
    """Return the lines before a place; what was added to the file since is another run's."""
    lines = iter(reader)
    while reader.offset < end.offset and (line := next(lines, None)) is not None:
        yield line


def raise_if_stopped(connection: Connection) -> None:
    """Raise PushStoppedError when an envelope is parked, or the session is paused.

    What follows a parked envelope must wait behind it; a pause is ended by an operator.
    """
    if (pause := load_pause(connection)) is not None:
        raise PushStoppedError(
            f"paused since {pause.paused_at} ({pause.kind}): {pause.detail}; see `mechanism log "
            "show`, ask the secretariat, then `mechanism log resume --reason …`"
        )
    for entry in list_envelopes(connection, open_only=True, limit=ENVELOPES_SHOWN_MAX):
        if entry.state == "parked":
            raise PushStoppedError(f"envelope {entry.envelope_id}: {entry.reason}")
