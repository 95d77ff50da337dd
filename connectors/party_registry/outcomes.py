"""The hub's receipts for what we submitted, and what they change here.

An accepted proposal is `proposed`; a refused one never entered the exchange, so what it reserved
is released. One exception: the hub may know the id with other content (after a restored backup).
Then something with that id is in effect and nobody may touch the units before a human looked.
"""

from __future__ import annotations

from sqlalchemy import update

from connectors.party_registry import book, query_asking, tracking
from connectors.party_registry.book_tables import authorization_record, cooperative_approach_record
from connectors.session.alarms import AlarmKind
from connectors.session.handler import KnownOutcome, Transaction
from hub.protocol.response_codes import ResponseCode
from message_schemas.envelopes import Outcome

__all__ = ["apply_outcome"]

_PROPOSALS = frozenset({"transfer.proposal", "transfer.notification"})
_ANSWERS = frozenset({"transfer.acknowledgement", "transfer.recognition", "transfer.cancellation"})
_ACTIONS = frozenset({"action.use", "action.cancellation"})


def apply_outcome(transaction: Transaction, known: KnownOutcome, *, has_book: bool) -> None:
    """Give the outcome of one of our messages its effect."""
    type_ = known.message.type
    if type_ in _PROPOSALS:
        _proposal(transaction, known, has_book=has_book)
    elif type_ in _ANSWERS:
        _answer(transaction, known)
    elif type_ in _ACTIONS:
        _action(transaction, known, has_book=has_book)
    elif type_ == "authorization.record":
        _authorization(transaction, known)
    elif type_ == "cooperative_approach.record":
        _approach(transaction, known)
    elif type_ in query_asking.QUESTIONS and not known.in_effect:
        query_asking.note_refusal(transaction, known.message.message_id, explain(known.outcome))
    if not known.in_effect and not _came_too_late(known):
        transaction.alarm(
            AlarmKind.MESSAGE_REFUSED,
            f"{type_} {known.message.reference}",
            explain(known.outcome),
        )


def _came_too_late(known: KnownOutcome) -> bool:
    """Tell whether it is an answer to a comparison that ended while we were away: no harm done.

    Its result says that we were silent, and raises an alarm of its own.
    """
    is_answer = known.message.type.startswith("reconciliation.")
    return is_answer and known.outcome.code == ResponseCode.RECONCILIATION_QUESTION_UNKNOWN


def explain(outcome: Outcome) -> str:
    """Return the hub's findings as sentences for an operator."""
    lines = [f"{finding.rule} {finding.text} {finding.remedy}" for finding in outcome.findings]
    return "; ".join(lines) or f"{outcome.code} {outcome.name}"


def _proposal(transaction: Transaction, known: KnownOutcome, *, has_book: bool) -> None:
    transfer_id: str = known.message.body["transfer_id"]
    transfer = tracking.fetch_transfer(transaction.connection, transfer_id)
    if transfer is None or transfer.state != "submitted":
        return  # sent outside the tracking, or the hub's notice came first
    connection, at = transaction.connection, transaction.at
    if known.in_effect:
        tracking.set_transfer(
            connection,
            transfer_id,
            at,
            state="proposed",
            proposal_sha256=known.envelope_sha256,
            log_index=known.log_index,
        )
        text = f"the hub has it, log index {known.log_index}"
        tracking.note(connection, transfer_id, at, "proposed", text)
        return
    differs = known.outcome.code == ResponseCode.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD
    state = "disputed" if differs else "refused"
    tracking.set_transfer(connection, transfer_id, at, state=state)
    tracking.note(connection, transfer_id, at, state, explain(known.outcome))
    if has_book and transfer.mode == "move" and not differs:
        book.release(connection, transfer_id, at)


def _answer(transaction: Transaction, known: KnownOutcome) -> None:
    transfer_id: str = known.message.body["transfer_id"]
    transfer = tracking.fetch_transfer(transaction.connection, transfer_id)
    if transfer is None or known.in_effect:
        return
    at = transaction.at
    if transfer.direction == "incoming" and transfer.answer is not None:
        # Refused: an operator may look at the reason and answer again, if it is still open.
        tracking.set_transfer(transaction.connection, transfer_id, at, answer=None)
    tracking.note(
        transaction.connection,
        transfer_id,
        at,
        f"{known.message.type} refused",
        explain(known.outcome),
    )


def _action(transaction: Transaction, known: KnownOutcome, *, has_book: bool) -> None:
    action_id: str = known.message.body["action_id"]
    action = tracking.fetch_action(transaction.connection, action_id)
    if action is None or action.state != "submitted":
        return  # sent outside the tracking, or the hub's notice came first
    if known.in_effect:
        # The book follows the notice `action.recorded`, in the order of the inbox.
        text = f"log index {known.log_index}"
        tracking.set_action(transaction.connection, action_id, transaction.at, "accepted", text)
        return
    differs = known.outcome.code == ResponseCode.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD
    state = "disputed" if differs else "refused"
    text = explain(known.outcome)
    tracking.set_action(transaction.connection, action_id, transaction.at, state, text)
    if has_book and not differs:
        book.release(transaction.connection, action_id, transaction.at)


def _authorization(transaction: Transaction, known: KnownOutcome) -> None:
    body = known.message.body
    state = body["status"] if known.in_effect else "refused"
    transaction.connection.execute(
        update(authorization_record)
        .where(
            authorization_record.c.authorization_id == body["authorization_id"],
            authorization_record.c.version == body["version"],
        )
        .values(state=state)
    )


def _approach(transaction: Transaction, known: KnownOutcome) -> None:
    body = known.message.body
    state = body["status"] if known.in_effect else "refused"
    transaction.connection.execute(
        update(cooperative_approach_record)
        .where(
            cooperative_approach_record.c.cooperative_approach == body["cooperative_approach"],
            cooperative_approach_record.c.version == body["version"],
        )
        .values(state=state)
    )
