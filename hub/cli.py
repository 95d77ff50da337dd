"""``itmo-hub``: one command for the hub, its operators, and what a registry runs on its side.

What each part needs is imported when it is called.
"""

from importlib.metadata import version
from typing import Annotated, Final

import typer

from hub.commands.late import LatePart, late_group

PARTS: Final = (
    LatePart(
        "serve",
        "hub.commands.serving",
        "serve",
        "Run the hub. Its address is printed once it takes envelopes.",
    ),
    LatePart(
        "console",
        "hub.commands.console",
        "console",
        "Serve the console's pages, beside the hub, on the same database. Its address is printed.",
    ),
    LatePart(
        "demo",
        "hub.demo.command",
        "demo",
        "Play a transfer of ITMOs from the keys to the books, with real processes on loopback.",
    ),
    LatePart(
        "rulebook",
        "hub.commands.rules",
        "show_rulebook",
        "Show the check catalogue, or one rule with its remedy.",
    ),
    LatePart(
        "alerts",
        "hub.commands.rules",
        "show_alerts",
        "Show what asks for attention, newest first.",
    ),
    LatePart(
        "participant", "hub.commands.participants", "app", "Connected systems and their keys."
    ),
    LatePart(
        "administrator",
        "hub.commands.administrators",
        "app",
        "Who signs acts, and acts that wait for a second administrator.",
    ),
    LatePart(
        "people",
        "hub.commands.people",
        "app",
        "Who may sign in at the console, in which role, and who did.",
    ),
    LatePart("act", "hub.commands.acts", "app", "Acts in the log: who, what, why."),
    LatePart("account", "hub.commands.accounts", "app", "Accounts of the international registry."),
    LatePart("transfer", "hub.commands.transfers", "app", "Transfers and their history."),
    LatePart(
        "suspension", "hub.commands.suspensions", "app", "Suspend block, account, type, pair, hub."
    ),
    LatePart(
        "query",
        "hub.commands.query",
        "app",
        "Holdings and history: the whole ledger, or what one participant may see.",
    ),
    LatePart(
        "reconcile",
        "hub.commands.reconcile",
        "app",
        "Compare registries with the central ledger, and work on what differs.",
    ),
    LatePart("ledger", "hub.commands.ledger", "app", "Correct the central ledger."),
    LatePart("db", "hub.commands.database", "app", "The hub's database."),
    LatePart("log", "hub.commands.log", "app", "The transparency log."),
    LatePart("evidence", "hub.commands.evidence", "app", "Evidence of a transfer."),
    LatePart(
        "retention",
        "hub.commands.retention",
        "app",
        "How long bodies are kept; the log itself is kept for ever.",
    ),
    LatePart(
        "keys",
        "hub.commands.key_messages",
        "app",
        "Make and inspect the keys a participant signs with.",
    ),
    LatePart(
        "registry",
        "connectors.party_registry.cli",
        "app",
        "Run a Party registry's connector to the ITMO hub, and do its everyday work.",
    ),
    LatePart(
        "mechanism",
        "connectors.mechanism_registry.cli",
        "app",
        "Push first-transferred A6.4ERs of the mechanism registry to the hub.",
    ),
)

app = typer.Typer(
    name="itmo-hub",
    cls=late_group(PARTS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(version("itmo-hub"))
        raise typer.Exit


@app.callback()
def itmo_hub(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    """Signed messages between the registries of Article 6, on one central ledger."""


def main() -> None:
    """Run the command line."""
    app()
