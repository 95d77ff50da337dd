"""Changed on the level of XML, a document is judged alike: reading is never the laxer judge."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from message_schemas import examples, schema_files, xml_codec
from message_schemas.strict_xml import XmlRefusedError, parse_strict
from message_schemas.validation import schema_errors
from message_schemas.xml_forms import NAMESPACE, XSI
from message_schemas.xml_validation import xml_schema_errors

TYPES = [name for name in schema_files.DOCUMENTS if name != "common"]
NAMES = ["colour", "block", "blocks", "map", "string", "array", "body", "transfer.status", "item"]
TEXTS = ["", " ", "x", "1", " 1", "01", "true", "2026-02-30", "CHE", "\u00a0", "\\u0000", "e30="]
ATTRIBUTES = [
    ("key", "a"),
    ("key", "a/b"),
    ("escaped", "true"),
    ("escaped_key", "true"),
    (f"{{{XSI}}}nil", "true"),
    (f"{{{XSI}}}nil", "false"),
]
thorough = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)


def change(element: etree._Element, draw: Any) -> None:
    """Do one thing to an element that is not the root."""
    parent = element.getparent()
    assert parent is not None
    match draw(st.sampled_from(["twice", "away", "rename", "text", "tail", "attribute", "move"])):
        case "twice":
            element.addnext(copy.deepcopy(element))
        case "away":
            parent.remove(element)
        case "rename":
            namespace = draw(st.sampled_from([NAMESPACE, NAMESPACE, "urn:x"]))
            element.tag = f"{{{namespace}}}{draw(st.sampled_from(NAMES))}"
        case "text":
            element.text = draw(st.sampled_from(TEXTS))
        case "tail":
            element.tail = draw(st.sampled_from(TEXTS))
        case "attribute":
            element.set(*draw(st.sampled_from(ATTRIBUTES)))
        case _:
            parent.insert(0, element)


@pytest.mark.parametrize("type_", TYPES)
@thorough
@given(data=st.data())
def test_reading_refuses_whatever_the_xml_schema_refuses(type_: str, data: st.DataObject) -> None:
    """And nothing but the errors promised comes out of either."""
    example = data.draw(st.sampled_from([e for e in examples.VALID if e.type == type_]))
    root = parse_strict(xml_codec.encode_document(type_, example.document))
    for _ in range(data.draw(st.integers(1, 2))):
        inner = list(root.iterdescendants())
        if inner:
            change(data.draw(st.sampled_from(inner)), data.draw)
    try:
        root = parse_strict(etree.tostring(root))
        errors = xml_schema_errors(type_, root)
        found = xml_codec.read_document(type_, root)
    except (XmlRefusedError, xml_codec.XmlFormError):
        return
    accepted = not found.body_faults and not schema_errors(type_, 1, found.document)
    assert not (errors and accepted), (etree.tostring(root), errors)
