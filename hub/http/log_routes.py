"""The addresses of the transparency log: C2SP tlog-tiles, and proofs for those without tile logic.

1. ``/checkpoint`` may be kept for a second. Everything under ``/tile/`` never changes: kept a year.
2. Entry bundles go out with gzip to whoever accepts it.
3. A path that names nothing is answered with a problem document: what is wrong, and how to ask.
"""

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from hub.http import problems
from hub.services.log_duties import LogDuties
from hub.services.serve_log import LogRequestError, NotInLogError, NotPublishedYetError

LOG: Final = web.AppKey("log", LogDuties)
TEXT: Final = "text/plain"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
COSIGNATURES_BYTES_MAX: Final = 65_536

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(application: web.Application, duties: LogDuties) -> None:
    """Add the log's addresses to an application."""
    application[LOG] = duties
    router = application.router
    router.add_get("/checkpoint", get_checkpoint)
    router.add_get("/tile/{path:.+}", _with_problems(get_tile))
    router.add_get("/v1/log/proof/{index}", _with_problems(get_proof))
    router.add_get("/v1/log/consistency/{first}/{second}", _with_problems(get_consistency))
    router.add_get("/v1/log/policy", _with_problems(get_policy))
    router.add_post("/v1/log/cosignatures", _with_problems(post_cosignatures))


def _with_problems(handler: Handler) -> Handler:
    """Turn what the log cannot answer into problem documents."""

    async def handled(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except NotPublishedYetError as error:
            return problems.log_not_published(error.detail, error.remedy)
        except NotInLogError as error:
            return problems.not_in_log(error.detail, error.remedy)
        except LogRequestError as error:
            return problems.log_request(error.detail, error.remedy)

    return handled


def _text(text: str | bytes, **headers: str) -> web.Response:
    body = text.encode("utf-8") if isinstance(text, str) else text
    return web.Response(body=body, content_type=TEXT, charset="utf-8", headers=headers)


async def get_checkpoint(request: web.Request) -> web.StreamResponse:
    """Serve the newest checkpoint with the cosignatures known."""
    try:
        note = await request.app[LOG].checkpoint()
    except NotPublishedYetError as error:
        return problems.log_not_published(error.detail, error.remedy)
    response = _text(note, **{"Cache-Control": "max-age=1"})
    response.etag = _digest(note.encode("utf-8"))
    return _or_unchanged(request, response)


async def get_tile(request: web.Request) -> web.StreamResponse:
    """Serve one tile of hashes, or one bundle of entries."""
    tile = await request.app[LOG].tile(f"tile/{request.match_info['path']}")
    response = web.Response(
        body=tile.body,
        content_type="application/octet-stream",
        headers={"Cache-Control": IMMUTABLE},
    )
    # The path says all there is to know of the bytes: the log is one, and never changes.
    response.etag = _digest(request.path.encode("utf-8", "surrogateescape"))
    if tile.zipped is not None:
        response.headers["Vary"] = "Accept-Encoding"
        if _accepts_gzip(request):
            response.body = tile.zipped
            response.headers["Content-Encoding"] = "gzip"
            response.etag = _digest(b"gzip " + request.path.encode("utf-8", "surrogateescape"))
    return _or_unchanged(request, response)


async def get_proof(request: web.Request) -> web.StreamResponse:
    """Serve the tlog-proof of one entry."""
    settlement = _asks_for_settlement(request)
    proof = await request.app[LOG].proof(request.match_info["index"], settlement=settlement)
    return _text(proof)


async def get_consistency(request: web.Request) -> web.StreamResponse:
    """Serve the hashes that show one tree to be the beginning of another."""
    place = request.match_info
    first, second, hashes = await request.app[LOG].consistency(place["first"], place["second"])
    document: dict[str, Any] = {
        "first": first,
        "second": second,
        "hashes": [base64.b64encode(one).decode() for one in hashes],
    }
    return web.Response(
        body=json.dumps(document).encode(),
        content_type="application/json",
        headers={"Cache-Control": IMMUTABLE},
    )


async def get_policy(request: web.Request) -> web.StreamResponse:
    """Serve the policy to verify with."""
    return _text(request.app[LOG].policy(settlement=_asks_for_settlement(request)))


async def post_cosignatures(request: web.Request) -> web.StreamResponse:
    """Take cosignatures from a witness that the hub does not reach."""
    length = request.content_length
    body = b"" if length is not None and length > COSIGNATURES_BYTES_MAX else await request.read()
    if not body or len(body) > COSIGNATURES_BYTES_MAX:
        raise LogRequestError(
            f"the body has 1 to {COSIGNATURES_BYTES_MAX} bytes",
            "Send the size of the checkpoint on the first line, then the signature lines.",
        )
    stored = await request.app[LOG].volunteer(body)
    return web.Response(
        body=json.dumps({"stored": stored}).encode(), content_type="application/json"
    )


def _asks_for_settlement(request: web.Request) -> bool:
    quorum = request.query.get("quorum", "prompt")
    if quorum not in {"prompt", "settlement"}:
        raise LogRequestError(
            f"there is no quorum {quorum[:24]!r}", "Leave `quorum` out, or ask for `settlement`."
        )
    return quorum == "settlement"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _accepts_gzip(request: web.Request) -> bool:
    """Tell whether the client takes gzip (RFC 9110 §12.5.3): named or ``*``, not with ``q=0``."""
    for part in request.headers.get("Accept-Encoding", "").split(","):
        name, _, weight = part.strip().partition(";")
        if name.strip().lower() in {"gzip", "*"}:
            return weight.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _or_unchanged(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Answer 304 to a client that has these bytes (RFC 9110 §13.1.2)."""
    known = request.if_none_match
    etag = response.etag
    if etag is None or not known or not any(one.value in {etag.value, "*"} for one in known):
        return response
    kept = {
        name: response.headers[name]
        for name in ("Cache-Control", "Vary")
        if name in response.headers
    }
    unchanged = web.Response(status=304, headers=kept)
    unchanged.etag = etag
    return unchanged
