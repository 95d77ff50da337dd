"""Read a feed line by line, in bounded memory, and always know where the next line begins.

A feed is a text file in UTF-8: JSON lines, or CSV with a header line (RFC 4180, commas), or XML
(``feeds.xml_records``).

1. One physical line is one record, in both formats. No field of the feed may hold a line break,
   so a quote left open in CSV costs one line and not the rest of the file.
2. The reader works on bytes and counts them: the offset after a line is where a later run goes
   on, and the digest of all bytes before it tells whether the file is still the same.
3. A line that cannot be read is an answer, not an exception: the good lines go on.
4. A last line without its line break may be cut off. It is taken when it is complete in itself;
   otherwise it is not consumed, and a later run reads it again, longer.

Only a file that cannot be a feed at all (UTF-16, a wrong header) stops the reading.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from connectors.mechanism_registry.feeds.problems import Problem
from message_schemas.json_codec import JsonRefusedError, parse_strict

LINE_BYTES_MAX: Final = 65_536
"""A longer line is refused without being kept in memory; a real one has about 500 bytes."""

JSON_DEPTH_MAX: Final = 8
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


class FeedFormat(StrEnum):
    """How the lines of a feed are written."""

    JSON_LINES = "jsonl"
    CSV = "csv"
    XML = "xml"


class FeedRefusedError(Exception):
    """The file is no feed at all; the text says what to do about it."""


class FeedCutOffError(FeedRefusedError):
    """The file ends before a feed has begun; what is missing may still come."""


class LineUnreadableError(Exception):
    """One line cannot be read as a record of its format."""


class Digest(Protocol):
    """The running digest of the bytes read so far."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of all bytes added."""
        ...

    def copy(self) -> "Digest":
        """Return an independent digest that goes on from here."""
        ...


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """A place between two lines: bytes and lines before it, and the digest of those bytes.

    In XML ``line`` counts records, and ``breaks`` the line breaks before the place.
    ``reached_sha256`` is set on a place that an earlier run reached: the digest up to there.
    """

    offset: int
    line: int
    digest: Digest
    reached_sha256: str | None = None
    breaks: int = 0


@dataclass(frozen=True, slots=True)
class FeedLine:
    """One line: its number from 1, its fields (or why it has none), and the place after it.

    ``fields`` holds JSON values, or strings only when the feed is CSV or XML (empty ones left
    out). ``consumed`` is False for a last line that seems to be cut off. In XML ``number`` counts
    records, and ``source_line`` is the line on which the record begins. The bytes of the line lie
    from ``offset`` to ``end_offset``. A mapping sets ``problems``, and ``source`` to what it read.
    """

    number: int
    end_offset: int
    fields: dict[str, object] | None
    problem: str | None
    consumed: bool = True
    terminated: bool = True
    offset: int = 0
    source_line: int | None = None
    problems: tuple[Problem, ...] = ()
    source: dict[str, object] | None = None


class Reader(Protocol):
    """The lines of a feed, in any format; ``head`` and ``foot`` are what stands around them."""

    head: bytes
    foot: bytes

    @property
    def place(self) -> FeedPlace:
        """Return where the next line begins."""
        ...

    @property
    def offset(self) -> int:
        """Return how many bytes lie before the next line."""
        ...

    def seek(self, place: FeedPlace) -> None:
        """Go on from a place that an earlier reader of the same file returned."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...

    def __iter__(self) -> Iterator[FeedLine]:
        """Return the lines from ``place`` on."""
        ...


def start() -> FeedPlace:
    """Return the place before the first line."""
    return FeedPlace(0, 0, hashlib.sha256())


def place_at(
    path: Path, offset: int, line: int, format_: FeedFormat = FeedFormat.JSON_LINES
) -> FeedPlace:
    """Return the place at an offset that an earlier run reached, with the digest before it.

    A last line that had no line break when it was pushed may have one now, which belongs to it.
    Raises FeedRefusedError when the file is shorter, or when that line went on growing.
    """
    digest = hashlib.sha256()
    last, breaks = b"", 0
    with path.open("rb") as file:
        rest = offset
        while rest and (piece := file.read(min(rest, 1 << 20))):
            digest.update(piece)
            rest -= len(piece)
            last = piece[-1:]
            breaks += piece.count(b"\n")
        is_open = line and last != b"\n" and format_ is not FeedFormat.XML
        ending = file.readline(3) if is_open else b""
    if rest:
        raise FeedRefusedError(f"{path.name} is shorter than the part of it that was pushed")
    if ending not in {b"", b"\n", b"\r\n"}:
        raise FeedRefusedError(f"{path.name}: line {line} was pushed before it was complete")
    digest_before = digest.copy()
    digest.update(ending)
    reached = digest_before.hexdigest()
    return FeedPlace(offset + len(ending), line, digest, reached, breaks + ending.count(b"\n"))


def format_of(path: Path) -> FeedFormat:
    """Tell the format by the file's ending. Raises FeedRefusedError for any other ending."""
    endings = {".jsonl": FeedFormat.JSON_LINES, ".ndjson": FeedFormat.JSON_LINES}
    endings |= {".csv": FeedFormat.CSV, ".xml": FeedFormat.XML}
    try:
        return endings[path.suffix.lower()]
    except KeyError:
        raise FeedRefusedError(
            f"{path.name}: the ending does not tell the format; name it with --format"
        ) from None


def parse_json_line(raw: bytes) -> dict[str, object]:
    """Return the object on one JSON line. Raises LineUnreadableError."""
    try:
        document = parse_strict(raw, depth_max=JSON_DEPTH_MAX)
    except JsonRefusedError as error:
        raise LineUnreadableError(f"not acceptable JSON: {error}") from None
    if not isinstance(document, dict):
        raise LineUnreadableError("the line holds no JSON object")
    # A null says the same as leaving the field out; exports write both.
    return {name: value for name, value in document.items() if value is not None}


def split_csv(text: str) -> list[str]:
    """Return the fields of one CSV line. Raises LineUnreadableError."""
    if '"' not in text:
        return text.split(",")
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise LineUnreadableError(f"not acceptable CSV: {error}") from None
    return rows[0]


def parse_csv_line(raw: bytes, header: Sequence[str]) -> dict[str, object]:
    """Return the non-empty fields of one CSV line by column name. Raises LineUnreadableError."""
    values = split_csv(_text(raw))
    if len(values) != len(header):
        raise LineUnreadableError(f"{len(values)} columns where the header has {len(header)}")
    return {
        name: value.strip() for name, value in zip(header, values, strict=True) if value.strip()
    }


def _text(raw: bytes) -> str:
    """Decode a line. Raises LineUnreadableError with the place of the first wrong byte."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LineUnreadableError(
            f"byte {raw[error.start]:#04x} at position {error.start} is not UTF-8"
        ) from None
    if "\0" in text:
        raise LineUnreadableError("the line holds a NUL character")
    return text


def refuse_wide(path: Path, beginning: bytes) -> None:
    """Raise FeedRefusedError if the file's first three bytes say that it is not UTF-8."""
    if beginning[:2] in WIDE_MARKS or b"\0" in beginning:
        raise FeedRefusedError(f"{path.name} is UTF-16 or UTF-32: export it as UTF-8")


class FeedReader:
    """The lines of one feed from a given place on; ``place`` is where the next line begins.

    ``columns`` is every column a CSV header may name, None for any. The file stays open until
    ``close``. Raises FeedRefusedError when the file cannot be a feed.
    """

    def __init__(self, path: Path, format_: FeedFormat, columns: frozenset[str] | None) -> None:
        self.path = path
        self.foot = b""
        self.format = format_
        self._columns = columns
        self._file: BinaryIO = path.open("rb")
        self._header: list[str] = []
        self._place = start()
        try:
            self._read_head()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def place(self) -> FeedPlace:
        """Return where the next line begins."""
        return FeedPlace(self._place.offset, self._place.line, self._place.digest.copy())

    @property
    def offset(self) -> int:
        """Return how many bytes lie before the next line."""
        return self._place.offset

    def seek(self, place: FeedPlace) -> None:
        """Go on from a place that an earlier reader of the same file returned."""
        self._file.seek(place.offset)
        self._place = FeedPlace(place.offset, place.line, place.digest.copy())

    def _read_head(self) -> None:
        """Skip the byte order mark and read the header, if the format has one."""
        mark = self._file.read(3)
        refuse_wide(self.path, mark)
        if mark != BYTE_ORDER_MARK:
            mark = b""
        self._file.seek(len(mark))
        raw = b"" if self.format is FeedFormat.JSON_LINES else self._file.readline(LINE_BYTES_MAX)
        if self.format is FeedFormat.CSV:
            self._header = self._parse_header(raw)
        self.head = mark + raw
        self._place.digest.update(self.head)
        self._place = FeedPlace(len(self.head), bool(raw), self._place.digest)

    def _parse_header(self, raw: bytes) -> list[str]:
        """Return the column names. Raises FeedRefusedError naming what is wrong with them."""
        name = self.path.name
        try:
            header = [column.strip() for column in split_csv(_text(raw.rstrip(b"\r\n")))]
        except LineUnreadableError as error:
            raise FeedRefusedError(f"{name}: header: {error}") from None
        if not raw.strip():
            raise FeedRefusedError(f"{name}: the first line must name the columns; it is empty")
        if len(header) == 1 and any(sign in header[0] for sign in ";\t"):
            raise FeedRefusedError(f"{name}: columns must be separated by commas")
        known = set(header) if self._columns is None else self._columns
        if unknown := sorted(set(header) - known):
            raise FeedRefusedError(f"{name}: unknown columns in the header: {', '.join(unknown)}")
        if repeated := sorted({column for column in header if header.count(column) > 1}):
            raise FeedRefusedError(f"{name}: repeated columns in the header: {repeated[0]}")
        return header

    def __iter__(self) -> Iterator[FeedLine]:
        """Return the lines from ``place`` on; blank ones are skipped but counted."""
        while raw := self._file.readline(LINE_BYTES_MAX):
            terminated = raw.endswith(b"\n")
            if not terminated and len(raw) == LINE_BYTES_MAX:
                yield self._skip_long_line(raw)
                continue
            line = self._parse(raw, terminated)
            if line is None or line.consumed:
                self._step(raw)
            if line is not None:
                yield line
            if line is not None and not line.consumed:
                return

    def _step(self, raw: bytes) -> None:
        """Move the place behind one line."""
        self._place.digest.update(raw)
        place = self._place
        self._place = FeedPlace(place.offset + len(raw), place.line + 1, place.digest)

    def _skip_long_line(self, raw: bytes) -> FeedLine:
        """Pass over the rest of a line that is too long, piece by piece."""
        digest, length, offset = self._place.digest, len(raw), self._place.offset
        digest.update(raw)
        while (piece := self._file.readline(LINE_BYTES_MAX)) != b"":
            digest.update(piece)
            length += len(piece)
            if piece.endswith(b"\n"):
                break
        self._place = FeedPlace(self._place.offset + length, self._place.line + 1, digest)
        problem = f"the line has {length} bytes; at most {LINE_BYTES_MAX} are read"
        return FeedLine(self._place.line, self._place.offset, None, problem, offset=offset)

    def _parse(self, raw: bytes, terminated: bool) -> FeedLine | None:
        """Return the line's fields or its problem; None for a blank line."""
        content = raw.rstrip(b"\r\n")
        if not content.strip():
            return None
        offset, number = self._place.offset, self._place.line + 1
        end = offset + len(raw)
        try:
            if self.format is FeedFormat.CSV:
                fields = parse_csv_line(content, self._header)
            else:
                fields = parse_json_line(content)
        except LineUnreadableError as error:
            if terminated:
                return FeedLine(number, end, None, str(error), offset=offset)
            problem = f"the last line seems to be cut off ({error})"
            return FeedLine(number, end, None, problem, False, False, offset)
        return FeedLine(number, end, fields, None, terminated=terminated, offset=offset)
