"""The book in SQL: blocks, accounts and the journal. Never commits, decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from connectors.party_registry.book_tables import account, movement, unit_block
from connectors.party_registry.units import BlockStatus, HeldBlock, Series, Span

__all__ = [
    "Account",
    "delete_blocks",
    "fetch_account",
    "fetch_free",
    "fetch_holdings",
    "fetch_overlapping",
    "fetch_reserved",
    "insert_blocks",
    "journal",
    "list_accounts",
    "mark_blocks",
    "next_serial",
    "open_account",
    "replace_block",
    "retire_blocks",
    "set_reserved",
    "was_moved_by",
    "was_notified",
]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this registry."""

    account_id: str
    kind: str
    party: str
    entity: str | None
    cooperative_approach: str | None
    status: str
    opened_at: str


_BLOCK: Final = (
    unit_block.c.cooperative_approach,
    unit_block.c.originating_registry,
    unit_block.c.first_transferring_party,
    unit_block.c.vintage,
    unit_block.c.first_serial,
    unit_block.c.last_serial,
    unit_block.c.attributes,
    unit_block.c.account_id,
    unit_block.c.status,
    unit_block.c.reserved_by,
    unit_block.c.first_transfer,
    unit_block.c.block_id,
    unit_block.c.known_to_hub,
)
_IN_SERIES: Final = (
    unit_block.c.cooperative_approach == bindparam("ca"),
    unit_block.c.originating_registry == bindparam("registry"),
    unit_block.c.first_transferring_party == bindparam("party"),
    unit_block.c.vintage == bindparam("of_vintage"),
)
_OVERLAPPING: Final = (
    select(*_BLOCK)
    .where(*_IN_SERIES)
    .where(unit_block.c.first_serial <= bindparam("to_serial"))
    .where(unit_block.c.last_serial >= bindparam("from_serial"))
    .order_by(unit_block.c.first_serial)
)
_RESERVED: Final = (
    select(*_BLOCK)
    .where(unit_block.c.reserved_by == bindparam("reference"))
    .order_by(unit_block.c.block_id)
)
_SET_RESERVED: Final = (
    update(unit_block)
    .where(unit_block.c.block_id == bindparam("block"))
    .values(reserved_by=bindparam("reference"))
)
_RETIRE: Final = (
    update(unit_block)
    .where(unit_block.c.block_id == bindparam("block"))
    .values(
        status=bindparam("new_status"),
        reserved_by=None,
        first_transfer=bindparam("event"),
        known_to_hub=True,
    )
)
_DELETE: Final = delete(unit_block).where(unit_block.c.block_id == bindparam("block"))
_ACCOUNT: Final = select(account).where(account.c.account_id == bindparam("wanted"))
_INSERT: Final = insert(unit_block)
_JOURNAL: Final = insert(movement)
_MARK: Final = (
    update(unit_block)
    .where(unit_block.c.block_id == bindparam("block"))
    .values(first_transfer=bindparam("event"), known_to_hub=bindparam("known"))
)


def _block(row: Any) -> HeldBlock:  # a row of the columns of _BLOCK
    return HeldBlock(
        Series(row[0], row[1], row[2], row[3]),
        row[4],
        row[5],
        row[6],
        row[7],
        BlockStatus(row[8]),
        row[9],
        row[10],
        row[11],
        row[12],
    )


def _values(block: HeldBlock) -> dict[str, Any]:
    return {
        **block.series._asdict(),
        "first_serial": block.first,
        "last_serial": block.last,
        "attributes": block.attributes,
        "account_id": block.account_id,
        "status": block.status.value,
        "first_transfer": block.first_transfer,
        "known_to_hub": block.known_to_hub,
    }


def _series_parameters(series: Series) -> dict[str, Any]:
    return {
        "ca": series.cooperative_approach,
        "registry": series.originating_registry,
        "party": series.first_transferring_party,
        "of_vintage": series.vintage,
    }


def fetch_overlapping(connection: Connection, span: Span) -> list[HeldBlock]:
    """Return the blocks that share a serial with the span, in order."""
    parameters = {
        **_series_parameters(span.series),
        "from_serial": span.first,
        "to_serial": span.last,
    }
    return [_block(row) for row in connection.execute(_OVERLAPPING, parameters)]


def fetch_reserved(connection: Connection, reference: str) -> list[HeldBlock]:
    """Return the blocks reserved by a transfer or action."""
    return [_block(row) for row in connection.execute(_RESERVED, {"reference": reference})]


def fetch_free(
    connection: Connection, account_id: str, cooperative_approach: str
) -> list[HeldBlock]:
    """Return the blocks of an account that may be given away, oldest vintage first."""
    query = (
        select(*_BLOCK)
        .where(unit_block.c.account_id == account_id)
        .where(unit_block.c.cooperative_approach == cooperative_approach)
        .where(unit_block.c.status.in_((BlockStatus.AUTHORIZED, BlockStatus.ITMO)))
        .where(unit_block.c.reserved_by.is_(None))
        .order_by(
            unit_block.c.vintage, unit_block.c.originating_registry, unit_block.c.first_serial
        )
    )
    return [_block(row) for row in connection.execute(query)]


def fetch_holdings(
    connection: Connection,
    *,
    account_id: str | None = None,
    after_block_id: int = 0,
    limit: int = 1000,
    where: Sequence[ColumnElement[bool]] = (),
) -> list[HeldBlock]:
    """Return up to `limit` blocks of one account or of all, by block id."""
    query = (
        select(*_BLOCK)
        .where(unit_block.c.block_id > after_block_id, *where)
        .order_by(unit_block.c.block_id)
        .limit(limit)
    )
    if account_id is not None:
        query = query.where(unit_block.c.account_id == account_id)
    return [_block(row) for row in connection.execute(query)]


def insert_blocks(connection: Connection, blocks: Iterable[HeldBlock]) -> None:
    """Insert blocks that are not there yet, with or without a reservation."""
    rows = [{**_values(block), "reserved_by": block.reserved_by} for block in blocks]
    if rows:
        connection.execute(_INSERT, rows)


def replace_block(
    connection: Connection, block: HeldBlock, parts: Sequence[HeldBlock]
) -> list[HeldBlock]:
    """Store a block in parts; return them as stored. One part is the block itself: no change."""
    if len(parts) == 1:
        return list(parts)
    connection.execute(
        update(unit_block)
        .where(unit_block.c.block_id == block.block_id)
        .values(last_serial=parts[0].last)
    )
    stored = [parts[0]]
    for part in parts[1:]:
        result = connection.execute(
            insert(unit_block).values(**_values(part), reserved_by=part.reserved_by)
        )
        key = result.inserted_primary_key
        assert key is not None, "SQLite returns the key of an inserted row"
        stored.append(replace(part, block_id=int(key[0])))
    return stored


def set_reserved(
    connection: Connection, blocks: Iterable[HeldBlock], reference: str | None
) -> None:
    """Set or clear the reservation of blocks."""
    rows = [{"block": block.block_id, "reference": reference} for block in blocks]
    if rows:
        connection.execute(_SET_RESERVED, rows)


def mark_blocks(connection: Connection, blocks: Iterable[HeldBlock]) -> None:
    """Store the first transfer of blocks, and whether the hub knows them, as given."""
    rows = [
        {"block": b.block_id, "event": b.first_transfer, "known": b.known_to_hub} for b in blocks
    ]
    if rows:
        connection.execute(_MARK, rows)


def retire_blocks(
    connection: Connection, blocks: Iterable[tuple[HeldBlock, str | None]], status: BlockStatus
) -> list[HeldBlock]:
    """Give blocks a final status and clear their reservation; return them as they are then.

    Beside each block stands the first transfer this is for it, if it had none.
    """
    retired = [
        replace(
            block,
            status=status,
            reserved_by=None,
            first_transfer=block.first_transfer or event,
            known_to_hub=True,
        )
        for block, event in blocks
    ]
    if retired:
        connection.execute(
            _RETIRE,
            [
                {"block": b.block_id, "new_status": status.value, "event": b.first_transfer}
                for b in retired
            ],
        )
    return retired


def delete_blocks(connection: Connection, blocks: Iterable[HeldBlock]) -> None:
    """Remove blocks that left the registry."""
    ids = [{"block": block.block_id} for block in blocks]
    if ids:
        connection.execute(_DELETE, ids)


def journal(
    connection: Connection, kind: str, blocks: Iterable[HeldBlock], reference: str, at: str
) -> None:
    """Write what happened to the blocks, one row each."""
    rows = [
        {**_values(block), "kind": kind, "reference": reference, "recorded_at": at}
        for block in blocks
    ]
    if rows:
        connection.execute(_JOURNAL, rows)


def was_notified(connection: Connection, span: Span) -> bool:
    """Tell whether units of a span were ever given away by a transfer that moved none."""
    in_series = [movement.c[name] == value for name, value in span.series._asdict().items()]
    query = select(movement.c.movement_id).where(
        *in_series,
        movement.c.kind == "notified",
        movement.c.first_serial <= span.last,
        movement.c.last_serial >= span.first,
    )
    return connection.execute(query.limit(1)).first() is not None


def was_moved_by(connection: Connection, reference: str) -> bool:
    """Tell whether units came or left by a transfer."""
    query = select(movement.c.movement_id).where(
        movement.c.reference == reference, movement.c.kind.in_(("credited", "debited"))
    )
    return connection.execute(query.limit(1)).first() is not None


def next_serial(connection: Connection, series: Series) -> int:
    """Return the first serial of a series that was never issued here."""
    query = select(func.max(movement.c.last_serial)).where(
        movement.c.cooperative_approach == series.cooperative_approach,
        movement.c.originating_registry == series.originating_registry,
        movement.c.first_transferring_party == series.first_transferring_party,
        movement.c.vintage == series.vintage,
    )
    return int(connection.execute(query).scalar() or 0) + 1


def open_account(connection: Connection, opened: Account) -> bool:
    """Store a new account; tell whether its id was free."""
    if fetch_account(connection, opened.account_id) is not None:
        return False
    names = Account.__dataclass_fields__
    connection.execute(insert(account).values(**{name: getattr(opened, name) for name in names}))
    return True


def fetch_account(connection: Connection, account_id: str) -> Account | None:
    """Return an account, or nothing."""
    row = connection.execute(_ACCOUNT, {"wanted": account_id}).first()
    return None if row is None else Account(*row)


def list_accounts(connection: Connection) -> list[Account]:
    """Return every account, by id."""
    return [Account(*row) for row in connection.execute(select(account).order_by("account_id"))]
