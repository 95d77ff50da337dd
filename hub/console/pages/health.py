"""For whoever watches the process: it lives, and it can make pages. Nothing else is told."""

from typing import Final

from aiohttp import web

from hub.console.routing import Route
from hub.console.surroundings import console_of
from hub.services.console.ground import DatabaseUnavailableError
from hub.services.console.health import Health


async def live(_: web.Request) -> web.Response:
    """Answer: the process runs."""
    return web.json_response({"status": "live"})


async def ready(request: web.Request) -> web.Response:
    """Answer 200 if the database can be read, else 503."""
    console = console_of(request)
    try:
        await console.run(console.desk(Health).log_index)
    except DatabaseUnavailableError:
        return web.json_response({"status": "unavailable", "database": "unavailable"}, status=503)
    return web.json_response({"status": "ready", "database": "ready"})


ROUTES: Final = (
    Route("GET", "/health/live", live, None),
    Route("GET", "/health/ready", ready, None),
)
