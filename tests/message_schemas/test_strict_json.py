"""Strict JSON: whatever two parsers could read differently is refused, nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message_schemas.strict_json import DEPTH_MAX, JsonRefusedError, parse_strict
from tests.message_schemas.strategies import from_json

HOSTILE = {
    "empty": (b"", "not JSON"),
    "only white space": (b" \n", "not JSON"),
    "key twice": (b'{"a":1,"a":1}', "twice"),
    "key twice, deep": (b'{"a":[[{"b":{"c":1,"d":2,"c":3}}]]}', "twice"),
    "key twice, one escaped": (b'{"a":1,"\\u0061":2}', "twice"),
    "empty key twice": (b'{"":1,"":1}', "twice"),
    "key twice, with white space": (b'{ "a": 1, "a": 2 }', "twice"),
    "whole float": (b"1.0", "digits only"),
    "exponent": (b"1e3", "digits only"),
    "capital exponent": (b"[1E3]", "digits only"),
    "fraction": (b'{"a":0.5}', "digits only"),
    "huge exponent": (b"1e999999", "digits only"),
    "negative zero": (b"-0", "digits only"),
    "negative zero inside": (b'{"a":[-0]}', "digits only"),
    "negative zero, float": (b"-0.0", "digits only"),
    "NaN": (b"NaN", "digits only"),
    "Infinity": (b'{"a":Infinity}', "digits only"),
    "minus Infinity": (b"[-Infinity]", "digits only"),
    "leading zero": (b"01", "not JSON"),
    "plus sign": (b"+1", "not JSON"),
    "hexadecimal": (b"0x10", "not JSON"),
    "2^63": (b"9223372036854775808", "64 bits"),
    "2^63 in white space": (b" 9223372036854775808 ", "64 bits"),
    "2^64": (b"18446744073709551616", "64 bits"),
    "-2^63-1": (b"-9223372036854775809", "64 bits"),
    "ten thousand digits": (b"1" * 10_000, "64 bits"),
    "ten thousand digits inside": (b'{"a":' + b"9" * 10_000 + b"}", "64 bits"),
    "high surrogate escaped": (b'"\\ud800"', "surrogate"),
    "low surrogate escaped": (b'"\\udc00"', "surrogate"),
    "surrogates swapped": (b'"\\udc00\\ud800"', "surrogate"),
    "surrogate in a key": (b'{"\\uD800":1}', "surrogate"),
    "surrogate raw": (b'"\xed\xa0\x80"', "UTF-8"),
    "surrogate pair raw": (b'"\xed\xa0\xbd\xed\xb8\x80"', "UTF-8"),
    "invalid byte": (b'"\xff"', "UTF-8"),
    "overlong slash": (b'"\xc0\xaf"', "UTF-8"),
    "cut character": (b'"\xe2\x82"', "UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "UTF-16": ("{}".encode("utf-16"), "UTF-8"),
    "trailing value": (b"{}{}", "not JSON"),
    "trailing comma": (b"[1,]", "not JSON"),
    "trailing zero byte": (b"{}\x00", "not JSON"),
    "comment": (b"{} // yes", "not JSON"),
    "single quotes": (b"{'a':1}", "not JSON"),
    "raw line feed": (b'"a\nb"', "not JSON"),
    "raw zero byte": (b'"a\x00b"', "not JSON"),
    "unknown escape": (b'"\\x41"', "not JSON"),
    "cut text": (b'{"a":', "not JSON"),
    "lists 10^5 deep": (b"[" * 100_000, "nested"),
    "lists 10^5 deep, closed": (b"[" * 100_000 + b"]" * 100_000, "nested"),
    "objects 10^5 deep": (b'{"a":' * 100_000, "nested"),
    "one too deep": (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "nested"),
}


@pytest.mark.parametrize(("raw", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    """One error type, a phrase that says what, and nothing else ever escapes."""
    with pytest.raises(JsonRefusedError, match=reason):
        parse_strict(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"0", 0),
        (b"-1", -1),
        (b"1000000000000000000", 10**18),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b'"9223372036854775808"', "9223372036854775808"),
        (b' { "a" : [ 1 , 2 ] }\r\n\t', {"a": [1, 2]}),
        (b'"\\ud83d\\ude8c"', "\U0001f68c"),
        ('"\U0001f68c"'.encode(), "\U0001f68c"),
        (b'"\\/\\u0041"', "/A"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'{"a":{"a":{"a":1}}}', {"a": {"a": {"a": 1}}}),
        (b'["[[[", "]]]\\"[", "{"]', ["[[[", ']]]"[', "{"]),
        (b"true", True),
        (b"null", None),
    ],
)
def test_ordinary_text_is_read(raw: bytes, value: object) -> None:
    """White space, escapes and the whole 64-bit range are fine."""
    assert parse_strict(raw) == value


def test_positions_point_at_the_fault() -> None:
    """A client's developer is told where to look."""
    with pytest.raises(JsonRefusedError) as refused:
        parse_strict(b'{"a": 1, }')
    assert refused.value.position == 9
    assert "character 9" in str(refused.value)


@pytest.mark.parametrize("end", [b"", b"x", b"1.5", b'"\\ud800"'])
def test_faults_at_the_edge_of_the_stack_are_refused_too(end: bytes) -> None:
    """The careful reader may run out of stack where the fast one did not."""
    for depth in range(880, 1020):
        with pytest.raises(JsonRefusedError):
            parse_strict(b"[" * depth + end)


@pytest.mark.parametrize("depth", [0, 1, 5, DEPTH_MAX])
@pytest.mark.parametrize("noise", [b'"x"', b'"[["', b'"]]"', b'"\\"["', b'"\\\\"'])
def test_depth_counts_brackets_outside_strings_only(depth: int, noise: bytes) -> None:
    """At the limit it passes, one beyond it does not, whatever strings hold."""
    inside = b"[" * depth + noise + b"]" * depth
    assert json.loads(inside) == parse_strict(inside, depth_max=depth)
    with pytest.raises(JsonRefusedError, match="nested"):
        parse_strict(b"[" + noise + b"," + inside + b"]", depth_max=depth)


@given(value=from_json(4), indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_every_value_survives_any_way_of_writing_it(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    """Fast and careful way give what the standard library gives."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert parse_strict(text.encode()) == value
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    assert parse_strict(compact.encode()) == value


@given(raw=st.binary(max_size=60))
def test_random_bytes_give_a_value_or_the_one_error(raw: bytes) -> None:
    """Nothing else ever comes out of it, and no value the standard library denies."""
    try:
        value = parse_strict(raw)
    except JsonRefusedError:
        return
    assert json.loads(raw) == value


@given(value=from_json(3), data=st.data())
def test_text_changed_in_one_byte_is_never_misread(value: object, data: st.DataObject) -> None:
    """Near-misses of real documents agree with the standard library or are refused."""
    raw = bytearray(json.dumps(value).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.sampled_from(b'"\\[]{},:0123456789.eE-+ \n\x00\xff'))
    try:
        parsed = parse_strict(bytes(raw))
    except JsonRefusedError:
        return
    assert json.loads(bytes(raw), object_pairs_hook=_no_double_key) == parsed


def _no_double_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)
