"""``itmo-hub ledger …``: put a mistake in the central ledger right."""

from typing import Annotated

import typer

from hub.commands.acting import By, do_or_propose
from hub.commands.options import (
    Actor,
    AsJson,
    ConfigFile,
    DatabaseUrl,
    Propose,
    Reason,
    SignerUri,
    settings_of,
)
from hub.commands.output import refusals, show_json
from hub.services.administration.corrections import correct_ledger

app = typer.Typer(name="ledger", help="Correct the central ledger.", no_args_is_help=True)


@app.callback()
def ledger() -> None:
    """Correct the central ledger."""


@app.command()
def correct(
    units: Annotated[str, typer.Argument(metavar="RANGE", help="The units: FIRST_ID..LAST_ID.")],
    from_registry: Annotated[
        str, typer.Option("--from", help="Registry that has them by the ledger: CHE01.")
    ],
    to_registry: Annotated[str, typer.Option("--to", help="Registry they belong to: THA01.")],
    reason: Reason,
    account: Annotated[
        str | None,
        typer.Option(help="Account at the international registry; none at a Party registry."),
    ] = None,
    case_id: Annotated[
        str | None,
        typer.Option(
            "--case", help="Reconciliation case that this puts right; its serials are frozen."
        ),
    ] = None,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Move units to the registry they belong to, by one more entry; nothing is taken back.

    Only first transferred units that are not reserved, on hold, used or cancelled. Serials frozen
    by a reconciliation case are moved for that case alone. Takes two administrators once two are
    registered. Both registries are told, with the reason.
    """
    with refusals():
        deed = correct_ledger(units, from_registry, to_registry, account, case_id)
        by = By(actor, signer, propose)
        outcome = do_or_propose(settings_of(config, database), deed, reason, by)
    if as_json:
        done = {"log_index": outcome.log_index, "proposal": outcome.proposal_id}
        show_json({"units": deed.subject, **deed.parameters, **done})
    elif outcome.proposal_id is not None:
        typer.echo(f"proposed\t{outcome.proposal_id}\t{deed.kind}\t{deed.subject}")
    else:
        typer.echo(f"{deed.subject}\t{from_registry}\t{to_registry}\tcorrected")
