"""What the hub and its administrators did by themselves, in the same order as envelopes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from hub.store.tables import act


@dataclass(frozen=True, slots=True)
class ActRow:
    """What the hub or an administrator did by itself. ``document`` is what the log commits to."""

    log_index: int
    at: datetime
    kind: str
    actor: str
    subject: str
    reason: str
    detail: str
    document: bytes
    salt: bytes


_ADD = insert(act)
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


def add(connection: Connection, rows: Sequence[ActRow]) -> None:
    """Record acts."""
    connection.execute(
        _ADD,
        [
            {
                "log_index": row.log_index,
                "at": row.at,
                "kind": row.kind,
                "actor": row.actor,
                "subject": row.subject,
                "reason": row.reason,
                "detail": row.detail,
                "document": row.document,
                "salt": row.salt,
            }
            for row in rows
        ],
    )


def at(connection: Connection, log_index: int) -> ActRow | None:
    """Return the act recorded at ``log_index``, or None if that entry is none."""
    row = connection.execute(_ACTS.where(act.c.log_index == log_index)).one_or_none()
    return None if row is None else ActRow(*row)


def newest(connection: Connection, limit: int) -> list[ActRow]:
    """Return the newest acts, newest first."""
    rows = connection.execute(_ACTS.order_by(act.c.log_index.desc()).limit(limit))
    return [ActRow(*row) for row in rows]


def page(
    connection: Connection,
    limit: int,
    *,
    before: int | None = None,
    kind: str | None = None,
    actor: str | None = None,
    subject: str | None = None,
) -> list[ActRow]:
    """Return up to ``limit`` acts, newest first, behind ``before``, of what is given."""
    found = _ACTS if before is None else _ACTS.where(act.c.log_index < before)
    for column, wanted in ((act.c.kind, kind), (act.c.actor, actor), (act.c.subject, subject)):
        if wanted is not None:
            found = found.where(column == wanted)
    rows = connection.execute(found.order_by(act.c.log_index.desc()).limit(limit))
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
