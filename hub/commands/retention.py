"""``itmo-hub retention …``: what is kept how long, and erasing what is older."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from hub import bootstrap
from hub.commands.options import AsJson, ConfigFile, DatabaseUrl, settings_of
from hub.commands.output import refusals, refuse, show, show_json
from hub.config import Settings
from hub.services import erase_bodies
from hub.services.erase_bodies import Erased

app = typer.Typer(
    name="retention",
    help="How long bodies are kept; the log itself is kept for ever.",
    no_args_is_help=True,
)


def _days(settings: Settings) -> int:
    if settings.retention_days is None:
        refuse("no time of retention is set: bodies are kept for ever. Set `retention_days`.")
    assert settings.retention_days is not None
    return settings.retention_days


@app.command("show")
def show_old(
    as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """Say how long bodies are kept and how many are older."""
    with refusals():
        settings = settings_of(config, database)
        opened = bootstrap.open_database(settings)
        days = settings.retention_days
        now = bootstrap.clock()
        old = (
            Erased()
            if days is None
            else erase_bodies.old_bodies(opened, retention_days=days, now=now)
        )
        show(
            ("retention_days", "older_envelopes", "older_deliveries"),
            [("for ever" if days is None else days, old.envelopes, old.deliveries)],
            as_json=as_json,
        )


@app.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only; erase nothing.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Erase the bodies that are older than the time of retention, beside a running hub or not."""
    with refusals():
        settings = settings_of(config, database)
        days = _days(settings)
        opened = bootstrap.open_database(settings)
        now = bootstrap.clock()
        old = erase_bodies.old_bodies(opened, retention_days=days, now=now)
        done = Erased()
        if not dry_run:
            console = Console(stderr=True)
            with Progress(
                console=console, transient=True, disable=not console.is_terminal
            ) as progress:
                task = progress.add_task("erasing", total=old.envelopes + old.deliveries)
                while part := erase_bodies.erase_part(
                    opened, hub=settings.hub_code, retention_days=days, now=now
                ):
                    done = Erased(
                        done.envelopes + part.envelopes, done.deliveries + part.deliveries
                    )
                    progress.advance(task, part.envelopes + part.deliveries)
    told = old if dry_run else done
    word = "would be erased" if dry_run else "erased"
    if as_json:
        show_json({"dry_run": dry_run, "envelopes": told.envelopes, "deliveries": told.deliveries})
    else:
        typer.echo(f"{told.envelopes} envelopes, {told.deliveries} deliveries\t{word}")
