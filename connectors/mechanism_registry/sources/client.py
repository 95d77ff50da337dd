"""Ask a source for one page, and believe only a whole one.

    GET URL?after=CURSOR&limit=N            (no ``after`` at the beginning)
    Authorization: Bearer …
    If-None-Match: "…"                      (when this very page was seen before)

    200  lines of the feed; X-Next-Cursor: where to go on; X-End: true when there is no more now
    304  nothing new

1. The body is a feed of its own, with its header or root element. One that is cut off (its length,
   its last line, its root element) is asked for again.
2. 408, 425, 429, any 5xx, silence and broken connections are asked again, later and later, not
   before Retry-After. Other answers are final: they say that the question is wrong.
3. A redirection is not followed: the token is for this address alone. The body is never larger
   than the limit, whatever its headers say, and is never unpacked.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.sources.settings import SourceSettings

CURSOR_CHARACTERS_MAX: Final = 1_024
ETAG_CHARACTERS_MAX: Final = 256
DETAIL_CHARACTERS_MAX: Final = 300
PIECE_BYTES: Final = 65_536
LATER: Final = frozenset({408, 425, 429})
MEDIA_TYPES: Final[Mapping[FeedFormat, str]] = {
    FeedFormat.JSON_LINES: "application/x-ndjson",
    FeedFormat.CSV: "text/csv",
    FeedFormat.XML: "application/xml",
}


class SourceFaultError(Exception):
    """The source answers what it should not; a person must look at it. Nothing was taken."""


class SourceAwayError(Exception):
    """The source did not give a whole page, however often it was asked."""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One whole page. ``next_cursor`` None: where we are (then ``is_end``)."""

    body: bytes
    next_cursor: str | None
    is_end: bool
    etag: str | None


class _LaterError(Exception):
    """No whole page this time."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class SourceClient:
    """Asks one source for pages. Close it after use."""

    def __init__(self, settings: SourceSettings, token: str | None) -> None:
        self._settings = settings
        headers = {"Accept": MEDIA_TYPES[settings.format], "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._client = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=settings.request_seconds_max),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def fetch(self, after: str | None, etag: str | None) -> SourcePage | None:
        """Return the page behind a cursor, None when it is the one that ``etag`` names.

        Raises SourceFaultError, SourceAwayError.
        """
        delay = self._settings.retry_delay_seconds_min
        attempts = self._settings.attempts_max
        for attempt in range(1, attempts + 1):
            try:
                return await self._ask(after, etag)
            except _LaterError as error:
                reason, wait = str(error), error.wait_seconds
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                reason, wait = str(error) or type(error).__name__, 0.0
            if attempt < attempts:
                jitter = random.uniform(0.5, 1.0)  # noqa: S311  # no secret
                longest = self._settings.retry_delay_seconds_max
                await asyncio.sleep(min(max(wait, delay * jitter), longest))
                delay *= 2
        raise SourceAwayError(f"{self._settings.url}: no whole page in {attempts} tries: {reason}")

    async def _ask(self, after: str | None, etag: str | None) -> SourcePage | None:
        wanted = {"limit": str(self._settings.page_lines)}
        if after is not None:
            wanted["after"] = after
        headers = {} if etag is None else {"If-None-Match": etag}
        address = URL(self._settings.url).update_query(wanted)
        async with self._client.get(address, headers=headers, allow_redirects=False) as response:
            status = response.status
            if status == 304 and etag is not None:
                return None
            if status in LATER or status >= 500:
                raise _LaterError(f"HTTP {status}", _seconds(response.headers.get("Retry-After")))
            body = await self._read(response)
        if status != 200:
            raise SourceFaultError(f"{self._settings.url} answers {status}: {_detail(body)}")
        return self._page(body, response.headers)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit, body = self._settings.page_bytes_max, bytearray()
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            body += piece
            if len(body) > limit:
                raise SourceFaultError(
                    f"a page has more than {limit} bytes: lower page_lines or raise page_bytes_max"
                )
        return bytes(body)

    def _page(self, body: bytes, headers: Mapping[str, str]) -> SourcePage:
        """Judge what stands around the lines. Raises SourceFaultError, or _LaterError if cut."""
        if (encoding := headers.get("Content-Encoding", "identity")) != "identity":
            raise SourceFaultError(f"a page is packed ({encoding}), which nobody asked for")
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "text/html":
            raise SourceFaultError("a page is HTML: is this the address of the feed?")
        end = headers.get("X-End", "false").strip().lower()
        if end not in {"true", "false"}:
            raise SourceFaultError(f"X-End is {end[:20]!r}; it must be true or false")
        cursor = headers.get("X-Next-Cursor")
        if cursor is None and end == "false":
            raise SourceFaultError("a page has neither X-Next-Cursor nor X-End: true")
        if cursor is not None and not _is_token(cursor, CURSOR_CHARACTERS_MAX):
            raise SourceFaultError("X-Next-Cursor is empty, too long, or holds odd characters")
        if body and self._settings.format is not FeedFormat.XML and not body.endswith(b"\n"):
            raise _LaterError("the page is cut off: its last line has no line break")
        etag = headers.get("ETag")
        if etag is not None and not _is_token(etag, ETAG_CHARACTERS_MAX):
            etag = None
        return SourcePage(body, cursor, end == "true", etag)


def _is_token(text: str, characters_max: int) -> bool:
    return 0 < len(text) <= characters_max and text.isascii() and text.isprintable()


def _seconds(text: str | None) -> float:
    """Return the seconds of a Retry-After header; a date counts as none."""
    return float(text) if text is not None and text.isdecimal() and len(text) < 8 else 0.0


def _detail(body: bytes) -> str:
    text = body[:DETAIL_CHARACTERS_MAX].decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else " " for sign in text).strip() or "no reason"
