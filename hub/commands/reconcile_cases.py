"""``itmo-hub reconcile case …``, ``explain``, ``frozen``: work on what differs.

Exit status 0: done; 1: refused, with the reason on standard error; 2: misused.
"""

from collections.abc import Callable
from pathlib import Path
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
from hub.commands.output import refusals, refuse, show, show_json
from hub.services.administration.deeds import Deed
from hub.services.reconciliation.cases import case_acts
from hub.services.reconciliation.cases.explaining import (
    Explanation,
    UnknownCaseError,
    case_document,
    event_document,
)
from hub.services.reconciliation.cases.explaining import explain as explanation_of
from hub.services.reconciliation.cases.explanation_text import text_of
from hub.store.reconciliation import cases
from hub.store.reconciliation.cases import Wanted
from reconciliation.case_states import IS_OPEN, CaseState
from reconciliation.case_words import KINDS

ALL = "all"

app = typer.Typer(
    name="case",
    help="Cases: serials on which a registry and the ledger differ.",
    no_args_is_help=True,
)

Cases = Annotated[
    list[str], typer.Argument(metavar="CASE...", help="One or several: 2026-11-22/3.")
]
Case = Annotated[str, typer.Argument(metavar="CASE", help="2026-11-22/3")]


@app.command("list")
def list_cases(
    state: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(CaseState)}, or {ALL}; repeat. Else all but closed ones."),
    ] = None,
    registry: Annotated[str | None, typer.Option(help="Only of this registry: CHE01.")] = None,
    kind: Annotated[str | None, typer.Option(help=f"One of {', '.join(KINDS)}.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only of this person.")] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List cases, oldest first."""
    wanted = Wanted(_states(state), registry, _one_of("--kind", kind), assignee)
    with refusals(), database_of(config, database).reading() as connection:
        rows = cases.listed(connection, wanted)
    if as_json:
        show_json([case_document(row) for row in rows])
        return
    show(
        ("case", "registry", "state", "kind", "units", "due_on", "assignee", "summary"),
        [
            (
                row.case_id,
                row.registry,
                row.state,
                row.kind,
                row.units,
                row.due_on,
                row.assignee,
                row.summary,
            )
            for row in rows
        ],
        as_json=False,
    )


@app.command("show")
def show_case(
    case_id: Case, as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """Show a case: its serials, and all that was done with it."""
    with refusals(), database_of(config, database).reading() as connection:
        row = cases.load(connection, [case_id]).get(case_id)
        if row is None:
            refuse(f"there is no case {case_id} (`itmo-hub reconcile case list --state {ALL}`)")
        ranges = cases.ranges(connection, [case_id])[case_id]
        events = cases.events(connection, case_id)
    if as_json:
        serials = [{"units": one.units, "frozen": one.is_frozen} for one in ranges]
        told = [event_document(one) for one in events]
        show_json({**case_document(row), "serials": serials, "events": told})
        return
    for name, value in case_document(row).items():
        typer.echo(f"{name}\t{'' if value is None else value}")
    show(
        ("serials", "quantity", "frozen", "allows"),
        [(one.units, one.quantity, one.is_frozen, one.allows) for one in ranges],
        as_json=False,
    )
    show(
        ("log_index", "at", "actor", "event", "text"),
        [(one.log_index, one.at, one.actor, one.kind, one.text) for one in events],
        as_json=False,
    )


@app.command()
def acknowledge(
    case_ids: Cases,
    reason: Reason = "seen",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Say that somebody at the hub has seen the cases."""
    deed = _deed(lambda: case_acts.acknowledge(case_ids))
    _act(deed, reason, By(actor, signer, propose), config, database)


@app.command()
def assign(
    case_ids: Cases,
    to: Annotated[str | None, typer.Option("--to", help="Who works on it.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take it back.")] = False,
    reason: Reason = "assigned",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Give the cases to somebody to work on."""
    if (to is None) is not nobody:
        raise typer.BadParameter("give --to NAME, or --nobody")
    deed = _deed(lambda: case_acts.assign(case_ids, to))
    _act(deed, reason, By(actor, signer, propose), config, database)


@app.command()
def note(
    case_ids: Cases,
    text: Annotated[str, typer.Option(help="What is to be remembered.")],
    reason: Reason = "a note",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Write something down about the cases; closed ones too."""
    deed = _deed(lambda: case_acts.note(case_ids, text))
    _act(deed, reason, By(actor, signer, propose), config, database)


@app.command()
def due(
    case_ids: Cases,
    on: Annotated[str, typer.Option("--on", help="The day: 2026-11-30.")],
    reason: Reason,
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Set the day on which the cases are to be closed."""
    deed = _deed(lambda: case_acts.set_due(case_ids, on))
    _act(deed, reason, By(actor, signer, propose), config, database)


@app.command()
def correct(
    case_ids: Cases,
    how: Annotated[str, typer.Option(help=f"By what: {' or '.join(case_acts.HOW)}.")],
    text: Annotated[str, typer.Option(help="What is being done, and by whom.")],
    reason: Reason = "being corrected",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Say that the cases are being corrected; the entry itself is `itmo-hub ledger correct`."""
    deed = _deed(lambda: case_acts.begin_correction(case_ids, how, text))
    _act(deed, reason, By(actor, signer, propose), config, database)


@app.command()
def rerun(
    case_ids: Cases,
    reason: Reason = "to see whether both sides agree now",
    actor: Actor = None,
    signer: SignerUri = None,
    propose: Propose = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Ask for a comparison with the registries of the cases; the leading hub does it at once."""
    deed = _deed(lambda: case_acts.ask_rerun(case_ids))
    _act(deed, reason, By(actor, signer, propose), config, database)


def explain(
    case_id: Case, as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """Tell in plain words what differs, what it may come from, and what each side does."""
    with refusals():
        found = _explained(case_id, config, database)
    if as_json:
        show_json(found.document())
    else:
        typer.echo(text_of(found), nl=False)


def list_frozen(
    as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """List the serials that no transfer may touch, and for which case."""
    with refusals(), database_of(config, database).reading() as connection:
        ranges = cases.frozen_ranges(connection)
        owners = cases.load(connection, {one.case_id for one in ranges})
    show(
        ("units", "quantity", "case", "registry", "kind", "allows"),
        [
            (
                one.units,
                one.quantity,
                one.case_id,
                owners[one.case_id].registry,
                owners[one.case_id].kind,
                one.allows,
            )
            for one in ranges
        ],
        as_json=as_json,
    )


def _explained(case_id: str, config: Path | None, database: str | None) -> Explanation:
    with database_of(config, database).reading() as connection:
        try:
            return explanation_of(connection, case_id)
        except UnknownCaseError as error:
            refuse(str(error))


def _deed(make: Callable[[], Deed]) -> Deed:
    with refusals():
        return make()


def _act(deed: Deed, reason: str, by: By, config: Path | None, database: str | None) -> None:
    """Do a deed about cases, or propose it, and say which."""
    with refusals():
        done = carry_out(settings_of(config, database), deed, reason, by)
    if done:
        for case_id in deed.parameters["cases"]:
            typer.echo(f"{case_id}\t{deed.kind.removeprefix('case.').replace('_', ' ')}")


def _states(given: list[str] | None) -> frozenset[str] | None:
    if not given:
        return frozenset(IS_OPEN)
    if ALL in given:
        return None
    for one in given:
        if one not in list(CaseState):
            raise typer.BadParameter(f"a state is one of {', '.join(CaseState)}, or {ALL}")
    return frozenset(given)


def _one_of(option: str, kind: str | None) -> str | None:
    if kind is not None and kind not in KINDS:
        raise typer.BadParameter(f"{option} is one of {', '.join(KINDS)}")
    return kind
