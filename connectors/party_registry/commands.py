"""What an operator does to transfers, each a function of one open transaction.

Whatever a command changes here and whatever it submits to the hub are committed together: after a
crash either both are there or neither. `CommandError` says why not, in one sentence.
"""

from __future__ import annotations

from typing import Any

from connectors.party_registry import (
    answers,
    book,
    book_store,
    first_transfers,
    selection,
    tracking,
)
from connectors.party_registry.blocks import block_of
from connectors.party_registry.book import BookError
from connectors.party_registry.requests import (
    AnswerRequest,
    CancelTransferRequest,
    NoteRequest,
    TransferRequest,
)
from connectors.party_registry.tracking import FINAL_STATES, Transfer
from connectors.session.handler import Transaction
from connectors.session.outbox import MessageInvalidError
from message_schemas.blocks import Block
from message_schemas.json_codec import encode_body
from message_schemas.messages.participants import AdministratorNote
from message_schemas.messages.transfers import (
    TransferCancellation,
    TransferNotification,
    TransferProposal,
)

__all__ = ["CommandError", "answer", "cancel", "note", "propose", "track_outgoing"]


class CommandError(Exception):
    """The command cannot be done; nothing was changed."""


def propose(transaction: Transaction, request: TransferRequest) -> Transfer:
    """Reserve the units, and propose them (or notify a transfer that moves none).

    Raises:
        CommandError: the units are not free, the account is not open, or a field is wrong.
    """
    connection = transaction.connection
    transfer_id = tracking.next_number(connection, transaction.participant)
    try:
        book.require_open(connection, request.from_account)
        spans = selection.choose(
            connection,
            request.from_account,
            request.cooperative_approach,
            request.quantity,
            request.ranges,
        )
        held = book.reserve(connection, request.from_account, spans, transfer_id, transaction.at)
        if request.adjustment_method is not None:
            book.release(connection, transfer_id, transaction.at)
    except BookError as error:
        raise CommandError(str(error)) from error
    ends = (transaction.participant, request.recipient)
    actions = {first_transfers.action_of(connection, block, *ends) for block in held}
    if len(actions) > 1:
        raise CommandError("some blocks were first transferred and some were not: split them")
    blocks = tuple(block_of(block) for block in held)
    (action,) = actions
    body = _body(transfer_id, action, blocks, request)
    type_ = "transfer.proposal" if isinstance(body, TransferProposal) else "transfer.notification"
    _submit(transaction, request.recipient, type_, body, transfer_id)
    return track_outgoing(transaction, request.recipient, type_, encode_body(body))


def _body(
    transfer_id: str, action: Any, blocks: tuple[Block, ...], request: TransferRequest
) -> TransferProposal | TransferNotification:
    fields: dict[str, Any] = {
        "transfer_id": transfer_id,
        "action": action,
        "cooperative_approach": request.cooperative_approach,
        "transferring_account": request.from_account,
        "acquiring_account": request.to_account,
        "purpose": request.purpose,
        "quantity": sum(block.quantity for block in blocks),
        "blocks": blocks,
        "action_subtype": request.action_subtype,
        "acquiring_entity": request.acquiring_entity,
        "respond_by": request.respond_by,
        "reference": request.reference,
    }
    if request.adjustment_method is None:
        return TransferProposal(**fields)
    return TransferNotification(**fields, adjustment_method=request.adjustment_method)


def _submit(
    transaction: Transaction, recipient: str, type_: str, body: object, reference: str
) -> None:
    try:
        transaction.submit(recipient, [(type_, body, reference)])
    except MessageInvalidError as error:
        raise CommandError(str(error)) from error


def track_outgoing(
    transaction: Transaction, recipient: str, type_: str, plain: dict[str, Any]
) -> Transfer:
    """Store the tracking row of a transfer that was submitted in this transaction.

    Raises:
        CommandError: a transfer with this id is tracked already.
    """
    at = transaction.at
    transfer = Transfer(
        transfer_id=plain["transfer_id"],
        direction="outgoing",
        mode="move" if type_ == "transfer.proposal" else "notify_and_record",
        state="submitted",
        counterparty=recipient,
        account=plain["transferring_account"],
        cooperative_approach=plain["cooperative_approach"],
        quantity=plain["quantity"],
        proposal=plain,
        proposal_sha256=None,
        answer=None,
        log_index=None,
        created_at=at,
        changed_at=at,
    )
    if not tracking.add_transfer(transaction.connection, transfer):
        raise CommandError(f"there is a transfer {transfer.transfer_id} already")
    text = f"to {recipient}: {transfer.quantity} units"
    tracking.note(transaction.connection, transfer.transfer_id, at, "submitted", text)
    return transfer


def _open_transfer(transaction: Transaction, transfer_id: str, direction: str) -> Transfer:
    transfer = tracking.fetch_transfer(transaction.connection, transfer_id)
    if transfer is None:
        raise CommandError(f"there is no transfer {transfer_id}")
    if transfer.direction != direction:
        raise CommandError(f"{transfer_id} is {transfer.direction}")
    if transfer.state in FINAL_STATES:
        raise CommandError(f"{transfer_id} is {transfer.state}: final")
    return transfer


def answer(
    transaction: Transaction,
    transfer_id: str,
    request: AnswerRequest,
    *,
    accept: bool,
    has_book: bool,
) -> Transfer:
    """Accept or reject (recognize or decline) an incoming transfer.

    Raises:
        CommandError: it is not there, not incoming, final, or answered already; a rejection
            without a reason; an acceptance into an account that is not open.
    """
    transfer = _open_transfer(transaction, transfer_id, "incoming")
    if transfer.answer is not None:
        raise CommandError(f"{transfer_id} is answered already: {transfer.answer}")
    if accept == bool(request.reasons):
        raise CommandError("a rejection needs reasons, an acceptance has none")
    if accept and has_book and transfer.mode == "move":
        account = book_store.fetch_account(transaction.connection, transfer.account)
        if account is None or account.status != "open":
            raise CommandError(f"there is no open account {transfer.account}")
    answers.answer(
        transaction,
        transfer,
        reasons=request.reasons,
        recorded_reference=request.recorded_reference,
    )
    return _reread(transaction, transfer_id)


def cancel(transaction: Transaction, transfer_id: str, request: CancelTransferRequest) -> Transfer:
    """Ask the hub to withdraw an outgoing proposal; the units stay reserved until it says so.

    Raises:
        CommandError: it is not there, not outgoing, final, or not at the hub yet.
    """
    transfer = _open_transfer(transaction, transfer_id, "outgoing")
    if transfer.proposal_sha256 is None:
        raise CommandError(f"{transfer_id} is {transfer.state}: the hub has not confirmed it yet")
    body = TransferCancellation(
        transfer_id=transfer_id,
        previous_sha256=transfer.proposal_sha256,
        reason=request.reason,
    )
    _submit(transaction, transfer.counterparty, "transfer.cancellation", body, transfer_id)
    tracking.note(
        transaction.connection,
        transfer_id,
        transaction.at,
        "we withdraw it",
        request.reason or "",
    )
    return _reread(transaction, transfer_id)


def _reread(transaction: Transaction, transfer_id: str) -> Transfer:
    transfer = tracking.fetch_transfer(transaction.connection, transfer_id)
    assert transfer is not None, "it was there a moment ago"
    return transfer


def note(transaction: Transaction, request: NoteRequest) -> None:
    """Write to the administrators of another registry.

    Raises:
        CommandError: the note is not one that may be sent.
    """
    body = AdministratorNote(
        subject=request.subject, text=request.text, refers_to=request.refers_to
    )
    _submit(transaction, request.recipient, "administrator.note", body, request.subject[:200])
