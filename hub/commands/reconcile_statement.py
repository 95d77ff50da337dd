"""``itmo-hub reconcile statement``: compare a registry by a file it handed in."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console

from connectors.progress import ProgressView
from hub import bootstrap
from hub.commands.acting import By, do_or_propose
from hub.commands.options import (
    Actor,
    AsJson,
    ConfigFile,
    DatabaseUrl,
    Reason,
    SignerUri,
    settings_of,
)
from hub.commands.output import refusals, refuse, show_json
from hub.config import Settings
from hub.services.administration.deeds import AdministrationError
from hub.services.reconciliation.runs.link_secrets import LinkSecrets
from hub.services.reconciliation.statements import statements
from hub.services.reconciliation.statements.statement_files import copied, read_statement
from hub.services.reconciliation.statements.statement_templates import write_template
from hub.services.reconciliation.statements.statements import Compared, Ended, Moment
from hub.store.database import Database
from message_schemas import json_codec, timestamps
from reconciliation.messages import finding_row
from reconciliation.statements import StatementError

SHOWN_MAX: Final = 50
STATUSES: Final = ("held", "used", "cancelled")


AsOf = Annotated[int | None, typer.Option(help="Log index of which the statement speaks.", min=0)]
AsOfTime = Annotated[
    str | None,
    typer.Option(help="Time of which it speaks: 2026-11-21T18:00:00.000Z (else now)."),
]
AllApplied = Annotated[
    bool,
    typer.Option(
        "--all-applied",
        help="The registry says it applied all messages by then: what it lacks is lost, not "
        "on its way, though it acknowledged nothing.",
    ),
]


class Status(IntEnum):
    """How the command exits."""

    AGREED = 0
    DIFFERS = 1
    NOT_COMPARED = 2


def statement(
    file: Annotated[
        Path | None, typer.Argument(help="The statement: CSV, XLSX or XML, by its content.")
    ] = None,
    registry: Annotated[str | None, typer.Option(help="Whose statement it is: KEN01.")] = None,
    as_of: AsOf = None,
    as_of_time: AsOfTime = None,
    status_word: Annotated[
        list[str] | None,
        typer.Option(help="A status in the registry's language: `Bestand=held`. Repeatable."),
    ] = None,
    all_applied: AllApplied = False,
    holds_nothing: Annotated[
        bool, typer.Option("--holds-nothing", help="Take a statement without a row.")
    ] = False,
    try_out: Annotated[
        bool, typer.Option("--try-out", help="Compare and show; record nothing, freeze nothing.")
    ] = False,
    template: Annotated[
        Path | None,
        typer.Option(help="Write an empty statement (.csv or .xlsx) and do nothing else."),
    ] = None,
    reason: Reason = "the registry's statement of its holdings",
    actor: Actor = None,
    signer: SignerUri = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
    database: DatabaseUrl = None,
) -> None:
    """Compare a registry with the ledger by a statement of its holdings.

    One row is a block: its series and serials, or FIRST_ID and LAST_ID; QUANTITY; the attributes
    both sides own. Columns of attributes may be missing: these are not compared. Without STATUS the
    statement is of held units. Everything wrong with a file is listed, and nothing is recorded.

    Exit status: 0 agreed; 1 something differs; 2 nothing was compared, and why is said.
    """
    with _not_compared(file):
        if template is not None:
            write_template(template)
            typer.echo(f"{template}")
            return
        if file is None or registry is None:
            refuse("name a FILE and its --registry, or a --template to write")
        words = _words(status_word or [])
        run = _Run(settings_of(config, database), file, registry)
        compared = run.compare(_Asked(as_of, as_of_time), words, holds_nothing, all_applied)
        ended = None if try_out else run.record(compared, reason, By(actor, signer))
    document = _document(compared, ended)
    show_json(document) if as_json else _show(document)
    raise typer.Exit(Status.AGREED if compared.outcome.agreed else Status.DIFFERS)


@contextmanager
def _not_compared(file: Path | None) -> Iterator[None]:
    """Say why nothing was compared, all faults of a file, and leave with that status."""
    try:
        with refusals():
            yield
    except typer.Exit:
        raise typer.Exit(Status.NOT_COMPARED) from None
    except StatementError as error:
        for problem in error.problems:
            typer.echo(f"{file}: {problem}", err=True)
        typer.echo(f"itmo-hub: {file} was not taken, and nothing was recorded", err=True)
        raise typer.Exit(Status.NOT_COMPARED) from None


class _Asked(NamedTuple):
    """The moment as it was given."""

    log_index: int | None
    time: str | None

    def moment(self, database: Database) -> Moment:
        """Return the moment. Raises AdministrationError."""
        if self.time is None:
            return statements.moment_of(database, self.log_index, now=bootstrap.clock())
        if self.log_index is not None:
            raise AdministrationError("give --as-of or --as-of-time, not both")
        try:
            time = timestamps.parse(self.time)
        except timestamps.TimestampError as error:
            raise AdministrationError(f"--as-of-time: {error}") from None
        return statements.moment_of(database, time=time, now=bootstrap.clock())


class _Run:
    """One statement on its way: read, compared, recorded; with a bar on a terminal."""

    def __init__(self, settings: Settings, file: Path, registry: str) -> None:
        self._settings, self._file, self._registry = settings, file, registry
        self._database = bootstrap.open_database(settings)
        self._console = Console(stderr=True)
        self._sha256 = ""

    def compare(
        self, asked: _Asked, words: dict[str, str], may_be_empty: bool, all_applied: bool
    ) -> Compared:
        """Read the file and lay it beside the ledger."""
        hub, secret = self._settings.hub_code, self._settings.reconciliation.secret
        secrets = LinkSecrets.open(secret, hub, self._database)
        statements.require_registry(self._database, self._registry)
        moment = asked.moment(self._database)
        # The digest is of the bytes that are read, whoever writes to the file meanwhile.
        with tempfile.TemporaryFile() as copy, self._watching("statement", "bytes") as progress:
            self._sha256 = copied(self._file, copy)
            said = read_statement(
                copy, self._registry, words=words, may_be_empty=may_be_empty, progress=progress
            )
        with self._watching("digests", "blocks and entries") as progress:
            return statements.compare(
                self._database,
                secrets,
                self._registry,
                said,
                moment,
                now=bootstrap.clock(),
                all_applied=all_applied,
                progress=progress,
            )

    def record(self, compared: Compared, reason: str, by: By) -> Ended:
        """Take the statement, and end the session that begins with it."""
        done = do_or_propose(self._settings, compared.deed(self._sha256), reason, by)
        assert done.log_index is not None, "nothing was to be proposed"
        return statements.end(
            self._database,
            compared,
            done.log_index,
            identity=bootstrap.identity_of(self._settings),
            policy=self._settings.reconciliation,
            now=bootstrap.clock(),
        )

    @contextmanager
    def _watching(self, title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar on a terminal, made when it is known how much there is."""
        views: list[ProgressView] = []
        with ExitStack() as stack:

            def show(done: int, size: int) -> None:
                if self._console.is_terminal and not views and size:
                    view = ProgressView(self._console, title, size, unit)
                    views.append(stack.enter_context(view))
                for view in views:
                    view.advance_to(done)

            yield show


def _words(given: list[str]) -> dict[str, str]:
    """Return statuses by words of the registry's own. Raises AdministrationError."""
    words: dict[str, str] = {}
    for text in given:
        word, _, status = text.rpartition("=")
        if not word.strip() or status not in STATUSES:
            raise AdministrationError(
                f"--status-word {text[:60]!r}: write WORD=STATUS, one of {', '.join(STATUSES)}"
            )
        words[word] = status
    return words


def _document(compared: Compared, ended: Ended | None) -> dict[str, Any]:
    """Return all that is told, as JSON values."""
    outcome, said = compared.outcome, compared.statement
    return {
        "registry": compared.registry,
        "session": None if ended is None else ended.session,
        "as_of": compared.moment.index,
        "as_of_time": timestamps.render(compared.moment.at),
        "applied_to": compared.applied_to,
        "rows": said.row_count,
        "units": said.units,
        "left_out": said.left_out,
        "compared": list(outcome.compared),
        "is_partial": outcome.is_partial,
        "headings_not_used": list(said.unused),
        "agreed": outcome.agreed,
        "basis": outcome.basis.value,
        "note": compared.note,
        "finding_count": len(outcome.findings),
        "findings": [json_codec.encode_body(finding_row(f, None, False)) for f in outcome.findings],
        "opened": [] if ended is None else list(ended.opened),
        "continued": [] if ended is None else list(ended.continued),
        "reopened": [] if ended is None else list(ended.reopened),
        "closed": [] if ended is None else list(ended.closed),
        "result_log_index": None if ended is None else ended.log_index,
    }


def _show(document: dict[str, Any]) -> None:
    """Print what came of it, tab-separated: first facts, then findings."""
    for name, value in document.items():
        if name == "findings" or value is None or value == []:
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        typer.echo(f"{name}\t{text}")
    for row in document["findings"][:SHOWN_MAX]:
        series = f"{row['cooperative_approach']}-{row['originating_registry']}"
        series += f"-{row['first_transferring_party']}-*-{row['vintage']}"
        place = f"{row['first_serial']}\t{row['last_serial']}\t{row['quantity']}"
        fields = ",".join(row.get("fields", []))
        typer.echo(f"{row['kind']}\t{series}\t{place}\t{fields}\t{row.get('reference') or ''}")
    more = len(document["findings"]) - SHOWN_MAX
    if more > 0:
        typer.echo(f"and {more} more findings; all of them with --json")
