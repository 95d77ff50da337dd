"""A registry's statement of its holdings, read row by row: blocks, or everything wrong with it.

1. The headings are found in one of the first rows; what stands above them is a title. Columns may
   be in any order, and those of owned attributes may be missing: then these are not compared.
2. A row is a block: its series and serials, or its two identifiers, or both; how many units it has,
   which is checked; its attributes.
3. Without a column of statuses the statement lists the units that are *held*: of used and cancelled
   ones it says nothing.
4. Units in a state before the first transfer are left out: the hub was not told of them.
5. Every fault is noted with its place and remedy. After the last row, or after ``PROBLEMS_MAX`` of
   them, all are raised together: a statement is taken whole or not at all.

Where the rows come from (CSV, a workbook, XML) is another's business: it hands over *cells*.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NamedTuple

from reconciliation.owned import OWNED, Block
from reconciliation.statement_cells import Cell
from reconciliation.statement_rows import RowReader
from reconciliation.statement_words import (
    COLUMNS,
    HEADINGS,
    ID_COLUMNS,
    SERIAL_COLUMNS,
    SERIES_COLUMNS,
    STATUSES,
    heading_key,
    word_key,
)

PROBLEMS_MAX: Final = 50
HEADING_ROWS_MAX: Final = 30
"""In how many rows at the top the headings are looked for."""

_KNOWN_MIN: Final = 3  # so many known headings make a row the row of headings


class Problem(NamedTuple):
    """One fault: where, what is wrong and what would be right.

    ``line`` counts from 1, as editors and spreadsheets do; 0 is the file as a whole.
    """

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line else []
        where += [self.column] if self.column else []
        return f"{', '.join(where)}: {self.text}" if where else self.text


class StatementError(ValueError):
    """A statement that cannot be taken; ``problems`` holds the first ``PROBLEMS_MAX`` faults."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a statement says.

    ``compared`` names the owned attributes it speaks of, in the order of ``OWNED``; the others are
    None in its blocks. ``held_alone``: it has no statuses, so it is of units that are held.
    ``units`` are those of ``blocks``; ``left_out`` counts rows of units that were never
    transferred; ``unused`` lists headings that mean nothing here.
    """

    blocks: list[Block]
    compared: tuple[str, ...]
    held_alone: bool
    row_count: int
    units: int
    left_out: int
    unused: tuple[str, ...]


class StatementReader:
    """Takes the rows of one statement in order.

    ``words`` are statuses of the registry's own, beside ``STATUSES``. ``cell_name`` gives the name
    of a cell in a workbook (``D7``), of its line and its place in the row from 0.
    """

    def __init__(
        self,
        registry: str,
        words: Mapping[str, str] | None = None,
        cell_name: Callable[[int, int], str] | None = None,
    ) -> None:
        own = {word_key(word): status for word, status in (words or {}).items()}
        self._registry, self._statuses = registry, {**STATUSES, **own}
        self._cell_name = cell_name
        self._problems: list[Problem] = []
        self._places: dict[str, int] = {}
        self._unused: tuple[str, ...] = ()
        self._rows: RowReader | None = None
        self._width = self._seen = self._units = self._left_out = 0
        self._blocks: list[Block] = []
        self.row_count = 0
        """How many rows of units were taken."""

    def take(self, line: int, cells: Sequence[Cell]) -> None:
        """Take one row; StatementError once it makes no sense to go on."""
        if not any(cell is not None and cell != "" for cell in cells):
            return
        if self._rows is None:
            self._look_for_headings(line, cells)
            return
        self.row_count += 1
        if any(cell is not None and cell != "" for cell in cells[self._width :]):
            text = "more cells than headings; a separator inside a text needs quotation marks"
            self._note(line, "", text)
            return
        block = self._rows.read(cells)
        for column, text in self._rows.faults:
            self._note(line, column, text)
        if block is not None:
            self._units += block.last - block.first + 1
            self._blocks.append(block)
        elif not self._rows.faults:
            self._left_out += 1

    def finish(self, *, may_be_empty: bool = False) -> Statement:
        """Return the statement; StatementError if anything is wrong with it.

        A statement without a row must be meant: by it every unit of the registry is missing.
        """
        if self._rows is None:
            self._refuse_without_headings()
        elif not self.row_count and not may_be_empty:
            self._note(0, "", "no row of units; if nothing is held, that must be said")
        if self._problems:
            raise StatementError(self._problems)
        return Statement(
            self._blocks,
            tuple(name for name in OWNED if name in self._places or name == "status"),
            "status" not in self._places,
            self.row_count,
            self._units,
            self._left_out,
            self._unused,
        )

    # --- headings ------------------------------------------------------------------------------

    def _look_for_headings(self, line: int, cells: Sequence[Cell]) -> None:
        self._seen += 1
        texts = [cell.strip() if isinstance(cell, str) else "" for cell in cells]
        known = [HEADINGS.get(heading_key(text)) if text else None for text in texts]
        if len(set(known) - {None}) < _KNOWN_MIN:
            if self._seen >= HEADING_ROWS_MAX:
                self._refuse_without_headings()
            return
        for place, column in enumerate(known):
            if column is not None and column in self._places:
                self._note(line, texts[place], f"a second column of {column.upper()}; leave one")
            elif column is not None:
                self._places[column] = place
        self._unused = tuple(t for t, column in zip(texts, known, strict=True) if t and not column)
        self._width = max(place for place, text in enumerate(texts) if text) + 1
        self._refuse_misspelt(line)
        self._refuse_incomplete(line)
        if self._problems:
            # By wrong headings every row would be wrong.
            raise StatementError(self._problems)
        self._rows = RowReader(self._places, self._registry, self._statuses)

    def _refuse_without_headings(self) -> None:
        text = (
            f"no row of headings among the first {HEADING_ROWS_MAX}: QUANTITY, and FIRST_ID and "
            f"LAST_ID or {', '.join(map(str.upper, (*SERIES_COLUMNS, *SERIAL_COLUMNS)))}"
        )
        raise StatementError([Problem(0, "", text)])

    def _refuse_misspelt(self, line: int) -> None:
        """A heading nearly right would silently not be compared; one quite other is not ours."""
        missing = {heading_key(name): name for name in COLUMNS if name not in self._places}
        for text in self._unused:
            close = get_close_matches(heading_key(text), missing, n=1, cutoff=0.8)
            if close:
                meant = missing[close[0]].upper()
                self._note(line, text[:40], f"is no known heading; if {meant} is meant, write that")

    def _refuse_incomplete(self, line: int) -> None:
        has_ids = all(column in self._places for column in ID_COLUMNS)
        missing = [c for c in (*SERIES_COLUMNS, *SERIAL_COLUMNS) if c not in self._places]
        if not has_ids and missing:
            names = ", ".join(map(str.upper, missing))
            self._note(line, "", f"no column {names}, nor both FIRST_ID and LAST_ID; add them")
        if "quantity" not in self._places:
            self._note(line, "", "no column QUANTITY; add the number of units of each row")

    def _note(self, line: int, column: str, text: str) -> None:
        named = column
        if column in self._places:
            named = column.upper()
            if self._cell_name is not None:
                named += f" (cell {self._cell_name(line, self._places[column])})"
        self._problems.append(Problem(line, named, text))
        if len(self._problems) >= PROBLEMS_MAX:
            raise StatementError(self._problems)
