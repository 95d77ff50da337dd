"""What the two sides say to each other, as values, and as the messages of the exchange.

| notice of the hub | message of the registry | says |
|---|---|---|
| cut | cut_ack | the log index, the key, the attributes; the digest of all units |
| digests_asked | digests | windows of chunks, or every series; the digests that are not zero |
| blocks_asked | blocks | windows of serials; the blocks, cut to them, and what is left to ask for |
| totals_asked | totals | as ``cut``, without digests; units by series and values |
| any | refused | why it cannot be answered |

Every answer repeats the session and the question's number, and says in ``applied_to`` which moment
it speaks of. ``question_notice`` writes a question, ``answer_of`` reads an answer that its schema
has accepted (``message_schemas/messages/reconciliation.py``). Positions go up to 2^63 - 1; whether
they do, and whether a window runs forwards, no schema can say: it is checked here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, NoReturn, TypeVar

from message_schemas import json_codec
from message_schemas.messages import reconciliation as wire
from reconciliation.books import Window
from reconciliation.digests import Chunks
from reconciliation.discrepancies import Finding, FindingKind
from reconciliation.owned import OWNED, POSITION_MAX, SERIAL_MAX, Block, Owned, Series

Windows = Mapping[Series, Sequence[Window]]
Json = dict[str, Any]
K = TypeVar("K")
V = TypeVar("V")

VIEW_MAX: Final = 100
"""Values of one side in a finding that is sent; a unit held more often shows the first of them."""

_POSITION: Final = r"(0|[1-9][0-9]{0,18})"
_WINDOW: Final = re.compile(f"{_POSITION}-{_POSITION}")
_CHUNK: Final = re.compile(f"{_POSITION}:([0-9a-f]{{32}})")
_BLOCK: Final = re.compile(f"{_POSITION}-{_POSITION}:(0|[1-9][0-9]{{0,4}})")
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")
_VALUES: Final[Callable[[wire.OwnedValues], Owned]] = attrgetter(*OWNED)


class MessageError(ValueError):
    """An answer that is not what was agreed; says where."""


# --- questions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cut:
    """The marker in a registry's channel: compare as of ``index``, its own log index.

    ``answer_by`` is a time as the exchange writes it: who has not answered by then is silent.
    """

    session: str
    number: int
    index: int
    key_id: str
    answer_by: str


@dataclass(frozen=True, slots=True)
class DigestsAsked:
    """A question for digests; without windows, for every series whole, from behind ``after`` on."""

    session: str
    number: int
    shift: int
    windows: Windows = field(default_factory=dict)
    after: Series | None = None


@dataclass(frozen=True, slots=True)
class BlocksAsked:
    """A question for the blocks of windows of serials."""

    session: str
    number: int
    windows: Windows


@dataclass(frozen=True, slots=True)
class TotalsAsked:
    """A question for totals as of ``index``, or as near to it as the registry can come."""

    session: str
    number: int
    index: int
    answer_by: str


Question = Cut | DigestsAsked | BlocksAsked | TotalsAsked


def question_notice(question: Question) -> tuple[str, Json]:
    """Return the type and the body of the notice that asks a question."""
    body: object
    session, number = question.session, question.number
    match question:
        case Cut(index=index, key_id=key_id, answer_by=by):
            type_, body = (
                "reconciliation.cut",
                wire.ReconciliationCut(
                    session=session,
                    number=number,
                    log_index=index,
                    key_id=key_id,
                    owned=OWNED,
                    answer_by=by,
                ),
            )
        case DigestsAsked(shift=shift, windows=windows, after=after):
            type_, body = (
                "reconciliation.digests_asked",
                wire.ReconciliationDigestsAsked(
                    session=session,
                    number=number,
                    shift=shift,
                    windows=_windows_sent(windows),
                    after=None if after is None else series_name(after),
                ),
            )
        case BlocksAsked(windows=windows):
            type_, body = (
                "reconciliation.blocks_asked",
                wire.ReconciliationBlocksAsked(
                    session=session, number=number, windows=_windows_sent(windows)
                ),
            )
        case TotalsAsked(index=index, answer_by=by):
            type_, body = (
                "reconciliation.totals_asked",
                wire.ReconciliationTotalsAsked(
                    session=session, number=number, log_index=index, owned=OWNED, answer_by=by
                ),
            )
    return type_, json_codec.encode_body(body)


def _windows_sent(windows: Windows) -> tuple[wire.SeriesWindows, ...]:
    return tuple(
        wire.SeriesWindows(
            **series._asdict(), windows=tuple(f"{first}-{last}" for first, last in its)
        )
        for series, its in windows.items()
    )


# --- answers -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CutAck:
    """The registry's digest of all its units as of ``applied_to``."""

    session: str
    number: int
    applied_to: int
    digest: int


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests asked for; what is not there is zero, or with ``more`` behind the last one."""

    session: str
    number: int
    applied_to: int
    chunks: Chunks
    more: bool = False


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
    """The registry cannot take part: ``code`` is one of the message's, ``reason`` one sentence."""

    session: str
    number: int
    code: str
    reason: str


Answer = CutAck | Digests | Blocks | Totals | Refused


def answer_of(body: object) -> Answer:
    """Return the answer that a message body says; MessageError says what is wrong with it."""
    match body:
        case wire.ReconciliationCutAck():
            return CutAck(body.session, body.number, body.applied_to, _digest(body.digest))
        case wire.ReconciliationDigests():
            chunks = _each_once(
                (series_from(row), _chunks_read(row.digests)) for row in body.chunks
            )
            return Digests(body.session, body.number, body.applied_to, chunks, body.more)
        case wire.ReconciliationBlocks():
            rest = _each_once(
                (series_from(row), [_window_read(text) for text in row.windows])
                for row in body.rest
            )
            blocks = _blocks_read(body)
            return Blocks(body.session, body.number, body.applied_to, blocks, rest)
        case wire.ReconciliationTotals():
            return _totals_read(body)
        case wire.ReconciliationRefused():
            return Refused(body.session, body.number, body.code, body.reason)
    raise MessageError(f"{type(body).__name__} is no answer to what a session asks")


def _blocks_read(body: wire.ReconciliationBlocks) -> list[Block]:
    table = [owned_from(values) for values in body.owned]
    blocks: list[Block] = []
    for row in body.blocks:
        series = series_from(row)
        for text in row.blocks:
            found = _BLOCK.fullmatch(text)
            if found is None:
                raise MessageError(f"{text!r} is not FIRST-LAST:PLACE")
            first, last, place = int(found[1]), int(found[2]), int(found[3])
            if not 1 <= first <= last <= SERIAL_MAX or place >= len(table):
                raise MessageError(f"{text} of {series} is no block")
            blocks.append(Block(series, first, last, table[place]))
    return blocks


def _totals_read(body: wire.ReconciliationTotals) -> Totals:
    fields = body.fields
    if any(name not in OWNED for name in fields) or len(set(fields)) < len(fields):
        raise MessageError("fields are some of the owned attributes, each once")
    places = [OWNED.index(name) for name in fields]
    others = [place for place in range(len(OWNED)) if place not in places]
    units: dict[tuple[Series, Owned], int] = {}
    for row in body.units:
        series = series_from(row)
        for total in row.totals:
            owned = owned_from(total.values)
            if any(owned[place] is not None for place in others):
                raise MessageError(f"{series} is counted by an attribute that fields leave out")
            cell = (series, tuple(owned[place] for place in places))
            if cell in units:
                raise MessageError(f"{cell} is told twice")
            units[cell] = total.quantity
    return Totals(body.session, body.number, body.applied_to, fields, units)


def _chunks_read(texts: Iterable[str]) -> dict[int, int]:
    found = [_CHUNK.fullmatch(text) or _refuse(f"{text!r} is not CHUNK:DIGEST") for text in texts]
    return _each_once((_position(match[1]), int(match[2], 16)) for match in found)


def _window_read(text: str) -> Window:
    found = _WINDOW.fullmatch(text) or _refuse(f"{text!r} is not FIRST-LAST")
    low, high = _position(found[1]), _position(found[2])
    if low > high:
        raise MessageError(f"{text} runs backwards")
    return low, high


def _position(text: str) -> int:
    position = int(text)
    if position > POSITION_MAX:
        raise MessageError(f"{text} lies beyond {POSITION_MAX}")
    return position


def _digest(text: str) -> int:
    if _DIGEST.fullmatch(text) is None:
        raise MessageError(f"{text!r} is not a digest of 32 lower case hexadecimal digits")
    return int(text, 16)


def _each_once(pairs: Iterable[tuple[K, V]]) -> dict[K, V]:
    found: dict[K, V] = {}
    for key, value in pairs:
        if key in found:
            raise MessageError(f"{key} is told twice")
        found[key] = value
    return found


def _refuse(why: str) -> NoReturn:
    raise MessageError(why)


# --- parts ---------------------------------------------------------------------------------------


def series_name(series: Series) -> wire.SeriesName:
    """Return a series as it travels."""
    return wire.SeriesName(**series._asdict())


def series_from(row: wire.SeriesName) -> Series:
    """Return the series that a row of a message is about."""
    return Series(
        row.cooperative_approach,
        row.originating_registry,
        row.first_transferring_party,
        row.vintage,
    )


def owned_values(owned: Owned) -> wire.OwnedValues:
    """Return the values of one run of units as they travel."""
    return wire.OwnedValues(**dict(zip(OWNED, owned, strict=True)))


def owned_from(values: wire.OwnedValues) -> Owned:
    """Return the values of one run of units as they are compared."""
    return _VALUES(values)


def finding_row(finding: Finding, case_id: str | None, frozen: bool) -> wire.ReconciliationFinding:
    """Return a finding as a result tells it; of a view at most VIEW_MAX values."""
    return wire.ReconciliationFinding(
        **finding.series._asdict(),
        kind=finding.kind.value,
        first_serial=finding.first,
        last_serial=finding.last,
        quantity=finding.quantity,
        ledger=tuple(owned_values(owned) for owned in finding.ledger[:VIEW_MAX]),
        registry=tuple(owned_values(owned) for owned in finding.registry[:VIEW_MAX]),
        frozen=frozen,
        fields=finding.fields,
        cause_index=finding.cause_index,
        reference=finding.reference,
        case_id=case_id,
    )


def finding_from(row: wire.ReconciliationFinding) -> Finding:
    """Return the finding that a result tells; MessageError if it is of no kind with serials."""
    try:
        kind = FindingKind(row.kind)
    except ValueError:
        raise MessageError(f"a finding of kind {row.kind} has no serials") from None
    return Finding(
        kind,
        series_from(row),
        row.first_serial,
        row.last_serial,
        tuple(owned_from(values) for values in row.ledger),
        tuple(owned_from(values) for values in row.registry),
        row.fields,
        row.cause_index,
        row.reference,
    )
