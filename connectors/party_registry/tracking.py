"""Transfers and actions as this end knows them, in SQL.

    outgoing   submitted -> proposed -> completed | rejected | cancelled | expired
               submitted -> refused    (the hub's receipt said no)
               submitted -> disputed   (the hub knows this id with other content: call a human)
    incoming   proposed  -> completed | rejected | cancelled | expired

What is final stays: a late word changes nothing but the timeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, Update, bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from connectors.party_registry.tracking_tables import action, counter, transfer, transfer_event

__all__ = [
    "FINAL_STATES",
    "Action",
    "Transfer",
    "add_action",
    "add_transfer",
    "fetch_action",
    "fetch_timeline",
    "fetch_transfer",
    "list_actions",
    "list_transfers",
    "next_number",
    "note",
    "set_action",
    "set_transfer",
]

FINAL_STATES: Final = frozenset({"completed", "rejected", "cancelled", "expired", "refused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One transfer. `proposal` is the body of the proposal or notification, `account` ours."""

    transfer_id: str
    direction: str
    mode: str
    state: str
    counterparty: str
    account: str
    cooperative_approach: str
    quantity: int
    proposal: dict[str, Any]
    proposal_sha256: str | None
    answer: str | None
    log_index: int | None
    created_at: str
    changed_at: str

    @property
    def awaited(self) -> str | None:
        """Who has to act next: `us`, `the hub`, `the other registry`, or nobody."""
        if self.state in FINAL_STATES:
            return None
        if self.state in {"submitted", "disputed"}:
            return "the hub" if self.state == "submitted" else "us"
        if self.direction == "outgoing":
            return "the other registry"
        return "us" if self.answer is None else "the hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One use or cancellation of ours."""

    action_id: str
    type: str
    state: str
    account: str | None
    quantity: int
    body: dict[str, Any]
    created_at: str
    changed_at: str
    detail: str


_NUMBER: Final = (
    upsert(counter)
    .values(name=bindparam("counter_name"), value=1)
    .on_conflict_do_update(index_elements=["name"], set_={"value": counter.c.value + 1})
    .returning(counter.c.value)
)
_FETCH: Final = select(transfer).where(transfer.c.transfer_id == bindparam("wanted"))
_NOTE: Final = insert(transfer_event)
_ADD: Final = upsert(transfer).on_conflict_do_nothing(index_elements=["transfer_id"])


@cache
def _set_transfer(names: tuple[str, ...]) -> Update:
    changed = update(transfer).where(transfer.c.transfer_id == bindparam("wanted"))
    return changed.values({name: bindparam(name) for name in ("changed_at", *names)})


def next_number(connection: Connection, participant: str) -> str:
    """Return the next id for a transfer or action of ours, never given out before."""
    value = connection.execute(_NUMBER, {"counter_name": "transfer"}).scalar_one()
    return f"{participant}-{value:06d}"


def add_transfer(connection: Connection, added: Transfer) -> bool:
    """Store a transfer; tell whether its id was new."""
    values = {name: getattr(added, name) for name in Transfer.__dataclass_fields__}
    values["proposal"] = msgspec.json.encode(added.proposal)
    return connection.execute(_ADD, values).rowcount == 1


def fetch_transfer(connection: Connection, transfer_id: str) -> Transfer | None:
    """Return a transfer, or nothing."""
    row = connection.execute(_FETCH, {"wanted": transfer_id}).mappings().first()
    return None if row is None else _transfer(row)


def _transfer(row: RowMapping) -> Transfer:
    return Transfer(**{**row, "proposal": msgspec.json.decode(row["proposal"])})


def list_transfers(
    connection: Connection,
    *,
    state: str | None = None,
    direction: str | None = None,
    limit: int = 100,
) -> list[Transfer]:
    """Return up to `limit` transfers, the last changed first."""
    query = select(transfer).order_by(transfer.c.changed_at.desc(), transfer.c.transfer_id)
    if state is not None:
        query = query.where(transfer.c.state == state)
    if direction is not None:
        query = query.where(transfer.c.direction == direction)
    return [_transfer(row) for row in connection.execute(query.limit(limit)).mappings()]


def set_transfer(connection: Connection, transfer_id: str, at: str, **values: Any) -> None:
    """Change columns of a transfer that is there."""
    statement = _set_transfer(tuple(values))
    result = connection.execute(statement, {"wanted": transfer_id, "changed_at": at, **values})
    assert result.rowcount == 1, f"the transfer {transfer_id} is not there"


def note(connection: Connection, transfer_id: str, at: str, event: str, detail: str = "") -> None:
    """Add a line to a transfer's timeline."""
    values = {"transfer_id": transfer_id, "at": at, "event": event, "detail": detail[:2000]}
    connection.execute(_NOTE, values)


def fetch_timeline(connection: Connection, transfer_id: str) -> list[dict[str, str]]:
    """Return a transfer's timeline, the oldest line first."""
    rows = connection.execute(
        select(transfer_event.c.at, transfer_event.c.event, transfer_event.c.detail)
        .where(transfer_event.c.transfer_id == transfer_id)
        .order_by(transfer_event.c.event_id)
    )
    return [dict(row) for row in rows.mappings()]


def add_action(connection: Connection, added: Action) -> None:
    """Store an action of ours."""
    values = {name: getattr(added, name) for name in Action.__dataclass_fields__}
    values["body"] = msgspec.json.encode(added.body)
    connection.execute(insert(action), values)


def fetch_action(connection: Connection, action_id: str) -> Action | None:
    """Return an action of ours, or nothing."""
    row = connection.execute(select(action).where(action.c.action_id == action_id))
    found = row.mappings().first()
    return None if found is None else _action(found)


def _action(row: RowMapping) -> Action:
    return Action(**{**row, "body": msgspec.json.decode(row["body"])})


def list_actions(connection: Connection, *, limit: int = 100) -> list[Action]:
    """Return up to `limit` actions, the last changed first."""
    query = select(action).order_by(action.c.changed_at.desc(), action.c.action_id).limit(limit)
    return [_action(row) for row in connection.execute(query).mappings()]


def set_action(connection: Connection, action_id: str, at: str, state: str, detail: str) -> None:
    """Change the state of an action that is there."""
    connection.execute(
        update(action)
        .where(action.c.action_id == action_id)
        .values(state=state, detail=detail[:2000], changed_at=at)
    )
