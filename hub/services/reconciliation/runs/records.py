"""The hub's side of a session on records: its own list, read as it stands in the database.

What ended never changes, so the list of a span is the same whenever it is read: a session is made
anew after a restart from nothing but its question.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import Connection

from hub.store import transfers
from hub.store.database import Database
from hub.store.reconciliation import moments
from hub.store.transfers import RecordRow
from message_schemas.messages.reconciliation import RecordedTransfer
from reconciliation.records import HubRecord, RecordsAsked, RecordsComparison

Ended = Literal["completed", "rejected", "cancelled", "expired"]


@dataclass(frozen=True, slots=True)
class HubRecords:
    """A registry's notify-and-record transfers at the hub, in either role."""

    database: Database
    registry: str

    def ended(self, after: int, up_to: int) -> dict[str, HubRecord]:
        """Return those that ended in (``after``, ``up_to``], by id."""
        with self.database.reading() as connection:
            rows = transfers.records_ended(connection, self.registry, after, up_to)
            return {row.transfer_id: _record(row) for row in rows}

    def find(self, ids: Collection[str]) -> Mapping[str, HubRecord]:
        """Return those of ``ids`` that are the registry's, ended or in flight, by id."""
        with self.database.reading() as connection:
            rows = transfers.records_among(connection, self.registry, ids)
        return {transfer_id: _record(row) for transfer_id, row in rows.items()}


def comparison(database: Database, registry: str, asked: RecordsAsked) -> RecordsComparison:
    """Return the comparison that a question for records begins, or begins again."""
    records = HubRecords(database, registry)
    return RecordsComparison(asked, records.ended(asked.after, asked.index), records.find)


def compared_to(connection: Connection, registry: str) -> int:
    """Return the log index behind which a registry's records are compared next.

    It is how far the last session on records that agreed really went. What differed since is so
    compared again and again, until a session agrees; what was on its way is not passed over.
    """
    return moments.records_agreed_to(connection, registry)


def registries(connection: Connection) -> list[str]:
    """Return the registries that have records to compare, by code."""
    return transfers.recording_registries(connection)


def _record(row: RecordRow) -> HubRecord:
    if row.closed_log_index is None:
        return HubRecord(None, row.proposed_log_index)
    state = cast(Ended, row.state)
    told = RecordedTransfer(transfer_id=row.transfer_id, state=state, quantity=row.quantity)
    return HubRecord(told, row.closed_log_index)
