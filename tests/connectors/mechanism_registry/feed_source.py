"""A source of pages over real HTTP: opaque cursors, ETags, and faults on demand."""

import asyncio
import hashlib
import io
from collections import deque
from typing import Self

from aiohttp import web

from connectors.mechanism_registry.feeds.example import FEET, HEADS, MAKERS
from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.feeds.rows import Row

TOKEN = "let-me-in"


def cursor_of(place: int) -> str:
    """Return a cursor that tells nobody its place."""
    return hashlib.sha256(f"place {place}".encode()).hexdigest()[:16]


class FeedSource:
    """Serves ``rows`` at /feed; ``faults`` are used up one a request, "" is none."""

    def __init__(self, rows: list[Row], format_: FeedFormat = FeedFormat.JSON_LINES) -> None:
        self.rows = rows
        self.format = format_
        self.faults: deque[str] = deque()
        self.asked: list[tuple[str | None, int]] = []
        self.cursors = {cursor_of(place): place for place in range(100_000)}
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/feed", self._answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/feed"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def page(self, rows: list[Row]) -> bytes:
        """Return a page's body."""
        file = io.StringIO()
        file.write(HEADS[self.format])
        file.writelines(MAKERS[self.format](row) for row in rows)
        file.write(FEET[self.format])
        return file.getvalue().encode()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else ""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401, text="who are you?")
        after = request.query.get("after")
        place = 0 if after is None else self.cursors[after]
        limit = int(request.query["limit"])
        rows = self.rows[place : place + limit]
        following = min(place + limit, len(self.rows))
        body = self.page(rows)
        tag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        headers = {"X-Next-Cursor": cursor_of(following), "ETag": tag}
        headers["X-End"] = str(following == len(self.rows)).lower()
        status = 304 if request.headers.get("If-None-Match") == tag else 200
        self.asked.append((after, status))
        if fault.isdecimal():
            return web.Response(status=int(fault), headers={"Retry-After": "0"})
        if fault == "hang":
            await asyncio.sleep(0.8)
        if fault == "redirect":
            return web.Response(status=302, headers={"Location": self.url})
        if fault == "cut":
            body = body[:-20]
        if fault == "cut-head":
            body = body[:30]
        if fault == "drop":
            response = web.StreamResponse(headers={**headers, "Content-Length": str(len(body))})
            await response.prepare(request)
            await response.write(body[:30])
            assert request.transport is not None
            request.transport.close()
            return response
        if fault == "back":
            headers["X-Next-Cursor"] = cursor_of(0) if after is None else cursor_of(limit)
        if fault == "stuck":
            headers |= {"X-Next-Cursor": after or "", "X-End": "false"}
        if fault == "no-cursor":
            del headers["X-Next-Cursor"]
            headers["X-End"] = "false"
        if fault == "large":
            body *= 200
        return web.Response(status=status, body=body if status == 200 else None, headers=headers)
