"""The routes of the local API about the hub's transparency log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from aiohttp import web

from connectors.party_registry.api_support import LIMIT_MAX, SESSION, number, read, respond
from connectors.party_registry.commands import CommandError
from connectors.party_registry.requests import LogPinRequest, LogResumeRequest
from connectors.session.log.standing import list_evidence, read_standing

__all__ = ["ROUTES"]


async def get_log(request: web.Request) -> web.Response:
    """Show what of the hub's log is pinned, verified, proven and audited, and a pause if any."""
    session = request.app[SESSION]
    standing = await session.database.read(read_standing)
    witness = session.witness
    vkeys = [] if witness is None else witness.vkeys
    return respond({**standing.document(), "witness_vkeys": vkeys})


async def get_log_evidence(request: web.Request) -> web.Response:
    """List the evidence of what the hub said against itself, the newest first."""
    limit = number(request, "limit", 20, LIMIT_MAX)
    found = await request.app[SESSION].database.read(list_evidence, limit)
    return respond({"evidence": found})


async def get_log_proof(request: web.Request) -> web.Response:
    """Show the verified proof of an entry (C2SP tlog-proof); fetched if it is not kept yet."""
    index = int(request.match_info["index"])
    proven = await request.app[SESSION].log_monitor.prove(index)
    return respond(
        {
            "index": index,
            "size": proven.size,
            "entry": proven.entry.decode("utf-8", "replace"),
            "proof": proven.text.decode("utf-8"),
        }
    )


async def get_log_audit(request: web.Request) -> web.Response:
    """Show how far the audit that runs has come, and what the last one found."""
    return respond(asdict(request.app[SESSION].log_monitor.audit.progress))


async def post_log_audit(request: web.Request) -> web.Response:
    """Begin an audit of the hub's log, unless one runs."""
    return respond({"started": request.app[SESSION].log_monitor.start_audit()})


async def post_log_resume(request: web.Request) -> web.Response:
    """End the pause, for a reason."""
    body = await read(request, LogResumeRequest)
    monitor = request.app[SESSION].log_monitor
    if not await monitor.resume(body.reason, follow_hub=body.follow_hub):
        raise CommandError("nothing is paused")
    return respond({"resumed": True, "follow_hub": body.follow_hub})


async def post_log_pin(request: web.Request) -> web.Response:
    """Pin the log's origin and keys as the hub's list names them now."""
    body = await read(request, LogPinRequest)
    pin = await request.app[SESSION].log_monitor.pin_anew(body.reason)
    return respond({"origin": pin.origin, "vkeys": list(pin.vkeys)})


ROUTES: Final = (
    web.get("/v1/log", get_log),
    web.get("/v1/log/evidence", get_log_evidence),
    web.get("/v1/log/proofs/{index:[0-9]{1,18}}", get_log_proof),
    web.get("/v1/log/audit", get_log_audit),
    web.post("/v1/log/audit", post_log_audit),
    web.post("/v1/log/resume", post_log_resume),
    web.post("/v1/log/pin", post_log_pin),
)
