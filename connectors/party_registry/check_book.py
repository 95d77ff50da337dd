"""Is the book what its journal says? Found by reading all of it, changed by nothing.

1. No two blocks of a series overlap.
2. Replaying the journal from nothing gives the same units in the same accounts and states.
3. Units are conserved: issued + credited - debited = what lies in the book; corrections count for
   what they found and left.
4. Only transfers and actions that are still open hold reservations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, select

from connectors.party_registry import book_store
from connectors.party_registry.book_tables import movement, unit_block
from connectors.party_registry.tracking import FINAL_STATES
from connectors.party_registry.tracking_tables import action, transfer
from connectors.party_registry.units import BlockStatus, Series

__all__ = ["check_book", "journal_of"]

_State = tuple[str, str, str | None, bool, str]
_Piece = tuple[int, int, _State]
"""First and last serial; account, status, first transfer, whether the hub knows, attributes."""
_PAGE = 10_000


def check_book(connection: Connection) -> list[str]:
    """Return what is wrong, one sentence each; nothing if the book is sound."""
    lying = _blocks(connection)
    problems = list(_overlaps(lying))
    replayed, balance = _replay(connection)
    for series in sorted(set(lying) | set(replayed)):
        if _joined(lying.get(series, [])) != _joined(replayed.get(series, [])):
            problems.append(f"{series}: the blocks are not what the journal says")
        held = _quantity(lying.get(series, []))
        if held != balance[series]:
            text = f"{series}: {held} units lie here, the journal accounts for {balance[series]}"
            problems.append(text)
    return problems + list(_stale_reservations(connection))


def _blocks(connection: Connection) -> dict[Series, list[_Piece]]:
    found: dict[Series, list[_Piece]] = defaultdict(list)
    after = 0
    while page := book_store.fetch_holdings(connection, after_block_id=after, limit=_PAGE):
        for block in page:
            state = (
                block.account_id,
                block.status.value,
                block.first_transfer,
                block.known_to_hub,
                block.attributes,
            )
            found[block.series].append((block.first, block.last, state))
        after = page[-1].block_id or 0
    return {series: sorted(pieces) for series, pieces in found.items()}


def _overlaps(blocks: dict[Series, list[_Piece]]) -> Iterable[str]:
    for series, pieces in blocks.items():
        for before, after in pairwise(pieces):
            if before[1] >= after[0]:
                yield f"{series}: {after[0]} lies in two blocks"


def journal_of(connection: Connection, series: Series) -> list[_Piece]:
    """Return the units of a series as the journal has them."""
    return _replay(connection, series)[0].get(series, [])


def _replay(
    connection: Connection, only: Series | None = None
) -> tuple[dict[Series, list[_Piece]], dict[Series, int]]:
    pieces: dict[Series, list[_Piece]] = defaultdict(list)
    balance: dict[Series, int] = defaultdict(int)
    query = select(movement).order_by(movement.c.movement_id)
    if only is not None:
        query = query.where(*(movement.c[name] == one for name, one in only._asdict().items()))
    for row in connection.execute(query).mappings():
        series = Series(
            row["cooperative_approach"],
            row["originating_registry"],
            row["first_transferring_party"],
            row["vintage"],
        )
        first, last, kind = row["first_serial"], row["last_serial"], row["kind"]
        quantity = last - first + 1
        if kind in {"reserved", "released"}:
            continue
        if kind in {"issued", "credited"}:
            balance[series] += quantity
        else:
            found = _quantity(pieces[series])
            pieces[series] = _without(pieces[series], first, last)
            if kind in {"corrected", "removed"}:
                balance[series] -= found - _quantity(pieces[series])
        if kind == "debited":
            balance[series] -= quantity
        if kind == "corrected":
            balance[series] += quantity
        if kind in {"debited", "removed"}:
            continue
        known = row["known_to_hub"]
        state = (
            row["account_id"],
            row["status"],
            row["first_transfer"],
            row["status"] != BlockStatus.AUTHORIZED if known is None else known,
            row["attributes"],
        )
        pieces[series].append((first, last, state))
    return {series: sorted(items) for series, items in pieces.items()}, balance


def _quantity(pieces: list[_Piece]) -> int:
    return sum(last - first + 1 for first, last, _ in pieces)


def _without(pieces: list[_Piece], first: int, last: int) -> list[_Piece]:
    kept: list[_Piece] = []
    for left, right, state in pieces:
        if right < first or left > last:
            kept.append((left, right, state))
            continue
        if left < first:
            kept.append((left, first - 1, state))
        if right > last:
            kept.append((last + 1, right, state))
    return kept


def _joined(pieces: list[_Piece]) -> list[_Piece]:
    joined: list[_Piece] = []
    for first, last, state in sorted(pieces):
        if joined and joined[-1][1] + 1 == first and joined[-1][2] == state:
            joined[-1] = (joined[-1][0], last, state)
        else:
            joined.append((first, last, state))
    return joined


def _stale_reservations(connection: Connection) -> Iterable[str]:
    open_states: dict[str, Any] = {
        row[0]: row[1]
        for table, key in ((transfer, transfer.c.transfer_id), (action, action.c.action_id))
        for row in connection.execute(select(key, table.c.state))
    }
    reserved = select(unit_block.c.reserved_by).where(unit_block.c.reserved_by.is_not(None))
    for reference in connection.execute(reserved.distinct()).scalars():
        state = open_states.get(reference)
        if state is None or state in FINAL_STATES | {"recorded"}:
            yield f"{reference} holds a reservation but is {state or 'not known'}"
