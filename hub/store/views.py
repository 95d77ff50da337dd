"""What may be looked at: holdings and history, in pages, each page on one view of the database."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from hub.store.tables import account, posting, series, transfer, unit_block


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """A run of units as a holdings list shows it; ``block_id`` orders the pages."""

    block_id: int
    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    registry: str
    account: str | None
    status: str
    first_transfer: str | None
    reserved_by: str | None
    hold: str | None

    @property
    def quantity(self) -> int:
        """Return the number of units."""
        return self.last_serial - self.first_serial + 1

    @property
    def subject(self) -> str:
        """Return the range as commands name it: ``FIRST_ID..LAST_ID``."""
        first, last = (
            f"{self.cooperative_approach}-{self.originating_registry}"
            f"-{self.first_transferring_party}-{serial}-{self.vintage}"
            for serial in (self.first_serial, self.last_serial)
        )
        return f"{first}..{last}"


_HOLDING = select(
    unit_block.c.block_id,
    series.c.cooperative_approach,
    series.c.originating_registry,
    series.c.first_transferring_party,
    series.c.vintage,
    unit_block.c.first_serial,
    unit_block.c.last_serial,
    unit_block.c.registry,
    unit_block.c.account,
    unit_block.c.status,
    unit_block.c.first_transfer,
    unit_block.c.reserved_by,
    unit_block.c.hold,
).join(series, series.c.series_id == unit_block.c.series_id)


def visible_to(
    registry: str, party: str, international_registry: str
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for blocks a registry may see: its own, and its Party's accounts.

    Each has an index of its own; as one condition with OR they would have none.
    """
    own_accounts = (
        select(account.c.account_id)
        .where(account.c.registry == international_registry, account.c.party == party)
        .scalar_subquery()
    )
    return (
        unit_block.c.registry == registry,
        and_(
            unit_block.c.registry == international_registry,
            unit_block.c.account.in_(own_accounts),
        ),
    )


def holdings(
    connection: Connection,
    *,
    visible: tuple[ColumnElement[bool], ...],
    filters: dict[str, Any],
    after_block_id: int,
    limit: int,
) -> list[HoldingRow]:
    """Return up to ``limit`` blocks after a block id, filtered by registry, approach, and so on.

    ``visible`` are conditions of which a block meets at most one.
    """
    columns = {
        "registry": unit_block.c.registry,
        "status": unit_block.c.status,
        "cooperative_approach": series.c.cooperative_approach,
        "vintage": series.c.vintage,
        "account": unit_block.c.account,
    }
    wanted = [columns[name] == value for name, value in filters.items() if value is not None]
    found: list[HoldingRow] = []
    for condition in visible:
        rows = connection.execute(
            _HOLDING.where(unit_block.c.block_id > after_block_id, condition, *wanted)
            .order_by(unit_block.c.block_id)
            .limit(limit)
        )
        found.extend(HoldingRow(**row) for row in rows.mappings())
    return sorted(found, key=lambda row: row.block_id)[:limit]


def held_blocks(connection: Connection) -> list[HoldingRow]:
    """Return the blocks on hold (suspended or frozen), by series and serial."""
    rows = connection.execute(
        _HOLDING.where(unit_block.c.hold.is_not(None)).order_by(
            unit_block.c.series_id, unit_block.c.first_serial
        )
    )
    return [HoldingRow(**row) for row in rows.mappings()]


def totals(connection: Connection) -> list[tuple[str, str, str, int, str, int]]:
    """Return (registry, account, approach, vintage, status, units) over the whole ledger."""
    quantity = func.sum(unit_block.c.last_serial - unit_block.c.first_serial + 1)
    keys = (
        unit_block.c.registry,
        func.coalesce(unit_block.c.account, ""),
        series.c.cooperative_approach,
        series.c.vintage,
        unit_block.c.status,
    )
    rows = connection.execute(
        select(*keys, quantity)
        .join(series, series.c.series_id == unit_block.c.series_id)
        .group_by(*keys)
        .order_by(*keys)
    )
    return [(row[0], row[1], row[2], row[3], row[4], int(row[5])) for row in rows]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of the journal as history shows it."""

    log_index: int
    ordinal: int
    kind: str
    cooperative_approach: str
    originating_registry: str
    first_transferring_party: str
    vintage: int
    first_serial: int
    last_serial: int
    from_registry: str | None
    to_registry: str | None
    reference: str


def history(
    connection: Connection,
    *,
    condition: ColumnElement[bool],
    after: tuple[int, int],
    limit: int,
) -> list[HistoryRow]:
    """Return up to ``limit`` postings after (log index, ordinal) that meet a condition."""
    rows = connection.execute(
        select(
            posting.c.log_index,
            posting.c.ordinal,
            posting.c.kind,
            series.c.cooperative_approach,
            series.c.originating_registry,
            series.c.first_transferring_party,
            series.c.vintage,
            posting.c.first_serial,
            posting.c.last_serial,
            posting.c.from_registry,
            posting.c.to_registry,
            posting.c.reference,
        )
        .join(series, series.c.series_id == posting.c.series_id)
        .where(
            condition,
            or_(
                posting.c.log_index > after[0],
                and_(posting.c.log_index == after[0], posting.c.ordinal > after[1]),
            ),
        )
        .order_by(posting.c.log_index, posting.c.ordinal)
        .limit(limit)
    )
    return [HistoryRow(**row) for row in rows.mappings()]


def of_reference(reference: str) -> ColumnElement[bool]:
    """Return the condition for postings of one transfer or action."""
    return posting.c.reference == reference


def of_serials(
    series_key: Collection[Any], first: int, last: int, registry: str, party: str
) -> ColumnElement[bool]:
    """Return the condition for postings over serials that a registry may see."""
    names = ("cooperative_approach", "originating_registry", "first_transferring_party", "vintage")
    of_series = [series.c[name] == value for name, value in zip(names, series_key, strict=True)]
    return and_(
        *of_series,
        posting.c.first_serial <= last,
        posting.c.last_serial >= first,
        or_(
            posting.c.from_registry == registry,
            posting.c.to_registry == registry,
            series.c.first_transferring_party == party,
        ),
    )


def transfer_parties(connection: Connection, transfer_id: str) -> tuple[str, str] | None:
    """Return the initiator and the acquirer of a transfer, or None."""
    row = connection.execute(
        select(transfer.c.initiator, transfer.c.acquirer).where(
            transfer.c.transfer_id == transfer_id
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])
