"""Which moment a statement or a list of records speaks of, and what a registry knew by then."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Connection, String, bindparam, func, select, union_all

from hub.store import head, log
from hub.store.reconciliation.tables import session
from hub.store.tables import delivery, delivery_replaced, mailbox_item
from hub.transparency_log.entries import decode
from message_schemas import timestamps

_AS_OF: Final = bindparam("as_of", type_=BigInteger)
_RECIPIENT: Final = bindparam("recipient", type_=String)
# A delivery sealed again keeps in its older row when that was acknowledged.
_ACKNOWLEDGED: Final = union_all(
    *(
        select(func.max(rows.c.last_sequence).label("last")).where(
            rows.c.recipient == _RECIPIENT, rows.c.acknowledged_log_index <= _AS_OF
        )
        for rows in (delivery, delivery_replaced)
    )
)
_FIRST_BEHIND: Final = select(func.min(mailbox_item.c.log_index)).where(
    mailbox_item.c.recipient == _RECIPIENT,
    mailbox_item.c.sequence > bindparam("sequence", type_=BigInteger),
    mailbox_item.c.log_index <= _AS_OF,
)


def acknowledged_to(connection: Connection, registry: str, as_of: int) -> int:
    """Return the log index up to where a registry had acknowledged its items by entry ``as_of``.

    It is the index before the first item that was not; ``as_of`` itself if there was none.
    """
    named = {"recipient": registry, "as_of": as_of}
    known = [row[0] or 0 for row in connection.execute(_ACKNOWLEDGED, named)]
    first = connection.execute(_FIRST_BEHIND, {**named, "sequence": max(known)}).scalar_one()
    return as_of if first is None else int(first) - 1


def index_at(connection: Connection, moment: datetime) -> int | None:
    """Return the index of the last entry of the log up to a moment; None if there was none.

    Entries are in the order of their times. Should a clock once have been set back, it is an entry
    up to the moment that is followed by a later one.
    """
    low, high = 0, head.read(connection).log_index
    if _time_of(connection, 0) > moment:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        if _time_of(connection, middle) <= moment:
            low = middle
        else:
            high = middle - 1
    return low


def time_at(connection: Connection, index: int) -> datetime:
    """Return when an entry was made; LogDamagedError if there is none."""
    return _time_of(connection, index)


def _time_of(connection: Connection, index: int) -> datetime:
    entry = log.entry_at(connection, index)
    if entry is None:
        raise log.LogDamagedError(f"the log has no entry {index}")
    return timestamps.parse(decode(entry).at)


def compared_as_of(connection: Connection, registry: str) -> int | None:
    """Return the latest index as of which a registry's units were compared; None if never."""
    found = select(func.max(session.c.as_of)).where(
        session.c.registry == registry, session.c.state == "done", session.c.mode != "records"
    )
    index: int | None = connection.execute(found).scalar_one()
    return index


def records_agreed_to(connection: Connection, registry: str) -> int:
    """Return up to which index a registry's records agreed; 0 if they never were compared.

    A session agrees up to its cut, or to where the registry had come, if that is less.
    """
    found = (
        select(session.c.as_of, session.c.log_index)
        .where(
            session.c.registry == registry,
            session.c.state == "done",
            session.c.mode == "records",
            session.c.agreed,
        )
        .order_by(session.c.log_index.desc())
        .limit(1)
    )
    row = connection.execute(found).one_or_none()
    return 0 if row is None else min(row[0] or 0, row[1])
