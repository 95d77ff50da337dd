"""``itmo-hub account …``: accounts of the international registry."""

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
from hub.international_registry.accounts import ACCOUNT_TYPES, Account, AccountStatus
from hub.services.administration import accounts
from hub.store import reference

app = typer.Typer(
    name="account", help="Accounts of the international registry.", no_args_is_help=True
)

_TYPES = "; ".join(f"{code} {kind.label}" for code, kind in sorted(ACCOUNT_TYPES.items()))


@app.command("open")
def open_account(
    account_id: str,
    party: Annotated[str, typer.Option(help="Party of the section, such as CHE.")],
    cooperative_approach: Annotated[
        str | None, typer.Option("--approach", help="Cooperative approach it is bound to.")
    ] = None,
    type_: Annotated[int, typer.Option("--type", help=f"Account type: {_TYPES}.")] = 100,
    entity: Annotated[str | None, typer.Option(help="Authorized entity that holds it.")] = None,
    metric: str = "GHG",
    status: AccountStatus = AccountStatus.OPEN,
    reason: Reason = "opened",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Open an account."""
    with refusals():
        settings = settings_of(config, database)
        account = Account(
            account_id=account_id,
            registry=settings.international_registry_code,
            type=type_,
            party=party,
            entity=entity,
            cooperative_approach=cooperative_approach,
            metric=metric,
            status=status,
        )
        deed = accounts.open_account(account)
        done = carry_out(settings, deed, reason, By(actor, signer, propose))
    if done:
        typer.echo(f"{account.registry}/{account_id}\t{status}")


@app.command("status")
def set_status(
    account_id: str,
    status: AccountStatus,
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Change an account's status."""
    with refusals():
        settings = settings_of(config, database)
        registry = settings.international_registry_code
        deed = accounts.set_account_status(registry, account_id, status)
        done = carry_out(settings, deed, reason, By(actor, signer, propose))
    if done:
        typer.echo(f"{registry}/{account_id}\t{status}")


@app.command("list")
def list_accounts(
    as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """List accounts."""
    with refusals():
        with database_of(config, database).reading() as connection:
            rows = reference.accounts(connection)
        show(
            ("registry", "account", "type", "party", "entity", "approach", "metric", "status"),
            [
                (
                    row.registry,
                    row.account_id,
                    row.type,
                    row.party,
                    row.entity,
                    row.cooperative_approach,
                    row.metric,
                    str(row.status),
                )
                for row in rows
            ],
            as_json=as_json,
        )
