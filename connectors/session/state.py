"""Small facts of a session that outlive a restart, each a named row."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from connectors.session.tables import session_state

__all__ = [
    "APPLIED_THROUGH",
    "CONFIRMED_THROUGH",
    "PARTICIPANTS",
    "RESEND_ASKED",
    "load",
    "load_int",
    "store",
    "store_int",
]

APPLIED_THROUGH: Final = "applied_through"
"""The last sequence number whose effect is in the database; 0 before the first."""
CONFIRMED_THROUGH: Final = "confirmed_through"
"""The last sequence number that the registry behind the local API says it has taken."""
PARTICIPANTS: Final = "participants"
"""The signed list of participants believed last, as the hub sent it."""
RESEND_ASKED: Final = "resend_asked"
"""The range of the last `delivery.resend` that was submitted, so that it is asked once."""

_LOAD: Final = select(session_state.c.value).where(session_state.c.name == bindparam("row_name"))
_NEW: Final = insert(session_state)
_STORE: Final = _NEW.on_conflict_do_update(
    index_elements=[session_state.c.name], set_={"value": _NEW.excluded.value}
)


def load(connection: Connection, name: str) -> bytes | None:
    """Return the value of a row, or nothing if it was never stored."""
    value: bytes | None = connection.execute(_LOAD, {"row_name": name}).scalar()
    return value


def store(connection: Connection, name: str, value: bytes) -> None:
    """Store the value of a row."""
    connection.execute(_STORE, {"name": name, "value": value})


def load_int(connection: Connection, name: str) -> int:
    """Return the value of a row that is a number; 0 if it was never stored."""
    value = load(connection, name)
    return 0 if value is None else int(value)


def store_int(connection: Connection, name: str, value: int) -> None:
    """Store a row that is a number."""
    store(connection, name, str(value).encode("ascii"))
