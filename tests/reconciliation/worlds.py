"""A small world for histories: cells of units, a ledger's book of them, and a registry's book.

1. A *cell* is a run of units that history never cuts: `scale` serials of one series. What is true
   of a cell is a plain dictionary entry, so that the truth needs none of the code under test.
2. The registry's book is a list of blocks. It applies messages as a registry does: what is not
   there cannot leave. It cuts and joins its blocks at will.
3. Messages say which cells they are about and what they do; the ledger's movement is made from what
   the ledger has, the registry's change from what the registry has.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from reconciliation.movements import Movement, Piece
from reconciliation.owned import OWNED, Block, Owned, Series

SERIES = (
    Series("CA0003", "GHA01", "GHA", 2023),
    Series("CA0003", "GHA01", "GHA", 2024),
    Series("CA0017", "CHE02", "CHE", 2023),
)
SCALES = (1, 1, 7, 1_000, 70_000, 2**21, 2**27)
CELLS = 40

Cell = tuple[Series, int]
Multiset = Counter[Owned]


def values(lot: int, status: str = "held", first: str = "yes") -> Owned:
    """Return owned values; lots differ in what is fixed for their life."""
    return (
        *(status, first, "CO2e", "reduction", f"GHA-A{lot}", "1", "Energy"),
        *(None, None, "AR5" if lot % 2 else None, "PUR1", f"U{lot}-1", f"U{lot}-9"),
    )


def with_field(owned: Owned, name: str, value: str | None) -> Owned:
    """Return the values with one of them changed."""
    return tuple(value if n == name else v for n, v in zip(OWNED, owned, strict=True))


@dataclass(frozen=True)
class Grid:
    """Where the cells of each series lie: `origin` is the first serial of cell 0."""

    scale: int
    origin: int

    def first(self, number: int) -> int:
        """Return the first serial of a cell."""
        return self.origin + number * self.scale

    def cell(self, serial: int) -> int:
        """Return the cell of a serial."""
        return (serial - self.origin) // self.scale

    def blocks(self, cells: Iterable[tuple[Cell, Owned]]) -> list[Block]:
        """Return one block for each cell."""
        return [
            Block(series, self.first(n), self.first(n + 1) - 1, owned)
            for (series, n), owned in cells
        ]


@dataclass(frozen=True)
class Message:
    """What one log entry does to a registry's cells: credit, debit, or a change of one field."""

    index: int
    act: str
    cells: tuple[Cell, ...]
    value: Owned | None = None  # of a credit
    field: str = ""  # of a change
    text: str | None = None

    @property
    def reference(self) -> str:
        """Return the name of the transfer or action."""
        return f"HUB-T-{self.index}"

    def effect(self, before: Owned | None) -> Owned | None:
        """Return what becomes of a cell that the message is about."""
        if self.act == "credit":
            return self.value
        if self.act == "debit" or before is None:
            return None
        return with_field(before, self.field, self.text)


def runs_of(cells: Iterable[Cell]) -> Iterator[tuple[Series, int, int]]:
    """Yield the runs of touching cells."""
    for series, of_series in groupby(sorted(set(cells)), key=lambda cell: cell[0]):
        numbers = [number for _, number in of_series]
        cuts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(numbers)) if b != a + 1)]
        for start, end in pairwise([*cuts, len(numbers)]):
            yield series, numbers[start], numbers[end - 1]


Truth = dict[Cell, Owned]


def movement_of(grid: Grid, message: Message, truth: Truth) -> Movement:
    """Return what a message does at the ledger, and do it to the truth."""
    pieces: list[Piece] = []
    for series, low, high in runs_of(message.cells):
        for number in range(low, high + 1):
            before = truth.get((series, number))
            after = message.effect(before)
            first, last = grid.first(number), grid.first(number + 1) - 1
            touching = pieces and pieces[-1].last + 1 == first and pieces[-1].series == series
            if touching and pieces[-1][3:] == (before, after):
                pieces[-1] = pieces[-1]._replace(last=last)
            else:
                pieces.append(Piece(series, first, last, before, after))
            if after is None:
                truth.pop((series, number), None)
            else:
                truth[series, number] = after
    return Movement(message.index, message.reference, tuple(pieces))


@dataclass
class RegistryBook:
    """Blocks as a registry has them; `applied_to` is what it says of itself."""

    grid: Grid
    applied_to: int
    held: list[Block] = field(default_factory=list)

    def blocks(self, series: Series | None, low: int, high: int) -> Iterator[Block]:
        """Yield blocks with a serial in the window; of all series for None. In no order."""
        for block in self.held:
            if series is None or (
                block.series == tuple(series) and block.first <= high and block.last >= low
            ):
                yield block

    def per_cell(self) -> dict[Cell, Multiset]:
        """Return what is held of each cell, counted."""
        found: dict[Cell, Multiset] = {}
        for series, first, last, owned in self.held:
            # A block that begins inside a cell is the rest of one that begins with it.
            start = self.grid.cell(first + self.grid.scale - 1)
            for number in range(start, self.grid.cell(last) + 1):
                found.setdefault((series, number), Counter())[owned] += 1
        return found

    def change(self, cells: Iterable[Cell], act: Callable[[Owned], Owned | None]) -> None:
        """Change all that is held of the cells; what becomes None leaves."""
        for series, low, high in runs_of(cells):
            first, last = self.grid.first(low), self.grid.first(high + 1) - 1
            kept: list[Block] = []
            for block in self.held:
                if block.series != series or block.last < first or block.first > last:
                    kept.append(block)
                    continue
                inner = block._replace(first=max(first, block.first), last=min(last, block.last))
                if block.first < inner.first:
                    kept.append(block._replace(last=inner.first - 1))
                if block.last > inner.last:
                    kept.append(block._replace(first=inner.last + 1))
                after = act(block.owned)
                if after is not None:
                    kept.append(inner._replace(owned=after))
            self.held = kept

    def add(self, cells: Iterable[Cell], owned: Owned) -> None:
        """Add a block for each run of cells."""
        for series, low, high in runs_of(cells):
            last = self.grid.first(high + 1) - 1
            self.held.append(Block(series, self.grid.first(low), last, owned))

    def apply(self, message: Message) -> None:
        """Apply a message as a registry does."""
        if message.act == "credit":
            assert message.value is not None
            self.add(message.cells, message.value)
        else:
            self.change(message.cells, message.effect)

    def recut(self, dice: random.Random) -> None:
        """Cut some blocks in two, anywhere, or join some that touch and are equal; then shuffle."""
        for _ in range(dice.randrange(4)):
            if self.held and dice.random() < 0.6:
                block = self.held.pop(dice.randrange(len(self.held)))
                if block.last > block.first:
                    at = dice.randint(block.first + 1, block.last)
                    self.held += [block._replace(last=at - 1), block._replace(first=at)]
                else:
                    self.held.append(block)
        if dice.random() < 0.3:
            self.held.sort(key=lambda block: (block.series, block.owned[4] or "", block.first))
            joined: list[Block] = []
            for block in self.held:
                before = joined[-1] if joined else None
                if before and before[::3] == block[::3] and before.last + 1 == block.first:
                    joined[-1] = before._replace(last=block.last)
                else:
                    joined.append(block)
            self.held = joined
        dice.shuffle(self.held)
