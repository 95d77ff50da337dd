"""Read XML as strictly as two ends that must not disagree have to.

1. Before any parser sees them, refuse bytes that are too many, that are not UTF-8, or that hold
   ``<!`` or ``<?`` anywhere but in the one declaration at the top: so there is no document type,
   no entity, nothing to fetch, no comment that cuts a text in two, no CDATA section and no
   processing instruction. ``keys.xml_reading`` asks the same of what is signed.
2. Parse with libxml2: no network, no expansion, its own limits left in force.
3. Refuse attributes of any name but our four, and nesting beyond a limit; in trees made by other
   parsers also comments and processing instructions.

White space between elements is allowed, white space in texts is kept. Attributes of XML Schema
but ``xsi:nil`` are refused here, because a validator would act on them: ``xsi:schemaLocation``
makes it load files, ``xsi:type`` lets a document choose its own rules.

libxml2 keeps every name it ever parsed for the life of the thread. So strangers' documents are
parsed only after their signature is verified, or in threads that are replaced.
"""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from lxml import etree

from message_schemas.strict_json import DEPTH_MAX as JSON_DEPTH_MAX

# A JSON text of the greatest depth fits: ``body`` adds one level, the leaves another.
DEPTH_MAX: Final = JSON_DEPTH_MAX + 8
BYTES_MAX: Final = 4 * 1024 * 1024

_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')"""
    rb"""(?:\s+encoding\s*=\s*["'](?i:utf-8)["'])?"""
    rb"""(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>"""
)
_MARKUP: Final = (
    (b"<!--", "a comment"),
    (b"<![CDATA[", "a CDATA section"),
    (b"<!", "a document type declaration"),
    (b"<?xml ", "a declaration that is not of XML 1.0 in UTF-8, at the top"),
    (b"<?", "a processing instruction"),
)
_SURPRISES: Final = etree.XPath(
    "//comment() | //processing-instruction() | //@*[not("
    "name() = 'key' or name() = 'escaped' or name() = 'escaped_key'"
    " or (local-name() = 'nil' and namespace-uri() = 'http://www.w3.org/2001/XMLSchema-instance')"
    ")]/.."
)


STRICT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        # Given, so that no word in the document can have other bytes read for it.
        "encoding": "utf-8",
        "resolve_entities": False,
        "load_dtd": False,
        "dtd_validation": False,
        "attribute_defaults": False,
        "no_network": True,
        "huge_tree": False,
        "recover": False,
        "collect_ids": False,
    }
)
"""What every parser of strangers' XML is told."""


class XmlRefusedError(ValueError):
    """The bytes are not XML as this protocol wants it.

    ``reason`` is one phrase; ``line`` counts from 1, None where it is not known.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        where = "" if line is None else f" in line {line}"
        super().__init__(f"{reason}{where}")
        self.reason = reason
        self.line = line


def parse_strict(
    raw: bytes, *, bytes_max: int = BYTES_MAX, depth_max: int = DEPTH_MAX
) -> etree._Element:
    """Return the root element of an XML document.

    ``bytes_max`` limits the document, ``depth_max`` elements inside each other (a root alone has
    depth 1). Raises XmlRefusedError and nothing else, whatever the bytes are.
    """
    if len(raw) > bytes_max:
        raise XmlRefusedError(f"{len(raw)} bytes; at most {bytes_max} are read")
    _refuse_bytes(raw)
    try:
        root = etree.fromstring(raw, _parser())
    except etree.XMLSyntaxError as error:
        raise XmlRefusedError(f"not XML: {str(error.msg)[:200]}", error.lineno) from None
    except (ValueError, etree.LxmlError) as error:
        raise XmlRefusedError(f"not XML: {str(error)[:200]}") from None
    refuse_surprises(root, depth_max=depth_max)
    return root


def refuse_surprises(element: etree._Element, *, depth_max: int = DEPTH_MAX) -> None:
    """Refuse comments, processing instructions, foreign attributes and nesting too deep.

    Looks at the whole document that ``element`` stands in. Raises XmlRefusedError. For trees that
    ``parse_strict`` did not make, such as what a signature's verifier hands on.
    """
    if _deeper_than(depth_max)(element):
        raise XmlRefusedError(f"elements nested deeper than {depth_max}")
    found = _SURPRISES(element)
    if not isinstance(found, list) or not found:
        return
    first = found[0]
    line = first.sourceline if isinstance(first, etree._Element) else None
    if isinstance(first, etree._Comment):
        raise XmlRefusedError("a comment", line)
    if isinstance(first, etree._ProcessingInstruction):
        raise XmlRefusedError("a processing instruction", line)
    raise XmlRefusedError("an attribute that has no meaning here", line)


def _refuse_bytes(raw: bytes) -> None:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise XmlRefusedError("bytes that are not UTF-8", line) from None
    if raw.startswith(b"\xef\xbb\xbf"):
        raise XmlRefusedError("a byte order mark", 1)
    declaration = _DECLARATION.match(raw)
    start = 0 if declaration is None else declaration.end()
    for markup, name in _MARKUP:
        if (found := raw.find(markup, start)) >= 0:
            raise XmlRefusedError(name, raw.count(b"\n", 0, found) + 1)


def _parser() -> etree.XMLParser:
    parser: etree.XMLParser = etree.XMLParser(
        **STRICT, remove_comments=False, remove_pis=False, strip_cdata=True
    )
    return parser


@cache
def _deeper_than(depth_max: int) -> etree.XPath:
    return etree.XPath("boolean(" + "/*" * (depth_max + 1) + ")")
