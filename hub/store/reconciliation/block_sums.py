"""The sums of a registry's blocks, read from the first to the last: what a first build begins with.

Blocks come in order of series and serial, in one snapshot, and are never all in memory.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select

from hub.international_registry.units import BlockStatus
from hub.store.interning import Interning
from hub.store.tables import unit_block
from reconciliation.digests import BASE_SHIFT, MASK, EdgeHasher
from reconciliation.owned import owned_as, series_of

_ROWS_AT_ONCE: Final = 10_000

Sums = dict[int, dict[int, int]]
"""Sums at one shift: series id -> chunk -> sum; what is not there is zero."""

_SELECT: Final = (
    select(
        unit_block.c.series_id,
        unit_block.c.attributes_id,
        unit_block.c.status,
        unit_block.c.first_transfer,
        unit_block.c.underlying_first,
        unit_block.c.underlying_last,
        unit_block.c.first_serial,
        unit_block.c.last_serial,
    )
    .where(unit_block.c.registry == bindparam("registry"))
    .order_by(unit_block.c.series_id, unit_block.c.first_serial)
)
_COUNT: Final = (
    select(func.count())
    .select_from(unit_block)
    .where(unit_block.c.registry == bindparam("registry"))
)


def count(connection: Connection, registry: str) -> int:
    """Return how many blocks a registry has."""
    return int(connection.execute(_COUNT, {"registry": registry}).scalar_one())


def of_registry(
    connection: Connection,
    interning: Interning,
    registry: str,
    hasher: EdgeHasher,
    progress: Callable[[int], None],
) -> Sums:
    """Return the sums of a registry's blocks at BASE_SHIFT; ``progress`` is told rows read."""
    sums: Sums = {}
    standing: Any = ()
    state: Any = None
    of_series: dict[int, int] = {}
    from_bytes = int.from_bytes
    rows = connection.execute(
        _SELECT.execution_options(yield_per=_ROWS_AT_ONCE), {"registry": registry}
    )
    for part in rows.partitions():
        for row in part:
            if row[:6] != standing:
                standing = row[:6]
                of_series = sums.setdefault(row[0], {})
                state = _state(connection, interning, hasher, standing)
            if state is None:
                continue
            for position, sign in ((row[6], 1), (row[7] + 1, -1)):
                edge = state.copy()
                edge.update(position.to_bytes(8, "big"))
                value = sign * from_bytes(edge.digest()[:16], "big")
                chunk = position >> BASE_SHIFT
                of_series[chunk] = of_series.get(chunk, 0) + value
        progress(len(part))
    return reduced(sums)


def reduced(sums: Sums) -> Sums:
    """Return the sums modulo 2^128, without zeros."""
    found: Sums = {}
    for series_id, chunks in sums.items():
        kept = {chunk: rest for chunk, value in chunks.items() if (rest := value & MASK)}
        if kept:
            found[series_id] = kept
    return found


def widened(sums: Sums, by: int) -> Sums:
    """Return the same sums for chunks 2^by times as wide."""
    wider: Sums = {}
    for series_id, narrow in sums.items():
        wide = wider.setdefault(series_id, {})
        for chunk, value in narrow.items():
            wide[chunk >> by] = wide.get(chunk >> by, 0) + value
    return reduced(wider)


def _state(connection: Connection, interning: Interning, hasher: EdgeHasher, standing: Any) -> Any:
    """Return the hash fed with all but the position; None of units that are not compared."""
    series_id, attributes_id, status, first_transfer, underlying_first, underlying_last = standing
    owned = owned_as(
        BlockStatus(status),
        interning.attributes(connection, attributes_id),
        underlying_first,
        underlying_last,
        first_transferred=first_transfer is not None,
    )
    if owned is None:
        return None
    return hasher.state(series_of(interning.series(connection, series_id)), owned)
