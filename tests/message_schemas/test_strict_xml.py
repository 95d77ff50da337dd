"""Reading XML: hostile and ambiguous documents end here, the rest come through unharmed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from message_schemas.strict_xml import (
    BYTES_MAX,
    DEPTH_MAX,
    XmlRefusedError,
    parse_strict,
    refuse_surprises,
)
from message_schemas.xml_forms import NAMESPACE, XSI
from tests.message_schemas.xml_forgeries import xml_of

ID = "<transfer_id>THA01-1</transfer_id>"
SIMPLE = xml_of("transfer.status", ID)
BILLION_LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY b "ha">'
    + b"".join(
        b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (n + 1, n, n, n, n) for n in range(ord("b"), ord("y"))
    )
    + b"]><a>&y;</a>"
)
HOSTILE = {
    "entity expansion": (BILLION_LAUGHS, "document type declaration"),
    "external entity": (
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "document type declaration",
    ),
    "external subset": (b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>', "document type"),
    "default attribute": (
        b'<!DOCTYPE a [<!ATTLIST a key CDATA "x">]><a/>',
        "document type declaration",
    ),
    "CDATA section": (b"<a><![CDATA[x]]></a>", "a CDATA section"),
    "entity without a declaration": (b"<a>&nbsp;</a>", "not XML"),
    "comment in a text": (
        xml_of("transfer.status", "<transfer_id>THA01-1<!-- -->2</transfer_id>"),
        "a comment",
    ),
    "comment before the root": (b"<!-- hello --><a/>", "a comment"),
    "comment after the root": (b"<a/><!-- hello -->", "a comment"),
    "processing instruction": (b"<a><?php echo 1 ?></a>", "a processing instruction"),
    "style sheet": (b'<?xml-stylesheet href="http://192.0.2.1/"?><a/>', "a processing instruction"),
    "inclusion": (
        b'<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file:///etc/passwd"/></a>',
        "an attribute that has no meaning here",
    ),
    "a schema to load": (
        f'<a xmlns:x="{XSI}" x:schemaLocation="urn:a file:///etc/passwd"/>'.encode(),
        "an attribute that has no meaning here",
    ),
    "a schema without namespace to load": (
        f'<a xmlns:x="{XSI}" x:noNamespaceSchemaLocation="file:///etc/passwd"/>'.encode(),
        "an attribute that has no meaning here",
    ),
    "a type of its own": (f'<a xmlns:x="{XSI}" x:type="b"/>'.encode(), "an attribute"),
    "an id": (b'<a id="x"/>', "an attribute that has no meaning here"),
    "an xml:id": (b'<a xml:id="x"/>', "an attribute that has no meaning here"),
    "an xml:base": (b'<a xml:base="file:///"/>', "an attribute that has no meaning here"),
    "another null": (b'<a xmlns:x="urn:x" x:nil="true"/>', "an attribute that has no meaning"),
    "an attribute twice": (b'<a key="1" key="2"/>', "not XML"),
    "UTF-16": ('<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"), "not UTF-8"),
    "Latin-1": ('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode("latin-1"), "UTF-8"),
    "Latin-1 by name": (
        b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
        "a declaration that is",
    ),
    "UTF-7 by name": (
        b'<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-',
        "a declaration that is",
    ),
    "XML 1.1": (b'<?xml version="1.1"?><a/>', "a declaration that is not of XML 1.0"),
    "a byte order mark": (b"\xef\xbb\xbf<a/>", "a byte order mark"),
    "two declarations": (b'<?xml version="1.0"?><?xml version="1.0"?><a/>', "a declaration"),
    "a character of XML 1.1": (b"<a>&#1;</a>", "not XML"),
    "a character of no XML": (b"<a>\x00</a>", "not XML"),
    "two roots": (b"<a/><b/>", "not XML"),
    "nothing": (b"", "not XML"),
    "JSON": (b'{"a": 1}', "not XML"),
    "half a document": (SIMPLE[:-5], "not XML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_documents_that_could_deceive_are_refused(name: str) -> None:
    """Each known trick ends in the one error, with words that say what was wrong."""
    raw, reason = HOSTILE[name]
    with pytest.raises(XmlRefusedError, match=reason):
        parse_strict(raw)


def test_an_entity_reads_no_file(tmp_path: Path) -> None:
    """Neither a declaration nor a schema location makes the reader open a file."""
    secret = tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    for raw in (
        f'<!DOCTYPE a [<!ENTITY b SYSTEM "{secret.as_uri()}">]><a>&b;</a>',
        f'<a xmlns:x="{XSI}" x:schemaLocation="{NAMESPACE} {secret.as_uri()}"/>',
    ):
        with pytest.raises(XmlRefusedError) as refused:
            parse_strict(raw.encode())
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    [
        SIMPLE,
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + SIMPLE,
        b"<?xml version='1.0' encoding='utf-8'?>" + SIMPLE,
        SIMPLE.replace(b"THA01-1", b"&#84;HA01&#x2d;1"),
        SIMPLE.replace(b"><", b">\r\n  <"),
        f'<x:transfer.status xmlns:x="{NAMESPACE}"><x:transfer_id>THA01-1</x:transfer_id>'
        "</x:transfer.status>".encode(),
    ],
)
def test_one_meaning_may_be_written_as_xml_tools_write_it(raw: bytes) -> None:
    """Declarations, character references, layout, prefixes."""
    root = parse_strict(raw)
    assert root.findtext(f"{{{NAMESPACE}}}transfer_id") == "THA01-1"


def test_white_space_in_texts_is_kept() -> None:
    """Only the line ends that XML itself unifies become one; a reference stays a return."""
    raw = xml_of("a", "<b> a\t b\r\nc&#13;&#10; </b>")
    assert parse_strict(raw)[0].text == " a\t b\nc\r\n "


def test_depth_and_length_are_limited() -> None:
    """At the limit a document is read, one further it is not."""
    for depth, limit in ((DEPTH_MAX, DEPTH_MAX), (5, 5)):
        raw = b"<a>" * depth + b"</a>" * depth
        parse_strict(raw, depth_max=limit)
        with pytest.raises(XmlRefusedError, match=f"deeper than {limit}"):
            parse_strict(b"<a>" + raw + b"</a>", depth_max=limit)
    parse_strict(SIMPLE, bytes_max=len(SIMPLE))
    with pytest.raises(XmlRefusedError, match="at most"):
        parse_strict(SIMPLE, bytes_max=len(SIMPLE) - 1)


def test_a_very_deep_or_long_document_is_refused_quickly() -> None:
    """Neither the stack nor the memory is a sender's to fill."""
    with pytest.raises(XmlRefusedError):
        parse_strict(b"<a>" * 100_000)
    with pytest.raises(XmlRefusedError, match="at most"):
        parse_strict(b"<a>" + b"x" * BYTES_MAX + b"</a>")


def test_a_refusal_names_the_line() -> None:
    """Whoever wrote the document finds the place."""
    for raw in (
        b"<a>\n\n<!-- x --></a>",
        b"<a>\n\n<b></a>",
        b"<a>\n\n\xff</a>",
        b"\n\n<!DOCTYPE a>",
    ):
        with pytest.raises(XmlRefusedError, match="line 3") as refused:
            parse_strict(raw)
        assert refused.value.line == 3


def test_trees_from_elsewhere_are_looked_through_too() -> None:
    """What another parser left in a tree is refused as if we had parsed it."""
    root = etree.fromstring(b"<a><b>THA01-1<!-- -->2</b></a>")
    with pytest.raises(XmlRefusedError, match="a comment"):
        refuse_surprises(root[0])
    refuse_surprises(etree.fromstring(SIMPLE))


@given(raw=st.binary(max_size=200))
def test_whatever_the_bytes_are_the_answer_is_a_root_or_the_one_error(raw: bytes) -> None:
    """No other exception leaves the reader."""
    try:
        root = parse_strict(raw)
    except XmlRefusedError:
        return
    assert isinstance(root, etree._Element)


@given(data=st.data())
def test_damaged_documents_are_a_root_or_the_one_error(data: st.DataObject) -> None:
    """The same near a document that was right."""
    raw = bytearray(SIMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + 1] = data.draw(
            st.sampled_from(
                [b"", b"<", b">", b"&", b'"', b"\x00", b"\xff", b"<!--", b"<?x?>", b"\n"]
            )
        )
    try:
        parse_strict(bytes(raw))
    except XmlRefusedError:
        return
