"""The verifier's own reading of XML agrees with libxml2, which is what the hub reads with."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.evidence import xml_signatures as evidence
from hub.evidence.archives import RefutedError
from hub.evidence.xml_documents import canonical, read_xml
from keys import xml_reading
from keys import xml_signatures as door
from keys.errors import KeysError, MalformedXmlError
from tests.keys import test_xml_reading, xml_victim

NAMES = st.sampled_from(
    ["a", "b", "p:a", "p:b", "q:a", "xml:lang", "é", "ℵ", "a.b-1", "_", "a:b:c"]
)
VALUES = st.sampled_from(
    ["", "x", "é&amp;&lt;&gt;&quot;&apos;", "\t\n x", "&#9;&#xA;&#13;", "&#65;&#x1F600;", ">", "]]"]
)
SPACES = {
    *("xmlns='urn:d'", "xmlns=''", "xmlns:p='urn:p'", "xmlns:p='urn:q'", "xmlns:q='urn:q'"),
    *("xmlns:q='http://q.example/?a=1#b'", "xmlns:xml='http://www.w3.org/XML/1998/namespace'"),
}
UNUSABLE = {
    *("xmlns:p=''", "xmlns:p='relative'", "xmlns:p='urn:é'", "xmlns:xml='urn:x'"),
    *("xmlns:xmlns='urn:x'", "xmlns:p='http://www.w3.org/XML/1998/namespace'"),
    "xmlns='http://www.w3.org/2000/xmlns/'",
}
DECLARATIONS = st.sampled_from(sorted(SPACES))
HOSTILE = st.sampled_from(sorted(UNUSABLE))
PIECES = st.sampled_from(
    [
        *"<>/=&;'\"!?: \t\r\n\x00\x0b\ufffe\ud7ff\U0010ffff",
        *("]]>", "<!--", "xmlns", "<a/>", "</a>"),
        *("&#0;", "&#x110000;", "&#00065;", "&x;", "&#xD800;", "&#" + "9" * 5000 + ";"),
    ]
)


@st.composite
def elements(draw: st.DrawFn, levels: int = 3) -> str:
    """Return the text of an element; most of them are well-formed."""
    name = draw(NAMES)
    spaces = draw(st.lists(DECLARATIONS, max_size=3, unique_by=lambda one: one.partition("=")[0]))
    named = draw(st.lists(st.tuples(NAMES, VALUES), max_size=2, unique_by=lambda one: one[0]))
    listed = " ".join(["", *spaces, *(f'{one} = "{value}"' for one, value in named)])
    inner = draw(st.lists(elements(levels - 1) | VALUES, max_size=3)) if levels > 1 else []
    return f"<{name}{listed}\n>{''.join(inner)}</{name}>" if inner else f"<{name}{listed}/>"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Return a document in which all prefixes are declared, perhaps with something put into it."""
    text = f"<r xmlns:p='urn:p' xmlns:q='urn:q'>{draw(elements())}</r>"
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text)))
        piece = draw(PIECES | HOSTILE.map(" {} ".format))
        text = text[:place] + piece + text[place + draw(st.integers(0, 2)) :]
    return text.encode("utf-8", "surrogatepass")


def by_libxml2(raw: bytes) -> bytes | None:
    """Return the canonical form as the hub's reader writes it, None if it refuses."""
    try:
        return xml_reading.canonical_bytes(xml_reading.read_xml(raw))
    except MalformedXmlError:
        return None


def by_ours(raw: bytes) -> bytes | None:
    """Return the canonical form as the verifier writes it, None if it refuses."""
    try:
        return canonical(read_xml(raw))
    except RefutedError:
        return None


@settings(max_examples=300, deadline=None)
@given(raw=documents())
def test_both_read_the_same_documents_and_write_them_the_same(raw: bytes) -> None:
    """Namespaces, references, white space, names of any letters, and what is broken.

    Of a namespace the verifier asks for a scheme and a URI's letters, libxml2 for a host too.
    """
    ours, theirs = by_ours(raw), by_libxml2(raw)
    if ours is not None and theirs is None:
        with pytest.raises(MalformedXmlError, match="no canonical form"):
            xml_reading.canonical_bytes(xml_reading.read_xml(raw))
    else:
        assert ours == theirs


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=200) | st.text("<>/!?&;x='\" \n:", max_size=60).map(str.encode))
def test_both_refuse_the_same_noise(raw: bytes) -> None:
    """Whatever the bytes are, nothing but our error comes out."""
    assert by_ours(raw) == by_libxml2(raw)


SIGNED_PIECES = st.sampled_from(
    ["", " ", "\n", "&#13;", "x", "<b/>", "ds:", "o:", "1", "=", "A", "'", "<KeyName/>", " a=''"]
)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_both_judge_a_signed_document_alike_whatever_was_done_to_it(data: st.DataObject) -> None:
    """``check`` asks both about it, and demands that they agree on the content too."""
    raw = xml_victim.SIGNED
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.integers(0, len(raw)))
        removed = data.draw(st.integers(0, 3))
        raw = raw[:place] + data.draw(SIGNED_PIECES).encode() + raw[place + removed :]
    with contextlib.suppress(KeysError):
        xml_victim.check(raw)


def listed(test: Any) -> list[bytes]:
    """Return the documents that a test is given."""
    marks = (one for one in test.pytestmark if one.name == "parametrize")
    return [raw for mark in marks for raw in mark.args[1] if isinstance(raw, bytes)]


@pytest.mark.parametrize(
    "raw",
    [
        raw
        for name, test in vars(test_xml_reading).items()
        if name.startswith("test_") and hasattr(test, "pytestmark")
        for raw in listed(test)
    ],
)
def test_both_judge_the_hostile_documents_alike(raw: bytes) -> None:
    """Every document that the hub's reader is tested with."""
    assert by_ours(raw) == by_libxml2(raw)


@pytest.mark.parametrize("declaration", sorted(SPACES | UNUSABLE))
def test_both_take_the_same_namespaces(declaration: str) -> None:
    """None that is relative, reserved, or taken away from a prefix."""
    raw = f"<r {declaration}><p:x xmlns:p='urn:p'/></r>".encode()
    assert by_ours(raw) == by_libxml2(raw)
    assert (by_ours(raw) is None) == (declaration in UNUSABLE)


@pytest.mark.parametrize("levels", [32, 33, 100_000])
def test_depth_is_limited_alike(levels: int) -> None:
    """The limit is inclusive, and no stack overflows."""
    raw = b"<a>" * levels + b"</a>" * levels
    assert by_ours(raw) == by_libxml2(raw)
    assert (by_ours(raw) is None) == (levels > 32)


@pytest.mark.parametrize("count", [32, 33])
def test_attributes_are_limited_alike(count: int) -> None:
    """The limit is inclusive, and counts no declarations of namespaces."""
    given_ = "".join(f' a{number}=""' for number in range(count))
    raw = f"<r xmlns='urn:r'{given_}/>".encode()
    assert by_ours(raw) == by_libxml2(raw)
    assert (by_ours(raw) is None) == (count > 32)


@pytest.mark.parametrize(
    ("raw", "is_read"),
    [
        (b"<r>" + b"<a xmlns='urn:a'/>" * 64 + b"</r>", True),
        (b"<r>" + b"<a xmlns='urn:a'/>" * 65 + b"</r>", False),
        (b"<r>" + b"xmlns xmlns:a='urn:a' " * 65 + b"</r>", True),
        (b"<r a='" + b"xmlns " * 65 + b"' b=\"" + b"xmlns='x' " * 65 + b'"/>', True),
    ],
)
def test_namespaces_are_limited_alike_and_the_word_alone_declares_none(
    raw: bytes, is_read: bool
) -> None:
    """A note may speak of `xmlns` as often as it likes: what the hub took must stay provable."""
    assert by_ours(raw) == by_libxml2(raw)
    assert (by_ours(raw) is not None) == is_read


def test_the_one_form_of_a_signature_is_written_twice_and_the_same() -> None:
    """Thirteen elements, their levels, names and attributes."""
    form = [
        (level, name, {attribute: value} if attribute else {})
        for level, name, attribute, value in evidence.SIGNATURE_FORM
    ]
    assert form == list(door._FORM)


def test_long_names_and_tags_cost_no_more_than_their_length() -> None:
    """No pattern goes back and forth over a tag that does not end."""
    for raw in (
        b"<a" + b" a='1'" * 200_000,
        b"<a" + b" " * 1_000_000 + b"!",
        b"<" + b"a" * 1_000_000,
        b"<a b" + b"=" * 500_000 + b"'>",
    ):
        assert by_ours(raw) is None
