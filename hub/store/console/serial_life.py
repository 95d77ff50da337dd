"""Where some serials of one series are, and what happened to them: blocks, postings, cases.

1. Blocks are found by two probes of an index, whatever the size of the ledger, and given in pages
   by serial.
2. Postings of a series stand in the order of the log. Those of a few serials may be few of very
   many, so a page looks at a limited number of them and says where it stopped: it may be short, or
   empty, and still be followed by another.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, literal, select, tuple_

from hub.international_registry.units import Series
from hub.store.parts import in_parts
from hub.store.reconciliation.tables import case, case_range
from hub.store.tables import log_entry, posting, transfer, unit_attributes, unit_block

POSTINGS_LOOKED_AT_MAX: Final = 50_000
CASES_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block as it stands. ``content`` are its attributes as JSON."""

    first_serial: int
    last_serial: int
    registry: str
    account: str | None
    status: str
    first_transfer: str | None
    reserved_by: str | None
    introduced_by: str | None
    hold: str | None
    underlying_first: str | None
    underlying_last: str | None
    content: str


@dataclass(frozen=True, slots=True)
class PostingRow:
    """A line of the journal, with the accounts and how the units stood before."""

    log_index: int
    ordinal: int
    kind: str
    first_serial: int
    last_serial: int
    from_registry: str | None
    from_account: str | None
    to_registry: str | None
    to_account: str | None
    reference: str
    first_transfer: str | None
    status: str | None
    was_status: str | None

    @property
    def place(self) -> tuple[int, int]:
        """Return its place in the journal."""
        return self.log_index, self.ordinal


@dataclass(frozen=True, slots=True)
class PostingsPage:
    """Some postings in order, and the place behind what was looked at; None at the end."""

    rows: tuple[PostingRow, ...]
    next: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class CaseOver:
    """A case over some of the serials; ``is_frozen`` tells whether it stops them now."""

    case_id: str
    registry: str
    kind: str
    state: str
    first_serial: int
    last_serial: int
    is_frozen: bool


_BLOCK_NAMES: Final = tuple(one.name for one in fields(BlockRow) if one.name != "content")


def blocks_over(
    connection: Connection, series_id: int, first: int, last: int, limit: int
) -> list[BlockRow]:
    """Return up to ``limit`` blocks with any unit of serials ``first`` to ``last``, by serial."""
    begin = (
        select(func.max(unit_block.c.first_serial))
        .where(unit_block.c.series_id == series_id, unit_block.c.first_serial <= first)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(*(unit_block.c[name] for name in _BLOCK_NAMES), unit_attributes.c.content)
        .join(unit_attributes, unit_attributes.c.attributes_id == unit_block.c.attributes_id)
        .where(
            unit_block.c.series_id == series_id,
            unit_block.c.first_serial >= func.coalesce(begin, first),
            unit_block.c.first_serial <= last,
            unit_block.c.last_serial >= first,
        )
        .order_by(unit_block.c.first_serial)
        .limit(limit)
    )
    return [BlockRow(*tuple(row)) for row in rows]


_POSTING_NAMES: Final = tuple(one.name for one in fields(PostingRow))
_PLACE: Final = (posting.c.log_index, posting.c.ordinal)


def postings_over(
    connection: Connection,
    series_id: int,
    serials: tuple[int, int],
    *,
    after: tuple[int, int],
    limit: int,
    rows_max: int = POSTINGS_LOOKED_AT_MAX,
) -> PostingsPage:
    """Return up to ``limit`` postings of serials (first, last) after (log index, ordinal)."""
    first, last = serials
    looked_at = (
        select(*(posting.c[name] for name in _POSTING_NAMES))
        .where(
            posting.c.series_id == series_id,
            tuple_(*_PLACE) > tuple_(literal(after[0]), literal(after[1])),
        )
        .order_by(*_PLACE)
        .limit(rows_max)
    )
    each = looked_at.subquery()
    rows = connection.execute(
        select(*(each.c[name] for name in _POSTING_NAMES))
        .where(each.c.first_serial <= last, each.c.last_serial >= first)
        .order_by(each.c.log_index, each.c.ordinal)
        .limit(limit)
    )
    shown = tuple(PostingRow(*row) for row in rows)
    if len(shown) == limit:
        return PostingsPage(shown, shown[-1].place)
    end = connection.execute(
        looked_at.with_only_columns(*_PLACE).limit(1).offset(rows_max - 1)
    ).one_or_none()
    return PostingsPage(shown, None if end is None else (end[0], end[1]))


def cases_over(connection: Connection, of: Series, first: int, last: int) -> list[CaseOver]:
    """Return up to CASES_MAX ranges of cases over some serials; what is frozen stands first."""
    rows = connection.execute(
        select(
            case_range.c.case_id,
            case.c.registry,
            case.c.kind,
            case.c.state,
            case_range.c.first_serial,
            case_range.c.last_serial,
            case_range.c.is_frozen,
        )
        .join(case, case.c.case_id == case_range.c.case_id)
        .where(
            case_range.c.cooperative_approach == of.cooperative_approach,
            case_range.c.originating_registry == of.originating_registry,
            case_range.c.first_transferring_party == of.first_transferring_party,
            case_range.c.vintage == of.vintage,
            case_range.c.first_serial <= last,
            case_range.c.last_serial >= first,
        )
        .order_by(case_range.c.is_frozen.desc(), case.c.opened_at.desc(), case_range.c.ordinal)
        .limit(CASES_MAX)
    )
    return [CaseOver(*row[:6], is_frozen=bool(row[6])) for row in rows]


_ENTRIES: Final = select(log_entry.c.log_index, log_entry.c.entry).where(
    log_entry.c.log_index.in_(bindparam("indices", expanding=True))
)
_TRANSFERS: Final = select(transfer.c.transfer_id).where(
    transfer.c.transfer_id.in_(bindparam("ids", expanding=True))
)


def entries_at(connection: Connection, indices: Collection[int]) -> dict[int, bytes]:
    """Return the bytes of entries by index."""
    found: dict[int, bytes] = {}
    for part in in_parts(sorted(set(indices))):
        rows: Any = connection.execute(_ENTRIES, {"indices": part})
        found |= {row[0]: bytes(row[1]) for row in rows}
    return found


def transfers_among(connection: Connection, references: Collection[str]) -> frozenset[str]:
    """Return those references that are transfers."""
    found: set[str] = set()
    for part in in_parts(sorted(set(references))):
        found |= set(connection.execute(_TRANSFERS, {"ids": part}).scalars())
    return frozenset(found)
