"""``mechanism serve``: run until told to stop, and answer what is asked."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connectors.mechanism_registry.settings import MechanismSettings, SettingsError, load_settings
from connectors.mechanism_registry.views.serve import ServeError, serve
from connectors.session.session import Session
from keys.errors import KeysError


def serve_command(
    config: Annotated[Path, typer.Option("--config", help="The settings, a TOML file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Keep the session with the hub and answer holdings and history queries, until stopped."""
    try:
        asyncio.run(_run(load_settings(config), as_json=as_json))
    except (SettingsError, ServeError, KeysError, OSError, ValueError) as error:
        console = Console(stderr=True)
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


async def _run(settings: MechanismSettings, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def started(session: Session) -> None:
        told = {"participant": session.settings.participant, "hub": session.settings.hub_url}
        typer.echo(json.dumps(told) if as_json else "\t".join(told.values()))

    await serve(settings, started, stop)
