"""``mechanism simulate``: a mechanism registry that lives from a seed, behaves well or badly.

It issues, takes the shares, forwards, authorizes later, retires and cancels; it serves what it did
as a feed to poll, and its books for pull and view. ``python -m
connectors.mechanism_registry.simulator.command`` is the same command.

Standard output: one line ``listening<TAB>URL`` when it serves. Standard error: what was spoiled.
"""

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connectors.mechanism_registry.feeds.example import ExampleWorld, change_world
from connectors.mechanism_registry.secrets_by_uri import read_secret
from connectors.mechanism_registry.simulator.books import RegistryBooks
from connectors.mechanism_registry.simulator.faults import ANSWER_FAULTS, FAULT_NAMES, LINE_FAULTS
from connectors.mechanism_registry.simulator.server import SimulatorServer, body_of


def simulate(
    seed: Annotated[int, typer.Option(help="The same seed gives the same registry.")] = 1,
    issuances: Annotated[int, typer.Option(min=0, help="How often it issues.")] = 20,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help=f"Misbehave so; may be repeated: {', '.join(FAULT_NAMES)}."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    token: Annotated[
        str | None, typer.Option(help="The bearer token, by URI: env:NAME or file:PATH.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change what the units have in common, as name=value."),
    ] = None,
    retiring: Annotated[
        str, typer.Option(help="Parties whose accounts units end in, with commas between.")
    ] = "CHE",
    out: Annotated[
        Path | None, typer.Option(help="Write the feed to this file (.jsonl, .csv, .xml) and end.")
    ] = None,
) -> None:
    """Run a simulated mechanism registry until it is told to end."""
    notes = Console(stderr=True)
    try:
        world = change_world(ExampleWorld(), set_ or [])
        secret = None if token is None else read_secret(token)
        books = RegistryBooks(seed, world, tuple(retiring.split(","))).live(issuances)
        server = SimulatorServer(books, fault or [], secret, port)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    for text in server.spoiled.done:
        notes.print(text, markup=False, highlight=False, soft_wrap=True)
    if out is not None:
        out.write_bytes(body_of(server.spoiled.lines, out.suffix.removeprefix(".")))
        typer.echo(f"{out}\t{len(server.spoiled.lines)} lines\tseed={seed}")
        return
    asyncio.run(_serve(server, notes))


async def _serve(server: SimulatorServer, notes: Console) -> None:
    """Serve until SIGINT or SIGTERM; at the end tell which answers were spoiled."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with server:
        typer.echo(f"listening\t{server.url}")
        await ended.wait()
    for text in server.told:
        notes.print(text, markup=False, highlight=False, soft_wrap=True)


def faults(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the faults that ``--fault`` takes."""
    texts = {name: (fault.__doc__ or "").strip() for name, fault in LINE_FAULTS.items()}
    texts |= {name: f"{text[0].upper()}{text[1:]}." for name, text in ANSWER_FAULTS.items()}
    if as_json:
        typer.echo(json.dumps(texts))
        return
    for name, text in texts.items():
        typer.echo(f"{name}\t{text}")


if __name__ == "__main__":
    typer.run(simulate)
