"""A route: an address, the page behind it, and the right that somebody needs to come there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from hub.services.people.roles import Right

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table of routes. ``right`` is None for what is open to everybody."""

    method: str
    path: str
    handler: Handler
    right: Right | None
