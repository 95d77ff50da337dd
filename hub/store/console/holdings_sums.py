"""Units by holder, series and status: counted once over all blocks, then kept by the journal.

1. A count reads every block, which takes seconds for millions: nobody waits for it at a page.
2. What the journal said since is a small change, read by log index: counted at one index and folded
   up to another, the sums are what a new count would find there. Each posting tells by itself what
   it took from where; those from before postings told how units stood make a new count necessary.
3. Sums are exact whatever is held: they are added in two halves, and put together as integers.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Integer, cast, func, literal, select

from hub.international_registry.postings import EFFECTS, PostingKind
from hub.international_registry.units import BlockStatus
from hub.store import head as heads
from hub.store.parts import in_parts
from hub.store.tables import log_entry, posting, series, unit_block

_HALF_BITS: Final = 31
_HALF: Final = (1 << _HALF_BITS) - 1

_STATUS_AFTER: Final = {
    PostingKind.MOVED: BlockStatus.ITMO,
    PostingKind.FIRST_TRANSFERRED: BlockStatus.ITMO,
    PostingKind.CORRECTED: BlockStatus.ITMO,
    PostingKind.USED: BlockStatus.USED,
    PostingKind.CANCELLED: BlockStatus.CANCELLED,
}
_COUNTED: Final = (PostingKind.INTRODUCED, PostingKind.WITHDRAWN, *sorted(EFFECTS))


class UntoldError(ValueError):
    """The journal has postings that do not tell how their units stood: count anew instead."""


class Held(NamedTuple):
    """Who holds units of which series, in which status."""

    registry: str
    series_id: int
    status: str


@dataclass(slots=True)
class Sums:
    """Units as of a log index. ``mark`` is that entry's bytes, by which another past is noticed.

    ``moved``: units moved by transfers so far, by series. ``blocks``: how many blocks there were
    when they were counted last, at ``counted_at``.
    """

    log_index: int
    mark: bytes
    counted_at: int
    blocks: int
    units: Counter[Held] = field(default_factory=Counter)
    moved: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class SeriesNames:
    """What a series is made of."""

    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int


def _halves(table: Any) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return two sums of quantities, neither of which can grow beyond 64 bits."""
    quantity = table.c.last_serial - table.c.first_serial + 1
    return (
        cast(func.sum(quantity.bitwise_rshift(literal(_HALF_BITS, Integer))), BigInteger),
        cast(func.sum(quantity.bitwise_and(literal(_HALF, BigInteger))), BigInteger),
    )


def _whole(high: int, low: int) -> int:
    return (int(high) << _HALF_BITS) + int(low)


_BLOCKS: Final = select(
    unit_block.c.registry,
    unit_block.c.series_id,
    unit_block.c.status,
    *_halves(unit_block),
    func.count(),
).group_by(unit_block.c.registry, unit_block.c.series_id, unit_block.c.status)

_MOVED: Final = (
    select(posting.c.series_id, *_halves(posting))
    .where(posting.c.kind == PostingKind.MOVED.value)
    .group_by(posting.c.series_id)
)


def count(connection: Connection) -> Sums:
    """Count all blocks, and what transfers moved, as of the head's index."""
    index, mark = head_mark(connection)
    found = Sums(index, mark, index, 0)
    for registry, series_id, status, high, low, blocks in connection.execute(_BLOCKS):
        found.units[Held(registry, series_id, status)] = _whole(high, low)
        found.blocks += int(blocks)
    for series_id, high, low in connection.execute(_MOVED):
        found.moved[series_id] = _whole(high, low)
    return found


def head_mark(connection: Connection) -> tuple[int, bytes]:
    """Return the head's index and the bytes of its entry."""
    index = heads.read(connection).log_index
    return index, mark_at(connection, index) or b""


def mark_at(connection: Connection, index: int) -> bytes | None:
    """Return the bytes of an entry, None if there is none."""
    found = connection.execute(select(log_entry.c.entry).where(log_entry.c.log_index == index))
    entry = found.scalar_one_or_none()
    return None if entry is None else bytes(entry)


_CHANGE: Final = (
    posting.c.kind,
    posting.c.series_id,
    posting.c.from_registry,
    posting.c.to_registry,
    posting.c.status,
    posting.c.was_status,
)
_CHANGES: Final = select(*_CHANGE, *_halves(posting)).group_by(*_CHANGE)


def fold(connection: Connection, sums: Sums, up_to: int) -> Sums:
    """Return the sums as of a later index, by what the journal said in between.

    Raises UntoldError for old postings.
    """
    mark = mark_at(connection, up_to)
    assert mark is not None, f"entry {up_to} is in the log"
    found = Sums(up_to, mark, sums.counted_at, sums.blocks, sums.units.copy(), sums.moved.copy())
    rows = connection.execute(
        _CHANGES.where(
            posting.c.log_index > sums.log_index,
            posting.c.log_index <= up_to,
            posting.c.kind.in_([kind.value for kind in _COUNTED]),
        )
    )
    touched: set[Held] = set()
    for kind, series_id, from_, to, status, was_status, high, low in rows:
        units, what = _whole(high, low), PostingKind(kind)
        for held, sign in _moves(what, series_id, from_, to, status, was_status):
            found.units[held] += sign * units
            touched.add(held)
        if what is PostingKind.MOVED:
            found.moved[series_id] += units
    for held in touched:
        if not found.units[held]:  # what is gone is not there: a sum of nothing has no row
            del found.units[held]
    return found


def _moves(
    kind: PostingKind,
    series_id: int,
    from_: str | None,
    to: str | None,
    status: str | None,
    was_status: str | None,
) -> list[tuple[Held, int]]:
    """Return whose units a posting takes (-1) and whose they are then (1). Raises UntoldError."""
    if kind is PostingKind.INTRODUCED:
        assert to is not None, "introduced to a holder"
        assert status is not None, "introduced in a status"
        return [(Held(to, series_id, status), 1)]
    assert from_ is not None, "units come from a holder"
    if kind is PostingKind.WITHDRAWN:
        # Only what is merely authorized is ever withdrawn (``replay.RULES``).
        return [(Held(from_, series_id, BlockStatus.AUTHORIZED.value), -1)]
    if was_status is None:
        raise UntoldError(f"a posting of kind {kind} does not tell how its units stood")
    assert to is not None, "units stay with a holder"
    after = Held(to, series_id, _STATUS_AFTER[kind].value)
    return [(Held(from_, series_id, was_status), -1), (after, 1)]


def series_names(connection: Connection, series_ids: Collection[int]) -> dict[int, SeriesNames]:
    """Return what series are made of, by number."""
    found: dict[int, SeriesNames] = {}
    parts: Iterable[Any] = in_parts(sorted(series_ids))
    for part in parts:
        rows = connection.execute(
            select(
                series.c.series_id,
                series.c.cooperative_approach,
                series.c.originating_registry,
                series.c.first_transferring_party,
                series.c.vintage,
            ).where(series.c.series_id.in_(part))
        )
        found |= {row[0]: SeriesNames(*row[1:]) for row in rows}
    return found
