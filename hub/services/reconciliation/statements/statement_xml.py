"""Holdings statements as XML, as strictly as the messages (``message_schemas.strict_xml``).

    <statement xmlns="urn:itmo-exchange:statement:1">
      <registry>KEN01</registry>
      <compared>status first_transferred sector</compared>
      <block>
        <first_id>…</first_id><last_id>…</last_id><quantity>…</quantity><status>held</status>…
      </block>
    </statement>

``compared`` names the owned attributes that the statement speaks of; without it all of them. An
attribute that a unit does not have is left out of its block. ``statement.xsd`` is the schema.

The file is read in parts and each block is dropped when it was taken. Bytes are looked at before
the parser gets them: no document type, comment, section or instruction passes.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from lxml import etree

from message_schemas.strict_xml import STRICT
from reconciliation.owned import OWNED
from reconciliation.statement_cells import Cell
from reconciliation.statements import Problem, StatementError

Row = tuple[int, Sequence[Cell]]

NAMESPACE: Final = "urn:itmo-exchange:statement:1"

_PART_BYTES: Final = 1 << 18
_BLOCK_BYTES_MAX: Final = 64 * 1024
_OPENING: Final = ("first_id", "last_id", "quantity")
_DECLARATION: Final = re.compile(
    rb"""\s*<\?xml\s+version\s*=\s*["']1\.0["'](?:\s+encoding\s*=\s*["'](?i:utf-8)["'])?"""
    rb"""(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>"""
)
_FORBIDDEN: Final = re.compile(rb"<[!?]")


def rows_of_xml(file: BinaryIO, registry: str) -> Iterator[Row]:
    """Yield headings, then a row for each block, with its line. Raises StatementError."""
    document = _Document(registry)
    for part in _checked_parts(file):
        yield from document.feed(part)
    yield from document.close()


def _checked_parts(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file in parts, the declaration taken off; refuse what may not be."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, tail, is_first = 1, b"", True
    while part := file.read(_PART_BYTES):
        if is_first:
            part = part.removeprefix(codecs.BOM_UTF8)
            declaration = _DECLARATION.match(part)
            if declaration is not None:
                # Its line breaks stay, so that lines are counted as an editor counts them.
                part = b"\n" * declaration[0].count(b"\n") + part[declaration.end() :]
            is_first = False
        found = _FORBIDDEN.search(tail + part)
        if found is not None:
            line = lines + (tail + part).count(b"\n", 0, found.start())
            raise _fault(line, "a document type, comment, section or instruction; take it out")
        try:
            decoder.decode(part)
        except UnicodeDecodeError as error:
            line = lines + part.count(b"\n", 0, error.start)
            raise _fault(line, "bytes that are not UTF-8; save the file as UTF-8") from None
        yield part
        lines += part.count(b"\n")
        tail = part[-1:] if part.endswith(b"<") else b""


class _Document:
    """A statement while it is read: the parser, and the columns once they are known."""

    def __init__(self, registry: str) -> None:
        # Events of these elements alone: the attributes of a block are looked at when it ends.
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=[_tag(name) for name in ("statement", "registry", "compared", "block")],
            **STRICT,
        )
        self._registry = registry
        self._root: etree._Element | None = None
        self._fed = 0
        self._places: dict[str, int] = {}
        self._compared: tuple[str, ...] = OWNED

    def feed(self, part: bytes) -> Iterator[Row]:
        """Give the parser more bytes; yield the rows that are complete now."""
        self._fed += len(part)
        try:
            self._parser.feed(part)
            yield from self._rows()
        except etree.XMLSyntaxError as error:
            raise _fault(error.lineno or 0, f"not XML: {str(error.msg)[:200]}") from None
        if self._root is None:
            raise _fault(0, f"the document is no statement of {NAMESPACE}")
        if self._fed > _PART_BYTES + _BLOCK_BYTES_MAX:
            raise _fault(0, f"something of more than {_BLOCK_BYTES_MAX} bytes that is no block")

    def close(self) -> Iterator[Row]:
        """Note that the file ended; yield what is left."""
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            raise _fault(error.lineno or 0, f"not XML: {str(error.msg)[:200]}") from None
        yield from self._rows()
        if not self._places:
            yield self._headings(0)

    def _rows(self) -> Iterator[Row]:
        for event, element in self._parser.read_events():
            root = self._root
            if root is None:
                self._begin(element)
            elif event == "end" and element is root:
                # Every child was taken away when it ended; what is left was not known.
                self._refuse_unknown(next(iter(root), None))
            elif event == "end":
                if element.getparent() is not root:
                    raise _odd(element, "has no place here")
                self._refuse_unknown(element.getprevious())
                self._fed = 0
                yield from self._taken(element)
                root.remove(element)

    def _begin(self, element: etree._Element) -> None:
        if element.getparent() is not None or element.tag != _tag("statement") or element.keys():
            raise _odd(element, f"is no statement of {NAMESPACE}, without attributes")
        self._root = element

    def _refuse_unknown(self, element: etree._Element | None) -> None:
        if element is not None:
            raise _odd(element, "is not known here")

    def _taken(self, element: etree._Element) -> Iterator[Row]:
        if element.keys():
            raise _odd(element, "has an attribute; a statement has none")
        if element.tag == _tag("block"):
            if not self._places:
                yield self._headings(element.sourceline or 0)
            yield element.sourceline or 0, self._cells(element)
            return
        if self._places or len(element):
            raise _odd(element, "stands before the blocks, and holds a text")
        text = (element.text or "").strip()
        if element.tag == _tag("registry"):
            if text != self._registry:
                raise _odd(element, f"says {text[:40]!r}; this is to be of {self._registry}")
            return
        names = tuple(text.split())
        if len(set(names)) < len(names) or not set(names) <= set(OWNED):
            raise _odd(element, f"names some of {' '.join(OWNED)}, each once")
        self._compared = names

    def _headings(self, line: int) -> Row:
        columns = (*_OPENING, *self._compared)
        self._places = {_tag(name): place for place, name in enumerate(columns)}
        return line, columns

    def _cells(self, block: etree._Element) -> list[Cell]:
        cells: list[Cell] = [None] * len(self._places)
        places = self._places
        for child in block:
            place = places.get(str(child.tag))
            if place is None:
                raise _odd(child, "is no part of a block, or is not compared")
            if cells[place] is not None:
                raise _odd(child, "stands twice in one block")
            if len(child) or child.keys():
                raise _odd(child, "holds more than a text")
            cells[place] = child.text or ""
        return cells


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _odd(element: etree._Element, why: str) -> StatementError:
    name = str(element.tag).removeprefix(f"{{{NAMESPACE}}}")
    return _fault(element.sourceline or 0, f"<{name[:60]}> {why}; see statement.xsd")


def _fault(line: int, text: str) -> StatementError:
    return StatementError([Problem(line, "", text)])
