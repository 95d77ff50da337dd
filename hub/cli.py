"""``itmo-hub``: one command for the hub, its operators, and what a registry runs on its side."""

import typer

from connectors.mechanism_registry.cli import app as mechanism
from connectors.party_registry.cli import app as registry
from hub.commands import (
    accounts,
    acts,
    administrators,
    database,
    evidence,
    log,
    participants,
    retention,
    rules,
    suspensions,
    transfers,
)
from hub.commands.key_messages import app as keys
from hub.commands.serving import serve
from hub.demo.command import demo

app = typer.Typer(
    name="itmo-hub",
    help="Signed messages between the registries of Article 6, on one central ledger.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(demo)
app.command("rulebook")(rules.show_rulebook)
app.command("alerts")(rules.show_alerts)
for part in (
    participants,
    administrators,
    acts,
    accounts,
    transfers,
    suspensions,
    database,
    log,
    evidence,
    retention,
):
    app.add_typer(part.app)
app.add_typer(keys, name="keys")
app.add_typer(registry, name="registry")
app.add_typer(mechanism, name="mechanism")


def main() -> None:
    """Run the command line."""
    app()
