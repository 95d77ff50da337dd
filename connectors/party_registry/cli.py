"""`registry`: run a Party registry's connector, and do its everyday work.

Results go to standard output, everything else to standard error; `--json` everywhere. Exit
status 0: done; 1: refused; 2: misused. What changes something goes to the running registry.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.party_registry.cli_init import check_keys, new_key, write_settings
from connectors.party_registry.cli_log import app as log_app
from connectors.party_registry.cli_reconciliation import book_app, reconciliation_app
from connectors.party_registry.cli_support import AsJson, Config, client, failing, show
from connectors.party_registry.cli_transfers import app as transfer_app
from connectors.party_registry.cli_units import app as units_app
from connectors.party_registry.config import load_config
from connectors.party_registry.evidence_commands import app as evidence_app
from connectors.party_registry.query_cli import app as query_app
from connectors.party_registry.simulator_faults import Fault, FaultPlan
from connectors.session.logs import log_to_standard_error
from hub.protocol.signed_objects import Binding

if TYPE_CHECKING:
    from connectors.party_registry.connector import Connector

__all__ = ["app"]

app = typer.Typer(
    name="registry",
    help="Run a Party registry's connector to the ITMO hub, and do its everyday work.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
account_app = typer.Typer(help="Accounts of the book.", no_args_is_help=True)
app.add_typer(account_app, name="account")
app.add_typer(transfer_app, name="transfer")
app.add_typer(log_app, name="log")
app.add_typer(evidence_app, name="evidence")
app.add_typer(query_app, name="query")
app.add_typer(reconciliation_app, name="reconciliation")
app.add_typer(book_app, name="book")
app.registered_commands += units_app.registered_commands


@app.callback()
def _begin() -> None:
    log_to_standard_error()


@app.command()
def init(  # noqa: PLR0913, PLR0917 - each option of the command is a parameter
    participant: Annotated[str, typer.Option(help="Our participant code, such as THA01.")],
    hub_url: Annotated[str, typer.Option(help="The address of the hub.")],
    hub_key: Annotated[list[Path], typer.Option(help="A public key document of the hub.")],
    key: Annotated[list[str] | None, typer.Option(help="The URI of our private key.")] = None,
    new_key_passphrase_env: Annotated[
        str | None, typer.Option(help="Make a key, with the passphrase in this variable.")
    ] = None,
    binding: Annotated[
        Binding, typer.Option(help="How we write: json, or xml with one ES256 key.")
    ] = Binding.JSON,
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path(),
    api_listen: Annotated[str, typer.Option(help="The local API, loopback.")] = "127.0.0.1:8601",
    push_listen: Annotated[str | None, typer.Option(help="Take pushes here.")] = None,
    book: Annotated[bool, typer.Option(help="Keep the registry's book here.")] = True,
    auto_accept: Annotated[bool, typer.Option(help="Accept what the rules allow.")] = False,
    link_secret: Annotated[
        Path | None, typer.Option(help="The file with the secret of our link with the hub.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a settings file and an API token into a folder, and a key if one is wanted.

    XML is signed with one ES256 key: one is made, or the one that --key names is looked at.
    """
    with failing():
        uris = list(key or ())
        made: dict[str, object] = {}
        if new_key_passphrase_env is not None:
            if uris:
                raise ValueError("--key and --new-key-passphrase-env exclude each other")
            fresh = new_key(folder, participant, binding, new_key_passphrase_env)
            made = fresh.described(new_key_passphrase_env)
            uris = [str(made["uri"])]
        check_keys(participant, uris, binding)
        path = write_settings(
            folder,
            participant=participant,
            hub_url=hub_url,
            hub_keys=hub_key,
            key_uris=uris,
            api_listen=api_listen,
            push_listen=push_listen,
            book=book,
            auto_accept=auto_accept,
            binding=binding,
            link_secret=link_secret,
        )
        load_config(path)
    show({"config": str(path), **made}, as_json=as_json)


@app.command()
def serve(config: Config, as_json: AsJson = False) -> None:
    """Run the connector until it is told to stop."""
    import uvloop

    from connectors.party_registry.connector import Connector

    with failing():
        connector = Connector(load_config(config))
        uvloop.run(_run(connector, as_json=as_json))


@app.command()
def simulate(
    config: Config,
    fault: Annotated[list[str], typer.Option(help="A fault and its chance: repeat=0.2")],
    seed: Annotated[int | None, typer.Option(help="Repeat the run of this seed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a registry that misbehaves on demand; only against a hub that is there for tests."""
    import uvloop

    from connectors.party_registry.simulator import SimulatedConnector

    with failing():
        settings = load_config(config)
        chances = dict(_read_fault(text) for text in fault)
        chosen = secrets.randbits(32) if seed is None else seed
        typer.echo(f"seed: {chosen}", err=True)
        simulated = SimulatedConnector(settings, FaultPlan(chosen, chances))
        uvloop.run(_run(simulated, as_json=as_json))


def _read_fault(text: str) -> tuple[Fault, float]:
    name, _, chance = text.partition("=")
    return Fault(name), float(chance)


async def _run(connector: Connector, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with connector:
        started = {"participant": connector.config.participant, "api": connector.api_url}
        if connector.push_url is not None:
            started["push"] = connector.push_url
        if connector.witness_url is not None:
            started["witness"] = connector.witness_url
        typer.echo(json.dumps(started) if as_json else "\t".join(started.values()))
        await stop.wait()


@account_app.command("open")
def account_open(
    account: Annotated[str, typer.Argument(help="The new account's id.")],
    config: Config,
    entity: Annotated[str | None, typer.Option(help="Whose account, if an entity's.")] = None,
    cooperative_approach: Annotated[str | None, typer.Option(help="Linked to, CA0001.")] = None,
    as_json: AsJson = False,
) -> None:
    """Open a holding account."""
    body = {
        "account": account,
        "entity": entity,
        "cooperative_approach": cooperative_approach,
    }
    with client(config) as registry:
        show(registry.post("/v1/accounts", body), as_json=as_json)


@account_app.command("list")
def account_list(config: Config, as_json: AsJson = False) -> None:
    """List the accounts."""
    with client(config) as registry:
        columns = ("account_id", "kind", "party", "cooperative_approach", "status")
        show(registry.get("/v1/accounts"), as_json=as_json, rows="accounts", columns=columns)


@app.command()
def alarms(
    config: Config,
    close: Annotated[int | None, typer.Option(help="Close this alarm.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what an operator must look at, or close one of them."""
    with client(config) as registry:
        if close is not None:
            show(registry.post(f"/v1/alarms/{close}/close"), as_json=as_json)
            return
        found = registry.get("/v1/alarms", all="yes" if every else None)
        columns = ("alarm_id", "kind", "reference", "count", "last_at", "detail")
        show(found, as_json=as_json, rows="alarms", columns=columns)


@app.command()
def outbox(
    config: Config,
    retry: Annotated[str | None, typer.Option(help="Send this parked envelope again.")] = None,
    reseal: Annotated[str | None, typer.Option(help="Sign its messages anew.")] = None,
    abandon: Annotated[str | None, typer.Option(help="Give its messages up.")] = None,
    wake: Annotated[bool, typer.Option(help="Try everything that waits now.")] = False,
    as_json: AsJson = False,
) -> None:
    """List envelopes without a receipt, or do something about a parked one."""
    with client(config) as registry:
        for name, envelope in (("retry", retry), ("reseal", reseal), ("abandon", abandon)):
            if envelope is not None:
                show(registry.post(f"/v1/outbox/{envelope}/{name}"), as_json=as_json)
                return
        if wake:
            show(registry.post("/v1/outbox/wake"), as_json=as_json)
            return
        columns = ("envelope_id", "recipient", "state", "attempt_count", "reason")
        show(registry.get("/v1/outbox"), as_json=as_json, rows="envelopes", columns=columns)


@app.command()
def check(config: Config, as_json: AsJson = False) -> None:
    """Check the book against its journal and the sums against the book; also while not running."""
    from connectors.party_registry.check_book import check_book
    from connectors.party_registry.connector import open_link_secret, open_registry_database
    from connectors.party_registry.kept_sums import check_sums

    with failing():
        settings = load_config(config)
        secret = open_link_secret(settings)
        database = open_registry_database(settings)
        try:
            problems = database.read_now(check_book) + database.read_now(check_sums, secret)
        finally:
            database.close()
    show({"sound": not problems, "problems": problems}, as_json=as_json)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)


@app.command()
def records(config: Config, as_json: AsJson = False) -> None:
    """List the cooperative approaches and authorizations recorded from here."""
    from connectors.party_registry.book_commands import list_records
    from connectors.party_registry.connector import open_registry_database

    with failing():
        database = open_registry_database(load_config(config))
        try:
            found = database.read_now(list_records)
        finally:
            database.close()
    if as_json:
        show(found, as_json=True)
        return
    for name, entries in found.items():
        for entry in entries:
            record = entry["record"]
            key = record.get("authorization_id") or record["cooperative_approach"]
            typer.echo(f"{name}\t{key}\t{record['version']}\t{entry['state']}")


if __name__ == "__main__":
    app()
