"""``itmo-hub evidence …``: one file that proves one transfer, and what it takes to check it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from hub import bootstrap
from hub.commands.options import AsJson, ConfigFile, DatabaseUrl, settings_of
from hub.commands.output import refusals, refuse, show_json
from hub.evidence import anchor_files, bundles, standalone, stories, verify_evidence
from hub.evidence.archives import MALFORMED, RefutedError, UnusableError
from hub.services.export_evidence import EvidenceError, EvidenceExporter, NotCoveredYetError
from hub.services.log_duties import policy_file
from hub.store import reference

app = typer.Typer(name="evidence", help="Evidence of a transfer.", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", "-o", help="The file to write.")]
POLL_SECONDS = 0.5


@app.command()
def export(
    transfer_id: Annotated[str, typer.Argument(metavar="TRANSFER")],
    out: Out,
    without_deliveries: Annotated[
        bool,
        typer.Option(
            "--without-deliveries",
            help="Leave out the deliveries' content: it may carry other messages too.",
        ),
    ] = False,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for a tree of the quorum that covers it.")
    ] = 15.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Write all that the log holds of a transfer into one file that proves it, offline."""
    with refusals():
        settings = settings_of(config, database)
        policies = bootstrap.log_policies(settings)
        opened = bootstrap.open_database(settings)
        exporter = EvidenceExporter(opened, settings.hub_code, settings.origin, policies)
        bundle = _export(exporter, transfer_id, wait, deliveries=not without_deliveries)
        out.write_bytes(bundle)
    count = len(bundles.read(bundle).items)
    if as_json:
        show_json({"file": str(out), "bytes": len(bundle), "entries": count})
    else:
        typer.echo(f"{out}\t{len(bundle)} bytes\t{count} entries of the log")


def _export(
    exporter: EvidenceExporter, transfer_id: str, wait: float, *, deliveries: bool
) -> bytes:
    """Return the bundle, perhaps after a while: the witnesses answer every few seconds."""
    ends_at = time.monotonic() + wait
    while True:
        try:
            return exporter.export(transfer_id, bootstrap.clock(), deliveries=deliveries)
        except NotCoveredYetError as error:
            if time.monotonic() > ends_at:
                refuse(str(error))
            time.sleep(POLL_SECONDS)
        except EvidenceError as error:
            refuse(str(error))


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    trust: Annotated[Path, typer.Option("--trust", help="The anchor: whom you trust.")],
    as_json: AsJson = False,
) -> None:
    """Check a bundle offline, with the stand-alone verifier's own code.

    Exit status 0: proved; 1: something is false; 2: the file or the anchor cannot be read.
    """
    with refusals():
        bundle, anchor = file.read_bytes(), trust.read_bytes()
    raise typer.Exit(verify_evidence.tell(bundle, anchor, as_json=as_json))


@app.command()
def anchor(
    out: Out,
    participants: Annotated[
        bool,
        typer.Option("--participants", help="Pin every participant's keys as they are now."),
    ] = False,
    settlement: Annotated[
        bool, typer.Option("--settlement", help="Ask for the quorum of settlements.")
    ] = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Write the anchor to verify with: the log's keys, its witnesses, the hub's keys.

    Whoever gives it to others vouches for it; compare it with one from another source.
    """
    with refusals():
        settings = settings_of(config, database)
        policies = bootstrap.log_policies(settings)
        keys = bootstrap.open_log_keys(settings, bootstrap.open_signers(settings))
        chosen = (policies.settlement or policies.prompt) if settlement else policies.prompt
        with bootstrap.open_database(settings).reading() as connection:
            records = reference.key_records(connection)
        ders = {one.key_id: one.public_key_der for one in records}
        hub = {name: der for name, der in ders.items() if name[:5] == settings.hub_code}
        others = {name: der for name, der in ders.items() if name not in hub and participants}
        out.write_bytes(anchor_files.write(policy_file(keys, chosen), hub, others))
    typer.echo(f"{out}\t{len(hub)} keys of the hub, {len(others)} of participants")


@app.command()
def verifier(out: Out) -> None:
    """Write the stand-alone verifier: one Python file that needs `cryptography` alone."""
    with refusals():
        out.write_text(standalone.script(), encoding="utf-8")
    typer.echo(str(out))


@app.command()
def story(file: Annotated[Path, typer.Argument(metavar="FILE")], out: Out) -> None:
    """Write the page of a bundle anew from its signed contents, whatever page it came with."""
    with refusals():
        bundle = file.read_bytes()
        try:
            page = stories.render(bundles.read(bundle))
        except (UnusableError, RefutedError, *MALFORMED) as error:
            refuse(f"{file}: no page can be made of it: {error}")
        out.write_text(page, encoding="utf-8")
    typer.echo(str(out))
