"""The routes of the local API that change something, each one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from aiohttp import web

from connectors.party_registry import book_commands, commands, message_commands, outbox_commands
from connectors.party_registry.api_support import (
    REGISTRY,
    SESSION,
    block_view,
    problem,
    read,
    respond,
)
from connectors.party_registry.api_views import transfer_view
from connectors.party_registry.commands import CommandError
from connectors.party_registry.requests import (
    AnswerRequest,
    CancellationRequest,
    CancelTransferRequest,
    ConfirmRequest,
    IssueRequest,
    MessageRequest,
    NoteRequest,
    OpenAccountRequest,
    TransferRequest,
    UseRequest,
)
from connectors.session import alarms, inbox
from connectors.session.handler import Transaction

__all__ = ["ROUTES"]

T = TypeVar("T")


async def _change(request: web.Request, use: Callable[[Transaction], T]) -> T:
    return await request.app[SESSION].write("registry.command", use)


def _need_book(request: web.Request) -> None:
    if not request.app[REGISTRY].book:
        raise CommandError("this connector keeps no book: use /v1/messages")


async def post_account(request: web.Request) -> web.Response:
    """Open an account."""
    _need_book(request)
    body = await read(request, OpenAccountRequest)
    return respond(await _change(request, lambda t: book_commands.open_account(t, body)), 201)


async def post_issuance(request: web.Request) -> web.Response:
    """Issue mitigation outcomes into an account."""
    _need_book(request)
    body = await read(request, IssueRequest)
    block = await _change(request, lambda t: book_commands.issue(t, body))
    return respond(block_view(block), 201)


async def post_transfer(request: web.Request) -> web.Response:
    """Propose a transfer, or notify one that moves no units."""
    _need_book(request)
    body = await read(request, TransferRequest)
    transfer = await _change(request, lambda t: commands.propose(t, body))
    return respond(transfer_view(transfer), 201)


async def _answer(request: web.Request, *, accept: bool) -> web.Response:
    body = await read(request, AnswerRequest)
    transfer_id, has_book = request.match_info["transfer_id"], request.app[REGISTRY].book
    transfer = await _change(
        request,
        lambda t: commands.answer(t, transfer_id, body, accept=accept, has_book=has_book),
    )
    return respond(transfer_view(transfer))


async def post_accept(request: web.Request) -> web.Response:
    """Accept a proposal, or recognize a notification."""
    return await _answer(request, accept=True)


async def post_reject(request: web.Request) -> web.Response:
    """Reject a proposal, or decline a notification, with reasons."""
    return await _answer(request, accept=False)


async def post_cancel(request: web.Request) -> web.Response:
    """Withdraw a proposal of ours."""
    body = await read(request, CancelTransferRequest)
    transfer_id = request.match_info["transfer_id"]
    transfer = await _change(request, lambda t: commands.cancel(t, transfer_id, body))
    return respond(transfer_view(transfer))


async def post_use(request: web.Request) -> web.Response:
    """Use units for ever."""
    _need_book(request)
    body = await read(request, UseRequest)
    return respond(await _change(request, lambda t: book_commands.use_units(t, body)), 201)


async def post_cancellation(request: web.Request) -> web.Response:
    """Cancel units for ever."""
    _need_book(request)
    body = await read(request, CancellationRequest)
    return respond(await _change(request, lambda t: book_commands.cancel_units(t, body)), 201)


async def post_note(request: web.Request) -> web.Response:
    """Write to the administrators of another registry."""
    body = await read(request, NoteRequest)
    await _change(request, lambda t: commands.note(t, body))
    return respond({"submitted": True}, 201)


async def post_message(request: web.Request) -> web.Response:
    """Submit a message with its own body."""
    body = await read(request, MessageRequest)
    has_book = request.app[REGISTRY].book
    done = await _change(
        request, lambda t: message_commands.submit_message(t, body, has_book=has_book)
    )
    return respond(done, 201)


async def post_confirm(request: web.Request) -> web.Response:
    """Confirm inbox items up to a sequence number."""
    body = await read(request, ConfirmRequest)
    try:
        through = await request.app[SESSION].write(
            "inbox.confirm", lambda t: inbox.confirm(t.connection, body.through)
        )
    except ValueError as error:
        raise CommandError(str(error)) from error
    return respond({"confirmed_through": through})


async def post_outbox(request: web.Request) -> web.Response:
    """Retry, reseal or abandon a parked envelope, or wake everything that waits."""
    command, envelope_id = request.match_info["command"], request.match_info["envelope_id"]
    session = request.app[SESSION]
    await outbox_commands.operate(session, command, envelope_id)
    return respond({"done": command})


async def post_wake(request: web.Request) -> web.Response:
    """Try everything that waits for a later attempt now."""
    return respond({"woken": await request.app[SESSION].wake()})


async def post_close_alarm(request: web.Request) -> web.Response:
    """Close an alarm."""
    text = request.match_info["alarm_id"]
    closed = await request.app[SESSION].write(
        "alarms.close", lambda t: alarms.close_alarm(t.connection, int(text), t.at)
    )
    if not closed:
        return problem(404, "alarm", f"there is no open alarm {text}")
    return respond({"closed": int(text)})


ROUTES: Final = (
    web.post("/v1/accounts", post_account),
    web.post("/v1/issuances", post_issuance),
    web.post("/v1/transfers", post_transfer),
    web.post("/v1/transfers/{transfer_id}/accept", post_accept),
    web.post("/v1/transfers/{transfer_id}/reject", post_reject),
    web.post("/v1/transfers/{transfer_id}/cancel", post_cancel),
    web.post("/v1/uses", post_use),
    web.post("/v1/cancellations", post_cancellation),
    web.post("/v1/notes", post_note),
    web.post("/v1/messages", post_message),
    web.post("/v1/inbox/confirm", post_confirm),
    web.post("/v1/outbox/wake", post_wake),
    web.post("/v1/outbox/{envelope_id:[0-9a-f-]{36}}/{command:retry|reseal|abandon}", post_outbox),
    web.post("/v1/alarms/{alarm_id:[0-9]{1,15}}/close", post_close_alarm),
)
