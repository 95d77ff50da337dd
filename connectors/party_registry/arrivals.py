"""What another registry says to us, with the hub's verdict that it may.

A proposal (or a notification) opens an incoming transfer; the policy answers at once or leaves it
to an operator. Answers to our own transfers are only noted: their effect is the hub's notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from connectors.party_registry import answers, book_store, tracking
from connectors.party_registry.policy import AcceptancePolicy, Answer, Decision
from connectors.session.handler import Transaction
from message_schemas.messages.transfers import TransferNotification, TransferProposal

__all__ = ["Arrival", "take_answer", "take_proposal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One accepted message of another participant; `plain` is its body as it was written."""

    sender: str
    envelope_sha256: str
    log_index: int
    type: str
    body: Any
    plain: dict[str, Any]


def take_proposal(
    transaction: Transaction, arrival: Arrival, *, policy: AcceptancePolicy, book: bool
) -> None:
    """Open an incoming transfer and let the policy answer it."""
    body: TransferProposal | TransferNotification = arrival.body
    at = transaction.at
    transfer = tracking.Transfer(
        transfer_id=body.transfer_id,
        direction="incoming",
        mode="move" if arrival.type == "transfer.proposal" else "notify_and_record",
        state="proposed",
        counterparty=arrival.sender,
        account=body.acquiring_account,
        cooperative_approach=body.cooperative_approach,
        quantity=body.quantity,
        proposal=arrival.plain,
        proposal_sha256=arrival.envelope_sha256,
        answer=None,
        log_index=arrival.log_index,
        created_at=at,
        changed_at=at,
    )
    opened = tracking.add_transfer(transaction.connection, transfer)
    note = f"from {arrival.sender}: {body.quantity} units, log index {arrival.log_index}"
    tracking.note(transaction.connection, body.transfer_id, at, "proposed", note)
    if not opened:
        return  # known already: the same transfer is never answered twice by the policy
    answer = _decide(transaction.connection, arrival.sender, body, policy, book=book)
    if answer.decision is Decision.ASK:
        tracking.note(transaction.connection, body.transfer_id, at, "operator asked", answer.text)
        return
    reasons = [] if answer.decision is Decision.ACCEPT else [answer.text]
    answers.answer(transaction, transfer, reasons=reasons)


def _decide(
    connection: Connection,
    sender: str,
    body: TransferProposal | TransferNotification,
    policy: AcceptancePolicy,
    *,
    book: bool,
) -> Answer:
    if not book:
        return Answer(Decision.ASK, "The registry behind this connector decides.")
    account = book_store.fetch_account(connection, body.acquiring_account)
    return policy.decide(
        sender=sender,
        quantity=body.quantity,
        account=body.acquiring_account,
        account_status=None if account is None else account.status,
    )


def take_answer(transaction: Transaction, arrival: Arrival) -> None:
    """Note in the timeline what the other registry said to a transfer that both know."""
    transfer_id: str = arrival.body.transfer_id
    if tracking.fetch_transfer(transaction.connection, transfer_id) is None:
        return
    decision = getattr(arrival.body, "decision", "withdrawn")
    reasons = "; ".join(reason.text for reason in getattr(arrival.body, "reasons", ()))
    tracking.note(
        transaction.connection,
        transfer_id,
        transaction.at,
        f"{arrival.sender}: {decision}",
        reasons,
    )
