"""The routes of the local API about comparing books, and about putting the own one right."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web
from sqlalchemy import Connection

from connectors.party_registry import corrections, reconciliation_commands, reconciliation_log
from connectors.party_registry.api_support import (
    LIMIT_MAX,
    REGISTRY,
    SESSION,
    number,
    problem,
    read,
    respond,
)
from connectors.party_registry.commands import CommandError
from connectors.party_registry.link_secret import HOW_TO_GET_ONE
from connectors.party_registry.requests import (
    CorrectionRequest,
    ExplanationRequest,
    ReportRequest,
)
from connectors.party_registry.result_words import explain_result

__all__ = ["ROUTES"]


def _load_status(connection: Connection) -> dict[str, Any]:
    last = reconciliation_log.fetch_result(connection, None)
    questions = reconciliation_log.fetch_questions(connection, limit=1)
    return {
        "sums": reconciliation_log.fetch_sums_state(connection),
        "last_question": questions[0] if questions else None,
        "last_result": None if last is None else _summary(last),
    }


def _summary(result: reconciliation_log.KeptResult) -> dict[str, Any]:
    shown = msgspec.to_builtins(result)
    return {name: value for name, value in shown.items() if name != "body"}


async def get_status(request: web.Request) -> web.Response:
    """Say whether the hub can compare the book, and how the last comparison ended."""
    reconciliation = request.app[REGISTRY].reconciliation
    has_secret = reconciliation.secret is not None
    answers = "book" if reconciliation.has_book else "nobody"
    shown = {
        "answered_by": "the registry behind the API" if reconciliation.by_api else answers,
        "has_secret": has_secret,
        "remedy": None if has_secret or not reconciliation.has_book else HOW_TO_GET_ONE,
        **await request.app[SESSION].database.read(_load_status),
    }
    return respond(shown)


async def get_results(request: web.Request) -> web.Response:
    """List how comparisons ended, the last first."""
    limit = number(request, "limit", 100, LIMIT_MAX)
    differing = request.query.get("differing") == "yes"
    found = await request.app[SESSION].database.read(
        lambda connection: reconciliation_log.list_results(
            connection, differing_only=differing, limit=limit
        )
    )
    return respond({"results": [_summary(result) for result in found]})


async def get_result(request: web.Request) -> web.Response:
    """Show a result with its findings, in plain words too, and the questions of its session."""
    session = request.match_info["session"]
    wanted = None if session == "last" else session
    database = request.app[SESSION].database
    result = await database.read(reconciliation_log.fetch_result, wanted)
    if result is None:
        return problem(404, "result", f"there is no result {session}")
    questions = await database.read(
        lambda connection: reconciliation_log.fetch_questions(
            connection, session=result.session, limit=LIMIT_MAX
        )
    )
    words = explain_result(result.body)
    return respond({**msgspec.to_builtins(result), "words": words, "questions": questions})


async def post_explanation(request: web.Request) -> web.Response:
    """Say to the hub what was found about a case."""
    body = await read(request, ExplanationRequest)
    done = await request.app[SESSION].write(
        "registry.command", lambda t: reconciliation_commands.explain(t, body)
    )
    return respond(done, 201)


async def post_correction(request: web.Request) -> web.Response:
    """Put the own book right, with a reason."""
    _need_book(request)
    body = await read(request, CorrectionRequest)
    done = await request.app[SESSION].write(
        "registry.command", lambda t: corrections.correct(t, body)
    )
    return respond(done, 201)


async def get_corrections(request: web.Request) -> web.Response:
    """List what was put right in the book, the last first."""
    limit = number(request, "limit", 100, LIMIT_MAX)
    found = await request.app[SESSION].database.read(corrections.list_corrections, limit)
    return respond({"corrections": found})


async def post_report(request: web.Request) -> web.Response:
    """Tell the hub of a use or cancellation that is in the book and never reached it."""
    _need_book(request)
    body = await read(request, ReportRequest)
    done = await request.app[SESSION].write(
        "registry.command", lambda t: reconciliation_commands.report(t, body)
    )
    return respond(done, 201)


def _need_book(request: web.Request) -> None:
    if not request.app[REGISTRY].book:
        raise CommandError("this connector keeps no book")


ROUTES: Final = (
    web.get("/v1/reconciliation", get_status),
    web.get("/v1/reconciliation/results", get_results),
    web.get("/v1/reconciliation/results/{session}", get_result),
    web.post("/v1/reconciliation/explanations", post_explanation),
    web.get("/v1/book/corrections", get_corrections),
    web.post("/v1/book/corrections", post_correction),
    web.post("/v1/book/reports", post_report),
)
