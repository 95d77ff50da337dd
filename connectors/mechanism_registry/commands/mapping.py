"""``mechanism mapping``: look at a mapping file before anything is pushed with it."""

import json
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from connectors.mechanism_registry import feeds
from connectors.mechanism_registry.feeds.fields import FeedRules, read_row
from connectors.mechanism_registry.feeds.files import Feed
from connectors.mechanism_registry.feeds.lines import FeedFormat, FeedRefusedError, format_of
from connectors.mechanism_registry.feeds.mapping import Mapping
from connectors.mechanism_registry.feeds.mapping_file import MappingError, load_mapping
from connectors.mechanism_registry.feeds.problems import Problem
from connectors.mechanism_registry.reports.report import refusal_document
from connectors.mechanism_registry.store import refusals_of
from hub.protocol.response_codes import ResponseCode

EXAMPLE: Final = "example_mapping.toml"
PROBLEMS_SHOWN_MAX: Final = 20

app = typer.Typer(help="From a source's field names and forms to ours.", no_args_is_help=True)


@app.command()
def check(
    mapping: Annotated[Path, typer.Argument(help="The mapping, a TOML file.")],
    feed: Annotated[
        Path | None, typer.Option(help="A sample of the source: every line is tried.")
    ] = None,
    format_: Annotated[
        FeedFormat | None, typer.Option("--format", help="Default: by the file's ending.")
    ] = None,
    registry: Annotated[str, typer.Option(help="Whose ids the feed holds.")] = "XMR01",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a mapping, and what it makes of a sample; field by field, not issuance by issuance."""
    notes = Console(stderr=True)
    try:
        loaded = load_mapping(mapping)
        found: dict[str, Any] = {
            "name": loaded.name,
            "version": loaded.version,
            "sha256": loaded.sha256,
            "records": {record: len(rules) for record, rules in loaded.rules.items()},
        }
        if feed is not None:
            sample = Feed(feed, format_ or format_of(feed), loaded)
            found |= _try_out(sample, loaded, registry)
    except (MappingError, FeedRefusedError, OSError) as error:
        notes.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)
    if found.get("lines_refused"):
        raise typer.Exit(1)


def _show(found: dict[str, Any]) -> None:
    """Print one member a line, counts by name, and each problem with its place."""
    for name, value in found.items():
        if isinstance(value, dict):
            for what, count in value.items():
                typer.echo(f"{name}\t{what}\t{count}")
        elif isinstance(value, list):
            for one in value:
                rule = f"{one['rule']} {one['name']}"
                typer.echo(f"line {one['line']}\t{rule}\t{one['field']}\t{one['text']}")
        else:
            typer.echo(f"{name}\t{value}")


def _try_out(sample: Feed, mapping: Mapping, registry: str) -> dict[str, Any]:
    """Read every line of a sample; return counts, and the first problems with their places."""
    rules = FeedRules(registry, vintage_max=datetime.now(UTC).year)
    good, refused = 0, 0
    shown: list[dict[str, Any]] = []
    by_field: Counter[str] = Counter()
    with closing(sample.open()) as reader:
        for step in sample.steps(iter(reader)):
            for line in step:
                problems = line.problems
                if line.problem is not None:
                    problems = (Problem(ResponseCode.SCHEMA_VIOLATED, line.problem, "line"),)
                elif line.fields is not None:
                    row = read_row(line.fields, rules)
                    problems = row if isinstance(row, tuple) else ()
                good, refused = good + (not problems), refused + bool(problems)
                refusals = refusals_of(line, None, problems, registry, mapping)
                by_field.update({f"{one.source_field} -> {one.field}" for one in refusals})
                room = PROBLEMS_SHOWN_MAX - len(shown)
                shown += [refusal_document(one) for one in islice(refusals, room)]
    return {
        "lines_good": good,
        "lines_refused": refused,
        "refused_by_field": dict(by_field.most_common()),
        "problems": shown,
    }


@app.command()
def example(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write. Default: print it.")
    ] = None,
) -> None:
    """Give a whole mapping file to begin from, with every kind of rule in it."""
    text = files(feeds).joinpath(EXAMPLE).read_text(encoding="utf-8")
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
