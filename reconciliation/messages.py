"""What the two sides say to each other, as values and as JSON.

| kind | direction | says |
|---|---|---|
| cut | hub | the log index, the key, the list of owned attributes |
| cut-ack | registry | how far it has applied the log, and the digest of all its units |
| digests-asked | hub | a shift, and windows of positions by series (none: every series, whole) |
| digests | registry | the digests of the chunks that are not zero |
| blocks-asked | hub | windows of serials by series |
| blocks | registry | the blocks, cut to the windows; ``rest`` is what to ask for next |
| totals-asked | hub | as ``cut``, for a registry without digests |
| totals | registry | units by series and by the owned attributes it can group by |
| refused | registry | why it cannot answer: another key, another list of attributes |
| result | hub | agreed or not, and the findings, as of an index |

Every answer repeats the session and the question's number, and says in ``applied_to`` which moment
it speaks of. Windows and blocks are grouped by series, and the values of a block are a place in a
list, since series and values are long and few. Positions are integers up to 2^63 - 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciliation.books import Window
from reconciliation.digests import Chunks, digest_text
from reconciliation.owned import OWNED, POSITION_MAX, Block, Owned, Series

Windows = Mapping[Series, Sequence[Window]]
Json = dict[str, Any]


class MessageError(ValueError):
    """An answer that is not what was agreed; says where."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The marker in a registry's channel: compare as of ``index``."""

    session: str
    number: int
    index: int
    key_id: str

    def as_json(self) -> Json:
        """Return the message as JSON values."""
        return {
            "kind": "cut",
            "session": self.session,
            "number": self.number,
            "index": self.index,
            "key_id": self.key_id,
            "owned": list(OWNED),
        }


@dataclass(frozen=True, slots=True)
class DigestsAsked:
    """A question for digests; without windows, for every series as a whole."""

    session: str
    number: int
    shift: int
    windows: Windows = field(default_factory=dict)

    def as_json(self) -> Json:
        """Return the message as JSON values."""
        return {
            "kind": "digests-asked",
            "session": self.session,
            "number": self.number,
            "shift": self.shift,
            "windows": _windows_json(self.windows),
        }


@dataclass(frozen=True, slots=True)
class BlocksAsked:
    """A question for the blocks of windows of serials."""

    session: str
    number: int
    windows: Windows

    def as_json(self) -> Json:
        """Return the message as JSON values."""
        return {
            "kind": "blocks-asked",
            "session": self.session,
            "number": self.number,
            "windows": _windows_json(self.windows),
        }


@dataclass(frozen=True, slots=True)
class TotalsAsked:
    """A question for totals as of ``index``, or as near to it as the registry can come."""

    session: str
    number: int
    index: int

    def as_json(self) -> Json:
        """Return the message as JSON values."""
        return {
            "kind": "totals-asked",
            "session": self.session,
            "number": self.number,
            "index": self.index,
            "owned": list(OWNED),
        }


Question = Cut | DigestsAsked | BlocksAsked | TotalsAsked


@dataclass(frozen=True, slots=True)
class CutAck:
    """The registry's digest of all its units as of ``applied_to``."""

    session: str
    number: int
    applied_to: int
    digest: int


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests asked for; what is not there is zero."""

    session: str
    number: int
    applied_to: int
    chunks: Chunks


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks asked for, cut to the windows, and what is still to be asked."""

    session: str
    number: int
    applied_to: int
    blocks: Sequence[Block]
    rest: Windows


@dataclass(frozen=True, slots=True)
class Totals:
    """Units by series and by the values of ``fields``, some of the owned attributes."""

    session: str
    number: int
    applied_to: int
    fields: tuple[str, ...]
    units: Mapping[tuple[Series, Owned], int]


@dataclass(frozen=True, slots=True)
class Refused:
    """The registry cannot take part; one sentence why."""

    session: str
    number: int
    reason: str


Answer = CutAck | Digests | Blocks | Totals | Refused


def _windows_json(windows: Windows) -> list[Any]:
    return [[list(series), [list(window) for window in its]] for series, its in windows.items()]


def answer_from_json(value: Any) -> Answer:
    """Return an answer read from JSON values; MessageError says what is wrong with it."""
    if not isinstance(value, dict):
        raise MessageError("an answer is an object")
    session, number = _text(value, "session"), _integer(value, "number")
    match value.get("kind"):
        case "refused":
            return Refused(session, number, _text(value, "reason"))
        case "cut-ack":
            digest = _digest(value.get("digest"))
            return CutAck(session, number, _integer(value, "applied_to"), digest)
        case "digests":
            chunks: Chunks = {}
            for series, rows in _by_series(value, "chunks"):
                read = {_number(chunk): _digest(digest) for chunk, digest in _pairs(rows)}
                chunks.setdefault(series, {}).update(read)
            return Digests(session, number, _integer(value, "applied_to"), chunks)
        case "blocks":
            return Blocks(
                session,
                number,
                _integer(value, "applied_to"),
                _blocks(value),
                {
                    series: [_window(first, last) for first, last in _pairs(rows)]
                    for series, rows in _by_series(value, "rest")
                },
            )
        case "totals":
            return _totals(value, session, number)
        case kind:
            raise MessageError(f"there is no answer of kind {kind!r}")


def _blocks(value: Json) -> list[Block]:
    table = [_owned(row) for row in _list(value.get("owned"), "owned")]
    blocks: list[Block] = []
    for series, rows in _by_series(value, "blocks"):
        for row in rows:
            if not isinstance(row, list) or len(row) != 3:
                raise MessageError("a block is [first, last, place of its values]")
            first, last = _window(row[0], row[1])
            place = _number(row[2])
            if first < 1 or last >= POSITION_MAX or place >= len(table):
                raise MessageError(f"{row} is no block")
            blocks.append(Block(series, first, last, table[place]))
    return blocks


def _totals(value: Json, session: str, number: int) -> Totals:
    fields = tuple(_list(value.get("fields"), "fields"))
    if any(name not in OWNED for name in fields) or len(set(fields)) < len(fields):
        raise MessageError("fields are some of the owned attributes, each once")
    units: dict[tuple[Series, Owned], int] = {}
    for series, rows in _by_series(value, "units"):
        for texts, count in _pairs(rows):
            cell = (series, _texts(texts, len(fields)))
            if cell in units:
                raise MessageError(f"{cell} is told twice")
            units[cell] = _number(count)
    return Totals(session, number, _integer(value, "applied_to"), fields, units)


def _by_series(value: Json, name: str) -> list[tuple[Series, list[Any]]]:
    found: list[tuple[Series, list[Any]]] = []
    for pair in _pairs(_list(value.get(name), name)):
        match pair:
            case ([str(a), str(b), str(c), int(vintage)], list(rows)):
                found.append((Series(a, b, c, vintage), rows))
            case _:
                raise MessageError(f"{name}: [[approach, registry, Party, vintage], rows]")
    return found


def _pairs(rows: list[Any]) -> list[tuple[Any, Any]]:
    for row in rows:
        if not isinstance(row, list) or len(row) != 2:
            raise MessageError(f"{row!r} is not a pair")
    return [(row[0], row[1]) for row in rows]


def _owned(row: Any) -> Owned:
    return _texts(row, len(OWNED))


def _texts(row: Any, count: int) -> Owned:
    if not isinstance(row, list) or len(row) != count:
        raise MessageError(f"{row!r} has not {count} owned values")
    if not all(text is None or isinstance(text, str) for text in row):
        raise MessageError("an owned value is a text or null")
    return tuple(row)


def _window(first: Any, last: Any) -> Window:
    low, high = _number(first), _number(last)
    if low > high:
        raise MessageError(f"{low} to {high} runs backwards")
    return low, high


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= POSITION_MAX:
        raise MessageError(f"{value!r} is not a whole number from 0 to {POSITION_MAX}")
    return value


def _digest(value: Any) -> int:
    try:
        digest = int(value, 16) if isinstance(value, str) else -1
    except ValueError:
        digest = -1
    if digest < 0 or digest_text(digest) != value:
        raise MessageError(f"{value!r} is not a digest of 32 lower case hexadecimal digits")
    return digest


def _integer(value: Json, name: str) -> int:
    return _number(value.get(name))


def _text(value: Json, name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise MessageError(f"{name} is a text")
    return text


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise MessageError(f"{name} is a list")
    return value
