"""The sums of a registry's blocks, read from the first to the last: what a first build begins with.

Blocks are read in pages, in the order of an index, all in one snapshot. Within a page those in one
standing come together, as lists of where they begin and of where they end: PostgreSQL gathers them
itself, so that a row costs no objects here. Where a block begins right behind an equal one, neither
edge is hashed.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, text

from hub.international_registry.units import BlockStatus
from hub.store.interning import Interning
from hub.store.tables import unit_block
from reconciliation.digests import BASE_SHIFT, MASK, EdgeHasher
from reconciliation.owned import owned_as, series_of

_PAGE: Final = 50_000
_STATES_MAX: Final = 100_000

Sums = dict[int, dict[int, int]]
"""Sums at one shift: series id -> chunk -> sum; what is not there is zero."""

_PAGE_SQLITE: Final = text("""
SELECT series_id, attributes_id, status, first_transfer IS NOT NULL, underlying_first,
       underlying_last, first_serial, last_serial + 1
FROM unit_block
WHERE registry = :registry AND (series_id, first_serial) > (:series_id, :first_serial)
ORDER BY series_id, first_serial LIMIT :page""")
_PAGE_POSTGRES: Final = text("""
SELECT series_id, attributes_id, status, flagged, underlying_first, underlying_last,
       array_agg(first_serial), array_agg(last_serial + 1), max(first_serial)
FROM (
    SELECT series_id, attributes_id, status, first_transfer IS NOT NULL AS flagged,
           underlying_first, underlying_last, first_serial, last_serial
    FROM unit_block
    WHERE registry = :registry AND (series_id, first_serial) > (:series_id, :first_serial)
    ORDER BY series_id, first_serial LIMIT :page
) AS one_page
GROUP BY series_id, attributes_id, status, flagged, underlying_first, underlying_last""")
_COUNT: Final = (
    select(func.count())
    .select_from(unit_block)
    .where(unit_block.c.registry == bindparam("registry"))
)

_Standing = tuple[int, int, str, bool, str | None, str | None]


class _Alike(NamedTuple):
    """The blocks of a page that are in one standing: where they begin, and the place behind."""

    standing: _Standing
    starts: list[int]
    ends: list[int]


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
    states: dict[_Standing, Any] = {}
    for page in _pages(connection, registry):
        for standing, starts, ends in page:
            if standing not in states:
                if len(states) >= _STATES_MAX:
                    states.clear()
                states[standing] = _state(connection, interning, hasher, standing)
            if states[standing] is not None:
                of_series = sums.setdefault(standing[0], {})
                _add_edges(of_series, states[standing], starts, ends)
        progress(sum(len(alike.starts) for alike in page))
    return reduced(sums)


def _add_edges(
    sums: dict[int, int], state: Any, starts: Sequence[int], ends: Sequence[int]
) -> None:
    """Add the edges of blocks in one standing; those that touch are one block."""
    begins, behind = set(starts), set(ends)
    copy, from_bytes, get = state.copy, int.from_bytes, sums.get
    for position in begins - behind:
        edge = copy()
        edge.update(position.to_bytes(8, "big"))
        chunk = position >> BASE_SHIFT
        sums[chunk] = get(chunk, 0) + from_bytes(edge.digest()[:16], "big")
    for position in behind - begins:
        edge = copy()
        edge.update(position.to_bytes(8, "big"))
        chunk = position >> BASE_SHIFT
        sums[chunk] = get(chunk, 0) - from_bytes(edge.digest()[:16], "big")


def _pages(connection: Connection, registry: str) -> Iterator[list[_Alike]]:
    """Yield a registry's blocks page by page, in the order of series and serial."""
    read = _page_of_sqlite if connection.dialect.name == "sqlite" else _page_of_postgres
    after = (-1, -1)
    while True:
        bounds = {"series_id": after[0], "first_serial": after[1], "page": _PAGE}
        page, after = read(connection, {"registry": registry, **bounds})
        if page:
            yield page
        if sum(len(alike.starts) for alike in page) < _PAGE:
            return


def _page_of_sqlite(
    connection: Connection, asked: dict[str, Any]
) -> tuple[list[_Alike], tuple[int, int]]:
    found: dict[Any, _Alike] = {}
    rows = connection.execute(_PAGE_SQLITE, asked).all()
    for row in rows:
        standing = row[:6]
        alike = found.get(standing)
        if alike is None:
            alike = found[standing] = _Alike(standing, [], [])
        alike.starts.append(row[6])
        alike.ends.append(row[7])
    return list(found.values()), (rows[-1][0], rows[-1][6]) if rows else (-1, -1)


def _page_of_postgres(
    connection: Connection, asked: dict[str, Any]
) -> tuple[list[_Alike], tuple[int, int]]:
    rows = connection.execute(_PAGE_POSTGRES, asked).all()
    last = max(((row[0], row[8]) for row in rows), default=(-1, -1))
    return [_Alike(row[:6], row[6], row[7]) for row in rows], last


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


def _state(
    connection: Connection, interning: Interning, hasher: EdgeHasher, standing: _Standing
) -> Any:
    """Return the hash fed with all but the position; None of units that are not compared."""
    series_id, attributes_id, status, flagged, underlying_first, underlying_last = standing
    owned = owned_as(
        BlockStatus(status),
        interning.attributes(connection, attributes_id),
        underlying_first,
        underlying_last,
        first_transferred=bool(flagged),
    )
    if owned is None:
        return None
    return hasher.state(series_of(interning.series(connection, series_id)), owned)
