"""``itmo-hub console``: serve the console until it is told to stop."""

import asyncio
import signal
import sys
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvloop

from hub import bootstrap_console
from hub.commands.options import ConfigFile, DatabaseUrl
from hub.commands.output import refusals
from hub.commands.serving import configure_logs
from hub.config import Settings, load
from hub.protocol.console_policy import ConsolePolicy


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
        policy = with_options(load(config, database_url=database).console, host, port, url)
        settings = load(config, database_url=database, console=policy)  # judged like the rest
        configure_logs(settings.log_level)
        uvloop.run(_serve(settings))


def with_options(
    policy: ConsolePolicy, host: str | None, port: int | None, url: str | None
) -> ConsolePolicy:
    """Return what is decided about the console, with what was given at the command line.

    Another port is in the address too, unless a proxy stands before the console.
    """
    if host is not None:
        policy = replace(policy, host=host)
    if port is not None:
        own = policy.url.startswith("http://")
        named = urlsplit(policy.url)._replace(netloc=f"{urlsplit(policy.url).hostname}:{port}")
        policy = replace(policy, port=port, url=named.geturl() if own else policy.url)
    return policy if url is None else replace(policy, url=url)


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
