"""`registry log`: the hub's transparency log as we see it, and what to do when it lies.

`show`, `proof` and `evidence` look; `audit` reads the log anew; `resume` and `pin` are decisions
of an operator, with a reason that stays on record; `vkey` and `witness` are about cosigning.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from connectors.party_registry.cli_support import AsJson, Config, client, failing, show
from connectors.party_registry.config import load_config
from connectors.party_registry.local_client import LocalClient

__all__ = ["app"]

app = typer.Typer(help="The hub's transparency log, as we see it.", no_args_is_help=True)

_LOOK_SECONDS: Final = 0.2
Reason = Annotated[str, typer.Option(help="Why; it stays on record.")]


@app.command("show")
def show_log(config: Config, as_json: AsJson = False) -> None:
    """Show what is pinned, verified, proven and audited, and whether we are paused."""
    with client(config) as registry:
        found = registry.get("/v1/log")
    if as_json:
        show(found, as_json=True)
        return
    for name, value in _lines(found):
        typer.echo(f"{name}\t{value}")


def _lines(found: dict[str, Any]) -> list[tuple[str, Any]]:
    claims, own = found["claims"], found["own_entries"]
    proven = claims["proven"] + claims["audited"]
    lines = [
        ("log", found["origin"] or "not known yet: the hub's list names none"),
        ("verified", f"{found['size']} entries, {found['verified_at'] or 'never'}"),
        ("proven", f"{proven} of {sum(claims.values())} promises, {claims['pending']} to come"),
        ("our entries", ", ".join(f"{count} {state}" for state, count in own.items())),
        ("audited", f"{found['audited_size']} entries, {found['audited_at'] or 'never'}"),
        ("cosigned", found["cosigned_at"] or "never"),
        ("evidence kept", found["evidence_count"]),
    ]
    pause = found["pause"]
    if pause is None:
        return [*lines, ("paused", "no")]
    text = f"since {pause['paused_at']}, {pause['kind']}: {pause['detail']}"
    return [
        *lines,
        ("PAUSED", text),
        (
            "remedy",
            "see `registry log evidence`, ask the "
            "secretariat, then `registry log resume --reason …`",
        ),
    ]


@app.command()
def evidence(config: Config, as_json: AsJson = False) -> None:
    """List what the hub said against itself, with the notes that prove it."""
    with client(config) as registry:
        columns = ("evidence_id", "kind", "reference", "found_at", "detail")
        show(registry.get("/v1/log/evidence"), as_json=as_json, rows="evidence", columns=columns)


@app.command()
def proof(
    index: Annotated[int, typer.Argument(min=0, help="The entry's index.")],
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Print the verified proof of an entry (C2SP tlog-proof), fetched if need be."""
    with client(config) as registry:
        found = registry.get(f"/v1/log/proofs/{index}")
    if as_json:
        show(found, as_json=True)
    else:
        typer.echo(found["proof"], nl=False)


@app.command()
def audit(config: Config, as_json: AsJson = False) -> None:
    """Read every entry since the last audit, recompute the root, settle our own accounts."""
    with client(config) as registry:
        registry.post("/v1/log/audit")
        found = _watch(registry)
    report = found["last"] if found["error"] is None else None
    if report is None:
        Console(stderr=True).print(found["error"] or "no report", style="red", markup=False)
        raise typer.Exit(1)
    if as_json:
        show(report, as_json=True)
    else:
        first, size, own = report["first"], report["size"], report["own_count"]
        typer.echo(f"entries {first} to {size - 1}\t{own} ours, {report['awaited_count']} awaited")
        for finding in report["findings"]:
            typer.echo(f"FOUND\t{finding}")
        if report["reason"] is not None:
            typer.echo(f"not complete\t{report['reason']}; the next audit goes on from here")
    if report["findings"] or report["reason"] is not None:
        raise typer.Exit(1)


def _watch(registry: LocalClient) -> Any:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("audit", total=None)
        while (found := registry.get("/v1/log/audit"))["running"]:
            progress.update(task, completed=found["done"], total=found["size"] or None)
            time.sleep(_LOOK_SECONDS)
    return found


@app.command()
def resume(
    reason: Reason,
    config: Config,
    follow_hub: Annotated[
        bool,
        typer.Option(
            "--follow-hub",
            help="Begin again from the checkpoint the hub shows now, because the secretariat "
            "announced that its log was restored. A witness key is spent by it.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """End the pause that a finding began; what was held back is sent."""
    with client(config) as registry:
        body = {"reason": reason, "follow_hub": follow_hub}
        show(registry.post("/v1/log/resume", body), as_json=as_json)


@app.command()
def pin(reason: Reason, config: Config, as_json: AsJson = False) -> None:
    """Pin the log's origin and keys as the hub's signed list names them now."""
    with client(config) as registry:
        show(registry.post("/v1/log/pin", {"reason": reason}), as_json=as_json)


@app.command()
def vkey(config: Config, as_json: AsJson = False) -> None:
    """Print our witness's verifier keys, for the hub's policy; the connector need not run."""
    with failing():
        found = _open_witness(config)
    if as_json:
        show({"vkeys": found}, as_json=True)
        return
    for line in found:
        typer.echo(line)


@app.command()
def witness(config: Config, as_json: AsJson = False) -> None:
    """Show our witness: its name, its keys, where it is asked, what it last cosigned."""
    with client(config) as registry:
        found = registry.get("/v1/log")
        section = registry.config.witness
    if not found["witness_vkeys"] or section is None:
        Console(stderr=True).print("no [witness] in the settings: we cosign nothing", style="red")
        raise typer.Exit(1)
    listen = section.listen or (
        registry.config.delivery.listen if registry.config.delivery.mode == "push" else None
    )
    asked = "nowhere: cosignatures are handed to the hub"
    shown = {
        "name": found["witness_vkeys"][0].partition("+")[0],
        "vkeys": found["witness_vkeys"],
        "asked_at": asked if listen is None else f"{listen}{section.path}/add-checkpoint",
        "size": found["size"],
        "cosigned_at": found["cosigned_at"],
    }
    show(shown, as_json=as_json)
    if not as_json:
        for line in found["witness_vkeys"]:
            typer.echo(f"vkey\t{line}")


def _open_witness(config: Any) -> list[str]:
    from connectors.party_registry.connector import open_witness_keys

    keys = open_witness_keys(load_config(config))
    if not keys:
        raise ValueError("no [witness] in the settings: name a witness_signer there")
    return [key.verifier.vkey for key in keys]
