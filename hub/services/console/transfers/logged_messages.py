"""Recorded envelopes, what the hub answered, and who was told of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from hub.protocol.delivery_states import DeliveryState, state_of
from hub.services.console.ground import Ground
from hub.services.console.transfers import opened_messages
from hub.services.console.transfers.opened_messages import Opened, Said
from hub.store import log as log_store
from hub.store import mailboxes, reference, transfers
from hub.store.console import transfer_traces
from hub.store.console.transfer_traces import DeliveryTrace, EnvelopeTrace, ItemTrace
from hub.store.mailboxes import Mailbox
from hub.store.reference import ParticipantRow
from hub.store.transfers import ActedRow
from hub.transparency_log.entries import EntryError, decode

MESSAGES_MAX: Final = 100
"""Messages of one envelope that a page shows."""
ACTED_KINDS: Final = ("action", "first_transfer", "authorization_change", "issuance")
"""What is taken once under an id, beside transfers, by the beginnings of natural ids."""


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """An envelope about the transfer: ``said`` of its messages are, ``other_count`` are not.

    ``envelope`` and ``receipt`` are None once erased; the keys that signed are known for ever.
    """

    kind: str
    roles: tuple[str, ...]
    log_index: int
    at: datetime
    sender: str
    recipient: str
    envelope_id: str
    sha256: str
    key_ids: tuple[str, ...]
    envelope: Opened | None
    receipt: Opened | None
    said: tuple[Said, ...]
    other_count: int


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """How a participant is told of an entry: the item of its mailbox, and how that stands."""

    kind: str
    at: datetime
    log_index: int | None
    sender: str
    recipient: str
    role: str
    of_index: int
    sequence: int
    carries_envelope: bool
    notices: tuple[Said, ...]
    sealings: tuple[DeliveryTrace, ...]
    binding: str | None
    state: DeliveryState
    acknowledged_at: datetime | None
    acknowledged_log_index: int | None
    failure_count: int
    next_attempt_at: datetime | None
    last_error: str | None
    is_fetched: bool


class EntryReader:
    """Reads what belongs to entries of the log, in one transaction."""

    def __init__(
        self,
        connection: Connection,
        hub: str,
        participants: Mapping[str, ParticipantRow],
        *,
        with_originals: bool,
    ) -> None:
        self._connection = connection
        self._hub = hub
        self._participants = participants
        self._with_originals = with_originals

    def deliveries(
        self, index: int, role: str, at: datetime, *, wanted: str | None, also: Collection[str] = ()
    ) -> list[DeliveryEvent]:
        """Return how everybody whom an entry names is told of it; ``also`` are asked besides.

        ``at`` is the time of the entry. Of notices those that are about ``wanted`` are shown, all
        of them without it.
        """
        codes = sorted(self._told(index) | set(also))
        items = [transfer_traces.item_for(self._connection, code, index) for code in codes]
        found = [one for one in items if one is not None]
        boxes = mailboxes.load(self._connection, {one.recipient for one in found})
        return [self._delivery(one, index, role, at, wanted, boxes[one.recipient]) for one in found]

    def _told(self, index: int) -> set[str]:
        raw = log_store.entry_at(self._connection, index)
        try:
            return {step.code for step in decode(raw or b"").parties}
        except EntryError:  # damaged: the check of the evidence says so
            return set()

    def _delivery(
        self,
        item: ItemTrace,
        index: int,
        role: str,
        at: datetime,
        wanted: str | None,
        box: Mailbox,
    ) -> DeliveryEvent:
        sealed = [one for one in item.deliveries if one.replaced_by is None]
        newest = sealed[-1] if sealed else None
        confirmed = [one for one in item.deliveries if one.acknowledged_log_index is not None]
        last = confirmed[-1] if confirmed else None
        has_it = box.acknowledged_sequence >= item.sequence
        state = state_of(
            stored=newest is not None, acknowledged=has_it, failure_count=box.failure_count
        )
        known = self._participants.get(item.recipient)
        beginning = None if newest is None else newest.beginning
        return DeliveryEvent(
            kind="delivery",
            at=at if newest is None else newest.created_at,
            log_index=None if newest is None else newest.log_index,
            sender=self._hub,
            recipient=item.recipient,
            role=role,
            of_index=index,
            sequence=item.sequence,
            carries_envelope=item.carries_envelope,
            notices=opened_messages.notices_of(item.notices, wanted),
            sealings=item.deliveries,
            binding=None if beginning is None else opened_messages.binding_shown(bytes(beginning)),
            state=state,
            acknowledged_at=None if last is None else last.acknowledged_at,
            acknowledged_log_index=None if last is None else last.acknowledged_log_index,
            failure_count=0 if has_it else box.failure_count,
            next_attempt_at=None if has_it else box.next_attempt_at,
            last_error=None if has_it else box.last_error,
            is_fetched=known is not None and known.delivery_mode == "pull",
        )

    def message(
        self,
        found: EnvelopeTrace,
        roles: Sequence[str] = (),
        is_about: Callable[[Said], bool] | None = None,
    ) -> MessageEvent:
        """Return an envelope for reading; of its messages those that ``is_about`` lets through."""
        with_original = self._with_originals
        envelope = opened_messages.opened("envelope", found.body, with_original=with_original)
        receipt = opened_messages.opened("receipt", found.receipt, with_original=with_original)
        messages = opened_messages.messages_of(envelope, receipt)
        said = tuple(one for one in messages if is_about is None or is_about(one))[:MESSAGES_MAX]
        return MessageEvent(
            kind="message",
            roles=tuple(roles),
            log_index=found.log_index,
            at=found.received_at,
            sender=found.sender,
            recipient=found.recipient,
            envelope_id=found.envelope_id,
            sha256=found.sha256,
            key_ids=found.key_ids,
            envelope=envelope,
            receipt=receipt,
            said=said,
            other_count=len(messages) - len(said),
        )


@dataclass(frozen=True, slots=True)
class EnvelopePage:
    """One envelope, how its parties were told of it, and the transfers that it is about."""

    message: MessageEvent
    deliveries: tuple[DeliveryEvent, ...]
    transfers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """An action, first transfer, change or issuance that was taken under an id, and its message."""

    natural_id: str
    type: str
    log_index: int
    message: MessageEvent | None
    deliveries: tuple[DeliveryEvent, ...]


class MessageDesk:
    """Shows recorded envelopes, and what was done by them."""

    def __init__(self, ground: Ground) -> None:
        self._database = ground.database
        self._hub = ground.identity.hub

    def envelope(self, log_index: int, *, with_originals: bool) -> EnvelopePage | None:
        """Return the envelope of an entry, or None if the entry is no envelope's."""
        with self._database.reading() as connection:
            found = transfer_traces.envelope_at(connection, log_index)
            if found is None:
                return None
            reader = self._reader(connection, with_originals)
            message = reader.message(found)
            deliveries = reader.deliveries(log_index, "", found.received_at, wanted=None)
            named = {str(one.body.get("transfer_id", "")) for one in message.said}
            known = transfers.load(connection, {one for one in named if len(one) <= 30} - {""})
        return EnvelopePage(message, tuple(deliveries), tuple(sorted(known)))

    def raw(self, log_index: int, part: str) -> bytes | None:
        """Return the exact bytes of an envelope or of its ``receipt``; None once erased."""
        with self._database.reading() as connection:
            found = transfer_traces.envelope_at(connection, log_index)
        if found is None:
            return None
        return found.receipt if part == "receipt" else found.body

    def actions(self, action_id: str, *, with_originals: bool) -> tuple[Taken, ...]:
        """Return what was taken under an id, each with its message; nothing for an unknown id."""
        with self._database.reading() as connection:
            names = [f"{kind}:{action_id}" for kind in ACTED_KINDS]
            rows = sorted(transfers.load_acted(connection, names).values(), key=_by_index)
            known = {row.natural_id for row in rows}
            for one in reference.issuances(connection, [action_id]).values():
                if f"issuance:{action_id}" not in known:
                    name = f"issuance:{action_id}"
                    rows.append(ActedRow(name, "a64.issuance_notice", one.log_index, "{}"))
            reader = self._reader(connection, with_originals)
            return tuple(self._taken(connection, reader, row, action_id) for row in rows)

    def _taken(
        self, connection: Connection, reader: EntryReader, row: ActedRow, action_id: str
    ) -> Taken:
        found = transfer_traces.envelope_at(connection, row.log_index)
        if found is None:
            return Taken(row.natural_id, row.type, row.log_index, None, ())
        message = reader.message(
            found,
            is_about=lambda said: (
                said.type == row.type and opened_messages.names_id(said.body, action_id)
            ),
        )
        told = reader.deliveries(row.log_index, "", found.received_at, wanted=action_id)
        return Taken(row.natural_id, row.type, row.log_index, message, tuple(told))

    def _reader(self, connection: Connection, with_originals: bool) -> EntryReader:
        rows = {row.code: row for row in reference.participants(connection)}
        return EntryReader(connection, self._hub, rows, with_originals=with_originals)


def _by_index(row: ActedRow) -> int:
    return row.log_index
