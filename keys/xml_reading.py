"""XML from a stranger: from bytes to a tree without surprises, and to canonical bytes.

1. Before the parser sees anything: not too many bytes, UTF-8 without a byte order mark, no `<!`
   (so no document type, no entity, no comment, no CDATA section), no `<?` but the declaration, few
   namespace declarations (in tags; a text may say the word). `<` is markup wherever it stands, so
   searching bytes is exact.
2. The parser reads UTF-8 whatever the bytes look like, loads nothing, expands nothing but the five
   entities of XML and character references, repairs nothing, and stops at the 257th level and at
   a text of 10 million bytes.
3. After it, and before anything reads the tree: our own limits of depth and of attributes.
4. Canonical is Exclusive C14N 1.0 without comments, of a whole document or of one element. It
   is written under a limit: a long namespace name is repeated wherever its prefix is used, so a
   megabyte may become gigabytes. Its time grows with the square of an element's attributes, so
   their limit comes first.

The costs of hostile documents are measured in docs/adr/0015.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lxml import etree

from keys.errors import MalformedXmlError, XmlFault

__all__ = [
    "DEFAULT_LIMITS",
    "XmlLimits",
    "canonical_bytes",
    "canonical_part",
    "declarations_over",
    "read_canonical",
    "read_xml",
]

_CANONICAL_GROWTH_MAX: Final = 2
_MARKUP_SHOWN: Final = 24
_QUOTED: Final = re.compile(rb"""(?:"[^"<]*"|'[^'<]*')""")
_TAG: Final = re.compile(rb"""<(?:[^<>"']|"[^"<]*"|'[^'<]*')*+""")
_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')"""
    rb"""(?:\s+encoding\s*=\s*(?:"[Uu][Tt][Ff]-8"|'[Uu][Tt][Ff]-8'))?"""
    rb"""(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>"""
)


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """How much one document may hold.

    `document_bytes_max` counts the bytes received (the canonical form may have twice as many),
    `depth_max` the levels of elements with the root as the first, `attribute_count_max` the
    attributes of one element, `namespace_count_max` the declarations in the whole document.
    """

    document_bytes_max: int = 1024 * 1024
    depth_max: int = 32
    attribute_count_max: int = 32
    namespace_count_max: int = 64


DEFAULT_LIMITS: Final = XmlLimits()


class _BoundedWriter:
    """Collects what a serialiser writes, and ends it when it is too much."""

    __slots__ = ("_bytes_left", "_parts")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_left = bytes_max
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise MalformedXmlError(XmlFault.TOO_LARGE, "the canonical form is too large")
        self._parts.append(data)
        return len(data)

    def content(self) -> bytes:
        return b"".join(self._parts)


def read_xml(raw: bytes, limits: XmlLimits = DEFAULT_LIMITS) -> etree._Element:
    """Return the root of a document that holds elements, attributes and text, and nothing else.

    Raises:
        MalformedXmlError: it holds more, is not well-formed, or passes a limit.
    """
    _check_bytes(raw, limits)
    root = _parse(raw)
    # The depth first: the search for attributes walks the whole tree.
    if _deeper_than(limits.depth_max)(root):
        raise MalformedXmlError(XmlFault.TOO_DEEP, f"more than {limits.depth_max} levels")
    if _with_attributes_over(limits.attribute_count_max)(root):
        detail = f"an element with more than {limits.attribute_count_max} attributes"
        raise MalformedXmlError(XmlFault.ATTRIBUTE_COUNT, detail)
    return root


def read_canonical(data: bytes) -> etree._Element:
    """Return the root of what `canonical_bytes` wrote: its limits were kept when it was written.

    Raises:
        MalformedXmlError: it is not well-formed, so it did not come from there.
    """
    return _parse(data)


def canonical_bytes(root: etree._Element, limits: XmlLimits = DEFAULT_LIMITS) -> bytes:
    """Return the Exclusive C14N 1.0 of the document of this root, without comments.

    Raises:
        MalformedXmlError: it would be more than twice `document_bytes_max`, or a namespace name
            is a relative reference (which has no canonical form).
    """
    writer = _BoundedWriter(_CANONICAL_GROWTH_MAX * limits.document_bytes_max)
    try:
        root.getroottree().write_c14n(writer, exclusive=True, with_comments=False)
    except etree.C14NError as error:
        raise MalformedXmlError(XmlFault.NOT_WELL_FORMED, f"no canonical form: {error}") from None
    return writer.content()


def canonical_part(element: etree._Element) -> bytes:
    """Return the Exclusive C14N 1.0 of one element with what is in it, without comments.

    Raises:
        MalformedXmlError: a namespace name is a relative reference.
    """
    try:
        return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    except etree.C14NError as error:
        raise MalformedXmlError(XmlFault.NOT_WELL_FORMED, f"no canonical form: {error}") from None


def _check_bytes(raw: bytes, limits: XmlLimits) -> None:
    if len(raw) > limits.document_bytes_max:
        detail = f"more than {limits.document_bytes_max} bytes"
        raise MalformedXmlError(XmlFault.TOO_LARGE, detail)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedXmlError(XmlFault.NOT_UTF8, f"not UTF-8 at byte {error.start}") from None
    if raw.startswith(b"\xef\xbb\xbf"):
        raise MalformedXmlError(XmlFault.NOT_UTF8, "a byte order mark before the document")
    declaration = _DECLARATION.match(raw)
    body = 0 if declaration is None else declaration.end()
    for markup in (b"<!", b"<?"):
        if (place := raw.find(markup, body)) >= 0:
            shown = ascii(raw[place : place + _MARKUP_SHOWN])
            detail = f"{shown} at byte {place}: only elements, attributes and text are read"
            raise MalformedXmlError(XmlFault.MARKUP_NOT_ALLOWED, detail)
    if declarations_over(limits.namespace_count_max, raw):
        detail = f"more than {limits.namespace_count_max} namespace declarations"
        raise MalformedXmlError(XmlFault.NAMESPACE_COUNT, detail)


def declarations_over(count: int, raw: bytes) -> bool:
    """Tell whether more than `count` namespaces are declared in well-formed markup.

    The word in a text or in an attribute's value declares nothing; it is looked for only where it
    stands more often than it may.
    """
    if raw.count(b"xmlns") <= count:
        return False
    names = (_QUOTED.sub(b"", tag) for tag in _TAG.findall(raw))
    return sum(tag.count(b"xmlns") for tag in names) > count


def _parse(raw: bytes) -> etree._Element:
    # A parser for each document: one for all would make every thread wait for the others.
    # The encoding is given: else libxml2 reads UTF-16 and UTF-32 by their first bytes, in which
    # the search for `<!` finds nothing, and zero bytes are good UTF-8.
    parser = etree.XMLParser(
        encoding="utf-8",
        attribute_defaults=False,
        dtd_validation=False,
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        huge_tree=False,
        recover=False,
        collect_ids=False,
    )
    try:
        return etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        raise MalformedXmlError(XmlFault.NOT_WELL_FORMED, str(error)[:128]) from None


@lru_cache(maxsize=64)
def _deeper_than(depth_max: int) -> etree.XPath:
    return etree.XPath(f"boolean({'/*' * (depth_max + 1)})")


@lru_cache(maxsize=64)
def _with_attributes_over(count: int) -> etree.XPath:
    return etree.XPath(f"boolean(//*/@*[{count + 1}])")
