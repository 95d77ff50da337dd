"""Where the parts of a serial line lie in its picture: places in user units, words, no colours.

1. The picture is not to scale: one serial beside a thousand million would be nothing. Every cell
   gets a part of the width as of right (``CELL_WIDTH_MIN`` at least), the rest goes by the
   logarithm of its quantity. So no mark ever vanishes, and the serials stand at every border.
2. The overview is to scale. Its marks have a width that can be seen; those that lie near to each
   other are one, with their count.
3. What a colour says, a sign says too: see ``SIGNS``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, Final

from hub.console.translating import N_, translate
from hub.console.words import word
from hub.services.console.cases.serial_lines import Cell, Has, SerialLine, Side, Standing

LEFT: Final = 88.0
WIDTH: Final = 960.0
INNER: Final = WIDTH - LEFT - 8
CELLS_A_ROW_MAX: Final = 16
CELL_WIDTH_MIN: Final = 18.0
MARK_WIDTH_MIN: Final = 5.0
_MARK_GAP: Final = 3.0
_MARK_STEP: Final = 28.0
"""Wide enough for a count of three digits."""

_DIGIT: Final = 6.9
_LETTER: Final = 7.3
_TICKS_Y: Final = 118.0
_TICK_STEP: Final = 14.0

SIGNS: Final = {
    Standing.DIFFERS: "≠",
    Standing.AGREED: "=",
    Standing.OTHER_CASE: "#",
    Standing.MOVED: "→",
    Standing.NOT_COMPARED: "○",
    Standing.UNKNOWN: "?",
    Standing.SKIPPED: "⋯",
}
STANDINGS: Final = {
    Standing.DIFFERS: N_("differs: a finding of this case"),
    Standing.AGREED: N_("agreed at the last comparison"),
    Standing.OTHER_CASE: N_("another open case of this registry"),
    Standing.MOVED: N_("moved in the ledger since the last comparison"),
    Standing.NOT_COMPARED: N_("not compared: authorized, not first transferred"),
    Standing.UNKNOWN: N_("not known: the comparison did not say"),
    Standing.SKIPPED: N_("between the serials of this case, not drawn"),
}
"""What each sign means, in words."""


@dataclass(frozen=True, slots=True)
class Box:
    """A cell in the picture, with the words of both books, short enough for its width."""

    cell: Cell
    x: float
    width: float
    ledger: str
    registry: str
    sign: str
    title: str

    @property
    def middle(self) -> float:
        """Return the middle of the cell."""
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True, slots=True)
class Tick:
    """A serial at a border; ``is_end``: it stands to the left of its place."""

    x: float
    y: float
    text: str
    is_end: bool
    is_marked: bool


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of the picture."""

    boxes: tuple[Box, ...]
    ticks: tuple[Tick, ...]
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Ranges in the overview: one, or ``count`` that lie too near to each other."""

    x: float
    width: float
    count: int
    first: int
    last: int


def strips(cells: Sequence[Cell]) -> list[Strip]:
    """Return the rows of the picture; each cell is in exactly one of them."""
    if not cells:
        return []
    digits = len(str(cells[-1].last))
    fitting = int(INNER / max(48.0, digits * _DIGIT / 2))
    a_row = max(4, min(CELLS_A_ROW_MAX, fitting))
    count = -(-len(cells) // a_row)
    a_row = -(-len(cells) // count)
    return [_strip(cells[at : at + a_row]) for at in range(0, len(cells), a_row)]


def _strip(cells: Sequence[Cell]) -> Strip:
    of_right = max(CELL_WIDTH_MIN, 0.4 * INNER / len(cells))
    weights = [log2(1 + cell.quantity) for cell in cells]
    room = (INNER - of_right * len(cells)) / sum(weights)
    boxes: list[Box] = []
    x = LEFT
    for cell, weight in zip(cells, weights, strict=True):
        width = of_right + room * weight
        boxes.append(
            Box(
                cell,
                round(x, 1),
                round(width, 1),
                _fitting(side_words(cell.ledger), _short(cell.ledger), width),
                _fitting(side_words(cell.registry), _short(cell.registry), width),
                SIGNS[cell.standing],
                cell_words(cell),
            )
        )
        x += width
    ticks = _ticks(boxes)
    return Strip(tuple(boxes), tuple(ticks), max(tick.y for tick in ticks) + 8)


def _ticks(boxes: Sequence[Box]) -> list[Tick]:
    """Return the serials at the borders, one below the other where there is no room beside."""
    ends: list[float] = []
    ticks: list[Tick] = []
    places = [(box.x, box.cell.first, box) for box in boxes]
    last = boxes[-1]
    for x, serial, box in [*places, (last.x + last.width, last.cell.last, last)]:
        text = str(serial)
        length = len(text) * _DIGIT + 8
        is_end = x + length > WIDTH
        begin = x - length if is_end else x
        level = next((at for at, end in enumerate(ends) if end <= begin), len(ends))
        if level == len(ends):
            ends.append(0.0)
        ends[level] = begin + length
        is_marked = box.cell.standing is Standing.DIFFERS
        y = _TICKS_Y + level * _TICK_STEP
        ticks.append(Tick(round(x, 1), y, text, is_end, is_marked))
    return ticks


def _fitting(words: str, short: str, width: float) -> str:
    return words if len(words) * _LETTER + 8 <= width else short


def overview(spans: Sequence[tuple[int, int]], first: int, last: int) -> list[Mark]:
    """Return the marks of ranges (in order) on a line from ``first`` to ``last``, to scale.

    Ranges that begin within one step of the line are one mark. A mark moves a little to the right
    where the one before it needs its room.
    """
    scale = (INNER - _MARK_STEP) / (last - first + 1)
    marks: list[Mark] = []
    step = -1
    for low, high in spans:
        x, end = LEFT + (low - first) * scale, LEFT + (high + 1 - first) * scale
        before = marks[-1] if marks else None
        if before is not None and int((x - LEFT) / _MARK_STEP) == step:
            width = max(before.width, end - before.x)
            marks[-1] = Mark(before.x, width, before.count + 1, before.first, high)
            continue
        step = int((x - LEFT) / _MARK_STEP)
        if before is not None:
            x = max(x, before.x + before.width + _MARK_GAP)
        marks.append(Mark(x, max(MARK_WIDTH_MIN, end - x), 1, low, high))
    return [
        Mark(round(one.x, 2), round(one.width, 2), one.count, one.first, one.last) for one in marks
    ]


def extent(line: SerialLine) -> tuple[int, int]:
    """Return from where to where the overview of a line goes: a little more than its ranges."""
    length = line.last - line.first + 1
    margin = length if line.range_count == 1 else length // 50 + 1
    return max(1, line.first - margin), line.last + margin


# --- words ---------------------------------------------------------------------------------------


def side_words(side: Side) -> str:
    """Return what a book has, in a few words."""
    match side.has:
        case Has.NOTHING:
            return translate(N_("nothing"))
        case Has.UNKNOWN:
            return translate(N_("not known"))
        case Has.ELSEWHERE:
            return translate(N_("at {registry}")).format(registry=side.registry)
        case Has.UNITS:
            status = word(side.status, "owned_status")
            if side.times == 1:
                return status
            return translate(N_("{status}, {count} times")).format(status=status, count=side.times)


def _short(side: Side) -> str:
    match side.has:
        case Has.NOTHING:
            return "–"
        case Has.UNKNOWN:
            return "?"
        case Has.ELSEWHERE:
            return "↗"
        case Has.UNITS:
            return "■" if side.times == 1 else f"{side.times}×"


def ledger_note(side: Side) -> str:
    """Return what else there is to say of a block of the ledger, or nothing."""
    notes: list[str] = []
    if side.block is not None:
        first, last = side.block
        notes.append(translate(N_("block {first} to {last}")).format(first=first, last=last))
    if side.note is not None:
        notes.append(translate(N_("held back by {what}")).format(what=side.note))
    return "; ".join(notes)


def standing_words(cell: Cell) -> str:
    """Return on what a cell rests, with the attributes, case or entry it names."""
    words = translate(STANDINGS[cell.standing])
    more: list[str] = []
    if cell.fields:
        names = ", ".join(name.replace("_", " ") for name in cell.fields)
        more.append(translate(N_("attributes: {names}")).format(names=names))
    if cell.case_id is not None:
        more.append(translate(N_("case {case}")).format(case=cell.case_id))
    if cell.log_index is not None:
        more.append(translate(N_("entry {index} of the log")).format(index=cell.log_index))
    return "; ".join([words, *more])


def cell_words(cell: Cell) -> str:
    """Return all that a cell says."""
    parts = [
        f"{cell.first}–{cell.last}" if cell.last > cell.first else str(cell.first),
        translate(N_("ledger: {words}")).format(words=side_words(cell.ledger)),
        ledger_note(cell.ledger),
        translate(N_("registry: {words}")).format(words=side_words(cell.registry)),
        standing_words(cell),
    ]
    return " · ".join(part for part in parts if part)


def script_data(line: SerialLine) -> dict[str, Any]:
    """Return a line for the script that zooms it; serials as texts, for they may be very long."""
    return {
        "first": str(line.cells[0].first) if line.cells else "1",
        "last": str(line.cells[-1].last) if line.cells else "1",
        "cells": [
            {
                "first": str(cell.first),
                "last": str(cell.last),
                "standing": cell.standing.value,
                "sign": SIGNS[cell.standing],
                "ledgerHas": cell.ledger.has.value,
                "registryHas": cell.registry.has.value,
                "ledger": side_words(cell.ledger),
                "registry": side_words(cell.registry),
                "words": cell_words(cell),
            }
            for cell in line.cells
        ],
    }
