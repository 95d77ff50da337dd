"""How far the audit came: the confirmed place, and the working place of one that was cut short."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from connectors.session.log.tables import log_audit
from hub.transparency_log.compact_range import CompactRange

__all__ = ["forget_places", "load_place", "load_places", "store_place"]


def load_place(connection: Connection, name: str) -> tuple[CompactRange, str | None]:
    """Return the tree up to the `confirmed` or the `working` place, and when it was stored."""
    columns = (log_audit.c.size, log_audit.c.compact_range, log_audit.c.at)
    row = connection.execute(select(*columns).where(log_audit.c.place == name)).first()
    if row is None:
        return CompactRange(), None
    return CompactRange.from_bytes(row[0], row[1]), row[2]


def load_places(connection: Connection) -> tuple[CompactRange, CompactRange]:
    """Return the trees up to the confirmed and up to the working place."""
    confirmed, _ = load_place(connection, "confirmed")
    working, _ = load_place(connection, "working")
    return confirmed, working if working.size > confirmed.size else confirmed


def store_place(connection: Connection, name: str, tree: CompactRange, at: str) -> None:
    """Store the tree up to a place."""
    values = {"size": tree.size, "compact_range": tree.to_bytes(), "at": at}
    statement = insert(log_audit).values(place=name, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[log_audit.c.place], set_=values)
    )


def forget_places(connection: Connection) -> None:
    """Let the next audit begin at the first entry."""
    connection.execute(delete(log_audit))
