"""Tell everybody when the hub begins to check by a newer rulebook.

1. The newest act `rulebook.published` says which rulebook this database announced last; a database
   without one stands at the first rulebook, which is in force from its first day on.
2. A newer one is announced once: an act of the hub's own in the log, and a notice to every active
   registry. The same rulebook again, or an older one (a hub taken back), is not announced.
3. The head's lock is held between looking and writing, so two processes never announce it twice.
"""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from hub.services import reference_data
from hub.services.acts import act_row, record_act
from hub.services.batch_work import OutgoingItem
from hub.services.record_batch import file_items
from hub.store import acts
from hub.store import head as heads
from hub.store.database import Database

KIND: Final = "rulebook.published"
FIRST_RULEBOOK: Final = "2026-11-22"
"""The rulebook of the first version: it was never new to anybody."""


def announce(database: Database, *, hub: str, now: datetime, current: str) -> list[str]:
    """Announce the rulebook of the date ``current`` if it is newer; return who has news of it."""
    with database.reading() as connection:
        if not _is_new(connection, current):
            return []
    with database.writing() as connection:
        head = heads.lock(connection)
        if not _is_new(connection, current):
            return []
        told = reference_data.load(connection, head).active_participants()
        body = {"rulebook": current}
        row = act_row(
            head.log_index + 1,
            at=now,
            kind=KIND,
            actor=hub,
            subject=current,
            reason="the hub was started with a newer rulebook",
            detail=body,
        )
        item = OutgoingItem(row.log_index, notices=[(KIND, body)])
        recipients = file_items(connection, {code: [item] for code in told}, now)
        record_act(connection, head, row, hub=hub, told=recipients)
    return recipients


def _is_new(connection: Connection, current: str) -> bool:
    """Tell whether ``current`` is later than what was announced; dates compare as text."""
    announced = acts.newest_of_kind(connection, KIND)
    last = FIRST_RULEBOOK if announced is None else _date_of(announced.detail)
    return current > last


def _date_of(detail: str) -> str:
    document: dict[str, str] = msgspec.json.decode(detail)
    return document["rulebook"]
