"""The XML Schemas: made from the JSON Schemas, and of one mind with them."""

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from docs.generate_xml_schemas import documents
from docs.xml_patterns import xsd_pattern
from message_schemas import examples, schema_files, xml_codec, xml_schema_files
from message_schemas.blocks import IdentifierInconsistentError
from message_schemas.json_codec import UnknownTypeError
from message_schemas.strict_xml import XmlRefusedError, parse_strict
from message_schemas.validation import schema_errors
from message_schemas.xml_forms import NAMESPACE, XSI
from message_schemas.xml_limits import UNSAID
from message_schemas.xml_validation import xml_schema_errors
from tests.message_schemas.test_validation import mutated
from tests.message_schemas.xml_forgeries import forged, xml_of
from tests.tools import needs_xmllint

FOLDER = Path(__file__).parents[2] / "message_schemas/xml/v1"
TYPES = [name for name in schema_files.DOCUMENTS if name != "common"]
# Not even XML itself can say these; no schema is asked.
UNWRITABLE = {("administrator.note", "bell_character")}
UNSAID_EXAMPLES = {example for unsaid in UNSAID for example in unsaid.examples}
thorough = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=40)


def test_the_schema_files_are_what_the_generator_makes() -> None:
    """`python -m docs.generate_xml_schemas` would change nothing."""
    made = documents()
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="ascii") == text, name


def test_there_is_one_xml_schema_for_every_json_schema_and_one_for_all() -> None:
    """No type is left out of the XML binding."""
    assert set(xml_schema_files.TEXTS) == {*schema_files.DOCUMENTS, xml_schema_files.ALL}
    everything = xml_schema_files.TEXTS[xml_schema_files.ALL].decode()
    for name in TYPES:
        assert f'schemaLocation="{name}.xsd"' in everything


@pytest.mark.parametrize("name", ["common", "transfer.gift"])
def test_a_schema_that_is_not_there_is_named(name: str) -> None:
    """Never silence."""
    with pytest.raises(UnknownTypeError, match=name):
        xml_schema_errors(name, etree.fromstring("<a/>"))


@pytest.mark.parametrize(
    "example", examples.VALID, ids=lambda example: f"{example.type}.{example.name}"
)
def test_every_valid_example_satisfies_its_xml_schema(example: examples.Example) -> None:
    """Under its own schema and under the one that looks into bodies."""
    element = parse_strict(xml_codec.encode_document(example.type, example.document))
    assert xml_schema_errors(example.type, element) == ()
    assert xml_schema_errors(xml_schema_files.ALL, element) == ()


def xmllint(schema: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run xmllint on documents."""
    command = ["xmllint", "--noout", "--nonet", "--schema", str(FOLDER / schema)]
    return subprocess.run(
        [*command, *map(str, paths)], check=False, capture_output=True, text=True, timeout=60
    )


@needs_xmllint
def test_xmllint_accepts_every_valid_example(tmp_path: Path) -> None:
    """An independent tool reads our schemas from their files and our documents against them."""
    paths: dict[str, list[Path]] = {}
    for example in examples.VALID:
        path = tmp_path / f"{example.type}.{example.name}.xml"
        path.write_bytes(xml_codec.encode_document(example.type, example.document))
        paths.setdefault(example.type, []).append(path)
    for type_, found in paths.items():
        done = xmllint(f"{type_}.xsd", *found)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("validates") == len(found)
    everything = [path for found in paths.values() for path in found]
    done = xmllint(f"{xml_schema_files.ALL}.xsd", *everything)
    assert done.returncode == 0, done.stderr


@needs_xmllint
def test_xmllint_refuses_what_lxml_refuses(tmp_path: Path) -> None:
    """The invalid examples, each judged alike by both."""
    refused = []
    for example in examples.INVALID:
        if (example.type, example.name) in UNWRITABLE | UNSAID_EXAMPLES:
            continue
        if example.refused_by == "schema":
            path = tmp_path / f"{example.type}.{example.name}.xml"
            path.write_bytes(forged(example.type, example.document))
            refused.append(path)
    done = xmllint(f"{xml_schema_files.ALL}.xsd", *refused)
    assert done.returncode != 0
    assert done.stderr.count("fails to validate") == len(refused)


@pytest.mark.parametrize(
    "example", examples.INVALID, ids=lambda example: f"{example.type}.{example.name}"
)
def test_every_invalid_example_is_refused_or_listed(example: examples.InvalidExample) -> None:
    """The list of what XML Schema 1.0 cannot say is neither too short nor too long."""
    name = (example.type, example.name)
    if name in UNWRITABLE:
        with pytest.raises(ValueError, match="XML compatible"):
            forged(example.type, example.document)
        return
    element = parse_strict(forged(example.type, example.document))
    assert bool(xml_schema_errors(example.type, element)) == (name not in UNSAID_EXAMPLES)


@pytest.mark.parametrize("unsaid", UNSAID, ids=lambda unsaid: unsaid.rule[:40])
def test_what_the_xml_schemas_cannot_say_is_refused_in_reading(unsaid: Any) -> None:
    """By the form, by the JSON Schema or by decoding; or it means the same in XML."""
    for type_, name in unsaid.examples:
        (example,) = (e for e in examples.INVALID if (e.type, e.name) == (type_, name))
        element = parse_strict(forged(type_, example.document))
        if unsaid.same_in_xml:
            xml_codec.decode(type_, element)
            continue
        with pytest.raises((xml_codec.XmlFormError, IdentifierInconsistentError)):
            xml_codec.decode(type_, element)


@pytest.mark.parametrize("type_", TYPES)
@thorough
@given(data=st.data())
def test_what_an_xml_schema_refuses_does_not_get_through(type_: str, data: st.DataObject) -> None:
    """Reading with the JSON Schema is never more lenient than the XML Schema."""
    example = data.draw(st.sampled_from([e for e in examples.VALID if e.type == type_]))
    document = data.draw(mutated(example.document))
    try:
        element = parse_strict(forged(type_, document))
    except ValueError:
        return  # a character or a name that XML does not have
    errors = xml_schema_errors(type_, element)
    try:
        found = xml_codec.read_document(type_, element)
    except xml_codec.XmlFormError:
        return
    passes = not found.body_faults and not schema_errors(type_, 1, found.document)
    assert not (errors and passes), (document, errors)


@pytest.mark.parametrize("type_", TYPES)
@thorough
@given(data=st.data())
def test_the_xml_schema_says_all_that_it_can(type_: str, data: st.DataObject) -> None:
    """Where it accepts what the JSON Schema refuses, the rule is one of those it cannot say."""
    example = data.draw(st.sampled_from([e for e in examples.VALID if e.type == type_]))
    document = data.draw(mutated(copy.deepcopy(example.document)))
    try:
        element = parse_strict(forged(type_, document))
        found = xml_codec.read_document(type_, element)
    except ValueError:
        return
    if found.body_faults or xml_schema_errors(type_, element):
        return
    for error in schema_errors(type_, 1, found.document):
        assert (type_, error.keyword) in {
            ("a64.issuance_notice", "required"),
            ("a64.issuance_notice", "not"),
            ("transfer.acknowledgement", "minItems"),
            ("transfer.acknowledgement", "maxItems"),
            ("transfer.recognition", "minItems"),
            ("transfer.recognition", "maxItems"),
        }, (document, error)


# --- single rules ------------------------------------------------------------------------------

STATUS = "<transfer_id>THA01-1</transfer_id>"


@pytest.mark.parametrize(
    ("type_", "inside", "path"),
    [
        ("transfer.status", STATUS * 2, "/transfer_id"),
        ("transfer.status", f"{STATUS}<colour/>", "/colour"),
        ("transfer.status", "", ""),
        (
            "transfer.status",
            f'{STATUS}<extensions><null key="a/b"/><null key="a/b"/></extensions>',
            "/extensions/a~1b",
        ),
        (
            "transfer.status",
            f'{STATUS}<extensions><map key="a/b"><null key="c"/><null key="c"/></map></extensions>',
            "/extensions/a~1b/c",
        ),
        ("transfer.status", f"{STATUS}<extensions/>", "/extensions"),
        (
            "transfer.status",
            f'{STATUS}<extensions><integer key="a/b">01</integer></extensions>',
            "/extensions/a~1b",
        ),
        (
            "transfer.status",
            f'{STATUS}<extensions><array key="a/b"><array><array><array><array/></array></array>'
            "</array></array></extensions>",
            "/extensions/a~1b/0/0/0/0",
        ),
        ("transfer.status", f'<transfer_id xsi:nil="true"/>{STATUS}', "/transfer_id"),
        ("transfer.proposal", "<transfer_id>THA01-1</transfer_id><action/>", "/action"),
    ],
)
def test_errors_name_their_place_as_a_json_pointer(type_: str, inside: str, path: str) -> None:
    """The same words for a place in both bindings, without the namespace in every name."""
    errors = xml_schema_errors(type_, parse_strict(xml_of(type_, inside)))
    assert path in {error.path for error in errors}
    assert not any(NAMESPACE in error.text for error in errors)


def test_a_body_is_judged_where_it_stands() -> None:
    """A part of a document is validated by itself, with pointers from itself on."""
    envelope = examples.valid("envelope", "full")
    raw = xml_codec.encode_document("envelope", envelope)
    root = parse_strict(raw)
    for message, body in zip(
        envelope["messages"], root.iterfind(f".//{{{NAMESPACE}}}body"), strict=True
    ):
        assert xml_schema_errors(message["type"], body[0]) == ()
        etree.SubElement(body[0], f"{{{NAMESPACE}}}colour")
        (error,) = xml_schema_errors(message["type"], body[0])
        assert error.path == "/colour"
    assert xml_schema_errors("envelope", root) == ()
    assert xml_schema_errors(xml_schema_files.ALL, root)


def test_an_envelopes_own_schema_leaves_the_bodies_alone() -> None:
    """One bad message does not refuse its neighbours; the schema of all sees it."""
    (message, *_) = examples.valid("envelope")["messages"]
    for written in (
        "<extensions/>",
        "<map><what/></map>",
        "<transfer.status><x/></transfer.status>",
    ):
        envelope = {**examples.valid("envelope"), "messages": [{**message, "body": {}}]}
        raw = xml_codec.encode_document("envelope", envelope)
        element = parse_strict(
            raw.replace(
                b"<map></map>", f"<transfer.proposal>{written}</transfer.proposal>".encode()
            )
        )
        assert element.find(f".//{{{NAMESPACE}}}transfer.proposal") is not None
        assert xml_schema_errors("envelope", element) == ()
        assert xml_schema_errors(xml_schema_files.ALL, element)
    generic = parse_strict(raw.replace(b"<map></map>", b"<map><what/></map>"))
    assert xml_schema_errors("envelope", generic) == ()
    assert xml_schema_errors(xml_schema_files.ALL, generic)


def test_signed_payloads_have_a_place_for_their_signature() -> None:
    """At the end of an envelope, a receipt and a delivery, and in no message."""
    signature = etree.Element("{http://www.w3.org/2000/09/xmldsig#}Signature")
    for type_ in TYPES:
        element = parse_strict(xml_codec.encode_document(type_, examples.valid(type_)))
        element.append(copy.deepcopy(signature))
        accepted = not xml_schema_errors(type_, element)
        assert accepted == (type_ in schema_files.PAYLOADS), type_
        with pytest.raises(xml_codec.XmlFormError, match="verify it"):
            xml_codec.read_document(type_, element)


def test_a_document_cannot_choose_its_own_schema(tmp_path: Path) -> None:
    """A validator would load what ``xsi:schemaLocation`` names; it is not let near it."""
    raw = xml_codec.encode_document("transfer.status", examples.valid("transfer.status"))
    located = raw.replace(
        b">", f' xmlns:x="{XSI}" x:schemaLocation="urn:x {tmp_path.as_uri()}/x.xsd">'.encode(), 1
    )
    with pytest.raises(XmlRefusedError, match="an attribute"):
        xml_schema_errors("transfer.status", etree.fromstring(located))


def test_long_lists_are_validated_in_good_time() -> None:
    """A thousand blocks are allowed, one more is not, and both are said quickly."""
    document = examples.valid("transfer.proposal", "full")
    for count, accepted in ((1000, True), (1001, False)):
        many = {**document, "blocks": (document["blocks"] * 1001)[:count]}
        element = parse_strict(xml_codec.encode_document("transfer.proposal", many))
        assert (not xml_schema_errors("transfer.proposal", element)) == accepted


@pytest.mark.parametrize(
    ("ecma", "xsd"),
    [
        ("^[A-Z]{3}$", "[A-Z]{3}"),
        ("^XMR01-", "XMR01-.*"),
        (r"^[^\x00-\x1f\x7f-\x9f\ufffe\uffff]*$", "[^\\t\\n\\r\x7f-\x9f]*"),
        (r"^[\x20-\x7e\t\r\n]+$", r"[\t\n\r -~]+"),
        (r"^[a-z0-9_]+(\.[a-z0-9_]+)+$", r"[0-9_a-z]+(\.[0-9_a-z]+)+"),
        (r"^[a\]\\^-]$", r"[\-\\\]\^a]"),
    ],
)
def test_patterns_are_translated(ecma: str, xsd: str) -> None:
    """Anchors go, classes become ranges of the characters that XML has."""
    assert xsd_pattern(ecma) == xsd
