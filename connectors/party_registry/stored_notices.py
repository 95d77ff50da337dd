"""Notices that arrived, found again in the inbox by the transfer or action that they are about."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from connectors.session.tables import inbox_item
from message_schemas.json_codec import decode_body
from message_schemas.messages.notices import ActionRecorded, TransferCompleted

__all__ = ["completion_of", "record_of"]


def completion_of(connection: Connection, transfer_id: str) -> TransferCompleted | None:
    """Return the notice by which the hub completed a transfer, if it arrived."""
    found = _find(connection, "transfer.completed", "transfer_id", transfer_id)
    assert found is None or isinstance(found, TransferCompleted), "it is decoded by its type"
    return found


def record_of(connection: Connection, action_id: str) -> ActionRecorded | None:
    """Return the notice by which the hub recorded a use or cancellation, if it arrived."""
    found = _find(connection, "action.recorded", "action_id", action_id)
    assert found is None or isinstance(found, ActionRecorded), "it is decoded by its type"
    return found


def _find(connection: Connection, type_: str, name: str, wanted: str) -> Any:
    # The inbox has no index of what its items say; this is for a person who waits.
    rows = connection.execute(
        select(inbox_item.c.item)
        .where(
            func.instr(inbox_item.c.item, wanted.encode()) > 0,
            func.instr(inbox_item.c.item, type_.encode()) > 0,
        )
        .order_by(inbox_item.c.sequence.desc())
    )
    for (item,) in rows:
        for notice in msgspec.json.decode(item).get("notices", ()):
            if notice["type"] == type_ and notice["body"].get(name) == wanted:
                return decode_body(type_, notice["version"], notice["body"])
    return None
