"""Where the hub pushes: one address, one kind of body, an answer only after the commit.

| answer | when |
|---|---|
| 200, a signed envelope with the acknowledgement, in our binding | applied, now or before |
| 401 | a signature, key or name is wrong: an alarm is stored |
| 409 | a delivery before this one is missing: it was asked for |
| 413, 415 | larger than the limit; neither JSON nor XML, or not the one it is announced as |
| 422 | signed rightly, but not a delivery |
| 503, Retry-After | a key could not be looked up now |
"""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from connectors.session.receiver import Acknowledged, Receiver, Refused
from hub.protocol.signed_objects import MEDIA_TYPES, binding_of, binding_of_media_type

__all__ = ["PushEndpoint", "problem_response"]


def problem_response(refused: Refused) -> web.Response:
    """Return a refusal as a problem document (RFC 9457)."""
    headers = {}
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = str(refused.retry_after_seconds)
    body = {
        "type": f"https://itmo-hub.invalid/problems/delivery-{refused.reason}",
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": refused.detail[:500],
        "name": refused.reason,
        "retry": refused.status in {409, 503},
    }
    return web.json_response(
        body, status=refused.status, content_type="application/problem+json", headers=headers
    )


class PushEndpoint:
    """Reads a push within the limit and hands it to the receiver."""

    def __init__(self, receiver: Receiver, bytes_max: int) -> None:
        self._receiver = receiver
        self._bytes_max = bytes_max

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one push."""
        announced = binding_of_media_type(request.content_type)
        if announced is None:
            text = f"send {' or '.join(MEDIA_TYPES.values())}"
            return problem_response(Refused(415, "media-type", text))
        raw = await self._read(request)
        if raw is None:
            text = f"at most {self._bytes_max} bytes"
            return problem_response(Refused(413, "too-large", text))
        if binding_of(raw) is not announced:
            text = f"{request.content_type} is announced, and the body is {binding_of(raw)}"
            return problem_response(Refused(415, "media-type", text))
        answer = await self._receiver.receive(raw)
        if isinstance(answer, Acknowledged):
            return web.Response(body=answer.raw, content_type=MEDIA_TYPES[binding_of(answer.raw)])
        return problem_response(answer)

    async def _read(self, request: web.Request) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        async for part in request.content.iter_any():
            size += len(part)
            if size > self._bytes_max:
                return None
            parts.append(part)
        return b"".join(parts)
