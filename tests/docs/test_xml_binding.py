"""xml-binding.md: in step with the code, and every example in it says the same twice."""

import json
from itertools import pairwise

import pytest
from lxml import etree

from docs.generate_xml_binding import PARTS, rendered
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import MEDIA_TYPES
from message_schemas import examples, schema_files
from message_schemas.strict_xml import parse_strict
from message_schemas.xml_codec import read_document
from message_schemas.xml_forms import NAMESPACE
from message_schemas.xml_validation import xml_schema_errors
from tests.docs.documents import CodeBlock, blocks_of, text_of

NAME = "xml-binding.md"
TYPES = [name for name in schema_files.DOCUMENTS if name != "common"]


def block(language: str, type_: str) -> CodeBlock:
    """Return the one block of a language that shows a type."""
    (found,) = (one for one in blocks_of(NAME, language) if one.words == (type_,))
    return found


def test_generated_parts_are_what_the_code_says() -> None:
    """`python -m docs.generate_xml_binding` would change nothing."""
    assert rendered(text_of(NAME)) == text_of(NAME)


def test_every_generated_part_has_its_place() -> None:
    """No table is made in vain, and none stands twice."""
    for part in PARTS:
        assert text_of(NAME).count(f"<!-- generated: {part} -->") == 1, part
        assert text_of(NAME).count(f"<!-- end: {part} -->") == 1, part


@pytest.mark.parametrize("type_", TYPES)
def test_each_type_is_shown_in_both_bindings(type_: str) -> None:
    """What stands under XML is read as what stands under JSON, and satisfies its XML Schema."""
    shown = json.loads(block("json", type_).text)
    element = parse_strict(block("xml", type_).text.encode("utf-8"))
    assert xml_schema_errors(type_, element) == ()
    found = read_document(type_, element)
    assert found.document == shown == examples.valid(type_, "full")
    assert not found.body_faults


def test_types_stand_in_an_order_to_be_read_in() -> None:
    """The XML of a type directly before its JSON."""
    starts = [text_of(NAME).index(f"```xml {type_}\n") for type_ in TYPES]
    ends = [text_of(NAME).index(f"```json {type_}\n") for type_ in TYPES]
    places = sorted([*starts, *ends])
    assert all((place in starts) != (after in starts) for place, after in pairwise(places))


def test_the_document_claims_no_more_than_there_is() -> None:
    """Codes and media types in the rules stand for what they say."""
    for code in ("MEDIA_TYPE_NOT_SUPPORTED", "ENVELOPE_ID_REUSED", "BINDING_NOT_AVAILABLE"):
        assert f"`{int(ResponseCode[code])}`" in text_of(NAME)
    for media_type in MEDIA_TYPES.values():
        assert f"`{media_type}`" in text_of(NAME)
    assert NAMESPACE in text_of(NAME)
    for attribute in ("key", "escaped", "escaped_key", "xsi:nil"):
        assert f"`{attribute}" in text_of(NAME)


def test_the_table_of_generic_values_is_true() -> None:
    """Each row's XML says each row's JSON."""
    rows = {
        '"key": "text"': '<string key="key">text</string>',
        '"key": 12': '<integer key="key">12</integer>',
        '"key": true': '<boolean key="key">true</boolean>',
        '"key": null': '<null key="key"/>',
    }
    for as_json, as_xml in rows.items():
        assert f"| `{as_json}` | `{as_xml}` |" in text_of(NAME)
        extensions = as_xml.replace('"key"', '"a.b/c"')
        raw = (
            f'<transfer.status xmlns="{NAMESPACE}"><transfer_id>THA01-1</transfer_id>'
            f"<extensions>{extensions}</extensions></transfer.status>"
        )
        found = read_document("transfer.status", etree.fromstring(raw)).document
        assert found["extensions"] == json.loads("{" + as_json.replace('"key"', '"a.b/c"') + "}")
