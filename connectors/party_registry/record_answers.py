"""Transfers that moved no units, as the hub asks for them: by id, in pages, from the tracking."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, select

from connectors.party_registry.tracking_tables import transfer

__all__ = ["PAGE", "answer"]

PAGE: Final = 1000
_CLOSED: Final = ("completed", "rejected", "cancelled", "expired")


def answer(
    connection: Connection, asked: dict[str, Any], applied_to: int
) -> tuple[str, dict[str, Any]]:
    """Return the answer to `reconciliation.records_asked`: type and body."""
    query = (
        select(transfer.c.transfer_id, transfer.c.state, transfer.c.quantity)
        .where(
            transfer.c.mode == "notify_and_record",
            transfer.c.state.in_(_CLOSED),
            transfer.c.log_index > asked["after"],
            transfer.c.log_index <= asked["log_index"],
        )
        .order_by(transfer.c.transfer_id)
        .limit(PAGE + 1)
    )
    if (after := asked.get("after_transfer")) is not None:
        query = query.where(transfer.c.transfer_id > after)
    rows = connection.execute(query).all()
    body: dict[str, Any] = {
        "session": asked["session"],
        "number": asked["number"],
        "applied_to": applied_to,
        "transfers": [
            {"transfer_id": row.transfer_id, "state": row.state, "quantity": row.quantity}
            for row in rows[:PAGE]
        ],
        "more": len(rows) > PAGE,
    }
    return "reconciliation.records", body
