"""Live updates: one stream of server-sent events a browser, one look at the database for all.

1. While anybody listens, a task looks about once a second whether anything changed, and tells every
   stream the topics, and nothing else: the page then asks for itself, with its own session.
2. A stream is a person's: it ends when their session ends, and it is counted. A session has a few:
   a page more, and the stream that was begun first is ended, for whoever goes from page to page
   leaves streams behind that the console has not missed yet. A console has some hundred; who comes
   beyond that gets 503 and comes again later.
3. A browser that does not read is not waited for: its topics are kept together until it does.
4. Comments keep the connection open through proxies; ``X-Accel-Buffering`` makes nginx pass it on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import web

from hub.console.routing import Route
from hub.console.security import SESSION, headers_for, person_of
from hub.console.surroundings import CONSOLE, Console, console_of
from hub.services.console.ground import DatabaseUnavailableError
from hub.services.console.live_desk import LiveDesk, Pulse, topics_of
from hub.services.console.nights.tonight_desk import TonightDesk
from hub.services.people.roles import Right

log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
SESSION_SEEN_EVERY_SECONDS: Final = 15.0
WAKE_EVERY_SECONDS: Final = 5.0
STREAMS_OF_SESSION_MAX: Final = 4
"""Fewer than the six connections that a browser opens to one address: pages need some, too."""
STREAMS_MAX: Final = 500
RETRY_MILLISECONDS: Final = 3_000


@dataclass(slots=True, eq=False)
class Stream:
    """One browser that listens: what it is still to be told, and what wakes it."""

    session_id: str
    topics: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    _is_over: bool = False

    def end(self) -> None:
        """Let it end: a newer stream of the session has its place."""
        self._is_over = True
        self.woken.set()

    def has_ended(self) -> bool:
        """Tell whether a newer stream has its place."""
        return self._is_over

    def tell(self, topics: list[str]) -> None:
        """Add to what it is to be told."""
        self.topics.update(topics)
        self.woken.set()

    def take(self) -> list[str]:
        """Return what it is to be told, once."""
        self.woken.clear()
        topics = sorted(self.topics)
        self.topics.clear()
        return topics


class Listeners:
    """All streams of this process."""

    def __init__(self) -> None:
        self._streams: dict[Stream, None] = {}  # in the order in which they began
        self.is_closing = False
        self.heard = asyncio.Event()

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, session_id: str) -> Stream:
        """Begin a stream; the session's first one makes room. Raises HTTPServiceUnavailable."""
        own = [one for one in self._streams if one.session_id == session_id]
        if self.is_closing or (len(self) >= STREAMS_MAX and not own):
            raise web.HTTPServiceUnavailable
        if len(own) >= STREAMS_OF_SESSION_MAX or len(self) >= STREAMS_MAX:
            own[0].end()
            self.remove(own[0])
        stream = Stream(session_id)
        self._streams[stream] = None
        self.heard.set()
        return stream

    def remove(self, stream: Stream) -> None:
        """End a stream."""
        self._streams.pop(stream, None)
        if not self._streams:
            self.heard.clear()

    def tell(self, topics: list[str]) -> None:
        """Tell all streams what changed."""
        for stream in self._streams:
            stream.tell(topics)

    def close(self) -> None:
        """Let all streams end."""
        self.is_closing = True
        for stream in self._streams:
            stream.woken.set()


LISTENERS: Final = web.AppKey("listeners", Listeners)


async def live_context(app: web.Application) -> AsyncIterator[None]:
    """Look for changes while the application runs (for ``cleanup_ctx``)."""
    listeners = app[LISTENERS] = Listeners()
    console = app[CONSOLE]
    tasks = [
        asyncio.create_task(_watch(console, listeners)),
        asyncio.create_task(_warm(console)),
    ]
    app.on_shutdown.append(_close)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close(app: web.Application) -> None:
    app[LISTENERS].close()


async def _warm(console: Console) -> None:
    """Count once what the home page counts up from, before somebody waits for it."""
    with suppress(DatabaseUnavailableError):
        await console.run(console.desk(TonightDesk).states)


async def _watch(console: Console, listeners: Listeners) -> None:
    """Look for changes while somebody listens, for ever; a database that is away is waited for."""
    desk = console.desk(LiveDesk)
    before: Pulse | None = None
    while True:
        if not len(listeners):
            before = None
            await listeners.heard.wait()
        try:
            after = await console.run(desk.look)
        except DatabaseUnavailableError:
            log.warning("no look for changes: the database is unavailable")
        except Exception:  # a defect here must not end the updates of all pages for good
            log.exception("the look for changes failed")
        else:
            topics = topics_of(before, after) if before is not None else []
            if topics:
                listeners.tell(topics)
            before = after
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def stream(request: web.Request) -> web.StreamResponse:
    """Tell a browser what changed, until it goes away or its session ends."""
    listeners = request.app[LISTENERS]
    mine = listeners.add(person_of(request).session_id)
    try:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        headers_for(request, response)
        await response.prepare(request)
        with suppress(ConnectionError):
            await _tell(request, response, mine)
        return response
    finally:
        listeners.remove(mine)


async def _tell(request: web.Request, response: web.StreamResponse, mine: Stream) -> None:
    """Write events and, now and then, a comment. Raises ConnectionError when nobody is there."""
    listeners = request.app[LISTENERS]
    clock = asyncio.get_running_loop().time
    await response.write(f"retry: {RETRY_MILLISECONDS}\nevent: hello\ndata: \n\n".encode())
    written = seen = clock()
    while not (listeners.is_closing or mine.has_ended()):
        with suppress(TimeoutError):
            await asyncio.wait_for(mine.woken.wait(), WAKE_EVERY_SECONDS)
        if mine.has_ended():
            break
        now = clock()
        if now - seen >= SESSION_SEEN_EVERY_SECONDS:
            seen = now
            if not await _is_signed_in(request):
                await response.write(b"event: ended\ndata: \n\n")
                return
        if topics := mine.take():
            await response.write(f"event: changed\ndata: {' '.join(topics)}\n\n".encode())
            written = now
            # Whoever reads slowly gets the next topics together.
            await asyncio.sleep(LOOK_EVERY_SECONDS / 2)
        elif now - written >= HEARTBEAT_SECONDS:
            await response.write(b": still here\n\n")
            written = now
    if mine.has_ended():
        await response.write(b"event: replaced\ndata: \n\n")


async def _is_signed_in(request: web.Request) -> bool:
    """Tell whether the session that opened the stream still is one; unknown counts as yes."""
    console = console_of(request)
    find, token, now = console.sessions.find, request[SESSION], console.ground.clock()
    if token is None:
        return False
    try:
        found = await console.run(find, token, now, by_itself=True)
    except DatabaseUnavailableError:
        return True
    return found is not None


ROUTES: Final = (Route("GET", "/live", stream, Right.LOOK),)
