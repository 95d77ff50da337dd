"""A console that tells of each answer what it cost: ``python -m bench.console_server URL NOW``.

The real application over the real database, with a clock set to the end of the dataset. Each answer
carries the CPU of this process between its first and last step, and how many statements were run.
One request at a time, or they would be counted together. Ends with its standard input.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from aiohttp import web
from sqlalchemy import Engine, event

from hub import bootstrap
from hub.bootstrap_console import ground_of
from hub.config import Settings
from hub.console.application import application
from hub.console.assets import Assets
from hub.console.security import session_cookie
from hub.console.surroundings import Console
from hub.protocol.console_policy import ConsolePolicy
from hub.services.people.roles import Role
from hub.services.people.sessions import PASSWORD_AND_CODE, Sessions
from hub.store.people import persons
from hub.store.people.persons import ACTIVE, PersonRow

CPU: Final = "X-Bench-Cpu-Ms"
STATEMENTS: Final = "X-Bench-Statements"
_run: Final = [0]


@event.listens_for(Engine, "before_cursor_execute")
def _count(*_: Any) -> None:
    _run[0] += 1


@web.middleware
async def _counted(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    _run[0] = 0
    before = time.process_time()
    response = await handler(request)
    response.headers[CPU] = f"{(time.process_time() - before) * 1e3:.3f}"
    response.headers[STATEMENTS] = str(_run[0])
    return response


async def serve(url: str, now: datetime) -> None:
    """Serve until standard input ends; the first line said tells where, and the cookie of whom."""
    settings = Settings(database_url=url, console=ConsolePolicy())
    database = bootstrap.open_database(settings)
    ahead = now - datetime.now(UTC)
    ground = replace(ground_of(settings, database), clock=lambda: datetime.now(UTC) + ahead)
    console = Console(ground, Sessions(database, ground.console), Assets())
    made = application(console)
    made.middlewares.insert(0, _counted)
    runner = web.AppRunner(made, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    console.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    token = await asyncio.to_thread(_sign_in, console)
    said = {"address": console.address, "cookie": f"{session_cookie(console)}={token}"}
    print(json.dumps(said), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
    console.close()
    database.dispose()


def _sign_in(console: Console) -> str:
    """Begin a session of somebody with every right, as if signed in with a second factor."""
    now = console.ground.clock()
    person = PersonRow(
        person_id=str(uuid4()),
        name=f"bench-{uuid4().hex[:8]}",
        display_name="Bench",
        role=Role.ADMINISTRATOR.value,
        state=ACTIVE,
        created_at=now,
        changed_at=now,
    )
    with console.ground.database.writing() as connection:
        persons.add(connection, person)
    return console.sessions.begin(person.person_id, PASSWORD_AND_CODE, "127.0.0.1", "bench", now)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
