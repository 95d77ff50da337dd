"""Generic values: any JSON that the protocol allows, and only one writing for each."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from message_schemas.strict_xml import parse_strict
from message_schemas.xml_codec import read_document
from message_schemas.xml_forms import NAMESPACE
from message_schemas.xml_validation import xml_schema_errors
from message_schemas.xml_values import (
    XmlFormError,
    XmlUnwritableError,
    boolean_of,
    integer_of,
    pointer_of,
    read_map,
    write_map,
)
from tests.message_schemas import strategies
from tests.message_schemas.xml_forgeries import xml_of


def written(members: dict[str, Any]) -> bytes:
    """Return a document whose root is a generic map."""
    parts: list[str] = []
    write_map(members, parts.append)
    return xml_of("map", "".join(parts))


def read(raw: bytes) -> dict[str, Any]:
    """Return the generic object of a whole document."""
    root = parse_strict(raw)
    return read_map(root, root)


@given(
    members=st.dictionaries(
        st.text(strategies.free_characters, max_size=8), strategies.from_json(4), max_size=4
    )
)
def test_every_json_object_comes_back(members: dict[str, Any]) -> None:
    """Keys in their order, kinds apart, every character but halves of pairs."""
    raw = written(members)
    assert read(raw) == members
    assert list(read(raw)) == list(members)
    assert xml_schema_errors("itmo-exchange", parse_strict(raw)) == ()


def test_kinds_are_told_apart() -> None:
    """The text "1", the number 1, true, null, an empty list and an empty object."""
    members = {"a": "1", "b": 1, "c": True, "d": None, "e": [], "f": {}, "g": "", "": "null"}
    assert read(written(members)) == members
    assert isinstance(read(written(members))["c"], bool)


def test_what_xml_cannot_hold_is_escaped_and_nothing_else() -> None:
    """A backslash is a backslash until something in the same text needs escaping."""
    raw = written({"a\\b": "c\\d\r\n\t", "\x00\\\u2028": "\ufffe\\é\r"})
    assert b'<string key="a\\b">c\\d&#xD;\n\t</string>' in raw
    second = '<string escaped="true" escaped_key="true" key="\\u0000\\\\\u2028">\\ufffe\\\\é&#xD;<'
    assert second.encode() in raw


@pytest.mark.parametrize(
    ("inside", "path", "text"),
    [
        ('<string key="a">x</string><integer key="a">1</integer>', "/a", "twice"),
        ("<string>x</string>", "/string", "without its key"),
        ('<text key="a">x</text>', "/a", "no kind of value"),
        ('<string xmlns="urn:x" key="a">x</string>', "/a", "no kind of value"),
        ('<null key="a">x</null>', "/a", "no kind of value"),
        ('<integer key="a">1.0</integer>', "/a", "is no integer"),
        ('<integer key="a">9223372036854775808</integer>', "/a", "is no integer"),
        ('<boolean key="a">TRUE</boolean>', "/a", "is no boolean"),
        ('<integer key="a" escaped="true">1</integer>', "/a", "an attribute escaped"),
        ('<array key="a"><integer key="b">1</integer></array>', "/a/b", "an attribute key"),
        ('<array key="a"><integer>1</integer><what/></array>', "/a/1", "no kind of value"),
        ('<map key="a~/"><null key="b">x</null></map>', "/a~0~1/b", "no kind of value"),
        ('<string key="a">x<b/></string>', "/a/b", "an element inside"),
        ('<map key="a">x</map>', "/a", "text between"),
        ('<array key="a"><null/>x</array>', "/a", "text between"),
        ('<string key="a" escaped="true">x</string>', "/a", "need not be"),
        ('<string key="a" escaped="true">\\u0041</string>', "/a", "need not be"),
        ('<string key="a" escaped="true">\\u0000\\u0041</string>', "/a", "as it should be"),
        ('<string key="a" escaped="true">\\ud800</string>', "/a", "need not be"),
        ('<string key="a" escaped="true">\\u0000\\</string>', "/a", "as it should be"),
        ('<string key="a" escaped="true">\\U0000</string>', "/a", "need not be"),
        ('<string key="a" escaped="false">x</string>', "/a", "the one value true"),
        ('<null escaped_key="true" key="a"/>', "/a", "need not be"),
        ('<null escaped_key="1" key="a"/>', "/a", "the one value true"),
    ],
)
def test_other_writings_are_refused_at_their_place(inside: str, path: str, text: str) -> None:
    """One value has one writing, and each mistake its pointer."""
    with pytest.raises(XmlFormError, match=text) as refused:
        read(xml_of("map", inside))
    assert refused.value.path == path


def test_a_key_that_is_the_same_when_unescaped_is_the_same() -> None:
    """Two writings of one key do not make two members."""
    twice = '<null key="a"/><null key="&#97;"/>'
    with pytest.raises(XmlFormError, match="twice"):
        read(xml_of("map", twice))


def test_half_of_a_surrogate_pair_cannot_be_written() -> None:
    """Nor can JSON carry it; strict parsing refuses it there."""
    for members in ({"a": "\ud800"}, {"\udfff": 1}):
        with pytest.raises(XmlUnwritableError, match="surrogate"):
            written(members)


@given(number=st.integers(-(2**63), 2**63 - 1))
def test_every_64_bit_number_is_read_as_written(number: int) -> None:
    """And a further digit makes it none."""
    assert integer_of(str(number)) == number
    assert integer_of(f"{number}0000000000000000000") in {None, 0}


def test_booleans_are_two_words() -> None:
    """Anything else is no boolean."""
    assert [boolean_of(word) for word in ("true", "false", "1", "")] == [True, False, None, None]


def test_extensions_are_read_with_their_place_in_the_body() -> None:
    """A pointer goes from the body through the extension's key."""
    inside = (
        "<transfer_id>THA01-1</transfer_id>"
        '<extensions><map key="a.b/c"><integer key="d">x</integer></map></extensions>'
    )
    with pytest.raises(XmlFormError) as refused:
        read_document("transfer.status", parse_strict(xml_of("transfer.status", inside)))
    assert refused.value.path == "/extensions/a.b~1c/d"


def test_pointers_of_elements_are_those_of_the_json_value() -> None:
    """Lists count, singular elements do not show, a body's element is the body."""
    raw = xml_of(
        "envelope",
        "<messages><message/><message><body><transfer.proposal><blocks><block/><block><quantity/>"
        "</block></blocks></transfer.proposal></body></message></messages>",
    )
    root = parse_strict(raw)
    pointers = [pointer_of(element, root) for element in root.iter(etree.Element)]
    plain = [re.sub(r"^$", "(all)", pointer) for pointer in pointers]
    body = "/messages/1/body"
    assert plain == [
        "(all)",
        "/messages",
        "/messages/0",
        "/messages/1",
        body,
        body,
        f"{body}/blocks",
        f"{body}/blocks/0",
        f"{body}/blocks/1",
        f"{body}/blocks/1/quantity",
    ]
    assert root.tag == f"{{{NAMESPACE}}}envelope"
