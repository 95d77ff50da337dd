"""One serial, or some: where they are now, and their whole life.

1. *Now*: the blocks over the serials, and what of them is in no block; in pages by serial.
2. *Life*: every posting that touched them, in the order of the log, with the time and kind of its
   entry. A posting is about a piece of units; of one serial it is told whether the piece became
   smaller (its block was split) or larger (blocks alike were joined).
3. The reference of a posting leads on: to a transfer, an act, or nowhere.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.international_registry.units import Range
from hub.services.console.ground import Ground
from hub.store import head as heads
from hub.store.console import serial_life
from hub.store.console.serial_life import BlockRow, CaseOver, PostingRow
from hub.store.interning import series_id_of
from hub.transparency_log import entries
from message_schemas import timestamps

PIECES_OF_A_PAGE: Final = 50
STEPS_OF_A_PAGE: Final = 50
_OF_AN_ACT: Final = re.compile(r"[A-Z]:([0-9]{1,18})")


class Link(StrEnum):
    """What a reference leads to."""

    TRANSFER = "transfer"
    ACT = "act"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in the ledger and what it leads to; ``target`` is the transfer's id or act's index."""

    name: str
    link: Link
    target: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Serials in one block, or in none (``registry`` None). ``attributes`` are those of the block.

    ``block`` is the whole block as ``FIRST..LAST``, which may be more than the serials asked for.
    """

    units: str
    quantity: int
    block: str = ""
    block_quantity: int = 0
    registry: str | None = None
    account: str | None = None
    status: str | None = None
    first_transfer: str | None = None
    reserved_by: Reference | None = None
    introduced_by: Reference | None = None
    hold: Reference | None = None
    underlying: tuple[str, str] | None = None
    attributes: Mapping[str, Any] | None = None


class Cut(StrEnum):
    """How the piece of a posting lies to the one before it; told of a single serial only."""

    BEGINNING = "beginning"
    SAME = "same"
    SPLIT = "split"
    JOINED = "joined"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Step:
    """One posting: when, what, of which units, from whom to whom, because of what.

    ``entry_kind`` and ``sender`` are of the entry of the log; None if it cannot be read.
    """

    log_index: int
    ordinal: int
    at: datetime | None
    entry_kind: str | None
    sender: str | None
    kind: str
    units: str
    quantity: int
    cut: Cut
    from_registry: str | None
    from_account: str | None
    to_registry: str | None
    to_account: str | None
    reference: Reference
    first_transfer: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of some serials. ``next_serial`` and ``next_step`` are where to go on.

    ``is_known``: the ledger has seen their series.
    """

    asked: Range
    log_index: int
    is_known: bool
    pieces: tuple[Piece, ...] = ()
    next_serial: int | None = None
    cases: tuple[CaseOver, ...] = ()
    steps: tuple[Step, ...] = ()
    next_step: tuple[int, int] | None = None

    @property
    def units(self) -> str:
        """Return the serials as commands name them; a single one by its identifier."""
        return name_of(self.asked)


class SerialDesk:
    """Looks for serials. Every method may raise DatabaseUnavailableError."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database

    def life(
        self, asked: Range, from_serial: int | None = None, after: tuple[int, int] = (0, 0)
    ) -> Life:
        """Return a page of pieces from a serial on, and a page of steps after a posting."""
        begin = max(asked.first, from_serial or 0)
        with self._database.reading() as connection:
            index = heads.read(connection).log_index
            series_id = series_id_of(connection, asked.series)
            cases = serial_life.cases_over(connection, asked.series, asked.first, asked.last)
            if series_id is None:
                return Life(asked, index, is_known=False, cases=tuple(cases))
            blocks = serial_life.blocks_over(
                connection, series_id, begin, asked.last, PIECES_OF_A_PAGE + 1
            )
            found = serial_life.postings_over(
                connection,
                series_id,
                (asked.first, asked.last),
                after=after,
                limit=STEPS_OF_A_PAGE,
            )
            known = _Names(connection, blocks, found.rows)
        following = (
            blocks[PIECES_OF_A_PAGE].first_serial if len(blocks) > PIECES_OF_A_PAGE else None
        )
        end = asked.last if following is None else following - 1
        return Life(
            asked,
            index,
            is_known=True,
            pieces=tuple(_pieces(asked, begin, end, blocks[:PIECES_OF_A_PAGE], known)),
            next_serial=following,
            cases=tuple(cases),
            steps=tuple(_steps(asked, found.rows, known, is_beginning=after == (0, 0))),
            next_step=found.next,
        )


class _Names:
    """What the references and entries of some blocks and postings are."""

    def __init__(
        self, connection: Connection, blocks: Sequence[BlockRow], rows: Sequence[PostingRow]
    ) -> None:
        named = {row.reference for row in rows}
        for block in blocks:
            named |= {one for one in (block.reserved_by, block.introduced_by) if one is not None}
        self._transfers = serial_life.transfers_among(connection, named)
        self.entries = serial_life.entries_at(connection, [row.log_index for row in rows])

    def reference(self, name: str) -> Reference:
        """Return what a name leads to."""
        act = _OF_AN_ACT.fullmatch(name)
        if act is not None:
            return Reference(name, Link.ACT, act[1])
        if name in self._transfers:
            return Reference(name, Link.TRANSFER, name)
        return Reference(name, Link.NOTHING, "")

    def optional(self, name: str | None) -> Reference | None:
        """Return what a name leads to, if there is one."""
        return None if name is None else self.reference(name)


def name_of(units: Range) -> str:
    """Return serials as people write them: one identifier, or FIRST..LAST."""
    if units.first == units.last:
        return units.series.identifier(units.first)
    return units.units


def _pieces(
    asked: Range, begin: int, end: int, blocks: Sequence[BlockRow], known: _Names
) -> Iterable[Piece]:
    """Yield the serials from ``begin`` to ``end`` block by block, and what lies between."""
    at = begin
    for block in blocks:
        first, last = max(block.first_serial, begin), min(block.last_serial, end)
        if first > at:
            yield _gap(Range(asked.series, at, first - 1))
        yield _piece(Range(asked.series, first, last), block, known)
        at = last + 1
    if at <= end:
        yield _gap(Range(asked.series, at, end))


def _gap(units: Range) -> Piece:
    return Piece(name_of(units), units.quantity)


def _piece(units: Range, block: BlockRow, known: _Names) -> Piece:
    whole = Range(units.series, block.first_serial, block.last_serial)
    bounds = None
    if block.underlying_first is not None:
        bounds = (block.underlying_first, block.underlying_last or block.underlying_first)
    attributes: dict[str, Any] = msgspec.json.decode(block.content)
    return Piece(
        units=name_of(units),
        quantity=units.quantity,
        block=name_of(whole),
        block_quantity=whole.quantity,
        registry=block.registry,
        account=block.account,
        status=block.status,
        first_transfer=block.first_transfer,
        reserved_by=known.optional(block.reserved_by),
        introduced_by=known.optional(block.introduced_by),
        hold=known.optional(block.hold),
        underlying=bounds,
        attributes=attributes,
    )


def _steps(
    asked: Range, rows: Sequence[PostingRow], known: _Names, *, is_beginning: bool
) -> Iterable[Step]:
    before: PostingRow | None = None
    for row in rows:
        is_first = before is None and is_beginning
        cut = _cut(before, row, is_first=is_first) if asked.quantity == 1 else Cut.UNTOLD
        yield _step(asked, row, cut, known)
        before = row


def _cut(before: PostingRow | None, row: PostingRow, *, is_first: bool) -> Cut:
    """Return how the piece of a posting lies to that of the one before, both with the serial."""
    if before is None:
        return Cut.BEGINNING if is_first else Cut.UNTOLD
    was, now = (one.last_serial - one.first_serial for one in (before, row))
    if (before.first_serial, before.last_serial) == (row.first_serial, row.last_serial):
        return Cut.SAME
    return Cut.SPLIT if now < was else Cut.JOINED


def _step(asked: Range, row: PostingRow, cut: Cut, known: _Names) -> Step:
    units = Range(asked.series, row.first_serial, row.last_serial)
    at, kind, sender = _entry(known.entries.get(row.log_index))
    return Step(
        log_index=row.log_index,
        ordinal=row.ordinal,
        at=at,
        entry_kind=kind,
        sender=sender,
        kind=row.kind,
        units=name_of(units),
        quantity=units.quantity,
        cut=cut,
        from_registry=row.from_registry,
        from_account=row.from_account,
        to_registry=row.to_registry,
        to_account=row.to_account,
        reference=known.reference(row.reference),
        first_transfer=row.first_transfer,
        status=row.status,
    )


def _entry(data: bytes | None) -> tuple[datetime | None, str | None, str | None]:
    """Return time, kind and sender of an entry, as far as it can be read."""
    if data is None:
        return None, None, None
    try:
        entry = entries.decode(data)
        return timestamps.parse(entry.at), entry.kind, entry.sender or None
    except ValueError:
        return None, None, None
