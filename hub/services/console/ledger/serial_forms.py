"""Serials as people type them: with blanks, in lower case, with any dash, shortened at the end.

What is understood is one unit, ``CA0003-GHA01-GHA-1001-2023``, or a range of one series,
``FIRST..LAST``, whose end may be a serial number alone. What is not is refused with the part that
is wrong and what would be right.
"""

import re
from typing import Final

from hub.international_registry.units import SERIAL_MAX, Range, Series

CHARACTERS_MAX: Final = 400
EXAMPLE: Final = "CA0003-GHA01-GHA-1001-2023"

_BLANKS: Final = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_DASHES: Final = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d_]")
_DOTS: Final = re.compile(r"\.{2,}|…|‥")
_DIGITS: Final = re.compile(r"[0-9]{1,40}")
_PARTS: Final = (
    ("the cooperative approach", re.compile(r"CA[0-9]{4}"), "CA and four digits, as CA0003"),
    (
        "the originating registry",
        re.compile(r"[A-Z]{3}[0-9]{2}"),
        "three letters and two digits, as GHA01",
    ),
    ("the first transferring Party", re.compile(r"[A-Z]{3}"), "three letters, as GHA"),
    ("the serial number", _DIGITS, f"a whole number from 1 to {SERIAL_MAX}"),
    ("the vintage", re.compile(r"199[0-9]|20[0-9]{2}|2100"), "a year from 1990 to 2100"),
)


class SerialFormError(ValueError):
    """What was typed names no units; the text says which part is wrong and what would be right."""


def read_units(text: str) -> Range:
    """Return the units that a text names. Raises SerialFormError."""
    if len(text) > CHARACTERS_MAX:
        raise SerialFormError(f"A range has at most {CHARACTERS_MAX} characters; write {EXAMPLE}.")
    plain = _DASHES.sub("-", _BLANKS.sub("", text)).upper()
    if not plain:
        raise SerialFormError(f"Write a unit, such as {EXAMPLE}, or a range FIRST..LAST.")
    ends = _DOTS.split(plain)
    if len(ends) > 2:
        raise SerialFormError("A range has two ends, FIRST..LAST, with two dots between them.")
    series, first = _read(ends[0])
    if len(ends) == 1:
        return Range(series, first, first)
    last = _read_end(ends[1], series)
    if last < first:
        raise SerialFormError(
            f"The range ends at {last}, before it begins at {first}: swap the two ends."
        )
    return Range(series, first, last)


def _read(text: str) -> tuple[Series, int]:
    """Return the series and serial of an identifier. Raises SerialFormError."""
    parts = text.split("-")
    if len(parts) != len(_PARTS):
        raise SerialFormError(
            f"A unit's identifier has five parts with dashes between them, such as {EXAMPLE}; "
            f"{text[:80]!r} has {len(parts)}."
        )
    for part, (name, form, right) in zip(parts, _PARTS, strict=True):
        if form.fullmatch(part) is None:
            raise SerialFormError(f"{part[:40]!r} cannot be {name}: that is {right}.")
    approach, registry, party, serial, vintage = parts
    return Series(approach, registry, party, int(vintage)), _serial(serial)


def _read_end(text: str, series: Series) -> int:
    """Return the serial at which a range of a series ends. Raises SerialFormError."""
    if _DIGITS.fullmatch(text):
        return _serial(text)
    other, last = _read(text)
    if other != series:
        raise SerialFormError(
            "The two ends of a range differ in the serial number alone; "
            f"{other.identifier(last)} is of another series than {series.identifier(1)}."
        )
    return last


def _serial(text: str) -> int:
    serial = int(text)
    if not 1 <= serial <= SERIAL_MAX:
        raise SerialFormError(
            f"{text[:40]} cannot be a serial number: those are 1 to {SERIAL_MAX}."
        )
    return serial
