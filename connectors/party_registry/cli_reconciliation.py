"""`registry reconciliation` and `registry book`: comparisons with the ledger, and corrections here.

Exit status 0: done, 1: refused, 2: misused; of `reconciliation show` and `explain` also 3: the
sides differ.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import typer

from connectors.party_registry.cli_support import AsJson, Config, client, show
from connectors.party_registry.cli_transfers import read_ranges

__all__ = ["book_app", "reconciliation_app"]

reconciliation_app = typer.Typer(
    help="How the book compares with the central ledger.", no_args_is_help=True
)
book_app = typer.Typer(help="Put the own book right, with a reason.", no_args_is_help=True)
correct_app = typer.Typer(
    help="Put the book right where the hub is right; each is journalled with its reason.",
    no_args_is_help=True,
)
book_app.add_typer(correct_app, name="correct")
_DIFFERS: Final = 3

Session = Annotated[str, typer.Argument(help="CHE01-48211, or the last one.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]
Case = Annotated[str | None, typer.Option("--case", help="The case of the hub, if there is one.")]
Block = Annotated[list[str], typer.Option(help="first identifier..last identifier")]
Reference = Annotated[str, typer.Argument(help="The transfer or action, CHE01-000004.")]


@reconciliation_app.command()
def status(config: Config, as_json: AsJson = False) -> None:
    """Say whether the hub can compare the book, and how the last comparison ended."""
    with client(config) as registry:
        found = registry.get("/v1/reconciliation")
    if as_json:
        show(found, as_json=True)
        return
    typer.echo(f"answered by\t{found['answered_by']}")
    typer.echo(f"link secret\t{'present' if found['has_secret'] else 'missing'}")
    if found["remedy"] is not None:
        typer.echo(f"remedy\t{found['remedy']}")
    sums = found["sums"]
    typer.echo(f"sums\t{'none yet' if sums is None else sums['key_id']}")
    for name in ("last_question", "last_result"):
        if (last := found[name]) is not None:
            told = last.get("answer", "agreed" if last.get("agreed") else "differs")
            at = last.get("asked_at", last.get("received_at"))
            typer.echo(f"{name.replace('_', ' ')}\t{last['session']}\t{at}\t{told}")


@reconciliation_app.command("list")
def list_(
    config: Config,
    differing: Annotated[bool, typer.Option(help="Only those with findings.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: AsJson = False,
) -> None:
    """List how comparisons ended, the last first."""
    with client(config) as registry:
        found = registry.get(
            "/v1/reconciliation/results", limit=limit, differing="yes" if differing else None
        )
    columns = ("session", "received_at", "as_of", "agreed", "basis", "finding_count")
    show(found, as_json=as_json, rows="results", columns=columns)


@reconciliation_app.command("show")
def show_(config: Config, session: Session = "last", as_json: AsJson = False) -> None:
    """Show a result with its findings, and what was asked and answered. Exit 3: it differs."""
    with client(config) as registry:
        found = registry.get(f"/v1/reconciliation/results/{session}")
    if as_json:
        show(found, as_json=True)
    else:
        show({**found, **found["body"]}, as_json=False)
        for one in found["body"].get("findings", ()):
            serials = f"{one['first_serial']}-{one['last_serial']}"
            typer.echo(f"finding\t{one['kind']}\t{serials}\t{one.get('case_id', '')}")
        for one in reversed(found["questions"]):
            typer.echo(f"question\t{one['number']}\t{one['type']}\t{one['answer']}")
    if not found["agreed"]:
        raise typer.Exit(_DIFFERS)


@reconciliation_app.command()
def explain(config: Config, session: Session = "last", as_json: AsJson = False) -> None:
    """Say in plain words what differs and what to do about it. Exit 3: it differs."""
    with client(config) as registry:
        found = registry.get(f"/v1/reconciliation/results/{session}")
    if as_json:
        show({"session": found["session"], "words": found["words"]}, as_json=True)
    else:
        for line in found["words"]:
            typer.echo(line)
    if not found["agreed"]:
        raise typer.Exit(_DIFFERS)


@reconciliation_app.command("explain-case")
def explain_case(
    case: Annotated[str, typer.Argument(help="The case of the hub, 2026-11-23/1.")],
    config: Config,
    text: Annotated[str, typer.Option(help="What was found.")],
    corrected: Annotated[
        bool, typer.Option("--corrected", help="It is put right: compare again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say to the hub what was found about a case, and that it is put right."""
    body = {"case_id": case, "text": text, "corrected": corrected}
    with client(config) as registry:
        show(registry.post("/v1/reconciliation/explanations", body), as_json=as_json)


@book_app.command()
def corrections(config: Config, as_json: AsJson = False) -> None:
    """List what was put right in the book, the last first."""
    with client(config) as registry:
        found = registry.get("/v1/book/corrections")
    columns = ("correction_id", "recorded_at", "kind", "subject", "quantity", "case_id", "reason")
    show(found, as_json=as_json, rows="corrections", columns=columns)


def _correct(config: Any, as_json: bool, kind: str, **members: Any) -> None:
    with client(config) as registry:
        done = registry.post("/v1/book/corrections", {"kind": kind, **members})
        show(done, as_json=as_json)


@correct_app.command()
def completion(
    reference: Reference, config: Config, reason: Reason, case: Case = None, as_json: AsJson = False
) -> None:
    """Give a transfer's completion its effect, which the hub told and the book lost."""
    _correct(config, as_json, "completion", reference=reference, reason=reason, case_id=case)


@correct_app.command()
def action(
    reference: Reference, config: Config, reason: Reason, case: Case = None, as_json: AsJson = False
) -> None:
    """Give the record of a use or cancellation its effect, which the book lost."""
    _correct(config, as_json, "action", reference=reference, reason=reason, case_id=case)


@correct_app.command()
def doubled(
    block: Block, config: Config, reason: Reason, case: Case = None, as_json: AsJson = False
) -> None:
    """Leave one of several copies of units."""
    ranges = read_ranges(block)
    _correct(config, as_json, "doubled", ranges=ranges, reason=reason, case_id=case)


@correct_app.command()
def value(
    block: Block,
    config: Config,
    name: Annotated[str, typer.Option(help="status, first_transferred, gwp_values, …")],
    reason: Reason,
    value: Annotated[str | None, typer.Option(help="The right value; left out: none.")] = None,
    case: Case = None,
    as_json: AsJson = False,
) -> None:
    """Set one of the values that both sides own."""
    ranges = read_ranges(block)
    members = {"ranges": ranges, "name": name, "value": value, "reason": reason, "case_id": case}
    _correct(config, as_json, "value", **members)


@correct_app.command()
def vintage(
    block: Block,
    config: Config,
    to: Annotated[int, typer.Option(help="The right vintage.")],
    reason: Reason,
    case: Case = None,
    as_json: AsJson = False,
) -> None:
    """Move units from the series of a wrong vintage to the right one."""
    ranges = read_ranges(block)
    _correct(config, as_json, "vintage", ranges=ranges, vintage=to, reason=reason, case_id=case)


@correct_app.command()
def restore(
    block: Block, config: Config, reason: Reason, case: Case = None, as_json: AsJson = False
) -> None:
    """Put back what the journal says of units, after the blocks were tampered with."""
    ranges = read_ranges(block)
    _correct(config, as_json, "restore", ranges=ranges, reason=reason, case_id=case)


@correct_app.command("take-out")
def take_out(
    block: Block, config: Config, reason: Reason, case: Case = None, as_json: AsJson = False
) -> None:
    """Remove units that are not ours."""
    ranges = read_ranges(block)
    _correct(config, as_json, "take_out", ranges=ranges, reason=reason, case_id=case)


@correct_app.command("put-in")
def put_in(
    block: Block,
    config: Config,
    account: Annotated[str, typer.Option(help="Into this account.")],
    attributes: Annotated[str, typer.Option(help="What the units are, a JSON object.")],
    reason: Reason,
    first_transferred: Annotated[bool, typer.Option(help="Whether they are already.")] = True,
    case: Case = None,
    as_json: AsJson = False,
) -> None:
    """Enter units that are ours; attributes as in `registry holdings --json`."""
    try:
        said = json.loads(attributes)
    except ValueError as error:
        raise typer.BadParameter(f"--attributes is no JSON: {error}") from None
    ranges = read_ranges(block)
    members = {"ranges": ranges, "account": account, "attributes": said, "reason": reason}
    flagged = "yes" if first_transferred else "no"
    _correct(config, as_json, "put_in", **members, value=flagged, case_id=case)


@book_app.command("report-use")
def report_use(
    block: Block,
    config: Config,
    reason: Reason,
    purpose: Annotated[str, typer.Option(help="NDC, OIMP, IMP or OP.")] = "NDC",
    calendar_year: Annotated[int | None, typer.Option(help="For the NDC.")] = None,
    oimp_purpose: Annotated[str | None, typer.Option(help="What for, if not NDC.")] = None,
    case: Case = None,
    as_json: AsJson = False,
) -> None:
    """Tell the hub of a use that is in the book and never reached it."""
    body = {
        "act": "use",
        "ranges": read_ranges(block),
        "reason": reason,
        "case_id": case,
        "purpose": purpose,
        "calendar_year": calendar_year,
        "oimp_purpose": oimp_purpose,
    }
    with client(config) as registry:
        show(registry.post("/v1/book/reports", body), as_json=as_json)


@book_app.command("report-cancellation")
def report_cancellation(
    block: Block,
    config: Config,
    reason: Reason,
    kind: Annotated[str, typer.Option(help="voluntary, omge, oimp or other.")] = "voluntary",
    oimp_purpose: Annotated[str | None, typer.Option(help="What for, if oimp.")] = None,
    case: Case = None,
    as_json: AsJson = False,
) -> None:
    """Tell the hub of a cancellation that is in the book and never reached it."""
    body = {
        "act": "cancellation",
        "ranges": read_ranges(block),
        "reason": reason,
        "case_id": case,
        "kind": kind,
        "oimp_purpose": oimp_purpose,
    }
    with client(config) as registry:
        show(registry.post("/v1/book/reports", body), as_json=as_json)
