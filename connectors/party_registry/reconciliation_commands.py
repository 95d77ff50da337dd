"""What an operator says to the hub about a difference: an explanation, or an act that it missed."""

from __future__ import annotations

from typing import Any, Literal

from connectors.party_registry import book, book_commands, tracking
from connectors.party_registry.blocks import block_of
from connectors.party_registry.commands import CommandError
from connectors.party_registry.requests import ExplanationRequest, ReportRequest
from connectors.party_registry.selection import read_range
from connectors.party_registry.tracking import Action
from connectors.party_registry.units import BlockStatus, HeldBlock, total
from connectors.session.handler import Transaction
from connectors.session.outbox import MessageInvalidError
from message_schemas.messages.actions import ActionCancellation, ActionUse
from message_schemas.messages.reconciliation import ReconciliationExplanation

__all__ = ["explain", "report"]


def explain(transaction: Transaction, request: ExplanationRequest) -> dict[str, Any]:
    """Say to the hub what was found about a case. Raises CommandError if that may not be sent."""
    body = ReconciliationExplanation(
        case_id=request.case_id, text=request.text, corrected=request.corrected
    )
    message = ("reconciliation.explanation", body, request.case_id)
    try:
        (message_id,) = transaction.submit(transaction.hub, [message])
    except MessageInvalidError as error:
        raise CommandError(str(error)) from error
    return {"message_id": message_id, "case_id": request.case_id}


def report(transaction: Transaction, request: ReportRequest) -> Action:
    """Submit a use or cancellation of units that ended in the book without the hub.

    The book stays as it is: the act is its record at the hub. Raises CommandError if units are not
    ended so here, are in several accounts or approaches, or a field is wrong.
    """
    status = BlockStatus.USED if request.act == "use" else BlockStatus.CANCELLED
    blocks = [
        part
        for named in request.ranges
        for part in book.inside(transaction.connection, read_range(named))
    ]
    if not blocks or any(block.status is not status for block in blocks):
        raise CommandError(f"these units are not all {status} in the book")
    wanted = sum(read_range(named).quantity for named in request.ranges)
    if total(blocks) != wanted:
        raise CommandError(f"{total(blocks)} of these {wanted} units are here")
    places = {(block.account_id, block.series.cooperative_approach) for block in blocks}
    if len(places) > 1:
        raise CommandError("say the units of each account and cooperative approach by themselves")
    action_id = tracking.next_number(transaction.connection, transaction.participant)
    ((account, approach),) = places
    body = _body(request, action_id, account, approach, transaction.participant[:3], blocks)
    type_: Literal["action.use", "action.cancellation"]
    type_ = "action.use" if isinstance(body, ActionUse) else "action.cancellation"
    action = book_commands.submit_action(transaction, type_, body)
    text = f"reported late: {request.reason}"
    tracking.set_action(transaction.connection, action_id, transaction.at, "submitted", text)
    return action


def _body(
    request: ReportRequest,
    action_id: str,
    account: str,
    approach: str,
    party: str,
    blocks: list[HeldBlock],
) -> ActionUse | ActionCancellation:
    fields: dict[str, Any] = {
        "action_id": action_id,
        "cooperative_approach": approach,
        "account": account,
        "oimp_purpose": request.oimp_purpose,
        "quantity": total(blocks),
        "blocks": tuple(block_of(block) for block in blocks),
    }
    if request.act == "use":
        return ActionUse(
            **fields,
            purpose=request.purpose,
            using_party=party,
            calendar_year=request.calendar_year,
        )
    return ActionCancellation(**fields, kind=request.kind, cancelling_party=party)
