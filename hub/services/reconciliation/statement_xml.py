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

from reconciliation.owned import OWNED
from reconciliation.statement_cells import TEXT_CHARACTERS_MAX, Cell
from reconciliation.statements import Problem, StatementError

NAMESPACE: Final = "urn:itmo-exchange:statement:1"

_PART_BYTES: Final = 1 << 18
_BLOCK_BYTES_MAX: Final = 64 * 1024
_OPENING: Final = ("first_id", "last_id", "quantity")
_DECLARATION: Final = re.compile(
    rb"""\s*<\?xml\s+version\s*=\s*["']1\.0["'](?:\s+encoding\s*=\s*["'](?i:utf-8)["'])?"""
    rb"""(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>"""
)
_FORBIDDEN: Final = re.compile(rb"<[!?]")


def rows_of_xml(file: BinaryIO, registry: str) -> Iterator[tuple[int, Sequence[Cell]]]:
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
    """A statement while it is read: the elements that are open, and the columns."""

    def __init__(self, registry: str) -> None:
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            encoding="utf-8",
            resolve_entities=False,
            load_dtd=False,
            dtd_validation=False,
            attribute_defaults=False,
            no_network=True,
            huge_tree=False,
            recover=False,
            collect_ids=False,
        )
        self._registry = registry
        self._depth = self._fed = 0
        self._columns: tuple[str, ...] = ()
        self._compared: tuple[str, ...] = OWNED

    def feed(self, part: bytes) -> Iterator[tuple[int, Sequence[Cell]]]:
        """Give the parser more bytes; yield the rows that are complete now."""
        self._fed += len(part)
        try:
            self._parser.feed(part)
            yield from self._rows()
        except etree.XMLSyntaxError as error:
            raise _fault(error.lineno or 0, f"not XML: {str(error.msg)[:200]}") from None
        if self._fed > _PART_BYTES + _BLOCK_BYTES_MAX:
            raise _fault(0, f"a block or text of more than {_BLOCK_BYTES_MAX} bytes")

    def close(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        """Note that the file ended; yield what is left."""
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            raise _fault(error.lineno or 0, f"not XML: {str(error.msg)[:200]}") from None
        yield from self._rows()
        if not self._columns:
            yield self._headings(0)

    def _rows(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        for event, element in self._parser.read_events():
            if event == "start":
                self._depth += 1
                self._refuse_odd(element)
                continue
            if self._depth == 2:
                self._fed = 0
                yield from self._taken(element)
                element.clear()
                parent = element.getparent()
                while parent is not None and parent[0] is not element:
                    del parent[0]
            self._depth -= 1

    def _refuse_odd(self, element: etree._Element) -> None:
        line = element.sourceline or 0
        if self._depth == 1 and element.tag != f"{{{NAMESPACE}}}statement":
            raise _fault(line, f"the document is no statement of {NAMESPACE}")
        if self._depth > 3:
            raise _fault(line, "elements nested deeper than statement, block and attribute")
        if element.attrib:
            raise _fault(line, "an attribute; a statement has none")

    def _taken(self, element: etree._Element) -> Iterator[tuple[int, Sequence[Cell]]]:
        line, name = element.sourceline or 0, _name_of(element)
        if name == "block":
            if not self._columns:
                yield self._headings(line)
            yield line, self._cells(element)
            return
        if name not in ("registry", "compared") or self._columns or len(element):
            raise _fault(line, f"<{name[:40]}> has no place here; see statement.xsd")
        text = (element.text or "").strip()
        if name == "registry" and text != self._registry:
            raise _fault(line, f"registry {text[:40]!r}; to be a statement of {self._registry}")
        if name == "compared":
            names = tuple(text.split())
            if len(set(names)) < len(names) or not set(names) <= set(OWNED):
                raise _fault(line, f"compared names some of: {' '.join(OWNED)}; each once")
            self._compared = names

    def _headings(self, line: int) -> tuple[int, Sequence[Cell]]:
        self._columns = (*_OPENING, *self._compared)
        return line, self._columns

    def _cells(self, block: etree._Element) -> list[Cell]:
        found: dict[str, Cell] = {}
        for child in block:
            line, name = child.sourceline or 0, _name_of(child)
            if name not in self._columns:
                raise _fault(line, f"<{name[:40]}> is no part of a block, or is not compared")
            if name in found:
                raise _fault(line, f"<{name}> stands twice in one block")
            text = child.text
            if text is not None and len(text) > TEXT_CHARACTERS_MAX:
                raise _fault(line, f"<{name}> has more than {TEXT_CHARACTERS_MAX} characters")
            found[name] = text
        return [found.get(name) for name in self._columns]


def _name_of(element: etree._Element) -> str:
    """Return the name of an element of ours; of another namespace, its whole tag."""
    return str(element.tag).removeprefix(f"{{{NAMESPACE}}}")


def _fault(line: int, text: str) -> StatementError:
    return StatementError([Problem(line, "", text)])
