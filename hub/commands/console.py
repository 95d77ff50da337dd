"""``itmo-hub console``: serve the console until it is told to stop."""

import asyncio
import signal
import sys
from dataclasses import replace
from typing import Annotated

import typer
import uvloop

from hub import bootstrap_console
from hub.commands.options import ConfigFile, DatabaseUrl
from hub.commands.output import refusals
from hub.commands.serving import configure_logs
from hub.config import Settings, load


def console(
    config: ConfigFile = None,
    database: DatabaseUrl = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Address that people type, if it is another one.")
    ] = None,
) -> None:
    """Serve the console's pages, beside the hub, on the same database. Its address is printed."""
    with refusals():
        settings = with_options(load(config, database_url=database), host, port, url)
        configure_logs(settings.log_level)
        uvloop.run(_serve(settings))


def with_options(
    settings: Settings, host: str | None, port: int | None, url: str | None
) -> Settings:
    """Return the settings with what was given at the command line."""
    policy = settings.console
    if host is not None:
        policy = replace(policy, host=host)
    if port is not None:
        named = policy.url.partition("://")
        policy = replace(policy, port=port, url=f"{named[0]}://{named[2].partition(':')[0]}:{port}")
    if url is not None:
        policy = replace(policy, url=url)
    return settings.model_copy(update={"console": policy})


async def _serve(settings: Settings) -> None:
    """Start, say where, wait for a signal, close."""
    made = bootstrap_console.build(settings)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with bootstrap_console.served(made) as address:
        typer.echo(f"listening\t{address}")
        sys.stdout.flush()
        await stopped.wait()
