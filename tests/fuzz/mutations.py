"""Ways to spoil bytes and JSON documents, each drawn from a seeded generator."""

import copy
import random
from typing import Any

INTERESTING_BYTES = [
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
]
INTERESTING_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63 - 2,
    2**63 - 1,
    2**63,
    -(2**63),
    10**18,
    "",
    " ",
    "\n",
    "a" * 3000,
    "\u0000",
    "\u202e",
    "é" * 10,
    "𝕏",
    "THA01",
    "XHB01",
    "ZZZ99",
    "CA0001",
    "THA01-1",
    "THA01-999999999999999999",
    "9999-12-31T23:59:59.999Z",
    "2026-02-30T00:00:00.000Z",
    "0000-00-00",
    "CA0001-THA01-THA-1-2022",
    "CA0001-THA01-THA-9223372036854775806-2022",
    "CA0001-THA01-THA-9223372036854775807-2022",
    "0" * 64,
    "%00",
    "'; DROP TABLE head; --",
    "{{7*7}}",
    [],
    {},
    [[[[[[[[[[]]]]]]]]]],
    {"a/b": {"c": [1, {"d": None}]}},
    {"": ""},
]


def spoil_bytes(raw: bytes, chosen: random.Random) -> bytes:
    """Return bytes with one to four places changed."""
    spoiled = bytearray(raw)
    for _ in range(chosen.randint(1, 4)):
        at = chosen.randrange(len(spoiled) + 1)
        match chosen.randrange(6):
            case 0:
                spoiled[at:at] = chosen.choice(INTERESTING_BYTES)
            case 1:
                del spoiled[at : at + chosen.randint(1, 20)]
            case 2 if at < len(spoiled):
                spoiled[at] ^= 1 << chosen.randrange(8)
            case 3:
                spoiled[at:at] = spoiled[at : at + chosen.randint(1, 200)]
            case 4:
                del spoiled[at:]
            case _:
                spoiled[at:at] = chosen.randbytes(chosen.randint(1, 8))
    return bytes(spoiled)


def spoil_document(document: Any, chosen: random.Random) -> Any:
    """Return a JSON document with one to three of its values changed, dropped or added."""
    spoiled = copy.deepcopy(document)
    for _ in range(chosen.randint(1, 3)):
        places = list(_places(spoiled))
        if not places:
            return _nasty(chosen)
        container, key = chosen.choice(places)
        match chosen.randrange(5):
            case 0:
                del container[key]
            case 1 if isinstance(container, dict):
                container[chosen.choice(["extensions", "x", "", "body", "type"])] = _nasty(chosen)
            case 2 if isinstance(container, list):
                container.extend(copy.deepcopy(container[key]) for _ in range(chosen.randint(1, 3)))
            case 3 if isinstance(container[key], str) and container[key]:
                container[key] = _spoil_text(container[key], chosen)
            case _:
                container[key] = _nasty(chosen)
    return spoiled


def _nasty(chosen: random.Random) -> Any:
    """Return an interesting value of its own: a shared one could come to contain itself."""
    return copy.deepcopy(chosen.choice(INTERESTING_VALUES))


def _spoil_text(text: str, chosen: random.Random) -> str:
    at = chosen.randrange(len(text))
    return text[:at] + chosen.choice(["", "0", "9", "-", "Z", "\u00e9", " "]) + text[at + 1 :]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a document."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    here = [(value, key) for key in keys]
    return here + [place for key in keys for place in _places(value[key])]
