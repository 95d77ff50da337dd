"""`registry transfer`: propose, answer, withdraw, and see where each transfer stands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from connectors.party_registry.cli_support import AsJson, Config, client, show, table

__all__ = ["app"]

app = typer.Typer(help="Transfers with other registries.", no_args_is_help=True)

TransferId = Annotated[str, typer.Argument(help="Such as THA01-000001.")]
COLUMNS = ("transfer_id", "direction", "mode", "state", "counterparty", "quantity", "awaited")


@app.command()
def propose(  # noqa: PLR0913, PLR0917 - each option of the command is a parameter
    recipient: Annotated[str, typer.Option("--to", help="The other registry, CHE01.")],
    approach: Annotated[str, typer.Option("--approach", help="CA0001.")],
    from_account: Annotated[str, typer.Option(help="Our account.")],
    to_account: Annotated[str, typer.Option(help="Their account.")],
    config: Config,
    quantity: Annotated[int | None, typer.Option(help="Pick this many units.")] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="Or these: first identifier..last identifier.")
    ] = None,
    purpose: Annotated[str, typer.Option(help="NDC, OIMP, IMP or OP.")] = "NDC",
    reference: Annotated[str | None, typer.Option(help="Our own reference.")] = None,
    respond_by: Annotated[str | None, typer.Option(help="Deadline, UTC with ms.")] = None,
    as_json: AsJson = False,
) -> None:
    """Reserve units and propose to transfer them."""
    body: dict[str, Any] = {
        "recipient": recipient,
        "cooperative_approach": approach,
        "from_account": from_account,
        "to_account": to_account,
        "quantity": quantity,
        "ranges": read_ranges(block),
        "purpose": purpose,
        "reference": reference,
        "respond_by": respond_by,
    }
    with client(config) as registry:
        show(registry.post("/v1/transfers", body), as_json=as_json)


def read_ranges(blocks: list[str] | None) -> list[dict[str, str]] | None:
    """Return `first..last` texts as the API wants them. Raises BadParameter for another form."""
    ranges = []
    for text in blocks or ():
        first, dots, last = text.partition("..")
        if not dots:
            raise typer.BadParameter(f"{text!r} is not first identifier..last identifier")
        ranges.append({"first_id": first, "last_id": last})
    return ranges or None


@app.command()
def accept(
    transfer_id: TransferId,
    config: Config,
    recorded_reference: Annotated[
        str | None, typer.Option(help="For a notification: where it is recorded.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Accept a proposal, or recognize a notification."""
    body = {"recorded_reference": recorded_reference}
    with client(config) as registry:
        show(registry.post(f"/v1/transfers/{transfer_id}/accept", body), as_json=as_json)


@app.command()
def reject(
    transfer_id: TransferId,
    reason: Annotated[list[str], typer.Option(help="Why; may be repeated.")],
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Reject a proposal, or decline a notification."""
    with client(config) as registry:
        answer = registry.post(f"/v1/transfers/{transfer_id}/reject", {"reasons": reason})
        show(answer, as_json=as_json)


@app.command()
def cancel(
    transfer_id: TransferId,
    config: Config,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw a proposal of ours that is not answered yet."""
    with client(config) as registry:
        answer = registry.post(f"/v1/transfers/{transfer_id}/cancel", {"reason": reason})
        show(answer, as_json=as_json)


@app.command("list")
def list_(
    config: Config,
    state: Annotated[str | None, typer.Option(help="Only in this state.")] = None,
    direction: Annotated[str | None, typer.Option(help="outgoing or incoming.")] = None,
    as_json: AsJson = False,
) -> None:
    """List transfers, the last changed first, and who is awaited."""
    with client(config) as registry:
        found = registry.get("/v1/transfers", state=state, direction=direction)
        show(found, as_json=as_json, rows="transfers", columns=COLUMNS)


@app.command("show")
def show_(transfer_id: TransferId, config: Config, as_json: AsJson = False) -> None:
    """Show a transfer with its timeline."""
    with client(config) as registry:
        found = registry.get(f"/v1/transfers/{transfer_id}")
    show(found, as_json=as_json)
    if not as_json:
        table(found["timeline"], ("at", "event", "detail"))
