"""XML from strangers: what is not elements, attributes and text never reaches a reader."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import MalformedXmlError, XmlFault
from keys.xml_reading import (
    XmlLimits,
    canonical_bytes,
    canonical_part,
    read_canonical,
    read_xml,
)

BILLION_LAUGHS = b"""<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><r>&c;</r>"""
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\r\n<>&\"'"),
    max_size=20,
)


def refused(raw: bytes, fault: XmlFault, limits: XmlLimits | None = None) -> str:
    """Read, demand that it is refused for this fault, and return the detail."""
    with pytest.raises(MalformedXmlError) as caught:
        read_xml(raw, limits or XmlLimits())
    assert caught.value.reason == fault.value
    return caught.value.detail


@pytest.mark.parametrize(
    "raw",
    [
        b"<r/>",
        b'<?xml version="1.0"?><r/>',
        b'<?xml version="1.0" encoding="UTF-8"?>\n<r/>\n',
        b"<?xml version='1.0' encoding='utf-8' standalone='yes' ?><r/>",
        b'\n<r a = "1"\n>&lt;&amp;&gt;&quot;&apos;&#233;&#xE9;</r>',
    ],
)
def test_plain_documents_are_read(raw: bytes) -> None:
    """With or without a declaration, the five entities and character references."""
    assert read_xml(raw).tag == "r"


@pytest.mark.parametrize(
    "raw",
    [
        b"<!DOCTYPE r><r/>",
        b'<?xml version="1.0"?><!DOCTYPE r SYSTEM "http://127.0.0.1:9/r.dtd"><r/>',
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r>&x;</r>',
        b'<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><r/>',
        b'<!DOCTYPE r [<!ATTLIST r a CDATA "default">]><r/>',
        BILLION_LAUGHS,
        b"<r>10<!-- -->00</r>",
        b"<!-- before --><r/>",
        b"<r/><!-- behind -->",
        b"<r><![CDATA[<x/>]]></r>",
        b"<r><?php echo 1 ?></r>",
        b'<?xml-stylesheet href="x.xsl"?><r/>',
        b'<?xml version="1.0"?><?xml version="1.0"?><r/>',
        b'<?xml version="1.1"?><r/>',
        b'<?xml version="1.0" encoding="ISO-8859-1"?><r/>',
        b'<?xml version="1.0" encoding="UTF-7"?><r/>',
        b'\n<?xml version="1.0"?><r/>',
        b'<r><?xml version="1.0"?></r>',
    ],
)
def test_everything_but_elements_attributes_and_text_is_refused(raw: bytes) -> None:
    """No document type or entity, comment, CDATA, instruction, other version or encoding."""
    assert "only elements, attributes and text" in refused(raw, XmlFault.MARKUP_NOT_ALLOWED)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf<r/>",
        "<r/>".encode("utf-16"),
        "<r>é</r>".encode("latin-1"),
        b"<r>\xc0\xbc</r>",
        b"<r>\xed\xa0\x80</r>",
    ],
)
def test_only_plain_utf8_is_read(raw: bytes) -> None:
    """No byte order mark, no other encoding, no overlong form, no surrogate."""
    refused(raw, XmlFault.NOT_UTF8)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"text",
        b"<r>",
        b"<r/><r/>",
        b"<r></s>",
        b"<r>&undefined;</r>",
        b'<r a="&undefined;"/>',
        b"<r>&#0;</r>",
        b"<r>\x00</r>",
        b"<r>\x01</r>",
        b'<r a="1" a="2"/>',
        b'<r xmlns:p="urn:u" xmlns:q="urn:u" p:a="1" q:a="2"/>',
        b"<p:r/>",
        b'<r a="<"/>',
        b"<r a=1/>",
        "<r>\ufffe</r>".encode(),
        '<?xml version="1.0"?><!DOCTYPE r><r/>'.encode("utf-16-le"),
        "<r/>".encode("utf-32-be"),
    ],
)
def test_nothing_is_repaired_that_is_not_well_formed(raw: bytes) -> None:
    """Also an undeclared prefix, an attribute twice by two prefixes, zero bytes of UTF-16."""
    refused(raw, XmlFault.NOT_WELL_FORMED)


def test_a_document_is_measured_before_it_is_parsed() -> None:
    """One byte over the limit is refused, whatever the bytes are."""
    limits = XmlLimits(document_bytes_max=10)
    assert read_xml(b"<r>234</r>", limits).text == "234"
    refused(b"<r>2345</r>", XmlFault.TOO_LARGE, limits)
    refused(b"\xff" * 11, XmlFault.TOO_LARGE, limits)


def test_depth_is_limited_by_us_and_far_above_by_the_parser() -> None:
    """The limit is inclusive; the parser itself stops long before a stack could overflow."""
    limits = XmlLimits(depth_max=5)
    assert read_xml(b"<a>" * 5 + b"</a>" * 5, limits).tag == "a"
    refused(b"<a>" * 6 + b"</a>" * 6, XmlFault.TOO_DEEP, limits)
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    assert "depth" in refused(deep, XmlFault.NOT_WELL_FORMED)


def test_attributes_are_limited_on_every_element() -> None:
    """The limit is inclusive and counts for each element alone."""
    limits = XmlLimits(attribute_count_max=2)
    assert len(read_xml(b'<r a="" b=""><s a="" b=""/></r>', limits)) == 1
    refused(b'<r><s/><s a="" b="" c=""/></r>', XmlFault.ATTRIBUTE_COUNT, limits)


def test_a_text_may_say_xmlns_as_often_as_it_likes() -> None:
    """Only declarations count: not the word in texts, nor in values, with any quotes around."""
    limits = XmlLimits(namespace_count_max=2)
    for said in (
        b"<r>" + b" xmlns xmlns='x'" * 9 + b"</r>",
        b'<r a="xmlns > xmlns=\'q\' xmlns xmlns" b=\'"xmlns"xmlns\'>a="</r>',
        b"<r xmlns=\"u\"><x xmlns='v'/>" + b'"xmlns" > ' * 9 + b"</r>",
    ):
        assert read_xml(said, limits) is not None
    for said in (
        b"<r xmlns='a'>xmlns<x xmlns='b'/><x xmlns='c'/></r>",
        b"<r a='>' xmlns='a' b=\"'\" xmlns:b='b' c='\"' xmlns:c='c'/>",
    ):
        refused(said, XmlFault.NAMESPACE_COUNT, limits)


def test_namespace_declarations_are_limited() -> None:
    """In the whole document, so that no element can be in scope of thousands."""
    limits = XmlLimits(namespace_count_max=2)
    assert read_xml(b'<r xmlns="urn:a" xmlns:b="urn:b"/>', limits).prefix is None
    raw = b'<r xmlns="urn:a"><b xmlns="urn:b"/><b xmlns="urn:b"/></r>'
    refused(raw, XmlFault.NAMESPACE_COUNT, limits)


@pytest.mark.parametrize(
    "raw",
    [
        b"<r " + b" ".join(b'a%d=""' % n for n in range(90_000)) + b"/>",
        b'<r xmlns:a="urn:' + b"u" * 500_000 + b'">' + b"<a:x/>" * 80_000 + b"</r>",
        b"<r" + b"".join(b' xmlns:n%d="urn:%d"' % (n, n) for n in range(40_000)) + b"/>",
        b"<r" + b"".join(b' xmlns:n%d="urn:%d"' % (n, n) for n in range(9)) + b"><n8:x/>" * 90_000,
        BILLION_LAUGHS,
    ],
    ids=["attributes", "long-namespace", "namespaces", "unclosed", "entities"],
)
def test_no_document_of_a_megabyte_costs_a_second(raw: bytes) -> None:
    """What would take a minute, or gigabytes, to write canonically is refused at once."""
    assert len(raw) <= 1024 * 1024
    before = time.process_time()
    with pytest.raises(MalformedXmlError):
        canonical_bytes(read_xml(raw))
    assert time.process_time() - before < 1


def test_a_canonical_form_that_grows_too_large_is_not_written() -> None:
    """A namespace name that each of many elements repeats ends the writing at the limit."""
    raw = b'<r xmlns:a="urn:' + b"u" * 300 + b'">' + b"<a:x/>" * 100 + b"</r>"
    assert len(canonical_bytes(read_xml(raw))) > 30_000
    limits = XmlLimits(document_bytes_max=len(raw))
    with pytest.raises(MalformedXmlError) as caught:
        canonical_bytes(read_xml(raw, limits), limits)
    assert caught.value.reason == XmlFault.TOO_LARGE


def test_a_relative_namespace_has_no_canonical_form() -> None:
    """XML lets it pass; Canonical XML does not, and that is the sender's fault, not ours."""
    root = read_xml(b'<r xmlns="relative"/>')
    for canonicalise in (canonical_bytes, canonical_part):
        with pytest.raises(MalformedXmlError) as caught:
            canonicalise(root)
        assert caught.value.reason == XmlFault.NOT_WELL_FORMED


def test_nothing_is_fetched_and_no_file_is_read(tmp_path: Path) -> None:
    """Whatever a document names: schema locations and inclusions stay what they are, text."""
    secret = tmp_path / "secret"
    secret.write_text("secret", encoding="ascii")
    raw = (
        f'<r xmlns:xi="http://www.w3.org/2001/XInclude" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="urn:x {secret.as_uri()}">'
        f'<xi:include href="{secret.as_uri()}" parse="text"/></r>'
    ).encode()
    assert b">secret<" not in canonical_bytes(read_xml(raw))


def test_exclusive_canonical_form_is_as_the_recommendation_says() -> None:
    """Attributes sorted, unused namespaces left out, empty tags opened, line ends one."""
    raw = (
        b'<?xml version="1.0"?>\r\n<n1:r z="&#9;1"  xmlns:n0="urn:0" xmlns:n1="urn:1" a=\'"\' >\r\n'
        b"<n0:e/><e  xmlns=''/>&#13;&gt;</n1:r >\r\n"
    )
    assert canonical_bytes(read_xml(raw)) == (
        b'<n1:r xmlns:n1="urn:1" a="&quot;" z="&#x9;1">\n'
        b'<n0:e xmlns:n0="urn:0"></n0:e><e></e>&#xD;&gt;</n1:r>'
    )


def test_the_canonical_form_of_a_part_takes_its_namespaces_along_and_nothing_else() -> None:
    """Declared far above, used below; no text behind the element, no xml:lang from above."""
    raw = b'<p:r xmlns:p="urn:p" xmlns:q="urn:q" xml:lang="fr"><p:s><q:t/></p:s>tail</p:r>'
    part = canonical_part(read_xml(raw)[0])
    assert part == b'<p:s xmlns:p="urn:p"><q:t xmlns:q="urn:q"></q:t></p:s>'


@given(text=TEXTS, attribute=TEXTS)
def test_the_canonical_form_reads_as_what_was_written(text: str, attribute: str) -> None:
    """Texts with any letters survive, and writing again what was read changes no byte."""
    root = read_xml(b"<r><s/></r>")
    root[0].text, root[0].tail = text, attribute
    root.set("a", attribute)
    written = canonical_bytes(root)
    again = read_canonical(written)
    assert (again[0].text or "", again[0].tail or "", again.get("a")) == (
        text,
        attribute,
        attribute,
    )
    assert canonical_bytes(again) == written
    assert read_xml(written).get("a") == attribute


@given(raw=st.binary(max_size=200) | st.text("<>/!?&;x='\" \n", max_size=60).map(str.encode))
def test_whatever_the_bytes_only_our_error_comes_out(raw: bytes) -> None:
    """A stranger cannot make the reader fail in a way the door does not expect."""
    with contextlib.suppress(MalformedXmlError):
        canonical_bytes(read_xml(raw))
