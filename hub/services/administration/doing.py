"""One act's transaction: what a deed may look at and change, and how the act is recorded.

1. The head is locked; so an act runs alone, like a batch of envelopes.
2. The deed checks and changes reference data, or works on the ledger (``on_ledger``).
3. Notices are filed, the act's document is written with the statements signed for it, its entry
   goes into the log, and the head moves: all of it or nothing.

It works beside a running hub: the hub sees the changed version at its next commit.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from hub.international_registry.units import Range
from hub.protocol.limits import Limits
from hub.services import reference_data
from hub.services.acts import act_row, record_act
from hub.services.administration.deeds import Act, Deed
from hub.services.batch_work import BatchWork, OutgoingItem
from hub.services.load_facts import HubIdentity, Needs, load_needs
from hub.services.record_batch import file_items, record_work
from hub.services.reference_data import ReferenceData
from hub.store.acts import ActRow
from hub.store.head import Head
from hub.store.interning import Interning
from message_schemas import validation


class NoticeInvalidError(RuntimeError):
    """A notice of an act breaks its schema: a defect of ours, found before anybody is told."""


@dataclass(slots=True)
class Doing:
    """A deed being done: the open transaction, the head it holds, and the data as of then.

    ``trust_changes`` says that keys changed, so that every process loads them again.
    """

    connection: Connection
    head: Head
    data: ReferenceData
    identity: HubIdentity
    limits: Limits
    act: Act
    trust_changes: bool = False
    _notices: list[tuple[Collection[str], str, dict[str, Any]]] = field(default_factory=list)
    _interning: Interning = field(default_factory=Interning)
    _work: BatchWork | None = None

    @classmethod
    def begin(
        cls, connection: Connection, head: Head, identity: HubIdentity, limits: Limits, act: Act
    ) -> "Doing":
        """Return the context of an act under the locked ``head``."""
        return cls(connection, head, reference_data.load(connection, head), identity, limits, act)

    @property
    def at(self) -> datetime:
        """When the act is done."""
        return self.act.at

    @property
    def log_index(self) -> int:
        """The index the act will have in the log."""
        return self.head.log_index + 1

    def tell(self, recipients: Collection[str], type_: str, body: dict[str, Any]) -> None:
        """File a notice as part of the act."""
        self._notices.append((recipients, type_, body))

    def on_ledger(self, asked: Range) -> BatchWork:
        """Load the units asked for, to change them as part of the act."""
        # What bounds a peer's question must not stop the operator: no range is too crowded.
        limits = replace(self.limits, ledger_blocks_per_range_max=asked.quantity)
        self._work = load_needs(
            self.connection,
            self._interning,
            Needs(ranges={asked}),
            self.head,
            self.data,
            identity=self.identity,
            limits=limits,
            now=self.at,
        )
        self._work.begin_entry()
        return self._work

    def record(self, deed: Deed, statements: Sequence[bytes]) -> ActRow:
        """Write what is left to write, and the act itself; move the head."""
        row = act_row(
            self.log_index,
            at=self.at,
            kind=deed.kind,
            actor=self.act.actor,
            subject=deed.subject,
            reason=self.act.reason,
            detail=deed.parameters,
            statements=statements,
        )
        if self._work is None:
            self._record_reference(row)
        else:
            self._record_ledger(self._work, row)
        return row

    def _record_reference(self, row: ActRow) -> None:
        outgoing: dict[str, list[OutgoingItem]] = {}
        for recipients, type_, body in self._notices:
            assert_notice_valid(type_, body)
            for code in recipients:
                item = OutgoingItem(row.log_index, notices=[(type_, body)])
                outgoing.setdefault(code, []).append(item)
        told = file_items(self.connection, outgoing, self.at)
        hub = self.identity.hub
        record_act(
            self.connection,
            self.head,
            row,
            hub=hub,
            told=set(told) - {hub, self.identity.international_registry},
            trust_changes=self.trust_changes,
            reference_changes=True,
        )

    def _record_ledger(self, work: BatchWork, row: ActRow) -> None:
        for recipients, type_, body in self._notices:
            for code in recipients:
                work.notify(code, type_, body)
        work.end_entry()
        for item in chain.from_iterable(work.outgoing.values()):
            for type_, body in item.notices:
                assert_notice_valid(type_, body)
        record_work(self.connection, self._interning, work, self.head, [], [row])


def assert_notice_valid(type_: str, body: dict[str, Any]) -> None:
    """Raise NoticeInvalidError if a notice breaks its schema.

    Filed all the same, it would stop its recipients' mailboxes for good: no connector takes it.
    """
    errors = validation.schema_errors(type_, 1, body)
    if errors:
        raise NoticeInvalidError(f"{type_} {errors[0].path or '/'}: {errors[0].text}")
