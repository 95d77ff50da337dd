"""What the routes of the local API share."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from connectors.party_registry.registry import PartyRegistry
from connectors.party_registry.units import HeldBlock
from connectors.session.session import Session

__all__ = [
    "LIMIT_MAX",
    "REGISTRY",
    "SESSION",
    "block_view",
    "number",
    "problem",
    "read",
    "respond",
]

SESSION: Final = web.AppKey("session", Session)
REGISTRY: Final = web.AppKey("registry", PartyRegistry)
LIMIT_MAX: Final = 1000
T = TypeVar("T")


def respond(value: Any, status: int = 200) -> web.Response:
    """Return any value of ours as JSON."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )


def problem(status: int, name: str, detail: str) -> web.Response:
    """Return a problem document (RFC 9457)."""
    body = {
        "type": f"https://itmo-hub.invalid/problems/registry-{name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "name": name,
        "detail": detail,
    }
    return web.json_response(body, status=status, content_type="application/problem+json")


async def read(request: web.Request, shape: type[T]) -> T:
    """Return the request body as a structure.

    Raises:
        msgspec.ValidationError: the body is not of that shape.
        msgspec.DecodeError: the body is not JSON.
    """
    return msgspec.json.decode(await request.read() or b"{}", type=shape)


def number(request: web.Request, name: str, default: int, maximum: int = 2**62) -> int:
    """Return a query parameter that is a whole number from 0 to `maximum`.

    Raises:
        msgspec.ValidationError: it is not.
    """
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > maximum:
        raise msgspec.ValidationError(f"{name} is a whole number from 0 to {maximum}")
    return int(text)


def block_view(block: HeldBlock) -> dict[str, Any]:
    """Return a block of the book as the API shows it."""
    span = block.span
    return {
        "first_id": span.render(block.first),
        "last_id": span.render(block.last),
        "quantity": block.quantity,
        "account": block.account_id,
        "status": block.status.value,
        "reserved_by": block.reserved_by,
        "first_transfer": block.first_transfer,
        "attributes": msgspec.json.decode(block.attributes),
    }
