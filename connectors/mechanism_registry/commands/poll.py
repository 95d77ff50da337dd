"""``mechanism poll``: take a feed from a source over HTTP, page by page, and push it.

Exit status 0: every line is with the hub; 1: something was refused, or the source is away or at
fault; 2: misused. Without ``--once`` it runs until it is told to end.
"""

import asyncio
import json
import signal
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connectors.mechanism_registry.feeds.files import FeedChangedError
from connectors.mechanism_registry.feeds.mapping_file import MappingError, load_mapping
from connectors.mechanism_registry.runs.push import FeedHandler, PushStoppedError
from connectors.mechanism_registry.runs.run import new_session, running
from connectors.mechanism_registry.secrets_by_uri import read_secret
from connectors.mechanism_registry.settings import MechanismSettings, SettingsError, load_settings
from connectors.mechanism_registry.sources.client import (
    SourceAwayError,
    SourceClient,
    SourceFaultError,
)
from connectors.mechanism_registry.sources.polled import PolledSource, PollResult
from connectors.mechanism_registry.tables import open_feeds
from keys.errors import KeysError


def poll(
    config: Annotated[Path, typer.Option("--config", help="The settings, a TOML file.")],
    once: Annotated[
        bool, typer.Option("--once", help="End when the source has no more now.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a round.")] = False,
) -> None:
    """Fetch pages from the source of the settings, and push their lines; go on at the cursor."""
    notes = Console(stderr=True)
    try:
        settings = load_settings(config)
        if settings.source is None:
            raise SettingsError(f"{config}: source is missing: nothing to poll")
        good = asyncio.run(_poll(settings, notes, once=once, as_json=as_json))
    except (SettingsError, MappingError, KeysError, OSError, ValueError) as error:
        status, text = 2, str(error)
    except (SourceFaultError, SourceAwayError, FeedChangedError, PushStoppedError) as error:
        status, text = 1, str(error)
    except KeyboardInterrupt:
        status, text = 1, "interrupted; the next run goes on from here"
    else:
        raise typer.Exit(0 if good else 1)
    notes.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(status)


async def _poll(settings: MechanismSettings, notes: Console, *, once: bool, as_json: bool) -> bool:
    """Poll until told to end; tell whether every line is with the hub."""
    assert settings.source is not None
    source, good = settings.source, True
    token = None if source.token is None else read_secret(source.token)
    mapping = None if settings.mapping is None else load_mapping(settings.mapping)

    def say(text: str) -> None:
        notes.print(text, markup=False, highlight=False, soft_wrap=True)

    with closing(open_feeds(settings.database)) as database:
        handler = FeedHandler()
        session, client = new_session(settings, database, handler), SourceClient(source, token)
        told = _told_to_end()
        try:
            async with running(session):
                polled = PolledSource(settings, source, mapping, session, handler, client, say)
                while not told.is_set():
                    try:
                        result = await polled.poll()
                    except SourceAwayError as error:
                        if once:
                            raise
                        say(str(error))
                    else:
                        good = good and result.good
                        if once or result.pages:
                            _show(result, as_json=as_json)
                    if once:
                        break
                    with suppress(TimeoutError):
                        async with asyncio.timeout(source.poll_seconds):
                            await told.wait()
        finally:
            await client.close()
    return good


def _told_to_end() -> asyncio.Event:
    """Return an event that SIGTERM sets: the round that runs is finished, nothing is lost."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    return told


def _show(result: PollResult, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.document(), ensure_ascii=False))
    else:
        typer.echo("\t".join(f"{name}={value}" for name, value in result.document().items()))
