"""Files of holdings statements: which format one has, by its content, and the rows of CSV.

1. ``PK`` begins a workbook (XLSX), ``<`` begins XML, anything else is CSV. The name is not asked.
2. CSV is UTF-8, with or without a byte order mark, or UTF-16 with one, as spreadsheets write it.
   The separator is the comma, the semicolon or the tab by which most headings are known.
3. Rows are read one after the other; a file is never held as a whole.

All faults are StatementError, with the line.
"""

import csv
import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from openpyxl.utils import get_column_letter

from hub.services.reconciliation.statements.statement_workbooks import rows_of_workbook
from hub.services.reconciliation.statements.statement_xml import rows_of_xml
from reconciliation.statement_cells import Cell
from reconciliation.statement_words import HEADINGS, heading_key
from reconciliation.statements import (
    HEADING_ROWS_MAX,
    Problem,
    Statement,
    StatementError,
    StatementReader,
)

Progress = Callable[[int, int], None]
"""Called now and then with the bytes read and the bytes of the file."""

Row = tuple[int, Sequence[Cell]]

ROWS_BETWEEN: Final = 5_000
"""Progress is told after so many rows."""

_SAMPLE_BYTES: Final = 65_536
_PART_BYTES: Final = 1 << 20
_SEPARATORS: Final = ",;\t"
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_UNREADABLE: Final = (
    (b"\xd0\xcf\x11\xe0", "a workbook of the old kind (XLS), or one with a password"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a text document (RTF)"),
    (b"\x1f\x8b", "a compressed file (gzip)"),
)


def copied(path: Path, into: BinaryIO) -> str:
    """Copy a file and return the SHA-256 of what was copied, in hexadecimal digits; OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_PART_BYTES):
            digest.update(part)
            into.write(part)
    into.seek(0)
    return digest.hexdigest()


def read_statement(
    file: BinaryIO,
    registry: str,
    *,
    words: Mapping[str, str] | None = None,
    may_be_empty: bool = False,
    progress: Progress = lambda _done, _size: None,
) -> Statement:
    """Return the statement that a file holds; StatementError with all that is wrong, OSError.

    ``words`` are statuses of the registry's own; a statement without a row must be meant.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = file.read(4096)
    file.seek(0)
    for magic, name in _UNREADABLE:
        if start.startswith(magic):
            raise fault(0, f"this is {name}; save it as XLSX or CSV")
    is_workbook = start.startswith(b"PK")
    reader = StatementReader(registry, words, _cell_name if is_workbook else None)
    rows: Iterator[Row]
    if is_workbook:
        rows = rows_of_workbook(file)
    elif start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        rows = rows_of_xml(file, registry)
    else:
        rows = rows_of_csv(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's; the same cells are refused below
        for number, (line, cells) in enumerate(rows, start=1):
            reader.take(line, cells)
            if number % ROWS_BETWEEN == 0:
                progress(min(size, file.tell()), size)
    progress(size, size)
    return reader.finish(may_be_empty=may_be_empty)


def fault(line: int, text: str) -> StatementError:
    """Return what is wrong with a file as an error of one problem."""
    return StatementError([Problem(line, "", text)])


def rows_of_csv(file: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a CSV file with the lines they end in. Raises StatementError."""
    start = file.read(_SAMPLE_BYTES)
    file.seek(0)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    separator, skipped = _separator(start.decode(encoding, errors="ignore"))
    text = io.TextIOWrapper(file, encoding, errors="strict", newline="")
    rows = csv.reader(islice(text, skipped, None), delimiter=separator, strict=True)
    line = skipped
    try:
        for row in rows:
            line = skipped + rows.line_num
            yield line, row
    except UnicodeError:
        detail = f"near here are bytes that are not {encoding.upper()}; save the file as CSV UTF-8"
        raise fault(line + 1, detail) from None
    except csv.Error as error:
        detail = f"not CSV from here on ({error}); is a quotation mark not closed?"
        raise fault(line + 1, detail) from None
    finally:
        text.detach()  # the file is the caller's


def _separator(sample: str) -> tuple[str, int]:
    """Return the separator, and how many lines at the top only name it (``sep=;``)."""
    first = sample.split("\n", 1)[0].strip().lower()
    if first.startswith("sep=") and first[4:5] in (",", ";", ""):
        return first[4:5] or "\t", 1
    lines = sample.splitlines()[:HEADING_ROWS_MAX]

    def known(separator: str) -> int:
        return max(
            (
                sum(heading_key(text.strip(' "')) in HEADINGS for text in line.split(separator))
                for line in lines
            ),
            default=0,
        )

    return max(_SEPARATORS, key=known), 0


def _cell_name(line: int, place: int) -> str:
    return f"{get_column_letter(place + 1)}{line}"
