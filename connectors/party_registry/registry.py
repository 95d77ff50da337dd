"""The Party registry behind the session: what arrives, what is known, and what the book does.

1. An item's accepted messages first (proposals, answers, notes), then its notices, in order.
2. The book changes on the hub's word only: `transfer.completed` moves units, the other final
   states release them. The initiator reserved them before it asked.
3. Everything lands in one transaction with the inbox: a crash leaves both or neither.
4. The hub's questions about the book are answered among them (`reconciliation`).
5. Without a book (the registry has its own) the same events are only tracked and passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from connectors.party_registry import (
    arrivals,
    closings,
    outcomes,
    query_asking,
    webhook_store,
)
from connectors.party_registry.policy import AcceptancePolicy
from connectors.party_registry.reconciliation import Reconciliation
from connectors.session.deliveries import ArrivedItem
from connectors.session.handler import KnownOutcome, Transaction

__all__ = ["PartyRegistry"]

Effect = Callable[["PartyRegistry", Transaction, arrivals.Arrival], None]


class PartyRegistry:
    """A `RegistryHandler`: tracking always, the book if there is one, webhooks if wanted."""

    def __init__(
        self,
        *,
        book: bool,
        policy: AcceptancePolicy,
        webhooks: Callable[[], None] | None = None,
        reconciliation: Reconciliation | None = None,
    ) -> None:
        self.book = book
        self.policy = policy
        self.reconciliation = reconciliation or Reconciliation(has_book=book)
        self._webhooks = webhooks

    def item_arrived(self, transaction: Transaction, item: ArrivedItem) -> None:
        """Give an item its effect (`RegistryHandler`)."""
        for message in item.messages:
            assert item.envelope is not None, "messages come in an envelope"
            assert item.envelope_sha256 is not None, "an envelope has a digest"
            arrival = arrivals.Arrival(
                sender=item.envelope.sender,
                envelope_sha256=item.envelope_sha256,
                log_index=item.log_index,
                type=message.type,
                body=message.typed,
                plain=dict(message.plain),
            )
            effect = _MESSAGE_EFFECTS.get(message.type)
            if effect is not None and message.typed is not None:
                effect(self, transaction, arrival)
            self._tell(transaction, f"message.{message.type}", arrival.plain, item.sequence)
        for notice in item.notices:
            closings.apply_notice(transaction, notice.typed, has_book=self.book)
            self.reconciliation.take(transaction, notice, item.log_index)
            self._tell(transaction, f"notice.{notice.type}", dict(notice.plain), item.sequence)

    def outcome_known(self, transaction: Transaction, known: KnownOutcome) -> None:
        """Give the hub's answer its effect (`RegistryHandler`)."""
        outcomes.apply_outcome(transaction, known, has_book=self.book)
        data = {
            "message_id": known.message.message_id,
            "type": known.message.type,
            "reference": known.message.reference,
            "outcome": msgspec.to_builtins(known.outcome),
        }
        self._tell(transaction, "outcome", data, None)

    def _tell(
        self, transaction: Transaction, kind: str, data: dict[str, Any], sequence: int | None
    ) -> None:
        if self._webhooks is None:
            return
        event = data if sequence is None else {"sequence": sequence, "body": data}
        webhook_store.add_event(transaction.connection, kind, transaction.at, event)
        transaction.after_commit(self._webhooks)


def _take_proposal(
    registry: PartyRegistry, transaction: Transaction, arrival: arrivals.Arrival
) -> None:
    arrivals.take_proposal(transaction, arrival, policy=registry.policy, book=registry.book)


def _take_answer(
    _registry: PartyRegistry, transaction: Transaction, arrival: arrivals.Arrival
) -> None:
    arrivals.take_answer(transaction, arrival)


def _take_page(
    _registry: PartyRegistry, transaction: Transaction, arrival: arrivals.Arrival
) -> None:
    query_asking.take_answer(transaction, arrival)


_MESSAGE_EFFECTS: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        "transfer.proposal": _take_proposal,
        "transfer.notification": _take_proposal,
        "transfer.acknowledgement": _take_answer,
        "transfer.recognition": _take_answer,
        "transfer.cancellation": _take_answer,
        "holdings.answer": _take_page,
        "history.answer": _take_page,
    }
)
