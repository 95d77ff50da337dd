"""Read JSON as strictly as two ends that must not disagree have to.

Refused, although many parsers let them pass: a key twice in one object, numbers that are not
plain 64-bit integers (``1.0``, ``1e3``, ``-0``, ``NaN``), lone surrogates, a byte order mark,
anything but UTF-8, anything after the value, and nesting beyond a limit.

1. Decode with msgspec, which is fast but forgives double keys and whole floats such as ``1.0``.
2. Encode the value again. The same bytes come out only if nothing was forgiven: done.
3. Otherwise (white space, escapes, or something hostile) read again with the standard library,
   looking at every key and number.

What comes back is never signed again; signatures are over the bytes that arrived.
"""

import json
import re
from typing import Final, NoReturn

import msgspec

DEPTH_MAX: Final = 24
_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**63 - 1
_INTEGER_CHARACTERS_MAX: Final = 20
_FLOAT: Final = "a number that is not a whole number written in digits only"

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DIGITS_TO_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 19
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))
_BRACES_TO_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")


class JsonRefusedError(ValueError):
    """The bytes are not JSON as this protocol wants it.

    ``reason`` is one phrase; ``position`` counts from 0 in the text, None where it is not known.
    """

    def __init__(self, reason: str, position: int | None = None) -> None:
        where = "" if position is None else f" at character {position}"
        super().__init__(f"{reason}{where}")
        self.reason = reason
        self.position = position


def parse_strict(raw: bytes, *, depth_max: int = DEPTH_MAX) -> object:
    """Return the value of a JSON text: dict, list, str, int, bool or None.

    ``depth_max`` limits lists and objects inside each other; a scalar has depth 0. Raises
    JsonRefusedError and nothing else, whatever the bytes are.
    """
    try:
        value = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse(raw, error)
    if _depth_exceeds(raw, depth_max):
        raise JsonRefusedError(f"lists and objects nested deeper than {depth_max}")
    if msgspec.json.encode(value) == raw and not _may_exceed_64_bits(raw):
        return value
    return _parse_carefully(raw)


def _refuse_float(text: str) -> NoReturn:
    raise JsonRefusedError(f"{_FLOAT}: {text[:40]}")


_DECODER: Final = msgspec.json.Decoder(float_hook=_refuse_float)


def _depth_exceeds(raw: bytes, depth_max: int) -> bool:
    """Tell whether valid JSON nests deeper, by deleting the innermost brackets level by level."""
    skeleton = raw.translate(_BRACES_TO_BRACKETS, _NOT_STRUCTURE)
    if b"\\" not in raw:
        # Without escapes quotes come in pairs, so strings vanish unless they hold brackets.
        skeleton = skeleton.replace(b'""', b"")
    if b'"' in skeleton:
        skeleton = _STRING.sub(b"", raw).translate(_BRACES_TO_BRACKETS, _NOT_STRUCTURE)
    for _ in range(depth_max):
        if not skeleton:
            return False
        skeleton = skeleton.replace(b"[]", b"")
    return bool(skeleton)


def _may_exceed_64_bits(raw: bytes) -> bool:
    # Found so because it is ten times faster than a pattern over the whole text.
    return _LONG_NUMBER in raw.translate(_DIGITS_TO_ZERO)


def _refuse(raw: bytes, error: Exception) -> NoReturn:
    """Say what the fast decoder stumbled on, in words that do not depend on it."""
    if isinstance(error, RecursionError):
        raise JsonRefusedError("lists and objects nested too deeply") from None
    try:
        _parse_carefully(raw)
    except JsonRefusedError as refused:
        raise refused from None
    # Two parsers that disagree about a text are reason enough to refuse it.
    raise JsonRefusedError(f"not JSON: {error}") from None


def _parse_carefully(raw: bytes) -> object:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonRefusedError("bytes that are not UTF-8", error.start) from None
    try:
        value = _CAREFUL.decode(text)
    except json.JSONDecodeError as error:
        raise JsonRefusedError(f"not JSON: {error.msg}", error.pos) from None
    except RecursionError:
        raise JsonRefusedError("lists and objects nested too deeply") from None
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise JsonRefusedError("half of a surrogate pair in a string") from None


def _object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonRefusedError(f"the key {key[:60]!r} twice in one object")
            seen.add(key)
    return members


def _integer_of(text: str) -> int:
    if text == "-0":
        _refuse_float(text)
    # The length first: turning thousands of digits into a number costs quadratic time.
    if len(text) <= _INTEGER_CHARACTERS_MAX:
        number = int(text)
        if _INTEGER_MIN <= number <= _INTEGER_MAX:
            return number
    raise JsonRefusedError(f"a whole number beyond 64 bits: {text[:24]}")


_CAREFUL: Final = json.JSONDecoder(
    object_pairs_hook=_object_of,
    parse_int=_integer_of,
    parse_float=_refuse_float,
    parse_constant=_refuse_float,
)
