"""The hub's notices: what is final for a transfer or an action, and what the book does then.

| notice | outgoing transfer | incoming transfer |
|---|---|---|
| transfer.completed | debit what was reserved | credit the proposal's blocks |
| transfer.rejected, cancelled, expired | release what was reserved | nothing was held |

Of a transfer that moves no units, a completion only changes in whose name they are on record
(`notified`).

The hub's commit is the point of finality: a book that cannot follow raises an alarm, it never
argues. A notice for a transfer that is final already only adds to the timeline.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.party_registry import book, book_store, notified, tracking
from connectors.party_registry.blocks import attributes_of, span_of
from connectors.party_registry.book import BookError
from connectors.party_registry.tracking import FINAL_STATES, Transfer
from connectors.party_registry.units import BlockStatus, Span, divided
from connectors.session.alarms import AlarmKind
from connectors.session.handler import Transaction
from message_schemas.blocks import BlockRange
from message_schemas.json_codec import decode_body
from message_schemas.messages.notices import (
    ActionRecorded,
    FirstTransferNotice,
    TransferClosed,
    TransferCompleted,
)

__all__ = ["apply_notice", "arrived_units", "give_effect"]


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
    if transfer.state not in FINAL_STATES - {"refused"}:
        give_effect(transaction, transfer, body, has_book=has_book)


def give_effect(
    transaction: Transaction, transfer: Transfer, body: TransferClosed, *, has_book: bool
) -> None:
    """Bring a transfer into its final state, and the book with it; alarms as `apply_notice`."""
    tracking.set_transfer(
        transaction.connection,
        body.transfer_id,
        transaction.at,
        state=body.state,
        log_index=body.log_index,
    )
    if has_book and transfer.mode == "move":
        _move(transaction, transfer, body)
    elif has_book and isinstance(body, TransferCompleted):
        units = arrived_units(transfer, body.not_first_transferred)
        notified.record(transaction.connection, transfer, units, transaction.at)


def _move(transaction: Transaction, transfer: Transfer, body: TransferClosed) -> None:
    connection, at = transaction.connection, transaction.at
    if not isinstance(body, TransferCompleted):
        if transfer.direction == "outgoing":
            book.release(connection, transfer.transfer_id, at)
        return
    try:
        if transfer.direction == "outgoing":
            moved = book.debit(connection, transfer.transfer_id, at)
        else:
            arrived = arrived_units(transfer, body.not_first_transferred)
            moved = book.credit(connection, transfer.account, arrived, transfer.transfer_id, at)
    except BookError as error:
        transaction.alarm(AlarmKind.BOOK_DIFFERS, transfer.transfer_id, str(error))
        return
    if moved != transfer.quantity:
        text = f"{moved} units moved of {transfer.quantity}"
        transaction.alarm(AlarmKind.BOOK_DIFFERS, transfer.transfer_id, text)


def arrived_units(
    transfer: Transfer, not_first_transferred: Iterable[BlockRange]
) -> list[tuple[Span, str, str | None]]:
    """Return serials, attributes and first transfer of the units of a completed transfer.

    The proposal says what moved; the hub says which of it is not first transferred even now.
    """
    type_ = "transfer.proposal" if transfer.mode == "move" else "transfer.notification"
    proposal = decode_body(type_, 1, transfer.proposal)
    event = "international_transfer" if proposal.action == "first_transfer" else "earlier"
    named = [span_of(range_) for range_ in not_first_transferred]
    return [
        (span, attributes_of(block), None if is_named else event)
        for block in proposal.blocks
        for span, is_named in divided(span_of(block), named)
    ]


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
    unflagged = [span_of(range_) for range_ in body.not_first_transferred]
    retired = book.retire(
        transaction.connection, action_id, status, event, at, not_first_transferred=unflagged
    )
    if retired == 0:
        retired = _retired_before(transaction, body, status, event)
    if retired != action.quantity:
        text = f"{retired} units retired of {action.quantity}"
        transaction.alarm(AlarmKind.BOOK_DIFFERS, action_id, text)


def _retired_before(
    transaction: Transaction, body: ActionRecorded, status: BlockStatus, event: str
) -> int:
    """Return how many of the units ended here before the hub heard of it, and mark them as it did.

    Such an act was reported late (`reconciliation_commands.report`): nothing was reserved for it.
    """
    connection, unflagged = transaction.connection, list(map(span_of, body.not_first_transferred))
    ended = 0
    for span in map(span_of, body.ranges):
        blocks = book_store.fetch_overlapping(connection, span)
        if any(block.status is not status for block in blocks):
            continue
        ended += sum(min(b.last, span.last) - max(b.first, span.first) + 1 for b in blocks)
        for part, is_named in divided(span, unflagged):
            if not is_named:
                book.mark_first_transfer(
                    connection, part, event, body.action_id, transaction.at, known_to_hub=True
                )
    return ended


def _mark_first_transfer(transaction: Transaction, body: FirstTransferNotice) -> None:
    # What a transfer did is told at its two ends by its completion: the units are not here now.
    is_transfer = tracking.fetch_transfer(transaction.connection, body.reference) is not None
    for range_ in body.ranges:
        book.mark_first_transfer(
            transaction.connection,
            span_of(range_),
            body.event,
            body.reference,
            transaction.at,
            known_to_hub=body.registry == transaction.participant and not is_transfer,
        )
