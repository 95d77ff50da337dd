"""The way to the hub's door: one POST, and what its answer means for the sender.

| answer | meaning |
|---|---|
| 200 with a body | a receipt, to be verified before it is believed |
| problem document with a code and `retry` false | final: the hub says that these bytes never pass |
| 429, 503, any 5xx, 408, a problem with `retry` true | later, not before Retry-After |
| anything else: HTML of a proxy, a cut line, a time-out, a page that is too large | later |

Only the hub's own problem document is final: a 404 of a misconfigured proxy must not park
an envelope. Problems are not signed, so even a final one only stops the line and calls a human.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from hub.protocol.signed_objects import MEDIA_TYPES, binding_of

__all__ = ["Answer", "Page", "Problem", "Received", "Transport", "TryLater"]

_PROBLEM: Final = "application/problem+json"
_FINAL_STATUSES: Final = frozenset({400, 401, 403, 409, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Received:
    """The bytes of a 200 answer."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """The hub's final answer that these bytes will never pass (RFC 9457)."""

    status: int
    code: int
    name: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        is_open = self.detail and not self.detail.endswith((".", "!", "?", "…"))
        detail = f"{self.detail}." if is_open else self.detail
        return f"{self.code} {self.name}: {detail} {self.remedy}".strip()


@dataclass(frozen=True, slots=True)
class TryLater:
    """No answer that means anything: nobody knows whether the hub has the message."""

    reason: str
    retry_after_seconds: float | None = None

    def __str__(self) -> str:
        return self.reason


Answer = Received | Problem | TryLater


@dataclass(frozen=True, slots=True)
class Page:
    """Whatever was answered. `is_problem`: the hub's own problem document, not a proxy's page."""

    status: int
    body: bytes
    is_problem: bool


class Transport:
    """Posts signed bytes to the hub, and fetches its public lists."""

    def __init__(
        self, client: aiohttp.ClientSession, hub_url: str, *, seconds_max: float, bytes_max: int
    ) -> None:
        self._client = client
        self._base = hub_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=seconds_max)
        self._bytes_max = bytes_max

    async def post_envelope(self, raw: bytes) -> Answer:
        """Post to /v1/envelopes; never raises for what the network or the hub does."""
        return await self._request("POST", "/v1/envelopes", raw)

    async def fetch(self, path: str) -> Answer:
        """Get one of the hub's public documents."""
        return await self._request("GET", path, None)

    async def fetch_page(self, path: str) -> Page | TryLater:
        """Get a page whose status has a meaning to who asks, as those of the log have."""
        return await self._page("GET", path, None, {"Accept-Encoding": "gzip"})

    async def post_text(self, path: str, text: str) -> Page | TryLater:
        """Post a text that is no envelope, and return what is answered."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return await self._page("POST", path, text.encode("utf-8"), headers)

    async def _page(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> Page | TryLater:
        found = await self._exchange(method, path, data, headers)
        if isinstance(found, TryLater):
            return found
        status, answered, body = found
        if status == 429 or status >= 500:
            return TryLater(f"HTTP {status}", _seconds(answered.get("retry-after")))
        if answered.get("content-encoding") == "gzip":
            unpacked = _unpack(body, self._bytes_max)
            if unpacked is None:
                return TryLater("an answer that cannot be unpacked, or is too large")
            body = unpacked
        return Page(status, body, _media_type(answered) == _PROBLEM)

    async def _request(self, method: str, path: str, data: bytes | None) -> Answer:
        headers = {} if data is None else {"Content-Type": MEDIA_TYPES[binding_of(data)]}
        found = await self._exchange(method, path, data, headers)
        if isinstance(found, TryLater):
            return found
        status, answered, body = found
        return Received(body) if status == 200 else _judge(status, answered, body)

    async def _exchange(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str], bytes] | TryLater:
        try:
            async with self._client.request(
                method,
                self._base + path,
                data=data,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                body = await _read_at_most(response, self._bytes_max)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return TryLater(f"{type(error).__name__}: {error}"[:300])
        if body is None:
            return TryLater(f"an answer of more than {self._bytes_max} bytes")
        answered = {str(name).lower(): str(value) for name, value in response.headers.items()}
        return response.status, answered, body


async def _read_at_most(response: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > bytes_max:
            response.close()
            return None
        parts.append(part)
    return b"".join(parts)


def _unpack(body: bytes, bytes_max: int) -> bytes | None:
    unpacker = zlib.decompressobj(wbits=31)  # gzip
    try:
        data = unpacker.decompress(body, bytes_max + 1)
    except zlib.error:
        return None
    return data if unpacker.eof and len(data) <= bytes_max else None


def _judge(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    retry_after = _seconds(headers.get("retry-after"))
    problem = _problem_of(status, _media_type(headers), body)
    if problem is None or status not in _FINAL_STATUSES:
        text = str(problem) if problem else body[:120].decode("utf-8", "replace")
        return TryLater(f"HTTP {status}: {text}", retry_after)
    return problem


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _problem_of(status: int, media_type: str, body: bytes) -> Problem | None:
    if media_type != _PROBLEM:
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("retry") is not False:
        return None
    code = document.get("code")
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    texts = [str(document.get(name, ""))[:500] for name in ("name", "detail", "remedy")]
    return Problem(status, code, *texts)


def _seconds(value: str | None) -> float | None:
    # The hub sends seconds; the other form of RFC 9110, a date, is left to the back-off.
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
