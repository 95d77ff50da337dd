"""The rows of kept sums: one for each registry, series and chunk at a kept shift.

A row is there where the sum is not zero. A chunk has a row at a shift only where a block begins, or
ends right before: so at most two rows a block and shift, and at most one for 65,536 serials. Blocks
of millions of units have as many rows as edges, and there cannot be many of them: 10^11 units, two
years of the world's emissions, fill 1.6 million rows, however they are cut.

Bytes are the sum with the big end first. The order of the primary key is that of the windows a
comparison asks for, so a window is one run of rows.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, text

from hub.store.many_rows import Put
from hub.store.reconciliation.tables import digest
from reconciliation.digests import MASK

DIGEST_BYTES: Final = 16
_ROWS_AT_ONCE: Final = 20_000


class ChunkKey(NamedTuple):
    """The place of one digest."""

    registry: str
    key_year: int
    shift: int
    series_id: int
    chunk: int


_PUT: Final = Put(digest, key=ChunkKey._fields, values=("digest",))
_OF_LEVEL: Final = select(digest.c.series_id, digest.c.chunk, digest.c.digest).where(
    digest.c.registry == bindparam("registry"),
    digest.c.key_year == bindparam("key_year"),
    digest.c.shift == bindparam("shift"),
)
_COUNT: Final = select(func.count()).select_from(
    _OF_LEVEL.with_only_columns(digest.c.chunk).limit(bindparam("count_max")).subquery()
)
_OF_WINDOW: Final = select(digest.c.chunk, digest.c.digest).where(
    digest.c.registry == bindparam("registry"),
    digest.c.key_year == bindparam("key_year"),
    digest.c.shift == bindparam("shift"),
    digest.c.series_id == bindparam("series_id"),
    digest.c.chunk.between(bindparam("low"), bindparam("high")),
)
_ASKED_SQLITE: Final = """
WITH asked AS (
    SELECT json_extract(value, '$[0]') AS registry, json_extract(value, '$[1]') AS key_year,
           json_extract(value, '$[2]') AS shift, json_extract(value, '$[3]') AS series_id,
           json_extract(value, '$[4]') AS chunk
    FROM json_each(:keys)
)"""
_ASKED_POSTGRES: Final = """
WITH asked AS (
    SELECT value->>0 AS registry, CAST(value->>1 AS smallint) AS key_year,
           CAST(value->>2 AS smallint) AS shift, CAST(value->>3 AS bigint) AS series_id,
           CAST(value->>4 AS bigint) AS chunk
    FROM json_array_elements(CAST(:keys AS json))
)"""
_FIND: Final = """
SELECT d.registry, d.key_year, d.shift, d.series_id, d.chunk, d.digest
FROM asked CROSS JOIN reconciliation_digest d
WHERE d.registry = asked.registry AND d.key_year = asked.key_year AND d.shift = asked.shift
    AND d.series_id = asked.series_id AND d.chunk = asked.chunk"""
_DROP: Final = """
DELETE FROM reconciliation_digest
WHERE (registry, key_year, shift, series_id, chunk) IN (
    SELECT registry, key_year, shift, series_id, chunk FROM asked)"""


def to_bytes(value: int) -> bytes:
    """Return a sum as the bytes of its column."""
    return value.to_bytes(DIGEST_BYTES, "big")


def to_number(value: bytes) -> int:
    """Return the sum that a column holds."""
    return int.from_bytes(value, "big")


def of_level(
    connection: Connection, registry: str, key_year: int, shift: int
) -> dict[int, dict[int, int]]:
    """Return all sums of a registry at a shift: series id -> chunk -> sum."""
    found: dict[int, dict[int, int]] = {}
    place = {"registry": registry, "key_year": key_year, "shift": shift}
    for series_id, chunk, value in connection.execute(_OF_LEVEL, place).all():
        found.setdefault(series_id, {})[chunk] = to_number(value)
    return found


def has_few(
    connection: Connection, registry: str, key_year: int, shift: int, count_max: int
) -> bool:
    """Tell whether a registry has at most so many rows at a shift, counting no further."""
    place = {"registry": registry, "key_year": key_year, "shift": shift}
    counted = connection.execute(_COUNT, {**place, "count_max": count_max + 1}).scalar_one()
    return int(counted) <= count_max


def of_window(
    connection: Connection,
    registry: str,
    key_year: int,
    shift: int,
    series_id: int,
    chunks: tuple[int, int],
) -> dict[int, int]:
    """Return the sums of a series' chunks from the first to the last named, without zeros."""
    place = {
        "registry": registry,
        "key_year": key_year,
        "shift": shift,
        "series_id": series_id,
        "low": chunks[0],
        "high": chunks[1],
    }
    return {row[0]: to_number(row[1]) for row in connection.execute(_OF_WINDOW, place).all()}


def find(connection: Connection, keys: Collection[ChunkKey]) -> dict[ChunkKey, int]:
    """Return the sums at the places named; those that are zero are not there."""
    return {
        ChunkKey(*row[:5]): to_number(row[5])
        for part in _parts(keys)
        for row in connection.execute(
            text(_asked(connection) + _FIND), {"keys": json.dumps([list(key) for key in part])}
        )
    }


def add(connection: Connection, changes: Mapping[ChunkKey, int]) -> None:
    """Add to the sums at the places named. The caller holds the links."""
    found = find(connection, changes.keys())
    write(connection, {key: found.get(key, 0) + change for key, change in changes.items()})


def write(connection: Connection, sums: Mapping[ChunkKey, int]) -> None:
    """Write the sums at the places named; where one is zero, modulo 2^128, the row goes."""
    zeros: list[ChunkKey] = []
    rows: list[dict[str, str | int | bytes]] = []
    for key, value in sums.items():
        rest = value & MASK
        if rest:
            rows.append({**key._asdict(), "digest": to_bytes(rest)})
        else:
            zeros.append(key)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        _PUT.run(connection, rows[start : start + _ROWS_AT_ONCE])
    for part in _parts(zeros):
        keys = json.dumps([list(key) for key in part])
        connection.execute(text(_asked(connection) + _DROP), {"keys": keys})


def delete_all(connection: Connection, registry: str) -> None:
    """Delete every sum of a registry, of any year."""
    connection.execute(delete(digest).where(digest.c.registry == registry))


def _asked(connection: Connection) -> str:
    return _ASKED_SQLITE if connection.dialect.name == "sqlite" else _ASKED_POSTGRES


def _parts(keys: Collection[ChunkKey]) -> Iterator[list[ChunkKey]]:
    rest = iter(keys)
    while part := list(islice(rest, _ROWS_AT_ONCE)):
        yield part
