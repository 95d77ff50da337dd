"""``mechanism``: push feeds of first-transferred A6.4ERs to the hub, and see how they fare.

Results go to standard output, everything else to standard error. Exit status 0: every line is
with the hub (a dry run: every line is good); 1: something was refused or stopped; 2: misused.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from connectors.mechanism_registry import store
from connectors.mechanism_registry.commands.log import app as log_app
from connectors.mechanism_registry.commands.mapping import app as mapping_app
from connectors.mechanism_registry.commands.poll import poll as poll_command
from connectors.mechanism_registry.commands.serve import serve_command
from connectors.mechanism_registry.feeds.example import (
    ExampleWorld,
    change_world,
    example_rows,
    write_feed,
)
from connectors.mechanism_registry.feeds.files import FeedChangedError
from connectors.mechanism_registry.feeds.lines import FeedFormat, FeedRefusedError, format_of
from connectors.mechanism_registry.feeds.mapping_file import MappingError, load_mapping
from connectors.mechanism_registry.feeds.rejected import rejected_path
from connectors.mechanism_registry.reports.document import ISSUANCES_MAX, find_report, write_report
from connectors.mechanism_registry.reports.report import (
    Report,
    lacking_first,
    print_report,
    report_of_feed,
    share_document,
)
from connectors.mechanism_registry.runs.push import PushStoppedError
from connectors.mechanism_registry.runs.run import Order, StrictError, dry_run, push
from connectors.mechanism_registry.settings import MechanismSettings, SettingsError, load_settings
from connectors.mechanism_registry.simulator.command import faults, simulate
from connectors.mechanism_registry.sources import pages
from connectors.mechanism_registry.tables import open_feeds
from connectors.session import outbox_states
from connectors.session.logs import log_to_standard_error
from keys.errors import KeysError

FEEDS_SHOWN_MAX = 100
ENVELOPES_SHOWN_MAX = 100

app = typer.Typer(
    name="mechanism",
    help="Push first-transferred A6.4ERs of the mechanism registry to the hub.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
feed_app = typer.Typer(help="Work with feed files.", no_args_is_help=True)
app.add_typer(feed_app, name="feed")
app.add_typer(mapping_app, name="mapping")
app.command("poll")(poll_command)
app.add_typer(log_app, name="log")
app.command("serve")(serve_command)
app.command("simulate")(simulate)
app.command("faults")(faults)

Config = Annotated[Path, typer.Option("--config", help="The settings, a TOML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def _begin() -> None:
    # Refused lines are counted and filed by the report; a feed may have a million of them.
    log_to_standard_error("message.refused")


@app.command("push")
def push_command(  # noqa: PLR0913, PLR0917  # a command takes the options it offers
    feed: Annotated[Path, typer.Argument(help="The feed: JSON lines, CSV or XML.")],
    config: Config,
    format_: Annotated[
        FeedFormat | None, typer.Option("--format", help="Default: by the file's ending.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="From the source's names to ours. Default: the setting.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Judge every line, send none.")] = False,
    strict: Annotated[bool, typer.Option(help="Send nothing if any line is refused.")] = False,
    refusals: Annotated[
        Path | None, typer.Option(help="Where refusals go. Default: FEED.refusals.jsonl.")
    ] = None,
    report_dir: Annotated[
        Path | None, typer.Option(help="Where the report goes. Default: beside the feed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Push a feed; go on where an earlier run stopped."""
    notes = Console(stderr=True)
    with _refusals(notes):
        settings = load_settings(config)
        mapping = mapping or settings.mapping
        order = Order(
            path=feed,
            settings=settings,
            console=notes,
            refusals_path=refusals or feed.with_name(f"{feed.name}.refusals.jsonl"),
            format=format_,
            strict=strict,
            mapping=None if mapping is None else load_mapping(mapping),
            report_dir=report_dir,
        )
        extra: dict[str, Any] = {"dry_run": dry, "refusals": str(order.refusals_path)}
        if dry:
            report, surveyed = dry_run(order)
            shown, count, lacking = lacking_first(surveyed.tallies(), ISSUANCES_MAX)
            extra["issuances"] = [share_document(tally) for tally in shown]
            extra |= {"issuance_count": count, "issuances_lacking": lacking}
            good = not report.refused_here
        else:
            report = asyncio.run(push(order))
            good = report.complete
    _show(report, extra, as_json=as_json)
    if not good:
        notes.print(f"refusals: {order.refusals_path}", soft_wrap=True, highlight=False)
        if (rejected := rejected_path(order.feed)).exists():
            notes.print(f"rejected: {rejected}", soft_wrap=True, highlight=False)
        raise typer.Exit(1)


def _show(report: Report, extra: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.document() | extra, ensure_ascii=False))
    else:
        print_report(Console(), report, dry_run=extra["dry_run"])


@app.command("report")
def report_command(
    feed: Annotated[str, typer.Argument(help="The feed's name or file, or the source's name.")],
    config: Config,
    report_dir: Annotated[
        Path, typer.Option(help="Where FEED.report.json and FEED.report.html go.")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make the report of a feed or a polled source, whenever it came and however it ended."""
    notes = Console(stderr=True)
    with _refusals(notes):
        settings = load_settings(config)
        document = None
        if settings.database.exists():
            with closing(open_feeds(settings.database)) as database:
                name = Path(feed).name
                document = database.read_now(find_report, name, settings.participant)
        if document is None:
            raise FeedRefusedError(
                f"no feed or source of the name {Path(feed).name} was ever pushed"
            )
        files = write_report(document, report_dir)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
    else:
        for path in files:
            typer.echo(str(path))


@app.command()
def status(config: Config, as_json: AsJson = False) -> None:
    """Show the feeds pushed so far and what waits in the outbox."""
    with _refusals(Console(stderr=True)):
        settings = load_settings(config)
        document = _read_status(settings)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    console = Console()
    for report in document["feeds"]:
        print_report(console, Report(**report), dry_run=False)
    for source in document["sources"]:
        cursor = source["cursor"] or "the beginning"
        console.print(
            f"{source['name']}: {source['page_count']:,} pages of {source['url']}, at {cursor}"
        )
    table = Table(title="outbox")
    for title in ("envelope", "state", "attempts", "reason"):
        table.add_column(title)
    for entry in document["envelopes"]:
        row = (entry["envelope_id"], entry["state"], str(entry["attempt_count"]))
        table.add_row(*row, entry["reason"] or "")
    console.print(table)


def _read_status(settings: MechanismSettings) -> dict[str, Any]:
    """Return feeds and open envelopes as JSON values; nothing exists before the first push."""
    if not settings.database.exists():
        return {"feeds": [], "sources": [], "envelopes": []}

    def read(connection: Connection) -> dict[str, Any]:
        states = store.list_feeds(connection, FEEDS_SHOWN_MAX)
        entries = outbox_states.list_envelopes(
            connection, open_only=True, limit=ENVELOPES_SHOWN_MAX
        )
        return {
            "feeds": [report_of_feed(connection, state).document() for state in states],
            "sources": [asdict(source) for source in pages.list_sources(connection)],
            "envelopes": [asdict(entry) for entry in entries],
        }

    with closing(open_feeds(settings.database)) as database:
        return database.read_now(read)


@app.command()
def release(
    envelope: Annotated[str, typer.Argument(help="The id of a parked envelope.")],
    config: Config,
    new_envelope: Annotated[
        bool, typer.Option(help="Seal its messages anew, under the keys of now.")
    ] = False,
) -> None:
    """Let a parked envelope go on: the same bytes again, or its messages in a new one."""
    notes = Console(stderr=True)
    with _refusals(notes):
        settings = load_settings(config)
    with closing(open_feeds(settings.database)) as database:
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        done = database.write_now(
            "outbox.operate",
            lambda work: (
                outbox_states.reseal(work.connection, envelope)
                if new_envelope
                else outbox_states.retry(work.connection, envelope, now_ms)
            ),
        )
    if not done:
        notes.print(f"no parked envelope {envelope}", highlight=False)
        raise typer.Exit(1)
    typer.echo(envelope)


@feed_app.command("example")
def example(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many blocks.")] = 5000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same feed.")] = 1,
    format_: Annotated[
        FeedFormat | None, typer.Option("--format", help="Default: by the file's ending.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change what the units have in common, as name=value."),
    ] = None,
) -> None:
    """Write a plausible feed; everything in it is made up."""
    try:
        world = change_world(ExampleWorld(), set_ or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None
    with _refusals(Console(stderr=True)):
        form = format_ or format_of(out)
        with out.open("w", encoding="utf-8", newline="\n") as file:
            lines = write_feed(example_rows(count, seed, world), form, file)
    typer.echo(f"{out}\t{lines} lines\tseed={seed}")


@contextmanager
def _refusals(notes: Console) -> Iterator[None]:
    """Turn what may go wrong into one line on standard error and an exit status."""
    try:
        yield
    except (SettingsError, MappingError, FeedRefusedError, KeysError, OSError) as error:
        status_code, text = 2, str(error)
    except (FeedChangedError, StrictError, PushStoppedError) as error:
        status_code, text = 1, str(error)
    except KeyboardInterrupt:
        status_code, text = 1, "interrupted; the next run goes on from here"
    else:
        return
    notes.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(status_code)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
