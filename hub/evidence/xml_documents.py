"""XML as the exchange writes it: from exact bytes to a tree, and to canonical bytes.

1. Elements, attributes, text, the five entities and character references: there is nothing else.
   No document type, comment, CDATA section or processing instruction; UTF-8; XML 1.0 (names of its
   fifth edition) with Namespaces 1.0. What is not of this form is refused, nothing is repaired.
2. Line ends become one, attribute values are normalised (XML 1.0 sections 2.11 and 3.3.3).
3. Canonical is Exclusive C14N 1.0 without comments, of a whole document or of one element.

It reads every document that the hub takes (keys/xml_reading.py), with the hub's limits of depth,
attributes and namespaces, and refuses what the hub refuses. It is a second implementation on
purpose, without libxml2: whoever checks evidence need not believe the hub's parser. Nor is it
`expat`, which knows the names of XML's fourth edition alone: a sender could write what the hub
reads, and the verifier would refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from hub.evidence.archives import RefutedError

DEPTH_MAX: Final = 32
ATTRIBUTE_COUNT_MAX: Final = 32
NAMESPACE_COUNT_MAX: Final = 64
CANONICAL_BYTES_MAX: Final = 128 * 1024 * 1024
XML_NAMESPACE: Final = "http://www.w3.org/XML/1998/namespace"
XMLNS_NAMESPACE: Final = "http://www.w3.org/2000/xmlns/"
WHITE_SPACE: Final = " \t\r\n"

_DECLARATION: Final = re.compile(
    r"""<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')"""
    r"""(?:\s+encoding\s*=\s*(?:"[Uu][Tt][Ff]-8"|'[Uu][Tt][Ff]-8'))?"""
    r"""(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>""",
    re.ASCII,
)
_NOT_CHARACTERS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_START: Final = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f"
    "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NAME: Final = f"[{_START}][-.0-9\xb7\u0300-\u036f\u203f\u2040{_START}]*+"
_QUALIFIED: Final = f"{_NAME}(?::{_NAME})?+"
_S: Final = r"[ \t\n]"
_VALUE: Final = "\"[^\"<]*+\"|'[^'<]*+'"
_QUOTED: Final = re.compile(_VALUE)
_ATTRIBUTE: Final = re.compile(f"({_QUALIFIED}){_S}*+={_S}*+({_VALUE})")
_TAG: Final = re.compile(
    f"<(/?+)({_QUALIFIED})((?:{_S}++{_QUALIFIED}{_S}*+={_S}*+(?:{_VALUE}))*+){_S}*+(/?+)>"
)
_REFERENCE: Final = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(amp|lt|gt|quot|apos));|&")
_ENTITIES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_SPACES: Final = str.maketrans("\t\n", "  ")
# As Canonical XML 1.0 section 2.3 writes them.
_TEXT_WRITTEN: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_VALUE_WRITTEN: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)


@dataclass(slots=True)
class Element:
    """An element. `scope` has the namespaces that hold in it, by prefix ("" is the default).

    `attributes` are (namespace, local name, name as written, value), without declarations of
    namespaces; `content` is elements and texts in their order.
    """

    name: str
    prefix: str
    local: str
    namespace: str
    attributes: list[tuple[str, str, str, str]]
    scope: Mapping[str, str]
    content: list[Element | str] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        """The elements directly inside."""
        return [one for one in self.content if isinstance(one, Element)]

    @property
    def text(self) -> str:
        """The text directly inside."""
        return "".join(one for one in self.content if isinstance(one, str))

    def attribute(self, namespace: str, local: str) -> str | None:
        """Return an attribute's value, or None."""
        found = (one[3] for one in self.attributes if one[:2] == (namespace, local))
        return next(found, None)


def read_xml(raw: bytes) -> Element:
    """Return the root of a document. Raises RefutedError."""
    text = _checked_text(raw)
    root: Element | None = None
    ahead: list[Element] = []
    for words, tag in _tags(text):
        if not ahead and (words.strip(WHITE_SPACE) or (root is not None and tag is not None)):
            raise RefutedError("the XML has something outside its one root element")
        if "]]>" in words:
            raise RefutedError("the XML ends a CDATA section that it has not begun")
        if ahead and words:
            ahead[-1].content.append(_replaced(words))
        if tag is None:
            break
        closing, name, listed, empty = tag.groups()
        if closing:
            if not ahead or ahead.pop().name != name or listed or empty:
                raise RefutedError(f"the XML ends {name[:60]} where it was not begun")
            continue
        element = _element(name, listed, ahead[-1].scope if ahead else {"xml": XML_NAMESPACE})
        if ahead:
            ahead[-1].content.append(element)
        root = root or element
        if len(ahead) >= DEPTH_MAX:
            raise RefutedError(f"the XML has more than {DEPTH_MAX} levels")
        if not empty:
            ahead.append(element)
    if root is None or ahead:
        raise RefutedError("the XML is not whole")
    return root


def _checked_text(raw: bytes) -> str:
    """Return the characters behind the declaration, line ends made one. Raises RefutedError."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefutedError(f"the XML is not UTF-8 at byte {error.start}") from error
    if found := _NOT_CHARACTERS.search(text):
        raise RefutedError(f"the XML holds the character U+{ord(found[0]):04X}")
    declared = _DECLARATION.match(text)
    text = text[0 if declared is None else declared.end() :]
    if "<!" in text or "<?" in text:
        raise RefutedError("the XML holds more than elements, attributes and text")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("xmlns") > NAMESPACE_COUNT_MAX:  # of which some may stand in texts and values
        tags = (_QUOTED.sub("", tag[0]) for _, tag in _tags(text) if tag is not None)
        if sum(tag.count("xmlns") for tag in tags) > NAMESPACE_COUNT_MAX:
            raise RefutedError(f"the XML declares more than {NAMESPACE_COUNT_MAX} namespaces")
    return text


def _tags(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yield each tag with the text before it, and None with the text behind the last one."""
    at = 0
    while (start := text.find("<", at)) >= 0:
        tag = _TAG.match(text, start)
        if tag is None:
            shown = ascii(text[start : start + 24])
            raise RefutedError(f"the XML is not well-formed at {shown}")
        yield text[at:start], tag
        at = tag.end()
    yield text[at:], None


def _replaced(words: str) -> str:
    """Return a text or an attribute's value with its references replaced. Raises RefutedError."""
    return _REFERENCE.sub(_character, words) if "&" in words else words


def _character(reference: re.Match[str]) -> str:
    hexadecimal, decimal, name = reference.groups()
    if name is not None:
        return _ENTITIES[name]
    digits = (hexadecimal or decimal or "").lstrip("0")
    number = int(digits, 16 if hexadecimal else 10) if 0 < len(digits) < 8 else 0
    found = chr(number) if number < 0x110000 else ""
    if not number or not found or 0xD800 <= number < 0xE000 or _NOT_CHARACTERS.match(found):
        raise RefutedError(f"the XML refers to what is no character: {reference[0][:24]}")
    return found


def _element(name: str, listed: str, outer: Mapping[str, str]) -> Element:
    """Return the element of a start tag. Raises RefutedError."""
    given: dict[str, str] = {}
    declared: dict[str, str] = {}
    for said, quoted in _ATTRIBUTE.findall(listed):
        value = _replaced(quoted[1:-1].translate(_SPACES))
        if said in given or said in declared:
            raise RefutedError(f"the XML has the attribute {said[:60]} twice")
        (declared if said == "xmlns" or said.startswith("xmlns:") else given)[said] = value
    if len(given) > ATTRIBUTE_COUNT_MAX:
        raise RefutedError(f"the XML has an element of more than {ATTRIBUTE_COUNT_MAX} attributes")
    scope = {**outer, **dict(map(_declared, declared.items()))} if declared else outer
    prefix, local = _split(name)
    attributes = [(*_named(said, scope), said, value) for said, value in given.items()]
    if len({one[:2] for one in attributes}) < len(attributes):
        raise RefutedError("the XML has one attribute by two prefixes")
    namespace = scope.get("", "") if not prefix else _bound(prefix, scope)
    return Element(name, prefix, local, namespace, attributes, scope)


def _declared(declaration: tuple[str, str]) -> tuple[str, str]:
    """Return prefix and namespace of a declaration. Raises RefutedError."""
    name, namespace = declaration
    prefix = name.partition(":")[2]
    if prefix == "xml" and namespace == XML_NAMESPACE:
        return prefix, namespace
    reserved = prefix in {"xml", "xmlns"} or namespace in {XML_NAMESPACE, XMLNS_NAMESPACE}
    if reserved or (prefix and not namespace):
        raise RefutedError(f"the XML declares {name[:60]} as what it cannot be")
    if namespace and _ABSOLUTE.fullmatch(namespace) is None:
        raise RefutedError("the XML has a relative namespace, which has no canonical form")
    return prefix, namespace


def _split(name: str) -> tuple[str, str]:
    prefix, _, local = name.rpartition(":")
    return prefix, local


def _named(name: str, scope: Mapping[str, str]) -> tuple[str, str]:
    prefix, local = _split(name)
    return _bound(prefix, scope) if prefix else "", local


def _bound(prefix: str, scope: Mapping[str, str]) -> str:
    if prefix not in scope:
        raise RefutedError(f"the XML uses the prefix {prefix[:60]}, which it does not declare")
    return scope[prefix]


def canonical(element: Element) -> bytes:
    """Return the Exclusive C14N 1.0 of an element with what is in it. Raises RefutedError."""
    parts: list[str] = []
    length = 0
    for part in _written(element, {}):
        length += len(part)
        if length > CANONICAL_BYTES_MAX:
            raise RefutedError("the canonical form of the XML is too large")
        parts.append(part)
    return "".join(parts).encode("utf-8")


def _written(element: Element, outer: Mapping[str, str]) -> Iterator[str]:
    """Yield the parts of the canonical form; `outer` are the namespaces written around it."""
    used = {element.prefix, *(_split(one[2])[0] for one in element.attributes if ":" in one[2])}
    meant = {prefix: element.scope.get(prefix, "") for prefix in sorted(used - {"xml"})}
    new = {prefix: name for prefix, name in meant.items() if outer.get(prefix, "") != name}
    yield f"<{element.name}"
    for prefix, namespace in new.items():
        named = f"xmlns:{prefix}" if prefix else "xmlns"
        yield f' {named}="{namespace.translate(_VALUE_WRITTEN)}"'
    for _, _, name, value in sorted(element.attributes):
        yield f' {name}="{value.translate(_VALUE_WRITTEN)}"'
    yield ">"
    inner = {**outer, **new} if new else outer
    for one in element.content:
        if isinstance(one, str):
            yield one.translate(_TEXT_WRITTEN)
        else:
            yield from _written(one, inner)
    yield f"</{element.name}>"
