"""What one batch decides, held in memory until it is recorded: the facts and what became of them.

Handlers read ``facts`` and change them through the methods here, so that the second message of a
batch sees what the first one did. Nothing touches the database until ``record_batch`` writes all.

An *entry* is one number of the log: an envelope, an expiry, an administrator's act. Everything a
recipient learns from one entry becomes one item of its mailbox.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.checks.content import OWN_IDENTIFIERS
from hub.checks.facts import Facts, IssuanceRecord, MessageContext, TransferRecord
from hub.checks.later_authorizations import LaterAuthorization
from hub.checks.sequence import differing_field, natural_id
from hub.international_registry.authorizations import AuthorizationUsage
from hub.international_registry.units import LedgerBlock
from hub.protocol.limits import Limits
from hub.services.reference_data import ReferenceData
from hub.store.mailboxes import Mailbox
from hub.store.reconciliation.sessions import AnswerRow, AskedQuestion
from hub.store.reference import RecordRow
from hub.store.transfers import ActedRow
from keys.public_keys import KeyRecord
from message_schemas import timestamps
from message_schemas.envelopes import Verdict

NoticeBody = dict[str, Any]
Explain = Callable[[Sequence[LedgerBlock]], Mapping[int, TransferRecord]]
"""Given blocks a refused sender does not hold: the transfers that took them away."""


@dataclass(slots=True)
class OutgoingItem:
    """What one entry means for one recipient, before it is numbered."""

    log_index: int
    carries_envelope: bool = False
    verdicts: tuple[Verdict, ...] = ()
    notices: list[tuple[str, NoticeBody]] = field(default_factory=list)


@dataclass(slots=True)
class ParticipantChanges:
    """What session messages change about participants.

    ``acknowledged`` is the last item a recipient has, and the log index of the envelope saying so.
    """

    delivery_modes: dict[str, str] = field(default_factory=dict)
    bindings: dict[str, str] = field(default_factory=dict)
    new_keys: list[KeyRecord] = field(default_factory=list)
    ended_keys: dict[str, datetime] = field(default_factory=dict)
    revoked_keys: dict[str, datetime] = field(default_factory=dict)
    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)
    resends: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def touches_trust(self) -> bool:
        """Tell whether the keys at the door changed."""
        return bool(self.new_keys or self.ended_keys or self.revoked_keys)


class BatchWork:
    """The working state of one batch at one ``now``.

    ``writes_xml`` tells whether the hub has a key for XML.
    """

    def __init__(
        self,
        facts: Facts,
        reference: ReferenceData,
        limits: Limits,
        log_index: int,
        mailboxes: Mapping[str, Mailbox],
        delivery_digests: Mapping[tuple[str, int], str],
        acted_before: Mapping[str, ActedRow],
        *,
        known_usages: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self.facts = facts
        self.reference = reference
        self.limits = limits
        self.log_index = log_index
        self.mailboxes = mailboxes
        self.delivery_digests = delivery_digests
        self.acted_before = acted_before
        self.known_usages = known_usages
        self.explain: Explain = lambda _blocks: {}
        self.now_text = timestamps.render(facts.now)
        self.outgoing: dict[str, list[OutgoingItem]] = {}
        self.posting_log_indices: list[int] = []
        self.new_transfers: dict[str, TransferRecord] = {}
        self.closed_transfers: dict[str, TransferRecord] = {}
        self.acted: dict[str, ActedRow] = {}
        self.new_records: list[RecordRow] = []
        self.new_issuances: dict[str, tuple[str, int]] = {}
        self.dirty_issuances: set[str] = set()
        self.new_later_authorizations: list[LaterAuthorization] = []
        self.dirty_usages: set[tuple[str, str]] = set()
        self.participant_changes = ParticipantChanges()
        self.asked: Mapping[tuple[str, int], AskedQuestion] = {}
        self.answers: dict[tuple[str, int], AnswerRow] = {}
        self.registry_of_case: Mapping[str, str] = {}
        self.explanations: list[Callable[[Connection], None]] = []
        self.writes_xml = False
        self.alerts: list[tuple[str, str, str]] = []
        self._entry_items: dict[str, OutgoingItem] = {}

    # --- entries -------------------------------------------------------------------------------

    def begin_entry(self) -> int:
        """Start the next entry of the log and return its index."""
        self.log_index += 1
        self._entry_items = {}
        return self.log_index

    def end_entry(self) -> None:
        """Close the entry: number its postings, file what it means for each recipient."""
        made = self.facts.window.posting_count - len(self.posting_log_indices)
        self.posting_log_indices.extend([self.log_index] * made)
        for recipient, item in self._entry_items.items():
            self.outgoing.setdefault(recipient, []).append(item)

    def notify(self, recipient: str, type_: str, body: NoticeBody) -> None:
        """Tell ``recipient`` something within the current entry."""
        self._item(recipient).notices.append((type_, body))

    def forward(self, recipient: str, verdicts: tuple[Verdict, ...]) -> None:
        """Hand the entry's envelope to its addressee, with the hub's verdicts."""
        item = self._item(recipient)
        item.carries_envelope = True
        item.verdicts = verdicts

    def _item(self, recipient: str) -> OutgoingItem:
        return self._entry_items.setdefault(recipient, OutgoingItem(self.log_index))

    # --- transfers -----------------------------------------------------------------------------

    def add_transfer(self, transfer: TransferRecord) -> None:
        """Enter a new transfer."""
        self.facts.transfers[transfer.transfer_id] = transfer
        self.new_transfers[transfer.transfer_id] = transfer

    def close_transfer(self, transfer: TransferRecord) -> None:
        """Write a transfer's final state."""
        self.facts.transfers[transfer.transfer_id] = transfer
        if transfer.transfer_id in self.new_transfers:
            self.new_transfers[transfer.transfer_id] = transfer
        else:
            self.closed_transfers[transfer.transfer_id] = transfer

    # --- what is taken once --------------------------------------------------------------------

    def is_repeated(self, context: MessageContext) -> bool:
        """Tell whether the message says again, word for word, what was accepted before.

        Only from who may use its id: a stranger who repeats it meets the checks, learns nothing.
        """
        for name in OWN_IDENTIFIERS:
            own = getattr(context.body, name, None)
            if own is not None and own.partition("-")[0] != context.sender:
                return False
        identifier = natural_id(context.type, context.body)
        earlier = None if identifier is None else self.facts.earlier.get(identifier)
        return earlier is not None and differing_field(earlier, context.body) is None

    def remember(self, context: MessageContext) -> None:
        """Keep an accepted body, so that a later one under its natural id is compared with it."""
        identifier = natural_id(context.type, context.body)
        assert identifier is not None, f"{context.type} creates nothing"
        self.facts.earlier[identifier] = context.body

    def take(self, context: MessageContext, result: dict[str, Any]) -> None:
        """Take an act's natural id for ever, with the result that a duplicate is answered by."""
        self.remember(context)
        identifier = natural_id(context.type, context.body)
        assert identifier is not None, f"{context.type} creates nothing"
        text = msgspec.json.encode(result).decode()
        self.acted[identifier] = ActedRow(identifier, context.type, self.log_index, text)

    def earlier_result(self, context: MessageContext) -> dict[str, Any]:
        """Return the result an act had when it was first taken."""
        identifier = natural_id(context.type, context.body)
        assert identifier is not None, f"{context.type} creates nothing"
        row = self.acted.get(identifier) or self.acted_before[identifier]
        result: dict[str, Any] = msgspec.json.decode(row.result)
        return result

    def usage_of(self, key: tuple[str, str]) -> AuthorizationUsage:
        """Return how much of an authorization's cap is used or reserved."""
        return self.facts.usage.get(key) or AuthorizationUsage()

    def set_usage(self, key: tuple[str, str], usage: AuthorizationUsage) -> None:
        """Write how much of an authorization's cap is used or reserved."""
        self.facts.usage[key] = usage
        self.dirty_usages.add(key)

    def add_issuance(self, record: IssuanceRecord, body: str) -> None:
        """Enter an announced issuance; ``body`` is its notice as JSON."""
        self.facts.issuances[record.issuance_id] = record
        self.new_issuances[record.issuance_id] = (body, self.log_index)

    def authorize_later(self, one: LaterAuthorization) -> None:
        """Enter contribution units that were authorized later."""
        self.facts.later_authorized.add(one)
        self.new_later_authorizations.append(one)

    def set_issuance(self, record: IssuanceRecord) -> None:
        """Write what was first transferred of an issuance."""
        self.facts.issuances[record.issuance_id] = record
        self.dirty_issuances.add(record.issuance_id)

    def raise_alert(self, kind: str, subject: str, detail: str) -> None:
        """Ask for the secretariat's attention."""
        self.alerts.append((kind, subject, detail))


def closed(transfer: TransferRecord, state: Any, log_index: int, at: datetime) -> TransferRecord:
    """Return a transfer in its final state."""
    return replace(transfer, state=state, closed_log_index=log_index, closed_at=at)
