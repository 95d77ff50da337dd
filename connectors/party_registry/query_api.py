"""The routes of the local API that ask: the hub, which answers at once, or the mechanism registry.

A question to the mechanism registry goes and comes through the exchange. The call waits as long as
it was told to; what has no answer by then is answered with 202 and can be looked at later.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from connectors.party_registry import query_asking
from connectors.party_registry.api_support import LIMIT_MAX, SESSION, number, problem, read, respond
from connectors.party_registry.commands import CommandError
from connectors.party_registry.query_asking import Question
from connectors.party_registry.requests import QueryRequest
from connectors.session.outbox import MessageInvalidError
from connectors.session.session import Session
from message_schemas.json_codec import decode_body
from message_schemas.validation import schema_errors

__all__ = ["ROUTES"]

_LOOK_SECONDS: Final = 0.1


async def post_query(request: web.Request) -> web.Response:
    """Ask the hub, or the mechanism registry, a read-only question."""
    asked = await read(request, QueryRequest)
    session = request.app[SESSION]
    if errors := schema_errors(asked.type, 1, asked.body):
        raise CommandError(f"{errors[0].path} {errors[0].text}")
    body: Any = decode_body(asked.type, 1, asked.body)
    if asked.of is None or asked.of == session.settings.hub:
        return respond(await session.ask(asked.type, body))
    recipient = asked.of
    if asked.type not in query_asking.QUESTIONS:
        raise CommandError(f"{asked.type} is a question to {session.settings.hub} alone")
    try:
        message_id = await session.write(
            "registry.command",
            lambda t: query_asking.ask(t, recipient, asked.type, body, asked.body),
        )
    except MessageInvalidError as error:
        raise CommandError(str(error)) from error
    question = await _wait(session, message_id, asked.wait_seconds)
    return respond(question, 202 if question.state == "waiting" else 200)


async def _wait(session: Session, message_id: str, seconds: float) -> Question:
    """Return the question once it is answered or refused, or as it stands after a while."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        question = await session.database.read(query_asking.fetch, message_id)
        assert question is not None, "it was stored before"
        left = deadline - asyncio.get_running_loop().time()
        if question.state != "waiting" or left <= 0:
            return question
        await asyncio.sleep(min(_LOOK_SECONDS, left))


async def get_query(request: web.Request) -> web.Response:
    """Show a question to the mechanism registry, with its answer once it is there."""
    message_id = request.match_info["message_id"]
    question = await request.app[SESSION].database.read(query_asking.fetch, message_id)
    if question is None:
        return problem(404, "query", f"there is no question {message_id}")
    return respond(question)


async def get_queries(request: web.Request) -> web.Response:
    """List questions to the mechanism registry, the newest first."""
    limit = number(request, "limit", 100, LIMIT_MAX)
    found = await request.app[SESSION].database.read(query_asking.list_questions, limit)
    return respond({"queries": found})


ROUTES: Final = (
    web.post("/v1/queries", post_query),
    web.get("/v1/queries", get_queries),
    web.get("/v1/queries/{message_id:[0-9a-f-]{36}}", get_query),
)
