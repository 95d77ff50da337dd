"""Our answer to an incoming transfer: accept or reject, recognize or decline."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.party_registry import tracking
from connectors.party_registry.tracking import Transfer
from connectors.session.handler import Transaction
from message_schemas.messages.transfers import (
    Reason,
    TransferAcknowledgement,
    TransferRecognition,
)

__all__ = ["answer"]


def answer(
    transaction: Transaction,
    transfer: Transfer,
    *,
    reasons: Sequence[str],
    recorded_reference: str | None = None,
) -> None:
    """Submit the answer to an incoming transfer: yes without reasons, no with them.

    It binds to exactly the proposal that was read, by the digest of its envelope.
    """
    assert transfer.direction == "incoming", "only what was proposed to us is ours to answer"
    assert transfer.proposal_sha256 is not None, "an incoming transfer came in an envelope"
    texts = tuple(Reason(text=text) for text in reasons)
    body: TransferAcknowledgement | TransferRecognition
    if transfer.mode == "move":
        type_ = "transfer.acknowledgement"
        body = TransferAcknowledgement(
            transfer_id=transfer.transfer_id,
            decision="reject" if texts else "accept",
            previous_sha256=transfer.proposal_sha256,
            reasons=texts,
        )
    else:
        type_ = "transfer.recognition"
        body = TransferRecognition(
            transfer_id=transfer.transfer_id,
            decision="decline" if texts else "recognize",
            previous_sha256=transfer.proposal_sha256,
            reasons=texts,
            recorded_reference=recorded_reference,
        )
    transaction.submit(transfer.counterparty, [(type_, body, transfer.transfer_id)])
    tracking.set_transfer(
        transaction.connection, transfer.transfer_id, transaction.at, answer=body.decision
    )
    tracking.note(
        transaction.connection,
        transfer.transfer_id,
        transaction.at,
        f"we answer: {body.decision}",
        "; ".join(reasons),
    )
