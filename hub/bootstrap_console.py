"""Put the console together: settings in, a process that serves pages out.

It opens the hub's database as the command line does, and needs none of the hub's keys.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import web

from hub import bootstrap
from hub.config import Settings
from hub.console.application import application
from hub.console.assets import Assets
from hub.console.surroundings import Console
from hub.services.console.ground import Ground
from hub.services.console.log.log_keys import named_log_keys
from hub.services.people.door import Door
from hub.services.people.sessions import Sessions
from hub.store.database import Database


def ground_of(settings: Settings, database: Database) -> Ground:
    """Return what desks stand on. Raises StartError for a policy of witnesses that is none."""
    return Ground(
        database=database,
        identity=bootstrap.identity_of(settings),
        limits=settings.limits,
        reconciliation=settings.reconciliation,
        retry=settings.retry,
        console=settings.console,
        origin=settings.origin,
        policies=bootstrap.log_policies(settings),
        clock=bootstrap.clock,
        proposal_lapse=timedelta(seconds=settings.proposal_seconds_max),
        retention_days=settings.retention_days,
    )


def build(settings: Settings) -> Console:
    """Return a console ready to be served.

    Raises StartError, SchemaError, DatabaseUnavailableError and the like.
    """
    named_log_keys(settings.console.log_keys)
    database = bootstrap.open_database(settings)
    ground = ground_of(settings, database)
    console = Console(ground, Sessions(database, settings.console), Assets())
    console.desk(Door)  # a secret that cannot be used is found now, not when somebody signs in
    return console


@contextlib.asynccontextmanager
async def served(console: Console) -> AsyncIterator[str]:
    """Serve a console until the end of the block; gives its address.

    Raises OSError if the port cannot be had.
    """
    policy = console.ground.console
    runner = web.AppRunner(application(console), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, policy.host, policy.port)
        await site.start()
        if policy.port == 0:
            # A free port was taken: the address people type has it too.
            console.address = f"{console.address.rpartition(':')[0]}:{runner.addresses[0][1]}"
        yield console.address
    finally:
        await runner.cleanup()
        console.close()
        console.ground.database.dispose()
