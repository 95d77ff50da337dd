"""The cells of a holdings statement: numbers and texts as files really have them.

A spreadsheet keeps 15 digits of a number. A serial with more may have been cut already when we see
it, and so may one written with an exponent: such numbers are refused, not rounded.
"""

import re
from typing import Final, NamedTuple

from message_schemas.blocks import SERIAL_MAX

TEXT_CHARACTERS_MAX: Final = 1_000
EXACT_DIGITS: Final = 15
EMPTY: Final = "is empty; every row needs it"

_EXACT_MAX: Final = 10**EXACT_DIGITS - 1
_WHOLE: Final = re.compile(r"([0-9]{1,40})(?:\.0{1,10})?")
_EXPONENT: Final = re.compile(r"[0-9.,]+[eE][+-]?[0-9]+")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:[,. '\u00a0\u202f\u2019][0-9]{3})+")
_NO_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_AS_TEXT: Final = "format the column as text and enter it again"


class Odd(NamedTuple):
    """A cell that is neither text nor number (a formula, an error, a date), and what to do."""

    what: str
    remedy: str


Cell = str | int | float | Odd | None
"""What a file has in one place; a yes or no of a workbook is the text ``true`` or ``false``."""


class CellError(ValueError):
    """A cell that cannot be taken; says what is wrong and what would be right."""


def text_of(cell: Cell) -> str | None:
    """Return a cell as one line of text, None if it is empty; CellError if it is something else."""
    if isinstance(cell, str):
        text = cell.strip()
        if len(text) > TEXT_CHARACTERS_MAX:
            raise CellError(f"{len(text)} characters; at most {TEXT_CHARACTERS_MAX} are read")
        if _NO_LINE.search(text):
            raise CellError("a line break or control character; write it in one line")
        return text or None
    if cell is None:
        return None
    if isinstance(cell, Odd):
        raise CellError(f"{cell.what}; {cell.remedy}")
    if isinstance(cell, float) and not cell.is_integer():
        raise CellError(f"the number {cell!r}, where a text belongs; {_AS_TEXT}")
    return str(_exact(cell))


def integer_of(cell: Cell) -> int:
    """Return a cell as a number from 1 to the greatest serial; CellError says why it is none."""
    if isinstance(cell, str):
        found = _WHOLE.fullmatch(cell) or _WHOLE.fullmatch(cell.strip())
        if found is None:
            raise CellError(_why_no_number(cell.strip()))
        number = int(found[1])
    elif isinstance(cell, Odd):
        raise CellError(f"{cell.what}; {cell.remedy}")
    elif cell is None:
        raise CellError(EMPTY)
    else:
        if isinstance(cell, float) and not cell.is_integer():
            raise CellError(f"{cell!r} is no whole number")
        number = _exact(cell)
    if not 1 <= number <= SERIAL_MAX:
        raise CellError(f"{number} is not a number from 1 to {SERIAL_MAX}")
    return number


def _exact(number: float) -> int:
    """Return a number that a spreadsheet can hold exactly."""
    if abs(number) > _EXACT_MAX:
        raise CellError(
            f"a number of more than {EXACT_DIGITS} digits ({number!r}): a spreadsheet keeps no "
            f"more of a number, so digits may be lost; {_AS_TEXT}"
        )
    return int(number)


def _why_no_number(text: str) -> str:
    shown = f"{text[:40]!r}"
    if not text:
        return EMPTY
    if _EXPONENT.fullmatch(text):
        return f"{shown} has lost digits; {_AS_TEXT}"
    if _GROUPED.fullmatch(text):
        return f"{shown} has separators; write the digits alone"
    return f"{shown} is no whole number; write the digits alone"
