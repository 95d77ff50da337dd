"""``itmo-hub reconcile …``: compare registries with the ledger, and work on what differs.

Each command's module is imported when the command is called; a new one is a line of ``PARTS``.
"""

from typing import Final

import typer

from hub.commands.late import LatePart, late_group

PARTS: Final = (
    LatePart(
        "run",
        "hub.commands.reconcile_runs",
        "run",
        "Compare registries now, wait for the results, and show them.",
    ),
    LatePart(
        "status",
        "hub.commands.reconcile_runs",
        "status",
        "Show how each registry is compared, and when it last agreed.",
    ),
    LatePart("nights", "hub.commands.reconcile_runs", "list_nights", "List nights, newest first."),
    LatePart(
        "sessions",
        "hub.commands.reconcile_runs",
        "list_sessions",
        "List comparisons, newest first: with whom, why, and what they came to.",
    ),
    LatePart(
        "statement",
        "hub.commands.reconcile_statement",
        "statement",
        "Compare a registry with the ledger by a statement of its holdings.",
    ),
    LatePart(
        "case",
        "hub.commands.reconcile_cases",
        "app",
        "Cases: serials on which a registry and the ledger differ.",
    ),
    LatePart(
        "explain",
        "hub.commands.reconcile_cases",
        "explain",
        "Tell in plain words what differs, what it may come from, and what each side does.",
    ),
    LatePart(
        "frozen",
        "hub.commands.reconcile_cases",
        "list_frozen",
        "List the serials that no transfer may touch, and for which case.",
    ),
    LatePart(
        "report",
        "hub.commands.reconcile_reports",
        "report",
        "Write the report of a night: a page that prints well, CSV or JSON.",
    ),
    LatePart(
        "result",
        "hub.commands.reconcile_reports",
        "result",
        "Give a result as the hub logged and signed it, with its place in the log and the proofs.",
    ),
    LatePart(
        "own-books",
        "hub.commands.reconcile_reports",
        "check_own_books",
        "Check the hub's own books: journal, blocks, kept digests, conservation, frozen serials.",
    ),
    LatePart(
        "alerts",
        "hub.commands.reconcile_reports",
        "list_alerts",
        "List alerts that wait to be sent or were given up, newest first.",
    ),
    LatePart(
        "alert-test",
        "hub.commands.reconcile_reports",
        "try_alerts",
        "Send a test to every webhook and recipient of alerts, and say how each took it.",
    ),
    LatePart(
        "mode",
        "hub.commands.reconcile_links",
        "mode",
        "Decide how a registry is compared: digests, totals, statement, records or off.",
    ),
    LatePart(
        "secret",
        "hub.commands.reconcile_links",
        "secret",
        "Make the hub's link secret, or write the secret of one registry's link.",
    ),
)

app = typer.Typer(
    name="reconcile",
    cls=late_group(PARTS),
    help="Compare registries with the central ledger, and work on what differs.",
    no_args_is_help=True,
)


@app.callback()
def reconcile() -> None:
    """Compare registries with the central ledger, and work on what differs."""
