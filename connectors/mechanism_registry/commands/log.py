"""``mechanism log``: the hub's transparency log as the mechanism registry sees it.

The connector runs only while it pushes, so these commands work on its database themselves.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from connectors.mechanism_registry.settings import MechanismSettings, SettingsError, load_settings
from connectors.mechanism_registry.tables import METADATA
from connectors.session.log.audit import AuditReport
from connectors.session.log.monitor import LogUnknownError
from connectors.session.log.standing import read_standing
from connectors.session.session import Session, open_database
from keys.documents import parse_document
from keys.errors import KeysError
from keys.signing import open_signer

app = typer.Typer(help="The hub's transparency log, as we see it.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", help="The settings, a TOML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def show(config: Config, as_json: AsJson = False) -> None:
    """Show what is pinned, verified, proven and audited, and whether we are paused."""
    with _failing():
        settings = load_settings(config)
        with closing(open_database(settings.database, METADATA)) as database:
            found = database.read_now(read_standing).document()
    _show(found, as_json=as_json)


@app.command()
def audit(config: Config, as_json: AsJson = False) -> None:
    """Read every entry since the last audit, recompute the root, settle our own accounts."""
    with _failing():
        report = asyncio.run(_audit(load_settings(config)))
    _show({**asdict(report), "sound": report.is_sound}, as_json=as_json)
    if not report.is_sound:
        raise typer.Exit(1)


@app.command()
def resume(
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    config: Config,
    follow_hub: Annotated[
        bool, typer.Option("--follow-hub", help="Begin again from the hub's checkpoint of now.")
    ] = False,
) -> None:
    """End the pause that a finding began; the next push sends what was held back."""
    with _failing():
        paused = asyncio.run(_resume(load_settings(config), reason, follow_hub=follow_hub))
    typer.echo("resumed" if paused else "nothing was paused")


async def _audit(settings: MechanismSettings) -> AuditReport:
    with closing(open_database(settings.database, METADATA)) as database:
        async with _session(settings, database) as session:
            await session.refresh_participants()
            return await session.log_monitor.run_audit()


async def _resume(settings: MechanismSettings, reason: str, *, follow_hub: bool) -> bool:
    with closing(open_database(settings.database, METADATA)) as database:
        async with _session(settings, database) as session:
            return await session.log_monitor.resume(reason, follow_hub=follow_hub)


def _session(settings: MechanismSettings, database: Any) -> Session:
    signers = [open_signer(uri, participant=settings.participant) for uri in settings.signing_keys]
    anchor = [parse_document(path.read_bytes()) for path in settings.hub_keys]
    # Looks only when told to, and fetches nothing meanwhile.
    quiet = settings.model_copy(update={"log_seconds": 0.0, "delivery_mode": "none"})
    return Session(quiet.session_settings(), database, signers, anchor)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        typer.echo(f"{name}\t{text}")


@contextmanager
def _failing() -> Iterator[None]:
    """Turn what may go wrong into one line on standard error and an exit status."""
    try:
        yield
    except (SettingsError, KeysError, OSError) as error:
        text, status = str(error), 2
    except LogUnknownError as error:
        text, status = str(error), 1
    else:
        return
    Console(stderr=True).print(text, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(status)
