"""One transfer from its proposal to its end: who said what, who was told, what is still awaited.

1. What was said: the proposal and what ended it, each with the hub's receipt; or the hub's own act,
   when nobody answered in time.
2. Who was told: the deliveries of either to everybody whom the log's entry names, how they stand,
   and the envelopes that acknowledged them.
3. What came of it later: corrections of its units, cases about it.
4. What is awaited: the acquirer's answer, acknowledgements, a published tree that covers all of it.

Messages that were refused changed nothing and are kept with no transfer: they are not here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Connection

from hub.checks.facts import TransferRecord
from hub.protocol.delivery_states import DeliveryState
from hub.protocol.transfer_states import TransferState
from hub.services.console.ground import Ground
from hub.services.console.transfers import opened_messages
from hub.services.console.transfers.logged_messages import DeliveryEvent, EntryReader, MessageEvent
from hub.services.console.transfers.opened_messages import Said
from hub.services.export_evidence import EvidenceExporter
from hub.store import acts, reference, transfers
from hub.store.console import transfer_traces
from hub.store.console.transfer_traces import CaseTrace, CorrectionTrace, MovedUnits
from hub.store.reference import ParticipantRow

ENDS: Final = {
    TransferState.COMPLETED: "acceptance",
    TransferState.REJECTED: "rejection",
    TransferState.CANCELLED: "withdrawal",
    TransferState.EXPIRED: "expiry",
}
_LAST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ActEvent:
    """An act of the hub about the transfer."""

    kind: str
    at: datetime
    log_index: int
    act: str
    actor: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class CorrectionEvent:
    """A correction of the ledger that touched its units."""

    kind: str
    at: datetime
    log_index: int
    correction: CorrectionTrace


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """A case that names it, or that has serials of it."""

    kind: str
    at: datetime
    log_index: None
    case: CaseTrace


Event: TypeAlias = MessageEvent | DeliveryEvent | ActEvent | CorrectionEvent | CaseEvent


@dataclass(frozen=True, slots=True)
class Awaited:
    """What is still to come: an answer, an acknowledgement, or a tree (``what``), and from whom.

    ``until`` is the time it is to be there by; None where there is none. ``delivery`` is what is to
    be acknowledged.
    """

    what: str
    who: str
    until: datetime | None = None
    delivery: DeliveryEvent | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """All that a page shows of one transfer.

    ``units`` are what it moved or has set aside, the first RANGES_MAX runs (``units_are_cut``).
    ``covered_by`` is the size of the published tree that evidence would rest on; None: not yet.
    """

    transfer: TransferRecord
    participants: Mapping[str, ParticipantRow]
    units: tuple[MovedUnits, ...]
    units_are_cut: bool
    awaited: tuple[Awaited, ...]
    events: tuple[Event, ...]
    covered_by: int | None


class TransferStories:
    """Tells the stories of transfers."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._exporter = EvidenceExporter(
            ground.database, ground.identity.hub, ground.origin, ground.policies
        )

    def exists(self, transfer_id: str) -> bool:
        """Tell whether there is a transfer of this id."""
        with self._ground.database.reading() as connection:
            return transfer_id in transfers.load(connection, [transfer_id])

    def story(self, transfer_id: str, *, with_originals: bool) -> Story | None:
        """Return the story of a transfer, or None if there is none of this id.

        ``with_originals`` adds the signed objects word for word.
        """
        with self._ground.database.reading() as connection:
            found = transfers.load(connection, [transfer_id])
            if transfer_id not in found:
                return None
            telling = _Telling(connection, self._ground, found[transfer_id], with_originals)
            telling.tell()
            transfer = telling.transfer
            newest = max(transfer.proposed_log_index, transfer.closed_log_index or 0)
            covering = self._exporter.covering(connection, max(newest, *telling.indices))
        covered_by = None if covering is None else covering.size
        return Story(
            transfer,
            telling.named(),
            tuple(telling.units[: transfer_traces.RANGES_MAX]),
            len(telling.units) > transfer_traces.RANGES_MAX,
            tuple(_awaited(transfer, telling.events, covered_by, self._ground.identity.hub)),
            tuple(sorted(telling.events, key=_place)),
            covered_by,
        )


def _place(event: Event) -> tuple[datetime, int]:
    return event.at, _LAST if event.log_index is None else event.log_index


def _awaited(
    transfer: TransferRecord, events: Iterable[Event], covered_by: int | None, hub: str
) -> Iterable[Awaited]:
    """Yield what is still to come, what moves units first."""
    if transfer.state is TransferState.PROPOSED:
        yield Awaited("answer", transfer.acquirer, transfer.respond_by)
    for one in events:
        if isinstance(one, DeliveryEvent) and one.state is not DeliveryState.ACKNOWLEDGED:
            yield Awaited("acknowledgement", one.recipient, one.next_attempt_at, one)
    if covered_by is None:
        yield Awaited("tree", hub)


class _Telling:
    """One run over what the database has of a transfer."""

    def __init__(
        self,
        connection: Connection,
        ground: Ground,
        transfer: TransferRecord,
        with_originals: bool,
    ) -> None:
        self._connection = connection
        self._hub = ground.identity.hub
        self._participants = {row.code: row for row in reference.participants(connection)}
        self._entries = EntryReader(
            connection, self._hub, self._participants, with_originals=with_originals
        )
        self._roles: dict[int, list[str]] = {}
        self.transfer = transfer
        self.units: Sequence[MovedUnits] = ()
        self.events: list[Event] = []

    @property
    def indices(self) -> list[int]:
        """Every entry of the log that belongs to the transfer."""
        return [one.log_index for one in self.events if one.log_index is not None]

    def named(self) -> dict[str, ParticipantRow]:
        """Return the participants of both ends, by code; those that are registered."""
        codes = (self.transfer.initiator, self.transfer.acquirer, self._hub)
        return {code: self._participants[code] for code in codes if code in self._participants}

    def tell(self) -> None:
        """Gather the events."""
        transfer = self.transfer
        closed = transfer.closed_log_index
        self._roles[transfer.proposed_log_index] = ["proposal"]
        if closed is not None:
            self._roles.setdefault(closed, []).append(ENDS[transfer.state])
        told: list[DeliveryEvent] = []
        for index, roles in sorted(self._roles.items()):
            told += self._tell_recipients(index, roles[-1])
        for one in told:
            if one.acknowledged_log_index is not None:
                self._note_role(one.acknowledged_log_index, "acknowledgement")
        self.events += told
        for index in sorted(self._roles):
            self._tell_entry(index, self._roles[index])
        self._tell_units()

    def _note_role(self, index: int, role: str) -> None:
        roles = self._roles.setdefault(index, [])
        if role not in roles:
            roles.append(role)

    def _tell_recipients(self, index: int, role: str) -> list[DeliveryEvent]:
        """Return how everybody whom an entry names, and both ends, are told of it."""
        transfer = self.transfer
        at = transfer.closed_at if index == transfer.closed_log_index else None
        return self._entries.deliveries(
            index,
            role,
            at or transfer.proposed_at,
            wanted=transfer.transfer_id,
            also=(transfer.initiator, transfer.acquirer),
        )

    def _tell_entry(self, index: int, roles: Sequence[str]) -> None:
        found = transfer_traces.envelope_at(self._connection, index)
        if found is not None:
            event = self._entries.message(found, roles, lambda said: self._is_about(said, roles))
            self.events.append(event)
            return
        act = acts.at(self._connection, index)
        if act is not None:
            count = act.subject.partition(" ")[0]
            self.events.append(
                ActEvent(
                    kind="act",
                    at=act.at,
                    log_index=index,
                    act=act.kind,
                    actor=act.actor,
                    reason=act.reason,
                    count=int(count) if count.isdecimal() else 1,
                )
            )

    def _is_about(self, said: Said, roles: Sequence[str]) -> bool:
        if said.type == "delivery.acknowledgement":
            return "acknowledgement" in roles
        return opened_messages.names_id(said.body, self.transfer.transfer_id)

    def _tell_units(self) -> None:
        connection, transfer = self._connection, self.transfer
        if transfer.state is TransferState.PROPOSED:
            self.units = transfer_traces.units_reserved(connection, transfer.transfer_id)
        else:
            self.units = transfer_traces.units_moved(connection, transfer.transfer_id)
        ranges = [one.range for one in self.units]
        closed = transfer.closed_log_index
        if closed is not None:
            self.events += [
                CorrectionEvent(
                    "correction",
                    one.at or transfer.closed_at or transfer.proposed_at,
                    one.log_index,
                    one,
                )
                for one in transfer_traces.corrections_of(connection, ranges, closed)
            ]
        entries = [transfer.proposed_log_index] + ([] if closed is None else [closed])
        self.events += [
            CaseEvent("case", one.opened_at, None, one)
            for one in transfer_traces.cases_about(
                connection, transfer.transfer_id, entries, ranges
            )
        ]
