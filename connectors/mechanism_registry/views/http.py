"""The registry's books over its own HTTP interface; its form is told in ``views``.

An answer is believed only as far as it has that form: a page too long, rows that are no objects or
a place that cannot be asked for again count as a registry that is out of order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from connectors.mechanism_registry.views.cursors import PLACE
from connectors.mechanism_registry.views.port import (
    ViewPage,
    ViewQuestion,
    ViewRefusedError,
    ViewUnavailableError,
)
from message_schemas import timestamps

ANSWER_BYTES_MAX: Final = 4_194_304
_DETAIL_CHARACTERS_MAX: Final = 500
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_REFUSED: Final = frozenset({400, 410})
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class HttpViews:
    """Asks over HTTP, with a bearer token. Close it after use.

    Raises ValueError for an address that would send the token in the clear, or holds a password
    itself: addresses are shown in errors.
    """

    def __init__(self, url: str, token: str | None, seconds_max: float) -> None:
        parts = urlsplit(url)
        if parts.username is not None:
            raise ValueError("the address of the books must hold no user name; use token")
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ValueError(f"{url}: the books are asked over https, http is for loopback only")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._url = url.rstrip("/")
        self._client = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=seconds_max),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def look(self, question: ViewQuestion) -> ViewPage:
        """Return a page (``Views``)."""
        optional = {"after": question.after, "as_of": question.as_of}
        wanted: Mapping[str, str | int] = {
            "party": question.party,
            "limit": question.limit,
            **question.filters,
            **{name: value for name, value in optional.items() if value is not None},
        }
        try:
            async with self._client.get(
                f"{self._url}/{question.view}", params=wanted, allow_redirects=False
            ) as response:
                body = await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = f"{self._url} does not answer: {str(error) or type(error).__name__}"
            raise ViewUnavailableError(text) from error
        if response.status in _REFUSED:
            raise ViewRefusedError(_detail(body))
        if response.status != 200:
            text = f"{self._url}/{question.view} answers {response.status}: {_detail(body)}"
            raise ViewUnavailableError(text)
        return _page(body, question.limit)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(65_536):
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise ViewUnavailableError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _detail(body: bytes) -> str:
    try:
        document = msgspec.json.decode(body)
        text = document["detail"]
    except (*_NOT_JSON, TypeError, LookupError):
        return "no reason given"
    return "".join(c if c.isprintable() else " " for c in str(text))[:_DETAIL_CHARACTERS_MAX]


def _page(body: bytes, limit: int) -> ViewPage:
    try:
        document: Any = msgspec.json.decode(body)
        as_of, rows, following = document["as_of"], document["items"], document.get("next")
        timestamps.parse(as_of)
    except (*_NOT_JSON, TypeError, LookupError, AttributeError, ValueError) as error:
        raise ViewUnavailableError(f"the answer has not the form agreed: {error!r}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ViewUnavailableError("items is not a list of objects")
    if len(rows) > limit:
        raise ViewUnavailableError(f"{len(rows)} items where {limit} were asked for")
    if following is not None and not (isinstance(following, str) and PLACE.fullmatch(following)):
        raise ViewUnavailableError("next is not a place as agreed")
    return ViewPage(as_of, tuple(rows), following)
