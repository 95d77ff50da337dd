"""Reading XML without schemas gives the JSON value that the sender meant."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docs import generate_evidence_names
from hub.evidence.archives import RefutedError
from hub.evidence.xml_documents import read_xml
from hub.evidence.xml_values import EXCHANGE_NAMESPACE, read_value
from message_schemas import examples, xml_codec, xml_forms
from message_schemas.envelopes import ENVELOPE_TYP
from tests.message_schemas import strategies

thorough = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=25)


def read(type_: str, document: dict[str, Any]) -> Any:
    """Return what the verifier reads in the XML of a value."""
    return read_value(read_xml(xml_codec.encode_document(type_, document)))


def plain(value: Any) -> str:
    """Return a value as text, in which 1 is not True."""
    return json.dumps(value, sort_keys=True)


def test_the_table_of_names_is_what_the_generator_makes() -> None:
    """`python -m docs.generate_evidence_names` would change nothing."""
    made, found = generate_evidence_names.document(), generate_evidence_names.FILE
    assert found.read_text(encoding="ascii") == made


def test_no_name_means_two_things_in_one_place() -> None:
    """A name may be a number here and a text there; the holder's name must tell which.

    Items of a list may be objects here and texts there: in an object there are elements, always.
    """
    for name, places in generate_evidence_names.meanings().items():
        holders: dict[str, set[str]] = {}
        for table, holder in places:
            holders.setdefault(holder, set()).add(table)
        for tables in holders.values():
            assert len(tables) == 1 or tables == {"OBJECTS", ""}, name


def test_the_namespace_is_the_bindings() -> None:
    """The verifier imports nothing of the codec; the name is written twice."""
    assert EXCHANGE_NAMESPACE == xml_forms.NAMESPACE
    assert ENVELOPE_TYP == "itmo-envelope+jws"


@pytest.mark.parametrize(
    "example", examples.VALID, ids=lambda example: f"{example.type}.{example.name}"
)
def test_every_valid_example_is_read_as_its_json(example: examples.Example) -> None:
    """Numbers, booleans, lists, empty lists, nulls, exact bytes, generic values."""
    assert plain(read(example.type, example.document)) == plain(example.document)


@pytest.mark.parametrize("type_", sorted(xml_forms.FORMS))
@thorough
@given(data=st.data())
def test_whatever_a_schema_allows_is_read_as_its_json(type_: str, data: st.DataObject) -> None:
    """For every type, values drawn from its schema."""
    document = data.draw(strategies.documents(type_))
    assert plain(read(type_, document)) == plain(document)


def body_of(written: str) -> Any:
    """Return the body that an envelope with this XML body is read to have."""
    raw = (
        f'<envelope xmlns="{EXCHANGE_NAMESPACE}"><messages><message>'
        f"<type>transfer.status</type><version>1</version><body>{written}</body>"
        "</message></messages></envelope>"
    )
    return read_value(read_xml(raw.encode()))["messages"][0]["body"]


@pytest.mark.parametrize(
    "written",
    [
        "",
        "words",
        "<transfer.status/><transfer.status/>",
        "<transfer.proposal/>",
        "<transfer.status>words<transfer_id/></transfer.status>",
        "<transfer.status><transfer_id/><transfer_id/></transfer.status>",
        "<transfer.status><transfer_id xmlns='urn:x'/></transfer.status>",
        "<transfer.status><quantity>1.0</quantity></transfer.status>",
        "<transfer.status><sop_exempt>1</sop_exempt></transfer.status>",
        "<transfer.status><blocks><other/></blocks></transfer.status>",
        "<map><string>without a key</string></map>",
        "<map><string key='a'/><string key='a'/></map>",
        "<map><float key='a'>1.5</float></map>",
        "<map><string key='a'><b/></string></map>",
    ],
)
def test_a_body_that_breaks_the_form_is_empty_and_breaks_nothing_else(written: str) -> None:
    """The hub refused that message alone; the others of its envelope are evidence."""
    assert body_of(written) == {}


@pytest.mark.parametrize(
    "raw", [b"<envelope/>words", b"<a:envelope/>", b"", b"{}", b"<envelope><x></envelope></x>"]
)
def test_what_is_no_document_is_refused(raw: bytes) -> None:
    """By our error and no other."""
    with pytest.raises(RefutedError):
        read_xml(raw)
