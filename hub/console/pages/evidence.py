"""Evidence of one transfer: to take away, or checked here, step by step."""

import asyncio
from typing import Final

from aiohttp import web

from hub.console.pages.transfers import ID
from hub.console.parts import transfer_words
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import person_of
from hub.console.surroundings import console_of
from hub.console.translating import N_
from hub.services.console.transfers.transfer_proof import (
    EvidenceError,
    NotCoveredYetError,
    Proof,
    ProofBusyError,
    TransferProofs,
)
from hub.services.console.transfers.transfer_story import TransferStories
from hub.services.people.roles import Right
from hub.services.xml_threads import run_apart

CHECK_SECONDS_MAX: Final = 60.0
RETRY_SECONDS: Final = 15
_NOT_COVERED: Final = N_(
    "The newest messages of this transfer are in no tree yet that enough witnesses have confirmed. "
    "That takes some seconds; try again in a moment."
)
_BUSY: Final = N_("A check is running already; one at a time. Try again when it has ended.")
_TOO_LONG: Final = N_(
    "The check took too long and was left. Take the evidence away and check it with the verifier."
)


async def offer(request: web.Request) -> web.Response:
    """Say what the check does, before it is asked for."""
    await _require(request)
    return await _page(request, None)


async def check(request: web.Request) -> web.Response:
    """Check the evidence of a transfer and show what came of each step."""
    await _require(request)
    desk = console_of(request).desk(TransferProofs)
    checking = run_apart(desk.check, _transfer_id(request), person_of(request).person_id)
    try:
        proof = await asyncio.wait_for(checking, CHECK_SECONDS_MAX)
    except NotCoveredYetError:
        return await _page(request, None, _NOT_COVERED, status=409)
    except EvidenceError as error:
        return await _page(request, None, detail=str(error), status=409)
    except ProofBusyError:
        return await _page(request, None, _BUSY, status=429)
    except TimeoutError:
        return await _page(request, None, _TOO_LONG, status=503)
    return await _page(request, proof)


async def download(request: web.Request) -> web.Response:
    """Send the file that proves a transfer, as ``itmo-hub evidence export`` writes it."""
    await _require(request)
    console, transfer_id = console_of(request), _transfer_id(request)
    is_whole = request.query.get("deliveries") != "none"
    try:
        bundle = await console.run(
            console.desk(TransferProofs).evidence, transfer_id, deliveries=is_whole
        )
    except NotCoveredYetError:
        return await _page(request, None, _NOT_COVERED, status=409)
    except EvidenceError as error:
        return await _page(request, None, detail=str(error), status=409)
    return web.Response(
        body=bundle,
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="evidence-{transfer_id}.zip"'},
    )


def _transfer_id(request: web.Request) -> str:
    return request.match_info["transfer_id"]


async def _require(request: web.Request) -> None:
    """Raise HTTPNotFound for what is no transfer."""
    console = console_of(request)
    if not await console.run(console.desk(TransferStories).exists, _transfer_id(request)):
        raise web.HTTPNotFound


async def _page(
    request: web.Request,
    proof: Proof | None,
    message: str = "",
    *,
    detail: str = "",
    status: int = 200,
) -> web.Response:
    response = await render(
        request,
        "transfers/proof.html",
        status=status,
        transfer_id=_transfer_id(request),
        proof=proof,
        message=message,
        detail=detail,
        steps=transfer_words.STEPS,
        statuses=transfer_words.STATUSES,
        verdicts=transfer_words.VERDICTS,
        has_witnesses=console_of(request).ground.policies.prompt is not None,
    )
    if status in (409, 429):
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


ROUTES: Final = (
    Route("GET", f"/transfers/{{transfer_id:{ID}}}/verify", offer, Right.READ_MESSAGES),
    Route("POST", f"/transfers/{{transfer_id:{ID}}}/verify", check, Right.READ_MESSAGES),
    Route("GET", f"/transfers/{{transfer_id:{ID}}}/evidence", download, Right.READ_MESSAGES),
)
