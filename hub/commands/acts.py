"""``itmo-hub act …``: what was done by hand at this hub, by whom, why, and signed by whom."""

from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any

import typer
from msgspec import to_builtins
from sqlalchemy import Connection

from hub import bootstrap
from hub.commands.options import AsJson, ConfigFile, DatabaseUrl, settings_of
from hub.commands.output import refusals, show, show_json
from hub.config import Settings
from hub.services.administration.recorded_acts import ActReader, RecordedAct
from message_schemas import timestamps

FAULTS_MAX = 1_000

app = typer.Typer(name="act", help="Acts in the log: who, what, why.", no_args_is_help=True)


@app.command("list")
def list_acts(
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List the newest acts, each with whether its statements hold."""
    with refusals():
        settings = settings_of(config, database)
        with bootstrap.open_database(settings).reading() as connection:
            found = _reader(connection, settings).newest(limit)
        show(
            ("log_index", "at", "kind", "subject", "actor", "reason", "statements"),
            [
                (
                    one.row.log_index,
                    one.row.at,
                    one.row.kind,
                    one.row.subject,
                    one.row.actor,
                    one.row.reason,
                    one.verdict,
                )
                for one in found
            ],
            as_json=as_json,
        )


@app.command("show")
def show_act(
    log_index: Annotated[int, typer.Argument(help="Where it stands in the log.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Show one act: its document, and each statement judged by the administrators of then.

    Exit status 1 if the act does not hold.
    """
    with refusals():
        settings = settings_of(config, database)
        with bootstrap.open_database(settings).reading() as connection:
            found = _reader(connection, settings).at(log_index)
    if as_json:
        show_json(_document(found))
    else:
        _print(found)
    if found.is_wrong:
        raise typer.Exit(1)


@app.command()
def check(config: ConfigFile = None, database: DatabaseUrl = None) -> None:
    """Judge every act there is by the administrators of its time; exit 1 if one does not hold."""
    with refusals():
        settings = settings_of(config, database)
        with bootstrap.open_database(settings).reading() as connection:
            faults = list(islice(_reader(connection, settings).faults(), FAULTS_MAX))
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise typer.Exit(1)
    typer.echo("every act holds")


def _reader(connection: Connection, settings: Settings) -> ActReader:
    return ActReader(connection, settings.hub_code, settings.limits)


def _document(found: RecordedAct) -> dict[str, Any]:
    return {
        "log_index": found.row.log_index,
        "document": None if found.document is None else to_builtins(found.document),
        "statements": [asdict(one) for one in found.statements],
        "fault": found.fault,
        "verdict": found.verdict,
    }


def _print(found: RecordedAct) -> None:
    row = found.row
    for name, value in (
        ("log_index", row.log_index),
        ("at", timestamps.render(row.at)),
        ("kind", row.kind),
        ("subject", row.subject),
        ("actor", row.actor),
        ("reason", row.reason),
        ("detail", row.detail),
    ):
        typer.echo(f"{name}\t{value}")
    for one in found.statements:
        state = "verified" if one.fault is None else f"WRONG: {one.fault}"
        typer.echo(f"statement\t{one.says}\t{one.actor}\t{one.key_id}\t{one.at}\t{state}")
    typer.echo(f"verdict\t{found.verdict}")
