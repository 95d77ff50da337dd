"""The rest of the day: `issue`, `holdings`, `history`, `use`, `cancel`, `notify`, `inbox`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connectors.party_registry.cli_support import AsJson, Config, client, show
from connectors.party_registry.cli_transfers import read_ranges

__all__ = ["app"]

app = typer.Typer()

_TOLD: Final = frozenset(
    {
        "transfer_id",
        "action_id",
        "authorization_id",
        "cooperative_approach",
        "decision",
        "quantity",
        "state",
        "subject",
        "text",
    }
)
"""The members of a body that say at a glance what it is about."""

Account = Annotated[str, typer.Option(help="The account.")]
Approach = Annotated[str, typer.Option("--approach", help="CA0001.")]
Quantity = Annotated[int | None, typer.Option(help="Pick this many units.")]
Blocks = Annotated[list[str] | None, typer.Option(help="first identifier..last identifier")]


@app.command()
def issue(
    account: Account,
    authorization: Annotated[str, typer.Option(help="The authorization, in force.")],
    vintage: Annotated[int, typer.Option(help="The year of the mitigation.")],
    quantity: Annotated[int, typer.Option(help="How many units.")],
    config: Config,
    sector: Annotated[str | None, typer.Option(help="If not the authorization's.")] = None,
    activity_type: Annotated[str | None, typer.Option(help="If any.")] = None,
    as_json: AsJson = False,
) -> None:
    """Issue mitigation outcomes under an authorization into an account."""
    body = {
        "account": account,
        "authorization": authorization,
        "vintage": vintage,
        "quantity": quantity,
        "sector": sector,
        "activity_type": activity_type,
    }
    with client(config) as registry:
        show(registry.post("/v1/issuances", body), as_json=as_json)


@app.command()
def holdings(
    config: Config,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 1000,
    after: Annotated[int, typer.Option(help="Go on after this block.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the blocks of the book."""
    with client(config) as registry:
        found = registry.get("/v1/holdings", account=account, limit=limit, after=after)
    columns = ("first_id", "last_id", "quantity", "account", "status", "reserved_by")
    show(found, as_json=as_json, rows="blocks", columns=columns)


@app.command()
def history(
    config: Config,
    reference: Annotated[str | None, typer.Option(help="Of this transfer or action.")] = None,
    after: Annotated[int, typer.Option(help="Go on after this movement.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List what happened to units, in order."""
    with client(config) as registry:
        found = registry.get("/v1/history", reference=reference, after=after, limit=1000)
    columns = ("movement_id", "recorded_at", "kind", "first_serial", "last_serial", "reference")
    show(found, as_json=as_json, rows="movements", columns=columns)


@app.command()
def use(  # noqa: PLR0913, PLR0917 - each option of the command is a parameter
    account: Account,
    approach: Approach,
    config: Config,
    quantity: Quantity = None,
    block: Blocks = None,
    purpose: Annotated[str, typer.Option(help="NDC, OIMP, IMP or OP.")] = "NDC",
    calendar_year: Annotated[int | None, typer.Option(help="For the NDC.")] = None,
    oimp_purpose: Annotated[str | None, typer.Option(help="What for, if not NDC.")] = None,
    as_json: AsJson = False,
) -> None:
    """Use units for ever."""
    body: dict[str, Any] = {
        "account": account,
        "cooperative_approach": approach,
        "quantity": quantity,
        "ranges": read_ranges(block),
        "purpose": purpose,
        "calendar_year": calendar_year,
        "oimp_purpose": oimp_purpose,
    }
    with client(config) as registry:
        show(registry.post("/v1/uses", body), as_json=as_json)


@app.command()
def cancel(
    account: Account,
    approach: Approach,
    config: Config,
    quantity: Quantity = None,
    block: Blocks = None,
    kind: Annotated[str, typer.Option(help="voluntary, omge, oimp or other.")] = "voluntary",
    oimp_purpose: Annotated[str | None, typer.Option(help="What for, if oimp.")] = None,
    as_json: AsJson = False,
) -> None:
    """Cancel units for ever."""
    body: dict[str, Any] = {
        "account": account,
        "cooperative_approach": approach,
        "quantity": quantity,
        "ranges": read_ranges(block),
        "kind": kind,
        "oimp_purpose": oimp_purpose,
    }
    with client(config) as registry:
        show(registry.post("/v1/cancellations", body), as_json=as_json)


@app.command()
def notify(  # noqa: PLR0913, PLR0917 - each option of the command is a parameter
    recipient: Annotated[str, typer.Option("--to", help="The other registry.")],
    approach: Approach,
    from_account: Annotated[str, typer.Option(help="Our account.")],
    to_account: Annotated[str, typer.Option(help="Their account or record.")],
    adjustment_method: Annotated[str, typer.Option(help="How the adjustment is made.")],
    config: Config,
    quantity: Quantity = None,
    block: Blocks = None,
    purpose: Annotated[str, typer.Option(help="NDC, OIMP, IMP or OP.")] = "NDC",
    as_json: AsJson = False,
) -> None:
    """Notify a transfer that moves no units: recorded at both ends."""
    body: dict[str, Any] = {
        "recipient": recipient,
        "cooperative_approach": approach,
        "from_account": from_account,
        "to_account": to_account,
        "adjustment_method": adjustment_method,
        "quantity": quantity,
        "ranges": read_ranges(block),
        "purpose": purpose,
    }
    with client(config) as registry:
        show(registry.post("/v1/transfers", body), as_json=as_json)


@app.command()
def note(
    recipient: Annotated[str, typer.Option("--to", help="The other registry.")],
    subject: Annotated[str, typer.Option(help="What it is about.")],
    text: Annotated[str, typer.Option(help="What to say.")],
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Write to the administrators of another registry."""
    body = {"recipient": recipient, "subject": subject, "text": text}
    with client(config) as registry:
        show(registry.post("/v1/notes", body), as_json=as_json)


@app.command()
def submit(
    recipient: Annotated[str, typer.Option("--to", help="A registry, or the hub.")],
    type_: Annotated[str, typer.Option("--type", help="Such as authorization.record.")],
    body: Annotated[Path, typer.Argument(help="A file with the JSON body.")],
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Submit a message with its own body: records, and for registries with their own book all."""
    with client(config) as registry:
        document = json.loads(body.read_text(encoding="utf-8"))
        request = {"recipient": recipient, "type": type_, "body": document}
        show(registry.post("/v1/messages", request), as_json=as_json)


@app.command()
def inbox(
    config: Config,
    after: Annotated[int, typer.Option(help="Items after this one.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List what the hub delivered, in order."""
    with client(config) as registry:
        found = registry.get("/v1/inbox", after=after)
    if not as_json:
        for entry in found["items"]:
            entry["says"] = "; ".join(_sentences(entry["item"]))
    columns = ("sequence", "log_index", "recorded_at", "sender", "says")
    show(found, as_json=as_json, rows="items", columns=columns)


def _sentences(item: dict[str, Any]) -> list[str]:
    """Return what an item says, a few words for each message and notice; unverified here."""
    verdicts = {one["message_id"]: one["outcome"] for one in item.get("verdicts", ())}
    said: list[str] = []
    if (envelope := item.get("envelope")) is not None:
        payload = json.loads(envelope)["payload"]
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        for message in json.loads(text)["messages"]:
            outcome = verdicts.get(message["message_id"], "")
            said.append(f"{_sentence(message)} ({outcome})")
    return said + [_sentence(notice) for notice in item.get("notices", ())]


def _sentence(said: dict[str, Any]) -> str:
    body = said["body"]
    known = [
        f"{name}={value}"
        for name, value in body.items()
        if name in _TOLD and isinstance(value, str | int)
    ]
    return " ".join([said["type"], *known])
