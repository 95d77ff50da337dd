"""``itmo-hub transfer …``: where each transfer stands, and its signed messages."""

from typing import Annotated, Any

import typer

from hub.commands.options import AsJson, ConfigFile, DatabaseUrl, database_of
from hub.commands.output import plain, refusals, refuse, show, show_json
from hub.services.load_facts import messages_of
from hub.services.sealing import read_own
from hub.store import envelopes, transfers, views
from hub.store.envelopes import LoggedEnvelope
from message_schemas import json_codec

app = typer.Typer(name="transfer", help="Transfers and their history.", no_args_is_help=True)


@app.command("list")
def list_transfers(
    participant: Annotated[str | None, typer.Option(help="Only those of a registry.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those in a state.")] = None,
    limit: int = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List the newest transfers."""
    with refusals():
        with database_of(config, database).reading() as connection:
            rows = transfers.search(connection, participant=participant, state=state, limit=limit)
        show(
            ("transfer", "state", "initiator", "acquirer", "quantity", "proposed_at", "closed_at"),
            [
                (
                    row.transfer_id,
                    str(row.state),
                    row.initiator,
                    row.acquirer,
                    row.quantity,
                    row.proposed_at,
                    row.closed_at,
                )
                for row in rows
            ],
            as_json=as_json,
        )


@app.command("show")
def show_transfer(
    transfer_id: str,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Show one transfer: its state, its envelopes and what they moved in the ledger."""
    with refusals():
        opened = database_of(config, database)
        with opened.reading() as connection:
            found = transfers.load(connection, [transfer_id])
            if transfer_id not in found:
                refuse(f"there is no transfer {transfer_id}")
            record = found[transfer_id]
            indices = sorted({record.proposed_log_index, record.closed_log_index or 0} - {0})
            logged = [envelopes.at(connection, index) for index in indices]
            subject = views.Subject(reference=transfer_id)
            history = views.history(connection, subject=subject, after=(0, 0), limit=1_000).rows
    timeline = [_event(one, transfer_id) for one in logged if one is not None]
    if as_json:
        document = {
            **{name: getattr(record, name) for name in record.__slots__},
            "timeline": timeline,
            "postings": [{name: getattr(row, name) for name in row.__slots__} for row in history],
        }
        show_json(document)
        return
    for name in record.__slots__:
        value = getattr(record, name)
        if value is not None:
            typer.echo(f"{name}\t{plain(value)}")
    for event in timeline:
        typer.echo(
            f"log {event['log_index']}\t{plain(event['received_at'])}\t{event['sender']} -> "
            f"{event['recipient']}\t{event['type']}\t{event['outcome']}"
        )
    for row in history:
        typer.echo(
            f"log {row.log_index}\t{row.kind}\t{row.first_serial}..{row.last_serial}\t"
            f"{row.from_registry or '-'} -> {row.to_registry or '-'}"
        )


def _event(logged: LoggedEnvelope, transfer_id: str) -> dict[str, Any]:
    """Return one envelope of the timeline: what it said of the transfer, and the answer."""
    if logged.body is None or logged.receipt is None:
        return _shown(logged, "(erased)", "(erased)", None)
    outcomes = {one["message_id"]: one for one in read_own(logged.receipt, "receipt")["outcomes"]}
    said = next(
        message.message
        for message in messages_of(logged.body)
        if getattr(message.body, "transfer_id", None) == transfer_id
    )
    outcome = outcomes[said.message_id]
    body = json_codec.encode_body(json_codec.decode_body(said.type, 1, said.body))
    return _shown(logged, said.type, f"{outcome['outcome']} ({outcome['name']})", body)


def _shown(
    logged: LoggedEnvelope, type_: str, outcome: str, body: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "log_index": logged.log_index,
        "received_at": logged.received_at,
        "sender": logged.sender,
        "recipient": logged.recipient,
        "envelope_id": logged.envelope_id,
        "envelope_sha256": logged.sha256,
        "type": type_,
        "outcome": outcome,
        "body": body,
    }
