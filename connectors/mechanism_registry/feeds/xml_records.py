"""Read a feed in XML record by record, in bounded memory, from any record on.

    <feed>
      <issuance><issuance_id>XMR01-1</issuance_id> …</issuance>
      <first_transfer><first_transfer_id>XMR01-1</first_transfer_id> …</first_transfer>
    </feed>

1. Each child of the root is one record; its name is the record's kind. Each element in it is a
   field, by its path (``serials/first``); attributes are fields too (``@id``, ``serials/@unit``).
   Prefixes of names tell nothing here. Text is stripped, and an empty element is an absent field.
2. Expat parses piece by piece and builds no tree. It knows the byte at which each record begins
   and ends, so that a later run goes on there: it is given the root's start tag, then the bytes
   from that place on.
3. A record that is no record (a field twice, text beside elements, too large) refuses itself.
   XML that is not well-formed ends the feed: the good records before it stand, and the line says
   where it broke. The place stays before it, so that a mended file goes on from there.
4. Document types, processing instructions and encodings other than UTF-8 are refused. So there
   are no entities but the five of XML, and nothing is ever fetched.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NoReturn
from xml.parsers import expat

from connectors.mechanism_registry.feeds.lines import (
    LINE_BYTES_MAX,
    FeedCutOffError,
    FeedLine,
    FeedPlace,
    FeedRefusedError,
    refuse_wide,
    start,
)

PIECE_BYTES: Final = 65_536
DEPTH_MAX: Final = 8
NAMES_MAX: Final = 1_000
"""Expat keeps every name it ever read; a real feed has some dozens."""

GAP_BYTES_MAX: Final = 1 << 20
"""So many bytes without the end of a record are no feed; they would have to be kept."""


class _BrokenError(Exception):
    """The XML cannot be read on from here; the text says why."""


@dataclass(slots=True)
class _Record:
    """A record as far as it is read: its kind, its fields, and what is wrong with it."""

    offset: int
    fields: dict[str, object]
    problem: str | None = None
    path: list[str] = field(default_factory=list)
    end_offset: int = 0


class XmlFeedReader:
    """The records of one XML feed; used as ``feeds.lines.FeedReader``.

    Raises FeedRefusedError when the file cannot be a feed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head = self.foot = b""
        self._file: BinaryIO = path.open("rb")
        self._place = start()
        self._names: dict[str, str] = {}
        self._parser: expat.XMLParserType
        try:
            self._begin(start())
            self._read_head()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def place(self) -> FeedPlace:
        """Return the place behind the last record that was returned."""
        here = self._place
        return FeedPlace(here.offset, here.line, here.digest.copy(), breaks=here.breaks)

    @property
    def offset(self) -> int:
        """Return how many bytes lie before the next record."""
        return self._place.offset

    def seek(self, place: FeedPlace) -> None:
        """Go on from a place that an earlier reader of the same file returned."""
        self._file.seek(place.offset)
        self._begin(place)
        self._parser.Parse(self.head, False)  # makes no record
        self._shift = place.offset - len(self.head)

    def _begin(self, place: FeedPlace) -> None:
        """Start a parser that has read nothing, at a place of the file."""
        self._place = FeedPlace(place.offset, place.line, place.digest.copy(), breaks=place.breaks)
        self._raw = bytearray()  # from the place on, as far as the file was read
        self._end = self._record_end = place.offset
        self._shift = 0
        self._depth = 0
        self._record: _Record | None = None
        self._texts: list[str] = []
        self._has_children = False
        self._queue: deque[_Record] = deque()
        self._broken: tuple[str, int] | None = None
        self._is_over = False
        self._first_event: int | None = None
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartElementHandler = self._start_element
        parser.EndElementHandler = self._end_element
        parser.CharacterDataHandler = self._characters
        parser.CommentHandler = self._comment

    def _read_head(self) -> None:
        """Read up to the first thing behind the root's start tag."""
        refuse_wide(self.path, self._file.read(3))
        self._file.seek(0)
        while self._first_event is None and self._broken is None and not self._is_over:
            self._read_on()
        if self._first_event is None:
            reason = "it has no root element" if self._broken is None else self._broken[0]
            kind = FeedCutOffError if self._is_over else FeedRefusedError
            raise kind(f"{self.path.name} is no XML feed: {reason}")
        self.head = bytes(self._raw[: self._first_event])
        self._step(self._first_event, 0)

    def __iter__(self) -> Iterator[FeedLine]:
        """Return the records from ``place`` on, and last the line where the XML breaks, if so."""
        while True:
            while self._queue:
                yield self._line_of(self._queue.popleft())
            if self._broken is not None:
                yield self._broken_line(*self._broken)
                return
            if self._is_over:
                return
            self._read_on()

    def _read_on(self) -> None:
        """Parse the next piece of the file."""
        piece = self._file.read(PIECE_BYTES)
        self._raw += piece
        self._end += len(piece)
        try:
            self._parser.Parse(piece, not piece)
        except expat.ExpatError as error:
            reason = expat.errors.messages.get(error.code, "not well-formed")
            self._broken = (f"the XML breaks off: {reason}", self._parser.ErrorByteIndex)
        except _BrokenError as error:
            self._broken = (str(error), self._parser.CurrentByteIndex)
        if not piece:
            self._is_over = True
            if self._broken is not None:
                reason = "the file ends before its root element does: it seems to be cut off"
                self._broken = (reason, self._broken[1])
        elif self._broken is None and self._end - self._record_end > GAP_BYTES_MAX:
            reason = f"more than {GAP_BYTES_MAX} bytes without the end of a record"
            self._broken = (reason, self._record_end - self._shift)

    def _line_of(self, record: _Record) -> FeedLine:
        """Return a finished record, with the place moved behind it."""
        source_line = self._line_at(record.offset)
        self._step(record.end_offset - self._place.offset, 1)
        problem, length = record.problem, record.end_offset - record.offset
        if length > LINE_BYTES_MAX:
            problem = f"the record has {length} bytes; at most {LINE_BYTES_MAX} are read"
        return FeedLine(
            number=self._place.line,
            end_offset=record.end_offset,
            fields=None if problem else record.fields,
            problem=problem,
            offset=record.offset,
            source_line=source_line,
        )

    def _broken_line(self, reason: str, index: int) -> FeedLine:
        """Return the line at which the feed ends before its time."""
        offset = min(max(index + self._shift, self._place.offset), self._end)
        before = bytes(self._raw[: offset - self._place.offset])
        column = len(before) - before.rfind(b"\n")
        line = self._line_at(offset)
        return FeedLine(
            number=self._place.line + 1,
            end_offset=self._end,
            fields=None,
            problem=f"{reason} (line {line}, column {column}); nothing behind it was read",
            consumed=False,
            offset=offset,
            source_line=line,
        )

    def _line_at(self, offset: int) -> int:
        """Return the line, from 1, of a byte behind the place."""
        return self._place.breaks + self._raw.count(b"\n", 0, offset - self._place.offset) + 1

    def _step(self, length: int, records: int) -> None:
        """Move the place over so many bytes."""
        here, passed = self._place, bytes(self._raw[:length])
        here.digest.update(passed)
        del self._raw[:length]
        self._place = FeedPlace(
            here.offset + length,
            here.line + records,
            here.digest,
            breaks=here.breaks + passed.count(b"\n"),
        )

    # What expat calls.

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in {"utf-8", "us-ascii"}:
            self._break(f"the encoding is {encoding}: export it as UTF-8")

    def _doctype(self, name: str, _system: str | None, _public: str | None, _own: bool) -> None:
        self._break(f"a document type ({name}) is not allowed in a feed")

    def _instruction(self, target: str, _data: str) -> None:
        self._break(f"a processing instruction ({target}) is not allowed in a feed")

    def _break(self, reason: str) -> NoReturn:
        raise _BrokenError(reason)

    def _comment(self, _text: str) -> None:
        self._note_event()

    def _note_event(self) -> None:
        """Note where the first thing behind the root's start tag begins."""
        if self._first_event is None and self._depth:
            self._first_event = self._parser.CurrentByteIndex

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        if self._first_event is None:
            self._note_event()
        self._depth += 1
        if self._depth == 1:
            self.foot = f"</{name}>\n".encode()
            return
        if self._depth > DEPTH_MAX:
            self._break(f"elements lie deeper than {DEPTH_MAX}")
        record, name = self._record, self._local(name)
        if record is None:
            self._texts.clear()
            offset = self._parser.CurrentByteIndex + self._shift
            record = self._record = _Record(offset, {"record": name})
        else:
            if self._texts:
                self._refuse_mixed(record)
            record.path.append(name)
        self._has_children = False
        for attribute, value in attributes.items():
            local = self._local(attribute)
            if not attribute.startswith(("xmlns", "xsi:", "xml:")):
                self._put(record, [*record.path, f"@{local}"], value)

    def _characters(self, text: str) -> None:
        if self._first_event is None:
            self._note_event()
        if self._record is not None:
            self._texts.append(text)
        elif self._depth == 1 and text.strip():
            self._break("text stands between the records")

    def _end_element(self, _name: str) -> None:
        if self._first_event is None:
            self._note_event()
        self._depth -= 1
        record = self._record
        if record is None:
            return
        if self._depth > 1:
            if not self._has_children:
                self._put(record, record.path, "".join(self._texts))
                self._texts.clear()
            elif self._texts:
                self._refuse_mixed(record)
            record.path.pop()
        else:
            record.end_offset = self._record_end = self._end_of_tag()
            self._refuse_mixed(record)
            self._queue.append(record)
            self._record = None
        self._has_children = True

    def _end_of_tag(self) -> int:
        """Return where the record's last tag ends, at which the parser stands.

        At the tag of an empty element (``<a/>``) the parser stands behind it already.
        """
        index = self._parser.CurrentByteIndex + self._shift - self._place.offset
        has_content = self._has_children or any(self._texts)
        if not has_content and self._raw[index - 2 : index] == b"/>":
            return index + self._place.offset
        return self._raw.index(b">", index) + 1 + self._place.offset

    def _refuse_mixed(self, record: _Record) -> None:
        """Refuse text that stands beside elements."""
        if "".join(self._texts).strip() and record.problem is None:
            place = "/".join(record.path) or "the record"
            record.problem = f"text stands beside elements in {place}"
        self._texts.clear()

    def _put(self, record: _Record, path: list[str], text: str) -> None:
        """Take a field, unless it is empty or there already."""
        value, name = text.strip(), path[0] if len(path) == 1 else "/".join(path)
        if name in record.fields and record.problem is None:
            record.problem = f"{name} stands twice in the record"
        if value:
            record.fields[name] = value

    def _local(self, name: str) -> str:
        """Return a name without its prefix."""
        local = self._names.get(name)
        if local is None:
            if len(self._names) >= NAMES_MAX:
                self._break(f"more than {NAMES_MAX} different names")
            local = self._names[name] = name.rpartition(":")[2]
        return local
