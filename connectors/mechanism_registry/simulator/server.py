"""The simulator over HTTP: its feed, page by page, and its books for pull and view.

    GET /feed?after=CURSOR&limit=N&format=jsonl|csv|xml
        200; X-Next-Cursor: where to go on; X-End: true when there is no more now; ETag
        304 for an If-None-Match that names the page
    GET /holdings, GET /history          as told in ``views``
    Authorization: Bearer TOKEN          where the simulator was started with a token

Cursors are opaque. Faults of answers strike every third request for the feed, in turn, from the
second on, so that a connector that asks again always gets on.
"""

import asyncio
import csv
import hashlib
import io
from collections.abc import Sequence
from typing import Any, Final, Self
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web

from connectors.mechanism_registry.feeds.example import fields_of
from connectors.mechanism_registry.feeds.fields import FIELDS
from connectors.mechanism_registry.simulator.books import RegistryBooks
from connectors.mechanism_registry.simulator.faults import ANSWER_FAULTS, Line, Spoiled, spoil
from connectors.mechanism_registry.simulator.views import QuestionError, page

LIMIT_MAX: Final = 10_000
COLUMN_NAMES: Final = ("record", *FIELDS)
REQUESTS_BETWEEN_FAULTS: Final = 3
MEDIA_TYPES: Final = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "xml": "application/xml",
}


def body_of(lines: Sequence[Line], format_: str) -> bytes:
    """Return lines as a feed of their own, with its header or root element."""
    if format_ == "jsonl":
        return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    if format_ == "csv":
        file = io.StringIO()
        writer = csv.DictWriter(file, COLUMN_NAMES, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _plain(value) for name, value in line.items()} for line in lines)
        return file.getvalue().encode()
    records = []
    for line in lines:
        values = {name: escape(_plain(value)) for name, value in line.items() if name != "record"}
        inside = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
        records.append(f"<{line['record']}>{inside}</{line['record']}>\n")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<feed>\n'
    return f"{head}{''.join(records)}</feed>\n".encode()


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class SimulatorServer:
    """Serves one registry. Start it with ``async with``; ``url`` is known from then on.

    ``spoiled`` tells which lines are bad; ``told`` what answers were spoiled, one line each.
    """

    def __init__(
        self,
        books: RegistryBooks,
        faults: Sequence[str] = (),
        token: str | None = None,
        port: int = 0,
        slow_seconds: float = 5.0,
    ) -> None:
        self.books = books
        self.spoiled: Spoiled = spoil(
            [fields_of(row) for row in books.lines], [*faults], books.seed
        )
        self.told: list[str] = []
        self.url = ""
        self._answer_faults = [name for name in ANSWER_FAULTS if name in faults]
        self._token = token
        self._port = port
        self._slow_seconds = slow_seconds
        self._request_count = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._guard])
        application.router.add_get("/feed", self._feed)
        application.router.add_get("/holdings", self._view)
        application.router.add_get("/history", self._view)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self._token is not None and request.headers.get("Authorization") != (
            f"Bearer {self._token}"
        ):
            return web.json_response({"detail": "a bearer token is needed"}, status=401)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _view(self, request: web.Request) -> web.StreamResponse:
        try:
            document = page(self.books, request.path.strip("/"), request.query)
        except QuestionError as error:
            return web.json_response({"detail": str(error)}, status=400)
        return web.json_response(document)

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        fault = self._next_fault()
        format_, limit = request.query.get("format", "jsonl"), request.query.get("limit", "1000")
        place = self._place_of(request.query.get("after"))
        if place is None or format_ not in MEDIA_TYPES or not limit.isdecimal():
            return web.Response(status=400, text="no such cursor, format or limit")
        lines = self.spoiled.lines
        following = min(place + max(1, min(int(limit), LIMIT_MAX)), len(lines))
        body = body_of(lines[place:following], format_)
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {
            "X-Next-Cursor": self._cursor(following),
            "X-End": str(following == len(lines)).lower(),
            "ETag": tag,
        }
        if fault == "server-error":
            status = 500 if self._request_count % 2 else 503
            return web.Response(status=status, headers={"Retry-After": "0"}, text="out of order")
        if fault == "slow":
            await asyncio.sleep(self._slow_seconds)
        if fault == "truncated":
            body = body[: len(body) * 2 // 3]
        if fault == "cursor-goes-back":
            headers["X-Next-Cursor"] = self._cursor(0)
        if fault is None and request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers, content_type=MEDIA_TYPES[format_])

    def _next_fault(self) -> str | None:
        """Return the fault that strikes this request, if one does, and tell of it."""
        self._request_count += 1
        turn, rest = divmod(self._request_count, REQUESTS_BETWEEN_FAULTS)
        if not self._answer_faults or rest != REQUESTS_BETWEEN_FAULTS - 1:
            return None
        name = self._answer_faults[turn % len(self._answer_faults)]
        self.told.append(f"request {self._request_count}: {ANSWER_FAULTS[name]}")
        return name

    def _cursor(self, place: int) -> str:
        text = f"{self.books.seed} {place}"
        return f"{place:x}.{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def _place_of(self, cursor: str | None) -> int | None:
        """Return the place of a cursor of ours, None for any other."""
        if cursor is None:
            return 0
        head = cursor.partition(".")[0]
        if not head or len(head) > 12 or set(head) - set("0123456789abcdef"):
            return None
        place = int(head, 16)
        return place if cursor == self._cursor(place) else None
