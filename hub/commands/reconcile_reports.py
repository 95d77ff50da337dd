"""``itmo-hub reconcile report|result|own-books|alerts|alert-test``: what is told, and to whom."""

import asyncio
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connectors.progress import ProgressView
from hub import bootstrap
from hub.commands.options import AsJson, ConfigFile, DatabaseUrl, database_of, settings_of
from hub.commands.output import refusals, refuse, show, show_json
from hub.config import Settings
from hub.services.reconciliation.alerts.alert_sending import channels_of, try_all
from hub.services.reconciliation.alerts.alerts import receivers
from hub.services.reconciliation.ledger import own_books
from hub.services.reconciliation.ledger.own_books import OwnBooks
from hub.services.reconciliation.reports import reports, result_documents
from hub.services.reconciliation.runs.link_secrets import LinkSecrets
from hub.store import head as heads
from hub.store.database import Database
from hub.store.reconciliation import alerts as alert_rows
from hub.store.reconciliation import links
from reconciliation.link_keys import LinkKey

Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file to write; none: standard output.")
]


class Form(StrEnum):
    """How a report is written."""

    HTML = "html"
    CSV = "csv"
    JSON = "json"


def report(
    night: Annotated[
        str | None, typer.Argument(help="The night as YYYY-MM-DD; none: the newest.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.HTML,
    out: Out = None,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Write the report of a night: a page that prints well, CSV or JSON.

    Exit status 0: written; 1: there is no such night.
    """
    with refusals():
        with database_of(config, database).reading() as connection:
            try:
                found = reports.build(connection, night, bootstrap.clock())
            except reports.NoNightError as error:
                refuse(str(error))
        content = reports.written(found, form)
        if out is None:
            typer.echo(content, nl=False)
            return
        reports.write_whole(out, content)
    typer.echo(f"{out}\t{len(content)} bytes\tnight of {found.night}")


def result(
    session: Annotated[str, typer.Argument(help="The session, such as CHE01-48211.")],
    out: Out = None,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Give a result as the hub logged and signed it, with its place in the log and the proofs.

    Exit status 0: given; 1: there is no such session, or it has no result yet.
    """
    with refusals():
        settings = settings_of(config, database)
        policies = bootstrap.log_policies(settings)
        opened = bootstrap.open_database(settings)
        try:
            document = result_documents.document_of(opened, session, policies.prompt)
        except result_documents.NoResultError as error:
            refuse(str(error))
        if out is None:
            show_json(document)
            return
        reports.write_whole(out, result_documents.written(document))
    missing = [one["log_index"] for one in document["entries"] if one["proof"] is None]
    said = f"proofs wait for a checkpoint: {missing}" if missing else "with proofs"
    typer.echo(f"{out}\tlog index {document['log_index']}\t{said}")


def check_own_books(
    everything: Annotated[
        bool, typer.Option("--all", help="Check every series, not only tonight's turn.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Check the hub's own books: journal, blocks, kept digests, conservation, frozen serials.

    Exit status 0: sound; 1: a fault was found, and the operator alerted, or it cannot be checked.
    """
    with refusals():
        settings = settings_of(config, database)
        opened = bootstrap.open_database(settings)
        checked = _checked(opened, _keys(opened, settings), everything=everything)
        if not checked.is_sound:
            with opened.writing() as connection:
                heads.lock(connection)
                own_books.tell_operator(connection, checked, bootstrap.clock())
    if as_json:
        show_json(checked.document())
    else:
        _show_own_books(checked)
    if not checked.is_sound:
        raise typer.Exit(1)


def _keys(opened: Database, settings: Settings) -> dict[str, LinkKey]:
    """Return the keys of the kept digests, as far as the secrets are at hand."""
    secrets = LinkSecrets.open(settings.reconciliation.secret, settings.hub_code, opened)
    with opened.reading() as connection:
        known = links.load_all(connection)
    return {
        row.registry: secrets.key_for(row.mode, row.registry, row.key_year)
        for row in known
        if row.key_year is not None and (row.mode != "digests" or secrets.has_master)
    }


def _checked(opened: Database, keys: dict[str, LinkKey], *, everything: bool) -> OwnBooks:
    """Check, with a bar on a terminal."""
    night, console = bootstrap.clock().date(), Console(stderr=True)
    if not console.is_terminal:
        return own_books.check(opened, keys=keys, night=night, everything=everything)
    with ExitStack() as stack:
        views: list[ProgressView] = []

        def tell(done: int, total: int) -> None:
            if not views:  # how much there is to do is known when it begins
                view = ProgressView(console, "own books", total, "rows")
                views.append(stack.enter_context(view))
            views[0].advance_to(done)

        return own_books.check(opened, keys=keys, night=night, everything=everything, progress=tell)


def _show_own_books(checked: OwnBooks) -> None:
    for fault in checked.faults:
        typer.echo(f"{fault.kind}\t{fault.subject}\t{fault.text}")
    if checked.fault_count > len(checked.faults):
        typer.echo(f"and {checked.fault_count - len(checked.faults)} more faults")
    if checked.unkeyed:
        typer.echo(f"no key at hand for the digests of {', '.join(checked.unkeyed)}", err=True)
    typer.echo(
        f"{checked.series_checked} of {checked.series_known} series, {checked.block_count} blocks, "
        f"{checked.posting_count} postings, {checked.digest_count} digests in "
        f"{checked.seconds:.1f} s: " + ("sound" if checked.is_sound else "at fault")
    )


def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Those that were sent, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """List alerts that wait to be sent or were given up, newest first."""
    states = [alert_rows.WAITING, alert_rows.GIVEN_UP, *([alert_rows.SENT] * everything)]
    with refusals():
        with database_of(config, database).reading() as connection:
            found = alert_rows.newest(connection, states, limit)
        names = ("state", "channel", "target", "alert", "created_at", "failures", "next", "error")
        lines = [
            (
                *(one.state, one.channel, one.target, one.subject, one.created_at),
                *(one.failure_count, one.next_attempt_at, one.last_error),
            )
            for one in found
        ]
        show(names, lines, as_json=as_json)


def try_alerts(
    as_json: AsJson = False, config: ConfigFile = None, database: DatabaseUrl = None
) -> None:
    """Send a test to every webhook and recipient of alerts, and say how each took it.

    Exit status 0: all took it; 1: one did not, or there is nobody to tell.
    """
    with refusals():
        settings = settings_of(config, database)
        policy = settings.reconciliation
        if not receivers(policy):
            refuse(
                "there is nobody to tell: name `webhooks`, or `mail` with `recipients`, under "
                "`reconciliation` in the settings"
            )
        signers = bootstrap.open_signers(settings)
        channels = channels_of(policy, signers, allow_http=settings.allow_http_endpoints)
        tried = asyncio.run(try_all(policy, channels, hub=settings.hub_code, now=bootstrap.clock()))
        lines = [(one.channel, one.target, one.error or "sent") for one in tried]
        show(("channel", "target", "result"), lines, as_json=as_json)
    if any(one.error is not None for one in tried):
        raise typer.Exit(1)
