"""The stream of live updates: topics and nothing else, for who is signed in, and not for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import ClientResponse
from aiohttp.web import HTTPServiceUnavailable
from sqlalchemy import update

from hub.console.pages import live
from hub.console.security import session_cookie
from hub.services.console.live_desk import TOPICS
from hub.store.reconciliation.tables import case
from hub.store.tables import head
from tests.hub.console.console_world import ConsoleWorld

SOON = 20.0


@asynccontextmanager
async def listening(console: ConsoleWorld, as_: str = "viewer") -> AsyncIterator[ClientResponse]:
    """Open a stream as somebody."""
    cookie = f"{session_cookie(console.console)}={console.token(as_)}"
    async with console.client.request("GET", "/live", headers={"Cookie": cookie}) as response:
        yield response


async def event(response: ClientResponse) -> tuple[str, str]:
    """Return the next event of a stream and its data; comments are left out."""
    name, data = "", ""
    async with asyncio.timeout(SOON):
        while True:
            line = (await response.content.readline()).decode()
            if not line:
                return "end", ""
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("data: "):
                data = line[6:].strip()
            elif line == "\n" and name:
                return name, data


async def first_look(console: ConsoleWorld) -> None:
    """Wait until the watcher knows what later looks are compared with."""
    await asyncio.sleep(2 * live.LOOK_EVERY_SECONDS)
    assert console.client.server is not None


async def test_a_change_is_told_by_its_topic_alone(console: ConsoleWorld) -> None:
    """To everybody who listens, with headers that proxies understand."""
    console.token("officer")  # before anybody looks: a new person is a change, too
    async with listening(console) as one, listening(console, "officer") as other:
        for response in (one, other):
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/event-stream")
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Accel-Buffering"] == "no"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert await event(response) == ("hello", "")
        await first_look(console)
        with console.database.writing() as connection:
            connection.execute(update(case).values(changed_at=datetime.now(UTC)))
        assert await event(one) == ("changed", "cases")
        assert await event(other) == ("changed", "cases")
        with console.database.writing() as connection:
            connection.execute(update(head).values(log_index=head.c.log_index + 1))
        assert await event(one) == ("changed", "head")
    assert {"cases", "head"} < set(TOPICS)


async def test_nobody_listens_without_a_session(console: ConsoleWorld) -> None:
    """Whoever is not signed in is led to the sign-in, as everywhere."""
    page = await console.get("/live", as_=None)
    assert (page.status, page.headers["Location"]) == (303, "/sign-in?next=%2Flive")


async def test_the_newest_stream_of_a_session_takes_the_place_of_its_first(
    console: ConsoleWorld,
) -> None:
    """However fast somebody goes from page to page, the page before them is told of changes."""
    async with AsyncExitStack() as stack:
        begun = []
        for _ in range(live.STREAMS_OF_SESSION_MAX + 2):
            response = await stack.enter_async_context(listening(console))
            assert response.status == 200
            assert await event(response) == ("hello", "")
            begun.append(response)
        for response in begun[:2]:
            assert await event(response) == ("replaced", "")
            assert await event(response) == ("end", "")
        await first_look(console)
        with console.database.writing() as connection:
            connection.execute(update(case).values(changed_at=datetime.now(UTC)))
        for response in begun[2:]:
            assert await event(response) == ("changed", "cases")


def test_a_full_console_ends_nobody_elses_streams() -> None:
    """Who has none is asked to come later; who has one keeps one, the newest."""
    listeners = live.Listeners()
    first = [listeners.add(f"session {place}") for place in range(live.STREAMS_MAX)]
    with pytest.raises(HTTPServiceUnavailable):
        listeners.add("another")
    newest = listeners.add("session 7")
    assert [one for one in (*first, newest) if one.has_ended()] == [first[7]]
    assert len(listeners) == live.STREAMS_MAX


async def test_a_stream_ends_with_its_session(
    console: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed out in another window: it is told so, and closed."""
    monkeypatch.setattr(live, "SESSION_SEEN_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(live, "WAKE_EVERY_SECONDS", 0.1)
    async with listening(console) as response:
        assert await event(response) == ("hello", "")
        console.console.sessions.end(console.token("viewer"))
        assert await event(response) == ("ended", "")
        assert await event(response) == ("end", "")


async def test_a_quiet_stream_is_kept_open(
    console: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a comment now and then, which says nothing."""
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(live, "WAKE_EVERY_SECONDS", 0.1)
    async with listening(console) as response:
        assert await event(response) == ("hello", "")
        async with asyncio.timeout(SOON):
            assert await response.content.readline() == b": still here\n"


async def test_a_page_that_refreshes_itself_keeps_no_session_open(console: ConsoleWorld) -> None:
    """Only what a person asks for counts as use of a session."""

    def seen() -> datetime:
        person_id = console.person("viewer")
        (one,) = console.console.sessions.listed(person_id, datetime.now(UTC))
        return one.seen_at

    await console.get("/", **{"X-By-Itself": "1"})
    before = seen()
    await console.get("/nights", **{"X-By-Itself": "1"})
    console.console.sessions.settle()
    assert seen() == before
