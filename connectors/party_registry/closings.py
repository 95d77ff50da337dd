"""The hub's notices: what is final for a transfer or an action, and what the book does then.

| notice | outgoing transfer | incoming transfer |
|---|---|---|
| transfer.completed | debit what was reserved | credit the proposal's blocks |
| transfer.rejected, cancelled, expired | release what was reserved | nothing was held |

The hub's commit is the point of finality: a book that cannot follow raises an alarm, it never
argues. A notice for a transfer that is final already only adds to the timeline.
"""

from __future__ import annotations

from typing import Any

from connectors.party_registry import book, tracking
from connectors.party_registry.blocks import attributes_of, span_of
from connectors.party_registry.book import BookError
from connectors.party_registry.tracking import FINAL_STATES, Transfer
from connectors.party_registry.units import BlockStatus
from connectors.session.alarms import AlarmKind
from connectors.session.handler import Transaction
from message_schemas.json_codec import decode_body
from message_schemas.messages.notices import ActionRecorded, FirstTransferNotice, TransferClosed

__all__ = ["apply_notice"]


def apply_notice(transaction: Transaction, body: Any, *, has_book: bool) -> None:
    """Give one notice of the hub its effect here; types that concern no book have none."""
    if isinstance(body, TransferClosed):
        _close_transfer(transaction, body, has_book=has_book)
    elif isinstance(body, ActionRecorded):
        _record_action(transaction, body, has_book=has_book)
    elif isinstance(body, FirstTransferNotice) and has_book:
        _mark_first_transfer(transaction, body)


def _close_transfer(transaction: Transaction, body: TransferClosed, *, has_book: bool) -> None:
    transfer = tracking.fetch_transfer(transaction.connection, body.transfer_id)
    if transfer is None:
        text = f"the hub says {body.state} of a transfer that is not known here"
        transaction.alarm(AlarmKind.BOOK_DIFFERS, body.transfer_id, text)
        return
    reasons = "; ".join(reason.text for reason in body.reasons)
    detail = f"log index {body.log_index}. {reasons}".strip()
    tracking.note(transaction.connection, body.transfer_id, transaction.at, body.state, detail)
    if transfer.state in FINAL_STATES - {"refused"}:
        return
    tracking.set_transfer(
        transaction.connection,
        body.transfer_id,
        transaction.at,
        state=body.state,
        log_index=body.log_index,
    )
    if has_book and transfer.mode == "move":
        _move(transaction, transfer, body.state)


def _move(transaction: Transaction, transfer: Transfer, state: str) -> None:
    connection, at = transaction.connection, transaction.at
    if state != "completed":
        if transfer.direction == "outgoing":
            book.release(connection, transfer.transfer_id, at)
        return
    try:
        if transfer.direction == "outgoing":
            moved = book.debit(connection, transfer.transfer_id, at)
        else:
            moved = _credit(transaction, transfer)
    except BookError as error:
        transaction.alarm(AlarmKind.BOOK_DIFFERS, transfer.transfer_id, str(error))
        return
    if moved != transfer.quantity:
        text = f"{moved} units moved of {transfer.quantity}"
        transaction.alarm(AlarmKind.BOOK_DIFFERS, transfer.transfer_id, text)


def _credit(transaction: Transaction, transfer: Transfer) -> int:
    proposal = decode_body("transfer.proposal", 1, transfer.proposal)
    first = proposal.action == "first_transfer"
    return book.credit(
        transaction.connection,
        transfer.account,
        [(span_of(block), attributes_of(block)) for block in proposal.blocks],
        transfer.transfer_id,
        transaction.at,
        first_transfer="international_transfer" if first else "earlier",
    )


def _record_action(transaction: Transaction, body: ActionRecorded, *, has_book: bool) -> None:
    action_id, at = body.action_id, transaction.at
    action = tracking.fetch_action(transaction.connection, action_id)
    if action is None or action.state == "recorded":
        return  # of another registry, or told twice
    detail = f"recorded at {body.recorded_at}"
    tracking.set_action(transaction.connection, action_id, at, "recorded", detail)
    if not has_book:
        return
    used = action.type == "action.use"
    status = BlockStatus.USED if used else BlockStatus.CANCELLED
    event = "use" if used else "omge" if action.body.get("kind") == "omge" else "cancellation"
    retired = book.retire(transaction.connection, action_id, status, event, at)
    if retired != action.quantity:
        text = f"{retired} units retired of {action.quantity}"
        transaction.alarm(AlarmKind.BOOK_DIFFERS, action_id, text)


def _mark_first_transfer(transaction: Transaction, body: FirstTransferNotice) -> None:
    for range_ in body.ranges:
        book.mark_first_transfer(
            transaction.connection, span_of(range_), body.event, body.reference, transaction.at
        )
