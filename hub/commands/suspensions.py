"""``itmo-hub suspension …``: stop the smallest thing that needs stopping, and let it go on."""

from typing import Annotated

import typer

from hub.commands.acting import By, carry_out
from hub.commands.options import (
    Actor,
    AsJson,
    ConfigFile,
    DatabaseUrl,
    Propose,
    Reason,
    SignerUri,
    database_of,
    settings_of,
)
from hub.commands.output import refusals, show
from hub.services.administration.suspensions import (
    LEVELS,
    hold_block,
    lift_suspension,
    place_suspension,
    release_block,
)
from hub.store import holdings, reference

app = typer.Typer(
    name="suspension", help="Suspend block, account, type, pair, hub.", no_args_is_help=True
)

Level = Annotated[str, typer.Argument(help=f"One of block, {', '.join(LEVELS)}.")]
Subject = Annotated[
    str,
    typer.Argument(
        help="block: FIRST_ID..LAST_ID; account: XIR01/ACC-1; message_type: transfer.proposal; "
        "participant: CHE01; pair: CHE01/THA01; hub: *"
    ),
]


@app.command()
def place(
    level: Level,
    subject: Subject,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Suspend something; it takes effect with the next commit."""
    with refusals():
        deed = hold_block(subject) if level == "block" else place_suspension(level, subject)
        by = By(actor, signer, propose)
        done = carry_out(settings_of(config, database), deed, reason, by)
    if done:
        typer.echo(f"{level} {subject}\tsuspended")


@app.command()
def lift(
    level: Level,
    subject: Subject,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Lift a suspension."""
    with refusals():
        deed = release_block(subject) if level == "block" else lift_suspension(level, subject)
        by = By(actor, signer, propose)
        done = carry_out(settings_of(config, database), deed, reason, by)
    if done:
        typer.echo(f"{level} {subject}\tlifted")


@app.command("list")
def list_suspensions(
    every: Annotated[bool, typer.Option("--all", help="Lifted ones too.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List suspensions in force."""
    with refusals():
        with database_of(config, database).reading() as connection:
            rows = reference.suspensions(connection, open_only=not every)
            held = holdings.held_blocks(connection)
        show(
            ("level", "subject", "placed_at", "reason", "lifted_at"),
            [
                *(
                    (row.level, row.subject, row.placed_at, row.reason, row.lifted_at)
                    for row in rows
                ),
                *(("block", row.subject, None, f"hold {row.hold}", None) for row in held),
            ],
            as_json=as_json,
        )
