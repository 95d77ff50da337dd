"""`registry query holdings|history`: pull and view, page by page, of the hub or of the mechanism.

Tables on a terminal, tab-separated lines in a pipe, `--csv`, `--json`. Every page is an answer of
its own, signed by who was asked; what the mechanism registry answers stays in this registry's
database with its evidence.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connectors.party_registry.cli_support import AsJson, Config, client, table
from connectors.party_registry.config import load_config
from connectors.party_registry.local_client import LocalApiError, LocalClient
from message_schemas.messages.queries import HistoryItem, HoldingsItem, UnitStatus

__all__ = ["app"]

app = typer.Typer(
    help="Ask for holdings and history: of the hub, or of the mechanism registry.",
    no_args_is_help=True,
)

Of = Annotated[str, typer.Option("--of", help="Whom to ask: hub, or a code such as XMR01.")]
Wait = Annotated[float, typer.Option(min=0, max=50, help="Seconds to wait for each answer.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many rows.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
Approach = Annotated[str | None, typer.Option("--approach", help="CA0001.")]

PAGE_ROWS: Final = 500
_HOLDINGS: Final = ("units", "quantity", "registry", "account", "status")
_HISTORY: Final = ("kind", "units", "quantity", "reference", "from_registry", "to_registry")


@app.command()
def holdings(  # noqa: PLR0913, PLR0917 - each option of the command is a parameter
    config: Config,
    of: Of = "hub",
    registry: Annotated[str | None, typer.Option(help="Only of this registry.")] = None,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    approach: Approach = None,
    party: Annotated[str | None, typer.Option(help="First transferring Party.")] = None,
    vintage: Annotated[int | None, typer.Option(help="Year of the mitigation.")] = None,
    status: Annotated[UnitStatus | None, typer.Option(help="Only in this state.")] = None,
    wait: Wait = 25,
    limit: Limit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the units that we may see, where they are and in which state."""
    body = {
        "registry": registry,
        "account": account,
        "cooperative_approach": approach,
        "first_transferring_party": party,
        "vintage": vintage,
        "status": status,
    }
    _show(config, of, "holdings.query", body, wait, limit, _form(as_json, as_csv))


@app.command()
def history(
    config: Config,
    of: Of = "hub",
    transfer: Annotated[str | None, typer.Option(help="Of this transfer: XMR01-40.")] = None,
    units: Annotated[
        str | None, typer.Option(metavar="RANGE", help="Of these units: FIRST_ID..LAST_ID.")
    ] = None,
    wait: Wait = 25,
    limit: Limit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List what happened to a transfer's units, or to a range of units."""
    first_id, _, last_id = (units or "").partition("..")
    body = {
        "transfer_id": transfer,
        "range": None if units is None else {"first_id": first_id, "last_id": last_id or first_id},
    }
    _show(config, of, "history.query", body, wait, limit, _form(as_json, as_csv))


def _form(as_json: bool, as_csv: bool) -> str:
    if as_json and as_csv:
        raise typer.BadParameter("either --json or --csv")
    return "json" if as_json else "csv" if as_csv else "lines"


def _show(
    config: Path,
    of: str,
    type_: str,
    body: dict[str, Any],
    wait: float,
    limit: int | None,
    form: str,
) -> None:
    """Print the rows of every page as it comes, then how many there were."""
    rows, units, as_of, is_first = 0, 0, "", True
    with client(config) as registry:
        whom = load_config(config).hub.code if of == "hub" else of
        asked = {name: value for name, value in body.items() if value is not None}
        for page, told_as_of in _pages(registry, whom, type_, asked, wait):
            as_of = told_as_of
            left = page if limit is None else page[: limit - rows]
            _write(left, type_, form, is_first=is_first)
            is_first = False  # a first page may be empty and still be followed by others
            rows, units = rows + len(left), units + sum(item["quantity"] for item in left)
            if limit is not None and rows >= limit:
                break
    typer.echo(f"{rows:,} rows, {units:,} units, as of {as_of}", err=True)


def _write(items: list[dict[str, Any]], type_: str, form: str, *, is_first: bool) -> None:
    """Write a page: JSON one object a line, CSV with every member and a header before the first."""
    is_holdings = type_ == "holdings.query"
    if form == "json":
        for item in items:
            typer.echo(json.dumps(item, ensure_ascii=False))
    elif form == "csv":
        names = [field.name for field in fields(HoldingsItem if is_holdings else HistoryItem)]
        writer = csv.DictWriter(sys.stdout, names, extrasaction="ignore", lineterminator="\n")
        if is_first:
            writer.writeheader()
        writer.writerows(items)
    else:
        shown = [item | {"units": _units(item)} for item in items]
        table(shown, _HOLDINGS if is_holdings else _HISTORY)


def _units(item: dict[str, Any]) -> str:
    """Return the units as ``--units`` takes them: ``FIRST_ID..LAST_ID``."""
    head = "{cooperative_approach}-{originating_registry}-{first_transferring_party}"
    series = head.format_map(item)
    first, last, vintage = item["first_serial"], item["last_serial"], item["vintage"]
    return f"{series}-{first}-{vintage}..{series}-{last}-{vintage}"


def _pages(
    registry: LocalClient, whom: str, type_: str, asked: dict[str, Any], wait: float
) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Yield the rows of each page and what state it tells. Raises LocalApiError."""
    cursor: dict[str, str] = {}
    while True:
        request = {
            "type": type_,
            "of": whom,
            "wait_seconds": wait,
            "body": {**asked, "items_max": PAGE_ROWS, **cursor},
        }
        answer = _answer_of(registry.post("/v1/queries", request), whom)
        as_of = answer.get("as_of") or f"log index {answer['as_of_log_index']}"
        yield answer["items"], as_of
        if "cursor" not in answer:
            return
        cursor = {"cursor": answer["cursor"]}


def _answer_of(found: dict[str, Any], whom: str) -> dict[str, Any]:
    """Return the page that was answered. Raises LocalApiError, saying what became of it."""
    if "outcome" in found:  # the hub's own answer
        if found["outcome"] != "accepted":
            texts = [f"{one['text']} {one['remedy']}" for one in found["findings"]]
            raise LocalApiError(f"{found['code']} {found['name']}: {'; '.join(texts)}")
        result: dict[str, Any] = found["result"]
        return result
    if found["state"] == "waiting":
        text = f"{whom} has not answered yet; see it later with `registry query show"
        raise LocalApiError(f"{text} {found['message_id']}`")
    if found["state"] == "refused":
        raise LocalApiError(f"the hub did not hand it on: {found['reason']}")
    answer: dict[str, Any] = found["answer"]
    if reasons := answer.get("reasons"):
        raise LocalApiError("; ".join(one["text"] for one in reasons))
    return answer


@app.command("show")
def show_one(
    question: Annotated[str, typer.Argument(help="The id of a question.")], config: Config
) -> None:
    """Show a question to the mechanism registry with its answer and evidence, as JSON."""
    with client(config) as registry:
        typer.echo(json.dumps(registry.get(f"/v1/queries/{question}"), indent=2))


@app.command("list")
def list_all(config: Config, as_json: AsJson = False) -> None:
    """List the questions to the mechanism registry, the newest first."""
    with client(config) as registry:
        found = registry.get("/v1/queries")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    columns = ("message_id", "recipient", "type", "state", "asked_at", "answered_at")
    table(found["queries"], columns)
