"""The central ledger's blocks and journal: loaded as a window, recorded as its changes.

Series and attribute sets are interned (``interning``): a block row carries two small numbers
instead of twelve columns. Loading finds, for each range asked for, the blocks that overlap it by
two index probes, whatever the size of the ledger.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, text, tuple_, update

from hub.checks.underlying import numbers_of
from hub.international_registry.ledger import LedgerChanges
from hub.international_registry.postings import Posting, PostingKind
from hub.international_registry.units import (
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
)
from hub.store import underlying
from hub.store.interning import Interning
from hub.store.many_rows import Insert
from hub.store.parts import in_parts
from hub.store.tables import posting, unit_block
from message_schemas.blocks import UnderlyingUnit

_COLUMNS = (
    "block_id",
    "series_id",
    "first_serial",
    "last_serial",
    "attributes_id",
    "registry",
    "account",
    "status",
    "first_transfer",
    "reserved_by",
    "introduced_by",
    "hold",
    "underlying_first",
    "underlying_last",
)
_SELECT = select(*(unit_block.c[name] for name in _COLUMNS))

_RESERVED = _SELECT.where(unit_block.c.reserved_by.in_(bindparam("ids", expanding=True)))
_BY_ID = _SELECT.where(unit_block.c.block_id.in_(bindparam("ids", expanding=True)))
_NAMING_UNDERLYING = tuple(
    _SELECT.where(
        tuple_(unit_block.c.underlying_registry, unit_block.c[name]).in_(
            bindparam("ids", expanding=True)
        )
    )
    for name in ("underlying_first", "underlying_last")
)
_DELETE = delete(unit_block).where(unit_block.c.block_id.in_(bindparam("ids", expanding=True)))
_ADD_BLOCKS = Insert(unit_block, (*_COLUMNS, *underlying.NAMES))
_ADD_POSTINGS = Insert(posting, [column.name for column in posting.c])

_REQUESTS_SQLITE = """
WITH request AS (
    SELECT json_extract(value, '$[0]') AS series_id, json_extract(value, '$[1]') AS first,
           json_extract(value, '$[2]') AS last
    FROM json_each(:requests)
)"""
_REQUESTS_POSTGRES = """
WITH request AS (
    SELECT * FROM unnest(
        CAST(:series_ids AS bigint[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])
    ) AS r(series_id, first, last)
)"""
# The block that starts at or before the range is found by max(); those inside follow it.
_START = """COALESCE((SELECT max(s.first_serial) FROM unit_block s
    WHERE s.series_id = request.series_id AND s.first_serial <= request.first), request.first)"""
# ruff: noqa: S608 - nothing is interpolated but our own fragments; values are bound
_OVERLAPPING = f"""
SELECT {", ".join("b." + name for name in _COLUMNS)}
FROM request JOIN unit_block b ON b.series_id = request.series_id
    AND b.first_serial >= {_START}
    AND b.first_serial <= request.last AND b.last_serial >= request.first"""
_CROWD = f"""
SELECT request.series_id, request.first, request.last,
    (SELECT count(*) FROM (SELECT 1 FROM unit_block b WHERE b.series_id = request.series_id
        AND b.first_serial >= {_START}
        AND b.first_serial <= request.last AND b.last_serial >= request.first
        LIMIT :limit) few) AS crowd
FROM request"""


def load_overlapping(
    connection: Connection, interning: Interning, ranges: Collection[Range], *, blocks_max: int
) -> tuple[list[LedgerBlock], frozenset[Range]]:
    """Return the blocks that overlap ``ranges``, and the ranges with more than ``blocks_max``.

    A range of n serials overlaps at most n blocks, so only wide ranges are counted first: a peer
    that names 10^18 serials costs one bounded index scan, not the whole ledger. Overlapping ranges
    are joined before they are read: naming a block a thousand times reads it once.
    """
    series_ids = interning.find_all_series(connection, {asked.series for asked in ranges})
    wanted = {
        (series_id, asked.first, asked.last): asked
        for asked in ranges
        if (series_id := series_ids.get(asked.series)) is not None
    }
    wide = [key for key, asked in wanted.items() if asked.quantity > blocks_max]
    crowded = frozenset(
        wanted[row[0], row[1], row[2]]
        for row in _query(connection, _CROWD, wide, limit=blocks_max + 1)
        if row[3] > blocks_max
    )
    keys = _disjoint(key for key, asked in wanted.items() if asked not in crowded)
    blocks = {
        row[0]: _block(row, interning, connection) for row in _query(connection, _OVERLAPPING, keys)
    }
    return list(blocks.values()), crowded


def _disjoint(keys: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return (series id, first, last) requests with the overlapping ones joined."""
    joined: list[tuple[int, int, int]] = []
    for series_id, first, last in sorted(keys):
        if joined and joined[-1][0] == series_id and first <= joined[-1][2]:
            joined[-1] = (series_id, joined[-1][1], max(last, joined[-1][2]))
        else:
            joined.append((series_id, first, last))
    return joined


def _query(
    connection: Connection, body: str, keys: Sequence[tuple[int, int, int]], **more: int
) -> list[Any]:
    """Run ``body`` over a list of (series id, first, last) requests."""
    if not keys:
        return []
    if connection.dialect.name == "sqlite":
        return list(
            connection.execute(
                text(_REQUESTS_SQLITE + body), {"requests": json.dumps(keys), **more}
            )
        )
    parameters = {
        "series_ids": [key[0] for key in keys],
        "firsts": [key[1] for key in keys],
        "lasts": [key[2] for key in keys],
    }
    return list(connection.execute(text(_REQUESTS_POSTGRES + body), {**parameters, **more}))


def load_reserved(
    connection: Connection, interning: Interning, transfer_ids: Collection[str]
) -> list[LedgerBlock]:
    """Return the blocks reserved by the given transfers."""
    return [
        _block(row, interning, connection)
        for part in in_parts(transfer_ids)
        for row in connection.execute(_RESERVED, {"ids": part})
    ]


def load_held(connection: Connection, interning: Interning, reference: str) -> list[LedgerBlock]:
    """Return the blocks on hold (frozen or suspended) under ``reference``."""
    rows = connection.execute(_SELECT.where(unit_block.c.hold == reference))
    return [_block(row, interning, connection) for row in rows]


def load_underlying(
    connection: Connection, interning: Interning, wanted: Collection[UnderlyingUnit]
) -> list[LedgerBlock]:
    """Return blocks whose underlying units may be among ``wanted``: all that name a bound of one.

    And of the numbered ones, for each wanted, that which begins last before its end: what was
    accepted does not overlap, so if any reaches into the wanted numbers, that one does.
    """
    if not wanted:
        return []
    named = {(u.registry, name) for u in wanted for name in (u.first_unit_id, u.last_unit_id)}
    rows = [
        row
        for statement in _NAMING_UNDERLYING
        for part in in_parts(named)
        for row in connection.execute(statement, {"ids": part})
    ]
    for part in in_parts(_numbered_before(connection, wanted)):
        rows.extend(connection.execute(_BY_ID, {"ids": part}))
    return list({row[0]: _block(row, interning, connection) for row in rows}.values())


_NUMBERED_SQLITE = """
WITH request AS (
    SELECT json_extract(value, '$[0]') AS registry, json_extract(value, '$[1]') AS beginning,
           json_extract(value, '$[2]') AS high
    FROM json_each(:requests)
)"""
_NUMBERED_POSTGRES = """
WITH request AS (
    SELECT value->>0 AS registry, value->>1 AS beginning, value->>2 AS high
    FROM json_array_elements(CAST(:requests AS json))
)"""
_NUMBERED_BEFORE = """
SELECT (SELECT b.block_id FROM unit_block b WHERE b.underlying_registry = request.registry
    AND b.underlying_beginning = request.beginning AND b.underlying_low <= request.high
    ORDER BY b.underlying_low DESC LIMIT 1) AS block_id
FROM request"""


def _numbered_before(connection: Connection, wanted: Iterable[UnderlyingUnit]) -> set[int]:
    """Return of each wanted the block whose numbers begin last before its end, if there is one."""
    keys = sorted(
        {
            (unit.registry, numbers[0], underlying.padded(numbers[2]))
            for unit in wanted
            if (numbers := numbers_of(unit)) is not None
        }
    )
    if not keys:
        return set()
    is_sqlite = connection.dialect.name == "sqlite"
    statement = (_NUMBERED_SQLITE if is_sqlite else _NUMBERED_POSTGRES) + _NUMBERED_BEFORE
    found = connection.execute(text(statement), {"requests": json.dumps(keys)}).scalars()
    return {block_id for block_id in found if block_id is not None}


def _block(row: Sequence[Any], interning: Interning, connection: Connection) -> LedgerBlock:
    """Return a row as the ledger's own value."""
    return LedgerBlock(
        block_id=row[0],
        series=interning.series(connection, row[1]),
        first=row[2],
        last=row[3],
        attributes=interning.attributes(connection, row[4]),
        registry=row[5],
        account=row[6],
        status=BlockStatus(row[7]),
        first_transfer=None if row[8] is None else FirstTransferEvent(row[8]),
        reserved_by=row[9],
        introduced_by=row[10],
        hold=row[11],
        underlying_first=row[12],
        underlying_last=row[13],
    )


def _values(block: LedgerBlock, interning: Interning, connection: Connection) -> dict[str, Any]:
    """Return a block as the values of its row."""
    return {
        "block_id": block.block_id,
        "series_id": interning.series_id(connection, block.series),
        "first_serial": block.first,
        "last_serial": block.last,
        "attributes_id": interning.attributes_id(connection, block.attributes),
        "registry": block.registry,
        "account": block.account,
        "status": block.status,
        "first_transfer": block.first_transfer,
        "reserved_by": block.reserved_by,
        "introduced_by": block.introduced_by,
        "hold": block.hold,
        "underlying_first": block.underlying_first,
        "underlying_last": block.underlying_last,
    }


_UPDATE = (
    update(unit_block)
    .where(unit_block.c.block_id == bindparam("b_block_id"))
    .values(
        {
            name: bindparam(f"b_{name}")
            for name in _COLUMNS
            if name not in ("block_id", "series_id", "attributes_id")
        }
    )
)


def record(
    connection: Connection, interning: Interning, changes: LedgerChanges, log_indices: Sequence[int]
) -> None:
    """Write a window's changes; ``log_indices`` gives each posting its entry, in order."""
    for part in in_parts(changes.deleted_ids):
        connection.execute(_DELETE, {"ids": part})
    if changes.updated:
        connection.execute(
            _UPDATE,
            [
                {
                    f"b_{name}": value
                    for name, value in _values(block, interning, connection).items()
                }
                for block in changes.updated
            ],
        )
    if changes.inserted:
        _ADD_BLOCKS.run(
            connection,
            [
                {**_values(block, interning, connection), **underlying.columns_of(block)}
                for block in changes.inserted
            ],
        )
    if changes.postings:
        _ADD_POSTINGS.run(
            connection,
            list(_posting_values(connection, interning, changes.postings, log_indices)),
        )


def _posting_values(
    connection: Connection,
    interning: Interning,
    postings: Iterable[Posting],
    log_indices: Sequence[int],
) -> Iterator[dict[str, Any]]:
    """Number postings within their log entry and return their rows."""
    ordinal, previous = 0, None
    for entry, log_index in zip(postings, log_indices, strict=True):
        ordinal = ordinal + 1 if log_index == previous else 0
        previous = log_index
        yield {
            "log_index": log_index,
            "ordinal": ordinal,
            "kind": entry.kind,
            "series_id": interning.series_id(connection, entry.series),
            "first_serial": entry.first,
            "last_serial": entry.last,
            "attributes_id": interning.attributes_id(connection, entry.attributes),
            "from_registry": entry.from_registry,
            "from_account": entry.from_account,
            "to_registry": entry.to_registry,
            "to_account": entry.to_account,
            "reference": entry.reference,
            "first_transfer": entry.first_transfer,
            "status": entry.status,
            "underlying_first": entry.underlying_first,
            "underlying_last": entry.underlying_last,
            "was_status": entry.was_status,
            "was_first_transferred": entry.was_first_transferred,
        }


def all_blocks(connection: Connection, interning: Interning) -> Iterator[LedgerBlock]:
    """Stream every block, by series and serial (for the proof of the whole ledger)."""
    for series_id in interning.all_series_ids(connection):
        yield from blocks_of_series(connection, interning, series_id)


def blocks_of_series(
    connection: Connection, interning: Interning, series_id: int
) -> Iterator[LedgerBlock]:
    """Stream the blocks of one series, by serial."""
    rows = connection.execute(
        _SELECT.where(unit_block.c.series_id == series_id)
        .order_by(unit_block.c.first_serial)
        .execution_options(yield_per=5_000)
    )
    for row in rows:
        yield _block(row, interning, connection)


_POSTING = select(
    posting.c.log_index,
    posting.c.kind,
    posting.c.series_id,
    posting.c.first_serial,
    posting.c.last_serial,
    posting.c.attributes_id,
    posting.c.from_registry,
    posting.c.from_account,
    posting.c.to_registry,
    posting.c.to_account,
    posting.c.reference,
    posting.c.first_transfer,
    posting.c.status,
    posting.c.underlying_first,
    posting.c.underlying_last,
    posting.c.was_status,
    posting.c.was_first_transferred,
)


def all_postings(connection: Connection, interning: Interning) -> Iterator[Posting]:
    """Stream the journal of each series in turn, in the order it was written."""
    for series_id in interning.all_series_ids(connection):
        yield from postings_of_series(connection, interning, series_id)


def postings_of_series(
    connection: Connection, interning: Interning, series_id: int
) -> Iterator[Posting]:
    """Stream the journal of one series, in the order it was written."""
    return (entry for _, entry in journal_of_series(connection, interning, series_id))


def journal_of_series(
    connection: Connection, interning: Interning, series_id: int
) -> Iterator[tuple[int, Posting]]:
    """Stream the journal of one series, each posting with the log index of its entry."""
    rows = connection.execute(
        _POSTING.where(posting.c.series_id == series_id)
        .order_by(posting.c.log_index, posting.c.ordinal)
        .execution_options(yield_per=5_000)
    )
    for row in rows:
        yield row[0], _posting(row, interning, connection)


def _posting(row: Sequence[Any], interning: Interning, connection: Connection) -> Posting:
    """Return a journal row as the ledger's own value."""
    return Posting(
        kind=PostingKind(row[1]),
        series=interning.series(connection, row[2]),
        first=row[3],
        last=row[4],
        attributes=interning.attributes(connection, row[5]),
        from_registry=row[6],
        from_account=row[7],
        to_registry=row[8],
        to_account=row[9],
        reference=row[10],
        first_transfer=None if row[11] is None else FirstTransferEvent(row[11]),
        status=None if row[12] is None else BlockStatus(row[12]),
        underlying_first=row[13],
        underlying_last=row[14],
        was_status=None if row[15] is None else BlockStatus(row[15]),
        was_first_transferred=row[16],
    )
