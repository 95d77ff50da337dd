"""What a registry's file of an earlier version lacks, added when it is opened.

1. Missing columns are added, and filled with what can be told from the blocks: ITMOs, used and
   cancelled units came to be so by the hub's word, authorized ones did not.
2. Transfers that moved no units are noted again from the tracking, in the order in which they were
   closed: in whose name the ledger has their units since.
3. The triggers that keep the sums of reconciliation are created; sums begin with the first cut.

Every step looks at the file itself, so it may be repeated, and a crash between two does no harm.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, func, inspect, select, text

from connectors.party_registry import closings, notified
from connectors.party_registry.book_tables import movement, unit_block
from connectors.party_registry.reconciliation_tables import prepare_book
from connectors.party_registry.tracking import fetch_transfer
from connectors.party_registry.tracking_tables import transfer

__all__ = ["bring_up_to_date", "guard_serials"]

_SERIALS_INDEX: Final = "unit_block_serials"


def bring_up_to_date(connection: Connection) -> None:
    """Add what a file of an earlier version lacks; every table is there already, perhaps older."""
    _add_columns(connection)
    guard_serials(connection)
    prepare_book(connection)


def _add_columns(connection: Connection) -> None:
    names = {column["name"] for column in inspect(connection).get_columns(movement.name)}
    if "known_to_hub" not in names:
        connection.execute(text("ALTER TABLE movement ADD COLUMN known_to_hub BOOLEAN"))
    names = {column["name"] for column in inspect(connection).get_columns(unit_block.name)}
    if "known_to_hub" in names:
        return
    connection.execute(
        text("ALTER TABLE unit_block ADD COLUMN known_to_hub BOOLEAN NOT NULL DEFAULT 0")
    )
    connection.execute(text("UPDATE unit_block SET known_to_hub = 1 WHERE status <> 'authorized'"))
    closed = (
        select(transfer.c.transfer_id)
        .where(transfer.c.mode == "notify_and_record", transfer.c.state == "completed")
        .order_by(transfer.c.log_index, transfer.c.transfer_id)
    )
    for transfer_id in connection.execute(closed).scalars().all():
        found = fetch_transfer(connection, transfer_id)
        assert found is not None, "it was listed in this transaction"
        units = closings.arrived_units(found, ())
        notified.record(connection, found, units, found.changed_at)


def guard_serials(connection: Connection) -> bool:
    """See that the database refuses a first serial twice; tell whether it does.

    It cannot while blocks lie twice, which only a damaged book has (`damage`).
    """
    listed = connection.exec_driver_sql("PRAGMA index_list(unit_block)").mappings()
    if any(one["name"] == _SERIALS_INDEX and one["unique"] for one in listed):
        return True
    (index,) = (one for one in unit_block.indexes if one.name == _SERIALS_INDEX)
    twice = (
        select(func.count())
        .select_from(unit_block)
        .group_by(*index.columns)
        .having(func.count() > 1)
        .limit(1)
    )
    if connection.execute(twice).first() is not None:
        return False
    connection.execute(text(f"DROP INDEX IF EXISTS {_SERIALS_INDEX}"))
    index.create(connection)
    return True
