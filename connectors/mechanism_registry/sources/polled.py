"""Poll a source: fetch a page, push its lines, move the cursor, until there is no more.

1. A page is fetched and checked to be whole, written to its file, and noted with the cursor it
   gave. It is a feed of its own, named by source and number, judged with the knowledge of all
   before it: what was pushed before is known again, whatever page it stands on.
2. When its lines are with the outbox and answered, the cursor moves. A kill at any moment goes on
   with the page that was fetched, from its place.
3. A cursor that leads to where we were is a source that goes back: nothing of that page is taken.
   The same bytes again, and lines that came before the issuance they need, are told.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from connectors.mechanism_registry.feeds.files import Feed
from connectors.mechanism_registry.feeds.lines import FeedCutOffError, FeedRefusedError
from connectors.mechanism_registry.feeds.mapping import Mapping
from connectors.mechanism_registry.reports.report import Report
from connectors.mechanism_registry.runs.push import FeedHandler
from connectors.mechanism_registry.runs.run import Order, prepare, push_prepared
from connectors.mechanism_registry.settings import MechanismSettings
from connectors.mechanism_registry.sources import pages
from connectors.mechanism_registry.sources.client import (
    SourceAwayError,
    SourceClient,
    SourceFaultError,
    SourcePage,
)
from connectors.mechanism_registry.sources.pages import FetchedPage, SourceState
from connectors.mechanism_registry.sources.settings import SourceSettings
from connectors.session.session import Session
from message_schemas import timestamps


@dataclass(slots=True)
class PollResult:
    """What one round brought: pages, and lines by what became of them."""

    pages: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused_here: int = 0
    refused_by_hub: int = 0
    kept_back: int = 0
    repeated_pages: int = 0
    lines_out_of_order: int = 0
    cursor: str | None = None

    @property
    def good(self) -> bool:
        """Whether every line is with the hub."""
        return not (self.refused_here or self.refused_by_hub)

    def add(self, report: Report) -> None:
        """Count a page's lines."""
        self.accepted += report.accepted
        self.duplicates += report.duplicates
        self.refused_here += report.refused_here
        self.refused_by_hub += report.refused_by_hub
        self.kept_back += report.kept_back

    def document(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return asdict(self)


class PolledSource:
    """Polls one source through a running session; ``say`` is told what a person should know."""

    def __init__(
        self,
        settings: MechanismSettings,
        source: SourceSettings,
        mapping: Mapping | None,
        session: Session,
        handler: FeedHandler,
        client: SourceClient,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._source = source
        self._mapping = mapping
        self._session = session
        self._handler = handler
        self._client = client
        self._say = say

    async def poll(self) -> PollResult:
        """Take pages until there is no more now.

        Raises SourceFaultError, SourceAwayError, FeedChangedError, PushStoppedError, OSError.
        """
        result = PollResult()
        database = self._session.database
        while True:
            state = await database.read(pages.load_source, self._source.name, self._source.url)
            if state.url != self._source.url:
                raise SourceFaultError(
                    f"the source {state.name} was polled at {state.url}; give a source at another "
                    "address another name"
                )
            result.cursor = state.cursor
            page = await self._take(state, result)
            if page is None:
                return result
            result.pages += 1
            if page.is_end:
                state = await database.read(pages.load_source, state.name, state.url)
                result.cursor = state.cursor
                return result

    async def _take(self, state: SourceState, result: PollResult) -> FetchedPage | None:
        """Push one page and move the cursor behind it; None when there is nothing new."""
        page = await self._session.database.read(pages.open_page, state.name)
        if page is None or not await asyncio.to_thread(self._is_there, page):
            page = await self._fetch(state, page)
        if page is None:
            return None
        taken = page
        if taken.line_count:
            await self._push(taken, result)
        await self._session.write(
            "registry.command",
            lambda work: pages.move_cursor(work.connection, state, taken, work.at),
        )
        self._tidy(taken)
        return taken

    async def _fetch(self, state: SourceState, lost: FetchedPage | None) -> FetchedPage | None:
        """Fetch and note the page behind the cursor; None when there is nothing new.

        ``lost`` is a page whose file is gone: it must come again as it was.
        """
        for attempt in range(self._source.attempts_max):
            found = await self._client.fetch(state.cursor, None if lost else state.etag)
            if found is None:
                return None
            page = FetchedPage(
                source=state.name,
                number=state.page_count + 1,
                after=state.cursor,
                next_cursor=found.next_cursor,
                is_end=found.is_end,
                etag=found.etag,
                sha256=hashlib.sha256(found.body).hexdigest(),
                line_count=0,
                fetched_at=timestamps.render(datetime.now(UTC)),
            )
            path = self._path(page)
            if lost is not None and page.sha256 != lost.sha256:
                raise SourceFaultError(
                    f"page {lost.number} of {page.source} was begun and its file is gone; now the "
                    "source gives it with another content: put the file back"
                )
            await asyncio.to_thread(write_durably, path, found.body)
            lines = await asyncio.to_thread(self._count_lines, path)
            if lines is not None:
                break
            self._say(f"{state.name}: page {page.number} is cut off; asking again")
            await asyncio.sleep(self._source.retry_delay_seconds_min * 2**attempt)
        else:
            raise SourceAwayError(f"{self._source.url}: the page is cut off, whenever it is asked")
        page = replace(page, line_count=lines)
        if lost is None and await self._is_nothing_new(page):
            path.unlink()
            return None
        return await self._note(page, found, lost)

    async def _is_nothing_new(self, page: FetchedPage) -> bool:
        """Tell whether a page at the end says what was said there before; remember its ETag."""
        if not page.is_end or page.next_cursor not in {None, page.after}:
            return False
        seen = await self._session.database.read(pages.last_sha256, page.source, page.after)
        if page.line_count and page.sha256 != seen:
            return False
        await self._session.write(
            "registry.command", lambda work: pages.note_etag(work.connection, page)
        )
        return True

    async def _note(
        self, page: FetchedPage, found: SourcePage, lost: FetchedPage | None
    ) -> FetchedPage:
        """Judge where the page leads, and note it."""
        database = self._session.database
        if lost is not None:
            return lost
        if page.next_cursor is not None:
            before = await database.read(pages.was_asked_with, page.source, page.next_cursor)
            stays = page.next_cursor == page.after
            if (before is not None and not stays) or (stays and not found.is_end):
                self._path(page).unlink()
                raise SourceFaultError(
                    f"{page.source}: the source goes back: page {page.number} leads to the cursor "
                    f"{page.next_cursor!r} of page {before or page.number}; nothing of it was "
                    "taken. If the source begins anew, give it another name: what the hub has "
                    "is known again"
                )
        await self._session.write(
            "registry.command", lambda work: pages.put_page(work.connection, page)
        )
        return page

    def _count_lines(self, path: Path) -> int | None:
        """Return how many lines a page has, or None if it is cut off.

        Raises SourceFaultError when it is no feed of the format.
        """
        if not path.stat().st_size:
            return 0
        count = 0
        try:
            with closing(Feed(path, self._source.format, self._mapping).open()) as reader:
                for line in reader:
                    if not line.consumed or not line.terminated:
                        return None
                    count += 1
        except FeedCutOffError:
            return None
        except FeedRefusedError as error:
            raise SourceFaultError(str(error)) from None
        return count

    async def _push(self, page: FetchedPage, result: PollResult) -> None:
        """Push a page as a feed of its own and wait for every answer."""
        database, path = self._session.database, self._path(page)
        repeats = await database.read(pages.same_page, page)
        if repeats is not None:
            result.repeated_pages += 1
            self._say(f"{page.source}: page {page.number} is page {repeats} again")
        order = Order(
            path=path,
            settings=self._settings,
            console=Console(quiet=True),
            refusals_path=path.with_name(f"{path.name}.refusals.jsonl"),
            format=self._source.format,
            mapping=self._mapping,
        )
        prepared = await asyncio.to_thread(prepare, order, database)
        report = await push_prepared(order, prepared, self._session, self._handler, lambda _: None)
        result.add(report)
        late = await database.read(pages.out_of_order, path.name)
        if late:
            result.lines_out_of_order += late
            self._say(
                f"{page.source}: page {page.number} gives what {late} refused lines of earlier "
                "pages needed; the pages came in another order. Push their rejected files"
            )
        if not report.complete:
            self._say(f"{page.source}: page {page.number}: see {order.refusals_path}")
        elif not order.refusals_path.stat().st_size:
            order.refusals_path.unlink()

    def _is_there(self, page: FetchedPage) -> bool:
        """Tell whether a page's file is there. Raises SourceFaultError for another content."""
        try:
            content = self._path(page).read_bytes()
        except FileNotFoundError:
            return False
        if hashlib.sha256(content).hexdigest() != page.sha256:
            raise SourceFaultError(
                f"{self._path(page)} is not page {page.number} as it was fetched: put the file "
                "back, or remove it to have the page fetched again"
            )
        return True

    def _path(self, page: FetchedPage) -> Path:
        return self._source.pages / pages.page_file(page.source, page.number, self._source.format)

    def _tidy(self, page: FetchedPage) -> None:
        """Drop the file of a page that nobody has to look at."""
        path = self._path(page)
        refused = path.with_name(f"{path.name}.refusals.jsonl").exists()
        if not (self._source.keep_pages or refused):
            path.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or not at all, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
