"""The registry's books as an export: a file of holdings and one of history, JSON lines or CSV.

1. Each line is a row as ``views`` describes it; CSV leaves a member empty that does not apply. The
   order of the file is the order of the pages. ``as_of`` is the time the file was last written.
2. A page reads on from the byte where the last one ended, so memory stays flat. A Party's rows are
   found by reading; lines that do not name it are passed over unparsed.
3. A place is good for one writing of the file. Replace the file whole (write beside it, rename):
   whoever was in the middle of it is told to begin again.
"""

import asyncio
import csv
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from connectors.mechanism_registry.views.port import (
    Row,
    ViewPage,
    ViewQuestion,
    ViewRefusedError,
    ViewUnavailableError,
    may_see,
)
from message_schemas import timestamps

LINE_BYTES_MAX: Final = 65_536
_NUMBERS: Final = frozenset(
    {"vintage", "first_serial", "last_serial", "quantity", "authorization_version"}
)
_SERIALS: Final = ("first_serial", "last_serial")
_NO_FILE: Final = "The mechanism registry shows no {} here."


class FileViews:
    """Reads exports; either may be missing, and then there is nothing of the kind to see."""

    def __init__(self, holdings: Path | None, history: Path | None) -> None:
        self._paths = {"holdings": holdings, "history": history}

    async def close(self) -> None:
        """Close nothing: each page opens its file."""

    async def look(self, question: ViewQuestion) -> ViewPage:
        """Return a page (``Views``)."""
        path = self._paths[question.view]
        if path is None:
            raise ViewRefusedError(_NO_FILE.format(question.view))
        return await asyncio.to_thread(_look, path, question)


def _look(path: Path, question: ViewQuestion) -> ViewPage:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            writing = f"{status.st_size:x}.{status.st_mtime_ns:x}"
            written_at = datetime.fromtimestamp(status.st_mtime, UTC)
            parse = _parser(path, file)
            _seek(file, question.after, writing)
            rows, place = _collect(file, parse, question)
    except OSError as error:
        raise ViewUnavailableError(f"{path.name}: {error.strerror}") from error
    following = None if place is None else f"{writing}.{place:x}"
    return ViewPage(timestamps.render(written_at), tuple(rows), following)


def _seek(file: BinaryIO, after: str | None, writing: str) -> None:
    if after is None:
        return
    known, _, place = after.rpartition(".")
    if known != writing:
        text = "The export was written anew since the first page: begin again without a cursor."
        raise ViewRefusedError(text)
    file.seek(int(place, 16))


def _collect(
    file: BinaryIO, parse: Callable[[bytes], Row], question: ViewQuestion
) -> tuple[list[Row], int | None]:
    """Return the rows of a page, and the byte behind them unless the file ends there."""
    rows: list[Row] = []
    name = question.party.encode()
    while len(rows) < question.limit:
        line = file.readline(LINE_BYTES_MAX + 1)
        if not line:
            return rows, None
        if len(line) > LINE_BYTES_MAX:
            raise ViewUnavailableError(f"a line of more than {LINE_BYTES_MAX} bytes")
        if name not in line:
            continue
        row = parse(line)
        try:
            if may_see(question.view, question.party, row) and _matches(row, question.filters):
                rows.append(row)
        except (KeyError, TypeError) as error:
            raise ViewUnavailableError(f"a row has not the form agreed: {error!r}") from error
    return rows, file.tell()


def _matches(row: Row, filters: Mapping[str, str | int]) -> bool:
    """Tell whether a row meets every filter; serials match when the runs share a unit."""
    plain = {name: value for name, value in filters.items() if name not in _SERIALS}
    if transfer := plain.pop("transfer_id", None):
        plain["reference"] = transfer
    if any(row.get(name) != value for name, value in plain.items()):
        return False
    first, last = (filters.get(name) for name in _SERIALS)
    if first is None or last is None:
        return True
    return bool(row["first_serial"] <= int(last) and row["last_serial"] >= int(first))


def _parser(path: Path, file: BinaryIO) -> Callable[[bytes], Row]:
    """Return what reads a line of this file, whose header (if it has one) is passed."""
    if path.suffix.lower() != ".csv":
        return _from_json
    names = _cells(file.readline(LINE_BYTES_MAX))

    def from_csv(line: bytes) -> Row:
        cells = _cells(line)
        if len(cells) != len(names):
            raise ViewUnavailableError(f"a line of {len(cells)} fields under {len(names)} names")
        return {
            name: _number(cell) if name in _NUMBERS else cell
            for name, cell in zip(names, cells, strict=True)
            if cell
        }

    return from_csv


def _cells(line: bytes) -> list[str]:
    try:
        return next(iter(csv.reader([line.decode("utf-8-sig")], strict=True)), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ViewUnavailableError(f"a line is not CSV in UTF-8: {error}") from error


def _number(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit()):
        raise ViewUnavailableError(f"{cell[:40]!r} is not a whole number")
    return int(cell)


def _from_json(line: bytes) -> Row:
    try:
        row: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ViewUnavailableError(f"a line is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise ViewUnavailableError("a line is not a JSON object")
    return row
