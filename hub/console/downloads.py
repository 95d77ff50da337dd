"""Files to take away, sent part by part while they are made."""

import asyncio
from collections.abc import Iterator

from aiohttp import web

from hub.console.security import headers_for
from hub.console.surroundings import console_of
from hub.services.console.ground import DatabaseUnavailableError


async def stream(
    request: web.Request, parts: Iterator[bytes], content_type: str, name: str
) -> web.StreamResponse:
    """Send parts that are made in the console's threads, one when the one before is sent.

    What fails before the first part is an error like any other. Afterwards the connection is cut,
    so that half a file is not taken for a whole one. ``name`` is one of ours: plain ASCII.
    """
    console = console_of(request)
    part = await console.run(next, parts, None)
    response = web.StreamResponse(headers=attachment(content_type, name))
    headers_for(request, response)
    await response.prepare(request)
    try:
        while part is not None:
            await response.write(part)
            part = await console.run(next, parts, None)
        await response.write_eof()
    except DatabaseUnavailableError:
        _cut(request)
    except (ConnectionResetError, asyncio.CancelledError):
        _cut(request)
        raise
    return response


def attachment(content_type: str, name: str) -> dict[str, str]:
    """Return the headers of a file that a browser keeps and does not show."""
    return {
        "Content-Type": f"{content_type}; charset=utf-8"
        if "text" in content_type
        else content_type,
        "Content-Disposition": f'attachment; filename="{name}"',
    }


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
