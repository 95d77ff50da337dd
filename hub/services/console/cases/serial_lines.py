"""Both books side by side along the serial numbers of a case, as far as the hub knows them.

The ledger's book is read from the ledger as it is now. The registry's book is not here; what is
known of it comes from the last comparison, and each cell of the line says on what it rests:

    differs       a finding of this case: what the registry has was told by its answers
    agreed        no finding lies there: both sides had the same as of the comparison
    other case    another open case of this registry lies there
    moved         the journal says something of these serials since: they were not compared again
    not compared  units that do not count (authorized, not first transferred)
    unknown       the comparison could not establish it, or a message was on its way then
    skipped       serials between those of the case, not looked at here

The cells are a partition of the line: each serial lies in one of them, and each cell says what
either book has there. So the bars of both books are equally long, and nothing is left out.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.international_registry.serial_spans import SerialSpans
from hub.international_registry.units import SERIAL_MAX, BlockStatus
from hub.international_registry.units import Series as LedgerSeries
from hub.store.interning import series_id_of
from hub.store.reconciliation import case_serials, sessions
from hub.store.reconciliation.case_serials import BlockRow, MovedRow, OverRow, PassingRow
from hub.store.reconciliation.cases import CaseRow, RangeRow
from reconciliation.case_states import CaseState
from reconciliation.owned import HELD, Series

RANGES_A_PAGE: Final = 25
BLOCKS_A_WINDOW: Final = 60
OTHERS_MAX: Final = 300
PASSING_MAX: Final = 5_000
"""Findings without a case that are looked at, of one comparison."""
SPANS_MAX: Final = 10_000
"""Ranges of a series that its overview marks."""

CONTEXT_MIN: Final = 20
_EXACT: Final = frozenset({"digests", "explanation", "blocks"})
"""What a comparison rests on that says of every serial whether it is equal."""


class Standing(StrEnum):
    """On what it rests what a cell says of the registry's book."""

    DIFFERS = "differs"
    AGREED = "agreed"
    OTHER_CASE = "other_case"
    MOVED = "moved"
    NOT_COMPARED = "not_compared"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class Has(StrEnum):
    """What a book has of the serials of a cell."""

    NOTHING = "nothing"
    UNITS = "units"
    ELSEWHERE = "elsewhere"
    """By the ledger they are another registry's: this one has nothing of them."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Side:
    """What one book has in a cell: ``times`` is more than 1 for units it has more than once.

    ``block`` are the first and last serial of the whole block of the ledger, ``note`` what is
    remarkable of it: reserved by a transfer, on hold.
    """

    has: Has
    registry: str | None = None
    status: str | None = None
    times: int = 1
    block: tuple[int, int] | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """Serials of which either book has the same all along.

    ``case_id`` is another case that lies there, ``log_index`` the entry by which the ledger changed
    there since the comparison, ``fields`` the attributes that differ.
    """

    first: int
    last: int
    ledger: Side
    registry: Side
    standing: Standing
    case_id: str | None = None
    log_index: int | None = None
    fields: tuple[str, ...] = ()

    @property
    def quantity(self) -> int:
        """Return the number of serials."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the line rests on: the session, as of which entry, and whether the rest agreed."""

    session: str
    as_of: int | None
    is_exact: bool


@dataclass(frozen=True, slots=True)
class SerialLine:
    """A page of one series of a case: its cells, in order, and all its ranges for the overview.

    ``before`` and ``after`` are the serials from which the neighbouring pages begin. ``ranges`` are
    those of this page. ``spans`` may be cut short of very many (``is_whole``).
    """

    series: Series
    number: int
    range_count: int
    units: int
    first: int
    last: int
    spans: tuple[tuple[int, int], ...]
    cells: tuple[Cell, ...]
    ranges: tuple[RangeRow, ...]
    others: tuple[OverRow, ...]
    before: int | None
    after: int | None

    @property
    def is_whole(self) -> bool:
        """Tell whether ``spans`` are all ranges of the series."""
        return len(self.spans) == self.range_count


@dataclass(frozen=True, slots=True)
class Window:
    """Serials that a line looks at; ``blocks`` are those of the ledger up to ``known_to``."""

    first: int
    last: int
    blocks: tuple[BlockRow, ...]
    known_to: int


@dataclass(frozen=True, slots=True)
class Around:
    """What there is around the ranges of a page besides the ledger's blocks.

    ``moved`` is None where too much moved since the comparison to tell what did not. ``passing``
    differed in the comparison, by a message on its way. ``others`` are known up to ``others_to``.
    """

    registry: str
    is_exact: bool
    others: Sequence[OverRow] = ()
    moved: Sequence[MovedRow] | None = ()
    passing: Sequence[PassingRow] = ()
    others_to: int = SERIAL_MAX


def comparison_of(connection: Connection, row: CaseRow) -> Comparison:
    """Return the comparison that a case was last found, or found clean, in."""
    session = sessions.load(connection, row.last_session)
    if session is None or session.state != "done":
        return Comparison(row.last_session, None, is_exact=False)
    is_exact = session.basis in _EXACT and session.reason is None
    return Comparison(session.session, session.as_of, is_exact)


def line_of(
    connection: Connection,
    row: CaseRow,
    found: case_serials.SeriesOfCase,
    number: int,
    comparison: Comparison,
    start: int,
) -> SerialLine:
    """Return the page of a series of a case that begins with the serial ``start``."""
    series = found.series
    ranges = case_serials.ranges_from(connection, row.case_id, series, start, RANGES_A_PAGE + 1)
    ranges, after = _page(ranges)
    others: list[OverRow] = []
    cells: list[Cell] = []
    if ranges:
        low = case_serials.last_before(connection, row.case_id, series, ranges[0].first_serial) + 1
        last = max(one.last_serial for one in ranges)
        high = SERIAL_MAX if after is None else max(last, after - 1)
        places = windows_of([(one.first_serial, one.last_serial) for one in ranges], low, high)
        others = case_serials.over(
            connection, series, places[0][0], places[-1][1], but=row.case_id, limit=OTHERS_MAX
        )
        series_id = series_id_of(connection, LedgerSeries(*series))
        moved: list[MovedRow] | None = []
        if series_id is not None and comparison.as_of is not None:
            moved = case_serials.moved_since(
                connection, series_id, comparison.as_of, places[0][0], places[-1][1]
            )
        windows = [_window(connection, series_id, *place) for place in places]
        passing = case_serials.passing(connection, comparison.session, series, PASSING_MAX)
        around = Around(
            row.registry,
            comparison.is_exact and passing is not None,
            others,
            moved,
            passing or (),
            SERIAL_MAX if len(others) < OTHERS_MAX else others[-1].first - 1,
        )
        cells = cells_of(ranges, windows, around)
    return SerialLine(
        series,
        number,
        found.range_count,
        found.units,
        found.first,
        found.last,
        tuple(case_serials.spans_of(connection, row.case_id, series, SPANS_MAX)),
        tuple(cells),
        tuple(ranges),
        tuple(others),
        case_serials.first_of_page_before(connection, row.case_id, series, start, RANGES_A_PAGE),
        after,
    )


def _page(ranges: list[RangeRow]) -> tuple[list[RangeRow], int | None]:
    """Return the ranges of a page, and from which serial the next one begins."""
    if len(ranges) <= RANGES_A_PAGE:
        return ranges, None
    after = ranges[-1].first_serial
    # Ranges that begin together stay together, so that the next page can begin with them.
    kept = [one for one in ranges[:-1] if one.first_serial < after]
    return kept or ranges[:-1], after


def _window(connection: Connection, series_id: int | None, first: int, last: int) -> Window:
    if series_id is None:
        return Window(first, last, (), last)
    blocks = case_serials.blocks_over(connection, series_id, first, last, BLOCKS_A_WINDOW + 1)
    if len(blocks) <= BLOCKS_A_WINDOW:
        return Window(first, last, tuple(blocks), last)
    return Window(first, last, tuple(blocks[:-1]), blocks[-2].last)


# --- windows and cells ---------------------------------------------------------------------------


def windows_of(spans: Sequence[tuple[int, int]], low: int, high: int) -> list[tuple[int, int]]:
    """Return the serials around the spans, within ``low`` to ``high``; joined where they meet."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        context = max(CONTEXT_MIN, (last - first + 1) // 5)
        begin = max(min(low, first), first - context, 1)
        end = min(max(high, last), last + context, SERIAL_MAX)
        if found and begin <= found[-1][1] + CONTEXT_MIN:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def cells_of(ranges: Sequence[RangeRow], windows: Sequence[Window], around: Around) -> list[Cell]:
    """Return the cells of the windows and of what lies between them, in order of serials."""
    making = _Making(ranges, around)
    cells: list[Cell] = []
    for window in windows:
        if cells and cells[-1].last + 1 < window.first:
            side = Side(Has.UNKNOWN)
            cells.append(Cell(cells[-1].last + 1, window.first - 1, side, side, Standing.SKIPPED))
        for cell in making.cells(window):
            if cells and _are_one(cells[-1], cell):
                cells[-1] = replace(cells[-1], last=cell.last)
            else:
                cells.append(cell)
    return cells


def _are_one(left: Cell, right: Cell) -> bool:
    return left.last + 1 == right.first and replace(left, first=0, last=0) == replace(
        right, first=0, last=0
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the newest finding of a range says."""

    ledger: Side
    registry: Side
    fields: tuple[str, ...]


class _Making:
    """The ranges of a page and what is around them, to be asked serial by serial."""

    def __init__(self, ranges: Sequence[RangeRow], around: Around) -> None:
        self._around = around
        self._told = [_told(one, around.registry) for one in ranges]
        self._ordinals = [one.ordinal for one in ranges]
        self._ranges = SerialSpans(
            ("", one.first_serial, one.last_serial, place) for place, one in enumerate(ranges)
        )
        self._others = SerialSpans(
            ("", one.first, one.last, one.case_id)
            for one in around.others
            if one.registry == around.registry and one.state != CaseState.CLOSED
        )
        self._moved = SerialSpans(
            ("", one.first, one.last, one.log_index) for one in around.moved or ()
        )
        self._passing = SerialSpans(("", one.first, one.last, None) for one in around.passing)

    def cells(self, window: Window) -> Iterable[Cell]:
        """Yield the cells of a window, cut wherever anything begins or ends."""
        place = ("", window.first, window.last)
        spans = [
            *(
                span[:2]
                for lane in (self._ranges, self._others, self._moved, self._passing)
                for span in lane.over(*place)
            ),
            *((one.first, one.last) for one in window.blocks),
            (window.first, window.last),
            (window.first, window.known_to),
        ]
        if window.first <= self._around.others_to < window.last:
            spans.append((window.first, self._around.others_to))
        cuts = {
            cut
            for first, last in spans
            for cut in (max(first, window.first), min(last, window.last) + 1)
        }
        starts = [one.first for one in window.blocks]
        ordered = sorted(cuts)
        for first, behind in pairwise(ordered):
            at = bisect_right(starts, first) - 1
            block = window.blocks[at] if at >= 0 and window.blocks[at].last >= first else None
            yield self._cell(first, behind - 1, block, is_known=first <= window.known_to)

    def _cell(self, first: int, last: int, block: BlockRow | None, *, is_known: bool) -> Cell:
        here = ("", first, first)
        moved = self._moved.over(*here)
        log_index = moved[0][2] if moved else None
        ledger = _ledger_side(block, self._around.registry) if is_known else Side(Has.UNKNOWN)
        of_case = [place for _, _, place in self._ranges.over(*here)]
        if of_case:  # of two, that which was found last: it was numbered first
            told = self._told[min(of_case, key=lambda place: self._ordinals[place])]
            return Cell(
                first,
                last,
                ledger if is_known else told.ledger,
                told.registry,
                Standing.DIFFERS,
                log_index=log_index,
                fields=told.fields,
            )
        others = self._others.over(*here)
        is_told = is_known and first <= self._around.others_to and not self._passing.over(*here)
        standing = self._standing(ledger, is_known=is_told, is_moved=log_index is not None)
        if others:
            standing = Standing.OTHER_CASE
        registry = Side(Has.UNKNOWN)
        if standing is Standing.AGREED:
            registry = _agreed(ledger)
        case_id = others[0][2] if others else None
        return Cell(first, last, ledger, registry, standing, case_id, log_index)

    def _standing(self, ledger: Side, *, is_known: bool, is_moved: bool) -> Standing:
        if is_moved:
            return Standing.MOVED
        if not is_known or not self._around.is_exact or self._around.moved is None:
            return Standing.UNKNOWN
        if ledger.has is Has.UNITS and ledger.status == BlockStatus.AUTHORIZED:
            return Standing.NOT_COMPARED
        return Standing.AGREED


def _ledger_side(block: BlockRow | None, registry: str) -> Side:
    if block is None:
        return Side(Has.NOTHING)
    has = Has.UNITS if block.registry == registry else Has.ELSEWHERE
    note = block.reserved_by or block.hold
    whole = (block.first, block.last)
    return Side(has, block.registry, _status(block.status), block=whole, note=note)


def _status(status: str) -> str:
    """Return the status of units in the word that both sides use for it."""
    return HELD if status == BlockStatus.ITMO else status


def _agreed(ledger: Side) -> Side:
    """Return the registry's side where nothing differed: the same, or nothing."""
    if ledger.has is not Has.UNITS:
        return Side(Has.NOTHING)
    return Side(Has.UNITS, ledger.registry, ledger.status)


def _told(row: RangeRow, registry: str) -> _Told:
    body: dict[str, Any] = msgspec.json.decode(row.body)
    return _Told(
        _view(body.get("ledger", ()), registry),
        _view(body.get("registry", ()), registry),
        tuple(body.get("fields", ())),
    )


def _view(view: Sequence[dict[str, Any]], registry: str) -> Side:
    if not view:
        return Side(Has.NOTHING)
    return Side(Has.UNITS, registry, view[0].get("status"), len(view))
