"""The hub itself: versions, limits, settings that matter, how the log and the database stand."""

from typing import Final

from aiohttp import web

from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.surroundings import console_of
from hub.services.console.registries.system_desk import SystemDesk
from hub.services.people.roles import Right


async def system(request: web.Request) -> web.Response:
    """Show all of it."""
    console = console_of(request)
    facts = await console.run(console.desk(SystemDesk).shown)
    return await render(request, "system/system.html", facts=facts)


ROUTES: Final = (Route("GET", "/system", system, Right.LOOK),)
