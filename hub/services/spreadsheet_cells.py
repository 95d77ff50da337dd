"""Values as cells that no spreadsheet takes for a formula.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end for a
formula; some look through blanks and invisible characters, and take the wide forms of the signs
too. What peers and people wrote must not be one, so such a cell is written behind an apostrophe.
Numbers are numbers: none of ours is negative.
"""

import unicodedata
from datetime import datetime
from typing import Any, Final

from message_schemas import timestamps

_SIGNS: Final = frozenset("=+-@")
_ENDS: Final = frozenset("\t\r\n")


def cell(value: Any) -> Any:
    """Return a value as a cell: a number, or a text that is no formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return timestamps.render(value)
    text = str(value)
    return f"'{text}" if _begins_a_formula(text) else text


def _begins_a_formula(text: str) -> bool:
    """Tell whether a text begins with a sign, if only behind what is not seen."""
    for character in text:
        if character in _ENDS:
            return True
        if character.isspace() or unicodedata.category(character) in {"Cc", "Cf"}:
            continue
        return unicodedata.normalize("NFKC", character)[:1] in _SIGNS
    return False
