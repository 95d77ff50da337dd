"""Chapter 10: every book is compared with the central ledger, and the ledger proves itself."""

from rich import box
from rich.console import JustifyMethod
from rich.table import Table

from hub.demo.books import Comparison, Run, compare
from hub.demo.stage import Stage

Row = tuple[str, str, str, str, str, str, str]
"""Registry, units, quantity, account, status; what its book says, and what the ledger says."""


def check_books(stage: Stage) -> None:
    """Compare by serials; then let the registries and the hub check themselves."""
    stage.until("the last messages are answered", stage.all_quiet)
    comparisons = []
    for desk in stage.world.desks.values():
        with stage.database.reading() as connection:
            comparisons.append(compare(desk.code, desk.blocks(), connection))
    _show(stage, comparisons)
    stage.result["books"] = [_document(comparison) for comparison in comparisons]
    differing = [one.registry for one in comparisons if not one.agrees]
    stage.require(not differing, f"book and ledger differ: {', '.join(differing)}")
    for desk in stage.world.desks.values():
        problems = desk.problems()
        stage.require(not problems, f"{desk.code}: {'; '.join(problems)}")
    stage.say("The three books agree with the central ledger, serial by serial, and each one with")
    stage.say("its own journal.")
    proof = stage.world.hub("db", "check").strip()
    stage.result["db_check"] = proof
    stage.say(f"itmo-hub db check: {proof}")


def _show(stage: Stage, comparisons: list[Comparison]) -> None:
    rows = [row for comparison in comparisons for row in _rows(comparison)]
    if not stage.screen.console.is_terminal:
        for registry, units, quantity, account, status, book, ledger in rows:
            what = f"{units}, {quantity} units in {account}, {status}" if account else units
            stage.say(f"{registry}: {what}; in its book: {book}; in the ledger: {ledger}")
        return
    # Six columns in 80 characters: an account stands above the status of its units.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("of", "units", "quantity", "account", "book", "ledger"):
        justify: JustifyMethod = "right" if name == "quantity" else "left"
        table.add_column(name, justify=justify, no_wrap=name == "units")
    for registry, units, quantity, account, status, book, ledger in rows:
        table.add_row(registry, units, quantity, f"{account}\n{status}", book, ledger)
    stage.screen.table(table)


def _rows(comparison: Comparison) -> list[Row]:
    parts = (
        (comparison.equal, "yes", "yes"),
        (comparison.book_only, "yes", "[red]no[/]"),
        (comparison.ledger_only, "[red]no[/]", "yes"),
        (comparison.not_transferred, "yes", "not yet"),
    )
    rows = [
        (comparison.registry, *_cells(run), book, ledger)
        for runs, book, ledger in parts
        for run in runs
    ]
    return rows or [(comparison.registry, "no units", "0", "", "", "yes", "yes")]


def _cells(run: Run) -> tuple[str, str, str, str]:
    return run.name(), f"{run.quantity:,}", run.account, run.status


def _document(comparison: Comparison) -> dict[str, object]:
    return {
        "registry": comparison.registry,
        "agrees": comparison.agrees,
        "equal_units": sum(run.quantity for run in comparison.equal),
        "not_transferred_units": sum(run.quantity for run in comparison.not_transferred),
        "book_only": [run.name() for run in comparison.book_only],
        "ledger_only": [run.name() for run in comparison.ledger_only],
    }
