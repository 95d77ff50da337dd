"""Acts as they were recorded, for whoever looks back at them."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from hub.store.envelopes import ActRow
from hub.store.tables import act

_ACTS = select(
    act.c.log_index,
    act.c.at,
    act.c.kind,
    act.c.actor,
    act.c.subject,
    act.c.reason,
    act.c.detail,
    act.c.document,
    act.c.salt,
)


def newest(connection: Connection, limit: int) -> list[ActRow]:
    """Return the newest acts, newest first."""
    rows = connection.execute(_ACTS.order_by(act.c.log_index.desc()).limit(limit))
    return [ActRow(*row) for row in rows]


def after(connection: Connection, log_index: int, limit: int) -> list[ActRow]:
    """Return the acts behind ``log_index``, oldest first."""
    found = _ACTS.where(act.c.log_index > log_index).order_by(act.c.log_index).limit(limit)
    return [ActRow(*row) for row in connection.execute(found)]


def of_kinds(connection: Connection, kinds: Collection[str]) -> list[ActRow]:
    """Return the acts of these kinds, oldest first."""
    rows = connection.execute(_ACTS.where(act.c.kind.in_(sorted(kinds))).order_by(act.c.log_index))
    return [ActRow(*row) for row in rows]


def newest_of_kind(connection: Connection, kind: str) -> ActRow | None:
    """Return the newest act of one kind, if there is any."""
    found = _ACTS.where(act.c.kind == kind).order_by(act.c.log_index.desc()).limit(1)
    row = connection.execute(found).one_or_none()
    return None if row is None else ActRow(*row)
