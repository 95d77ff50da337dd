"""Holdings statements as workbooks (XLSX): what is in the cells, or why that cannot be trusted.

1. The archive is looked at before openpyxl is: how much it unpacks to, that its XML has no document
   type, and which cells are merged. What it says of its own sizes binds what is unpacked.
2. The sheet is the one named HOLDINGS, or the only one that is not hidden.
3. Formulas are refused: what they came to when the file was saved may be old. So are errors, dates
   where no date belongs, and cells merged below the headings, which are empty but for one.

Rows are read one after the other; hidden rows are rows.
"""

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from reconciliation.statement_cells import Cell, Odd
from reconciliation.statement_words import HEADINGS, heading_key
from reconciliation.statements import HEADING_ROWS_MAX, Problem, StatementError

SHEET: Final = "HOLDINGS"
ROWS_MAX: Final = 1_048_576
COLUMNS_MAX: Final = 100

_ENTRIES_MAX: Final = 1_000
_UNPACKED_BYTES_MAX: Final = 2 * 1024**3
_TEXTS_BYTES_MAX: Final = 256 * 1024**2
_PART_BYTES_MAX: Final = 32 * 1024**2
_RATIO_MAX: Final = 500
_RATIO_BYTES: Final = 1024**2
_READ_BYTES: Final = 1 << 20
_TAG_BYTES_MAX: Final = 1 << 20

_DOCTYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY|\[CDATA\[)")
_MERGED: Final = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]{0,120}?ref\s*=\s*[\"']([A-Z0-9:]{1,40})")
_ROW: Final = re.compile(rb"<(?:\w+:)?row(?=[\s/>])(?:[^>]*?\sr\s*=\s*[\"']([0-9]{1,10})[\"'])?")
_FORMULA: Final = "copy the column and paste it as values"


def rows_of_workbook(file: BinaryIO) -> Iterator[tuple[int, Sequence[Cell]]]:
    """Yield the rows of a workbook's sheet with their numbers. Raises StatementError."""
    merged = _inspect(file)
    file.seek(0)
    try:
        workbook = load_workbook(file, read_only=True, data_only=False, keep_links=False)
        sheet: Any = _sheet_of(workbook)
        sheet.reset_dimensions()  # what the file says of its size may be wrong
        path = str(sheet._worksheet_path)
        yield from _rows(sheet, merged.get(path.lstrip("/"), []))
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        if isinstance(error, StatementError):
            raise
        # openpyxl answers a damaged workbook with whatever its own code ran into.
        raise _fault(f"the workbook is damaged ({type(error).__name__}); save it again") from None
    except (InvalidFileException, zipfile.BadZipFile, zlib.error, SyntaxError, OSError) as error:
        raise _fault(
            f"the workbook cannot be read ({type(error).__name__}); save it again"
        ) from None


def _fault(text: str, line: int = 0, cell: str = "") -> StatementError:
    return StatementError([Problem(line, cell, text)])


# --- the archive ----------------------------------------------------------------------------------


def _inspect(file: BinaryIO) -> dict[str, list[str]]:
    """Refuse an archive that is too much to unpack, or odd; return merged ranges by part."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _refuse_bombs(entries)
            if "xl/workbook.xml" not in archive.namelist():
                raise _fault("no workbook (XLSX) is in this archive; save the sheet as XLSX or CSV")
            merged: dict[str, list[str]] = {}
            for entry in entries:
                if entry.filename.endswith((".xml", ".rels")):
                    found = _inspect_part(archive, entry)
                    if found:
                        merged[entry.filename] = found
            return merged
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise _fault(f"the archive is damaged or has a password ({error}); save it again") from None


def _refuse_bombs(entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > _ENTRIES_MAX:
        raise _fault(f"{len(entries)} parts; a workbook of at most {_ENTRIES_MAX} is read")
    if sum(entry.file_size for entry in entries) > _UNPACKED_BYTES_MAX:
        raise _fault(f"it unpacks to more than {_UNPACKED_BYTES_MAX} bytes; save it as CSV")
    for entry in entries:
        name, size = entry.filename, entry.file_size
        is_sheet = name.startswith("xl/worksheets/")
        limit = _UNPACKED_BYTES_MAX if is_sheet else _PART_BYTES_MAX
        if name == "xl/sharedStrings.xml":
            limit = _TEXTS_BYTES_MAX
        if size > limit:
            raise _fault(f"{name[:60]} unpacks to {size} bytes; at most {limit} are read")
        if size > _RATIO_BYTES and size > _RATIO_MAX * max(1, entry.compress_size):
            raise _fault(f"{name[:60]} unpacks to {size} bytes from {entry.compress_size}")
    if len({entry.filename for entry in entries}) < len(entries):
        raise _fault("two parts of the archive have one name; save it again")


def _inspect_part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> list[str]:
    """Refuse a part with a document type or in another encoding; return its merged ranges.

    Of a sheet also rows that do not follow each other: openpyxl would pass over them in silence.
    """
    merged: list[str] = []
    name = entry.filename
    is_sheet = name.startswith("xl/worksheets/")
    row = 0
    with archive.open(entry) as part:
        rest, is_first = b"", True
        while read := part.read(_READ_BYTES):
            if is_first and (b"\x00" in read[:4] or read[:2] in (b"\xff\xfe", b"\xfe\xff")):
                raise _fault(f"{name[:60]} is not UTF-8; save it again")
            is_first = False
            data = rest + read
            if _DOCTYPE.search(data):
                raise _fault(f"{name[:60]} has a document type; no spreadsheet writes one")
            # Up to the end of the last tag, so that none is met in two halves.
            end = data.rfind(b">") + 1
            rest = data[end:]
            if len(rest) > _TAG_BYTES_MAX:
                raise _fault(f"{name[:60]} has a text of more than {_TAG_BYTES_MAX} bytes")
            if is_sheet:
                row = _last_row(data[:end], row)
                merged += [found.decode() for found in _MERGED.findall(data[:end])]
    return merged


def _last_row(data: bytes, row: int) -> int:
    """Return the number of the last row in a piece of a sheet; they go on from ``row``."""
    for found in _ROW.finditer(data):
        number = row + 1 if found[1] is None else int(found[1])
        if not row < number <= ROWS_MAX:
            raise _fault("out of order, twice, or beyond what a sheet has; save it again", number)
        row = number
    return row


# --- the sheet ------------------------------------------------------------------------------------


def _sheet_of(workbook: Workbook) -> Any:
    sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    named = [sheet for sheet in sheets if sheet.title.strip().upper() == SHEET]
    if len(named) == 1:
        return named[0]
    if len(sheets) != 1:
        names = ", ".join(sheet.title[:30] for sheet in sheets[:10]) or "none"
        raise _fault(f"which sheet? name one {SHEET}, or leave one that is not hidden: {names}")
    return sheets[0]


def _rows(sheet: Any, merged: Sequence[str]) -> Iterator[tuple[int, Sequence[Cell]]]:
    is_headed = False
    for number, row in enumerate(sheet.iter_rows(max_col=COLUMNS_MAX + 1), start=1):
        if number > ROWS_MAX:
            raise _fault(f"rows beyond {ROWS_MAX}, more than a spreadsheet has; save it again")
        if len(row) > COLUMNS_MAX and row[COLUMNS_MAX].value is not None:
            raise _fault(f"more than {COLUMNS_MAX} columns; leave the statement's alone", number)
        cells = [_cell(cell) for cell in row]
        while cells and cells[-1] is None:
            cells.pop()
        if not is_headed and number <= HEADING_ROWS_MAX:
            names = [cell for cell in cells if isinstance(cell, str)]
            is_headed = sum(heading_key(name) in HEADINGS for name in names) > 2
            if is_headed:
                _refuse_merged(merged, number)
        yield number, cells


def _refuse_merged(merged: Sequence[str], headings: int) -> None:
    """Refuse merged cells from the headings on; a title above them may be merged."""
    for name in merged:
        _, _, _, last_row = range_boundaries(name)
        if last_row is not None and last_row >= headings:
            raise _fault("merged cells are empty but for the first; split them", 0, f"cells {name}")


def _cell(cell: Any) -> Cell:
    """Return what a cell of openpyxl is."""
    value = cell.value
    if value is None or (isinstance(value, str) and cell.data_type not in ("f", "e")):
        return value
    kind = cell.data_type
    if kind == "f":
        return Odd("a formula", _FORMULA)
    if kind == "e":
        return Odd(f"the error {str(value)[:20]}", "put it right")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    return Odd(f"a date ({str(value)[:19]})", "write it as a number or text, not as a date")


def write_workbook(
    file: BinaryIO,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    notes: Sequence[tuple[str, str]] = (),
) -> None:
    """Write a statement as a workbook: all cells are texts; a second sheet has the notes."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None, "a new workbook has a sheet"
    sheet.title = SHEET
    sheet.append(list(headings))
    for place, heading in enumerate(headings, start=1):
        column = sheet.column_dimensions[get_column_letter(place)]
        column.width = max(14, len(heading) + 3)
        # As text a serial keeps all its digits, and an id its zeros.
        column.number_format = "@"
        sheet.cell(1, place).font = Font(bold=True)
    for row in rows:
        sheet.append([cell or None for cell in row])
    sheet.freeze_panes = "A2"
    if notes:
        explained = workbook.create_sheet("NOTES")
        explained.column_dimensions["A"].width = 28
        explained.column_dimensions["B"].width = 100
        for note in notes:
            explained.append(note)
    workbook.save(file)
