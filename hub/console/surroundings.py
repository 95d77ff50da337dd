"""What pages have around them: desks made once, and threads in which desks may block."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from aiohttp import web

from hub.console.assets import Assets
from hub.services.console.ground import Ground
from hub.services.people.sessions import Sessions

THREADS: Final = 4
"""Pages that may wait for the database at once; each holds one of its connections."""

Desk = TypeVar("Desk")
P = ParamSpec("P")
T = TypeVar("T")


class Console:
    """One console: its ground, its desks, its threads. ``address`` is where browsers reach it."""

    def __init__(self, ground: Ground, sessions: Sessions, assets: Assets) -> None:
        self.ground = ground
        self.sessions = sessions
        self.assets = assets
        self.address = ground.console.url.rstrip("/")
        self._desks: dict[type[Any], Any] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="page")

    @property
    def is_secure(self) -> bool:
        """Tell whether browsers reach it by TLS."""
        return self.address.startswith("https://")

    def desk(self, kind: type[Desk]) -> Desk:
        """Return the one desk of a class, made with the ground when it is first asked for."""
        if kind not in self._desks:
            self._desks[kind] = kind(self.ground)  # type: ignore[call-arg] # all take the ground
        made: Desk = self._desks[kind]
        return made

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks in one of the console's threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *args, **kwargs))

    def close(self) -> None:
        """Let the threads end."""
        self.sessions.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


CONSOLE: Final = web.AppKey("console", Console)


def console_of(request: web.Request) -> Console:
    """Return the console a request came to."""
    return request.app[CONSOLE]
