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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from hub.protocol.envelopes import MEDIA_TYPE

__all__ = ["Answer", "Problem", "Received", "Transport", "TryLater"]

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
        return f"{self.code} {self.name}: {self.detail} {self.remedy}".strip()


@dataclass(frozen=True, slots=True)
class TryLater:
    """No answer that means anything: nobody knows whether the hub has the message."""

    reason: str
    retry_after_seconds: float | None = None


Answer = Received | Problem | TryLater


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

    async def _request(self, method: str, path: str, data: bytes | None) -> Answer:
        headers = {"Content-Type": MEDIA_TYPE} if data is not None else {}
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
        if response.status == 200:
            return Received(body)
        return _judge(response.status, response.headers, body)


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


def _judge(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    names = {str(name).lower(): str(value) for name, value in headers.items()}
    retry_after = _seconds(names.get("retry-after"))
    problem = _problem_of(status, names.get("content-type", ""), body)
    if problem is None or status not in _FINAL_STATUSES:
        text = str(problem) if problem else body[:120].decode("utf-8", "replace")
        return TryLater(f"HTTP {status}: {text}", retry_after)
    return problem


def _problem_of(status: int, content_type: str, body: bytes) -> Problem | None:
    if content_type.partition(";")[0].strip().lower() != _PROBLEM:
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
