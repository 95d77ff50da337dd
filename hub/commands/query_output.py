"""How rows of ``itmo-hub query`` are written: page by page, never all of them in memory.

1. On a terminal a table a page, in a pipe tab-separated lines; ``--csv`` and ``--json`` on request.
2. CSV and lines are rows and nothing else: the totals go to standard error. JSON is one object with
   ``items`` and ``totals``, written as it comes.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Protocol

import typer
from rich.console import Console
from rich.table import Table

from hub.commands.query_sources import Page
from message_schemas.messages.queries import HistoryItem, HoldingsItem

Item = dict[str, Any]


class Form(StrEnum):
    """How rows are written."""

    LINES = "lines"
    CSV = "csv"
    JSON = "json"


@dataclass(slots=True)
class Totals:
    """What was shown: rows, units in them, and the state of the log at the first and last page."""

    rows: int = 0
    units: int = 0
    first_as_of: int | None = None
    last_as_of: int | None = None
    cut: bool = False

    def count(self, as_of: int, items: Sequence[Item]) -> None:
        """Count the rows of a page."""
        self.rows += len(items)
        self.units += sum(item["quantity"] for item in items)
        self.first_as_of = as_of if self.first_as_of is None else self.first_as_of
        self.last_as_of = as_of

    def document(self) -> dict[str, Any]:
        """Return the totals as JSON values; ``complete`` is false where --limit cut them."""
        return {
            "rows": self.rows,
            "units": self.units,
            "as_of_log_index": [self.first_as_of, self.last_as_of],
            "complete": not self.cut,
        }

    def sentence(self) -> str:
        """Return the totals as a line for people."""
        as_of = f"log index {self.last_as_of}"
        if self.first_as_of != self.last_as_of:
            as_of = f"log index {self.first_as_of} to {self.last_as_of}"
        cut = "; there may be more (--limit)" if self.cut else ""
        return f"{self.rows:,} rows, {self.units:,} units, as of {as_of}{cut}"


class Writer(Protocol):
    """Writes rows as they come, then the end."""

    def rows(self, items: Sequence[Item]) -> None:
        """Write the rows of a page."""
        ...

    def end(self, totals: Totals) -> None:
        """Write what follows the last row."""
        ...


def write(pages: Iterable[Page], view: str, form: Form, limit: int | None) -> Totals:
    """Write up to ``limit`` rows of holdings or history and return the totals."""
    writer, totals = _writer(view, form), Totals()
    for as_of, items, is_cut in _limited(pages, limit):
        totals.count(as_of, items)
        totals.cut = is_cut
        writer.rows(items)
    writer.end(totals)
    return totals


def _limited(pages: Iterable[Page], limit: int | None) -> Iterator[tuple[int, list[Item], bool]]:
    """Yield as-of, rows and whether rows were left out; ends once the limit is reached."""
    left = limit
    for page in pages:
        items = page.items if left is None else page.items[:left]
        is_over = left is not None and len(page.items) >= left
        yield page.as_of_log_index, items, is_over
        if is_over:
            return
        left = None if left is None else left - len(items)


def _writer(view: str, form: Form) -> Writer:
    names = [field.name for field in fields(HoldingsItem if view == "holdings" else HistoryItem)]
    if form is Form.JSON:
        return _Json()
    if form is Form.CSV:
        return _Csv(names)
    return _Lines(_HOLDINGS if view == "holdings" else _HISTORY)


_HOLDINGS = ("units", "quantity", "registry", "account", "status", "reserved_by", "hold")
_HISTORY = ("log_index", "kind", "units", "quantity", "from_registry", "to_registry", "reference")


def _units(item: Item) -> str:
    """Return the range as commands take it: ``FIRST_ID..LAST_ID``."""
    series = (item["cooperative_approach"], item["originating_registry"])
    party, vintage = item["first_transferring_party"], item["vintage"]
    first, last = (
        "-".join((*series, party, str(item[name]), str(vintage)))
        for name in ("first_serial", "last_serial")
    )
    return f"{first}..{last}"


class _Lines:
    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._table = sys.stdout.isatty()
        self._has_title = False

    def rows(self, items: Sequence[Item]) -> None:
        shown = [
            [_text(_units(item) if name == "units" else item.get(name)) for name in self._columns]
            for item in items
        ]
        if self._table and shown:
            table = Table(*[name.replace("_", " ") for name in self._columns])
            for row in shown:
                table.add_row(*row)
            Console().print(table)
        elif not self._table:
            self._title()
            for row in shown:
                typer.echo("\t".join(row))

    def _title(self) -> None:
        if not self._has_title:
            typer.echo("\t".join(self._columns))
        self._has_title = True

    def end(self, totals: Totals) -> None:
        if self._table:
            typer.echo(totals.sentence())
            return
        self._title()
        typer.echo(totals.sentence(), err=True)


class _Csv:
    def __init__(self, names: Sequence[str]) -> None:
        self._writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        self._writer.writeheader()

    def rows(self, items: Sequence[Item]) -> None:
        self._writer.writerows(items)

    def end(self, totals: Totals) -> None:
        typer.echo(totals.sentence(), err=True)


class _Json:
    def __init__(self) -> None:
        typer.echo('{"items": [', nl=False)
        self._is_first = True

    def rows(self, items: Sequence[Item]) -> None:
        for item in items:
            typer.echo("\n" if self._is_first else ",\n", nl=False)
            typer.echo(json.dumps(item, ensure_ascii=False), nl=False)
            self._is_first = False

    def end(self, totals: Totals) -> None:
        typer.echo(f'\n], "totals": {json.dumps(totals.document())}}}')


def _text(value: Any) -> str:
    return "" if value is None else str(value)
