"""Submitting a message as it is, for registries that keep a book of their own.

Tracked like everything else: a proposal gets its transfer row, a record its state. Where this
connector keeps the book, messages that move units go through the book's own commands instead.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.party_registry import book_commands, commands, tracking
from connectors.party_registry.commands import CommandError
from connectors.party_registry.requests import MessageRequest
from connectors.session.handler import Transaction
from connectors.session.outbox import MessageInvalidError
from message_schemas.blocks import IdentifierInconsistentError
from message_schemas.catalogue import MESSAGE_TYPES
from message_schemas.json_codec import decode_body
from message_schemas.validation import schema_errors

__all__ = ["submit_message"]

_PROPOSALS: Final = frozenset({"transfer.proposal", "transfer.notification"})
_ACTIONS: Final = frozenset({"action.use", "action.cancellation"})
_MOVING: Final = frozenset({"transfer.proposal", *_ACTIONS})
_ANSWERS: Final = frozenset(
    {"transfer.acknowledgement", "transfer.recognition", "transfer.cancellation"}
)


def submit_message(
    transaction: Transaction, request: MessageRequest, *, has_book: bool
) -> dict[str, Any]:
    """Submit a message with this body, and return its message id and natural id.

    Raises:
        CommandError: an unknown type, a body that its schema refuses, or a type that has its own
            command here.
    """
    kind = MESSAGE_TYPES.get(request.type)
    if kind is None or kind.read_only:
        raise CommandError(f"{request.type} is not a message that is recorded")
    if request.type in _ANSWERS:
        raise CommandError(f"{request.type} is sent by answering or cancelling the transfer")
    if has_book and request.type in _MOVING:
        raise CommandError(f"{request.type} is sent by the book's own commands")
    plain = _with_id(transaction, request)
    body = _read(request.type, plain)
    reference = request.reference or _natural_id(plain) or request.type
    try:
        (message_id,) = transaction.submit(request.recipient, [(request.type, body, reference)])
    except MessageInvalidError as error:
        raise CommandError(str(error)) from error
    _track(transaction, request, plain)
    return {"message_id": message_id, "reference": reference, "id": _natural_id(plain)}


def _with_id(transaction: Transaction, request: MessageRequest) -> dict[str, Any]:
    name = "transfer_id" if request.type in _PROPOSALS else "action_id"
    if request.type not in _PROPOSALS | _ACTIONS or name in request.body:
        return request.body
    number = tracking.next_number(transaction.connection, transaction.participant)
    return {name: number, **request.body}


def _natural_id(plain: dict[str, Any]) -> str | None:
    for name in ("transfer_id", "action_id", "authorization_id", "cooperative_approach"):
        if name in plain:
            return str(plain[name])
    return None


def _read(type_: str, plain: dict[str, Any]) -> Any:
    if errors := schema_errors(type_, 1, plain):
        raise CommandError("; ".join(f"{error.path} {error.text}" for error in errors[:5]))
    try:
        return decode_body(type_, 1, plain)
    except IdentifierInconsistentError as error:
        raise CommandError(str(error)) from error


def _track(transaction: Transaction, request: MessageRequest, plain: dict[str, Any]) -> None:
    if request.type in _PROPOSALS:
        commands.track_outgoing(transaction, request.recipient, request.type, plain)
    elif request.type in _ACTIONS:
        book_commands.track_action(transaction, request.type, plain)
    elif request.type == "authorization.record":
        book_commands.store_authorization(transaction.connection, plain)
    elif request.type == "cooperative_approach.record":
        book_commands.store_approach(transaction.connection, plain)
