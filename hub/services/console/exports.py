"""Tables for spreadsheets and programs: CSV as a stream, XLSX as one file.

- ``csv_rows(columns, rows)``: RFC 4180 in UTF-8, in parts of some 64 KiB, for any number of rows::

      exports.csv_rows(("case", "registry"), ((one.case_id, one.registry) for one in found))

- ``xlsx_file(title, columns, rows, about)``: a workbook of two sheets, the rows and what they are;
  no more than XLSX_ROWS_MAX rows, for all of it is made before any of it is sent.

1. A value is a text, a number, an instant, a truth or None. What peers and people wrote is no
   formula in any spreadsheet (``spreadsheet_cells``).
2. In a workbook whole numbers of more than 15 digits are texts: a spreadsheet would round them.
3. Rows may be an iterator that reads as it goes: only the part at hand is in memory.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from itertools import islice
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from hub.services.spreadsheet_cells import cell

CSV_TYPE: Final = "text/csv"
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSX_ROWS_MAX: Final = 50_000
_PART_CHARACTERS: Final = 65_536
_EXACT_MAX: Final = 10**15 - 1
_CELL_CHARACTERS_MAX: Final = 32_767
_CUT: Final = "…"
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_A_TITLE: Final = re.compile(r"[\[\]:*?/\\]")


class TooManyRowsError(ValueError):
    """A workbook was asked for with more rows than ``rows_max``."""

    def __init__(self, rows_max: int) -> None:
        super().__init__(
            f"a workbook has at most {rows_max:,} rows, and there are more: narrow the filter, "
            "or take CSV, which has no limit"
        )
        self.rows_max = rows_max


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield a table as CSV, the line of its columns first."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(value) for value in row])
        if text.tell() >= _PART_CHARACTERS:
            yield _taken(text)
    yield _taken(text)


def _taken(text: StringIO) -> bytes:
    """Return what was written, and leave the buffer empty."""
    part = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return part


def xlsx_file(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    about: Sequence[tuple[str, Any]] = (),
    *,
    rows_max: int = XLSX_ROWS_MAX,
) -> bytes:
    """Return a workbook: a sheet ``title`` of the rows, and one of ``about``, (name, value) pairs.

    Raises TooManyRowsError.
    """
    kept = list(islice(rows, rows_max + 1))
    if len(kept) > rows_max:
        raise TooManyRowsError(rows_max)
    book = Workbook(write_only=True)
    sheet = _sheet(book, title, columns)
    for row in kept:
        sheet.append([_in_workbook(sheet, value) for value in row])
    if about:
        told = _sheet(book, "About", ("name", "value"))
        for name, value in about:
            told.append([_in_workbook(told, name), _in_workbook(told, value)])
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _sheet(book: Workbook, title: str, columns: Sequence[str]) -> WriteOnlyWorksheet:
    """Return a new sheet with the line of its columns, which stays in sight."""
    sheet: Any = book.create_sheet(_NOT_IN_A_TITLE.sub(" ", title)[:31])
    sheet.freeze_panes = "A2"
    heads = []
    for name in columns:
        head = _in_workbook(sheet, name)
        head.font = Font(bold=True)
        heads.append(head)
    sheet.append(heads)
    found: WriteOnlyWorksheet = sheet
    return found


def _in_workbook(sheet: WriteOnlyWorksheet, value: Any) -> Any:
    """Return a value as a workbook takes it: texts are texts, whatever they begin with."""
    shown = cell(value)
    if isinstance(shown, int) and abs(shown) > _EXACT_MAX:
        shown = str(shown)
    if not isinstance(shown, str):
        return shown
    text = _NOT_XML.sub("\ufffd", shown)
    if len(text) > _CELL_CHARACTERS_MAX:
        text = text[: _CELL_CHARACTERS_MAX - 1] + _CUT
    made = WriteOnlyCell(sheet, value=text)
    made.data_type = "s"
    return made
