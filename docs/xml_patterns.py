r"""Patterns of JSON Schema (ECMA-262) as patterns of XML Schema 1.0.

XML Schema anchors every pattern at both ends, knows no ``\x7f``, and a document cannot hold most
control characters at all. So anchors go, and each class of characters is written anew as the
ranges it has among the characters of XML 1.0.
"""

import re
from collections.abc import Iterator
from typing import Final

_CLASS: Final = re.compile(r"\[((?:[^\]\\]|\\.)+)\]")
_CHARACTER: Final = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\([tnr])|\\(.)|(.)", re.DOTALL)
_XML: Final = ((0x9, 0xA), (0xD, 0xD), (0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r"}
_WRITTEN: Final = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}

Range = tuple[int, int]


def xsd_pattern(pattern: str) -> str:
    """Return an ECMA-262 pattern for XML Schema; one without ``$`` gets a free end."""
    body = pattern.removeprefix("^")
    body = body.removesuffix("$") if body.endswith("$") else body + ".*"
    return _CLASS.sub(lambda found: _class(found[1]), body)


def _class(content: str) -> str:
    negated = content.startswith("^")
    ranges = list(_ranges(content.removeprefix("^")))
    # What a document cannot hold needs no mention, allowed or not.
    kept = sorted(
        (max(first, low), min(last, high))
        for first, last in ranges
        for low, high in _XML
        if first <= high and last >= low
    )
    return "[" + "^" * negated + "".join(_range(first, last) for first, last in kept) + "]"


def _ranges(content: str) -> Iterator[Range]:
    characters = [(_code(match), match[0]) for match in _CHARACTER.finditer(content)]
    position = 0
    while position < len(characters):
        first = characters[position][0]
        is_range = position + 2 < len(characters) and characters[position + 1][1] == "-"
        last = characters[position + 2][0] if is_range else first
        yield first, last
        position += 3 if is_range else 1


def _code(match: re.Match[str]) -> int:
    if match[1] or match[2]:
        return int(match[1] or match[2], 16)
    return ord(_CONTROLS[match[3]] if match[3] else match[4] or match[5])


def _range(first: int, last: int) -> str:
    if first == last:
        return _written(first)
    if last == first + 1:
        return _written(first) + _written(last)
    return f"{_written(first)}-{_written(last)}"


def _written(code: int) -> str:
    character = chr(code)
    if character in _WRITTEN:
        return _WRITTEN[character]
    return "\\" + character if character in r"-[]\^" else character
