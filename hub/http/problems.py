"""Errors turned into HTTP, in this one place (RFC 9457 problem documents).

The retry table of docs/protocol.md is made from ``STATUS``: 408, 429 and 503 are to be retried
after a while with the same bytes, everything else is final.
"""

import json
from typing import Final

from aiohttp import web

from hub.protocol.errors import HubError, PeerError, UnavailableError
from hub.protocol.response_codes import ResponseCode
from hub.services import publications

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final = {
    ResponseCode.ENVELOPE_MALFORMED: 400,
    ResponseCode.ENVELOPE_TOO_LARGE: 413,
    ResponseCode.MEDIA_TYPE_NOT_SUPPORTED: 415,
    ResponseCode.SIGNATURE_INVALID: 401,
    ResponseCode.KEY_UNKNOWN: 401,
    ResponseCode.KEY_NOT_YET_VALID: 401,
    ResponseCode.KEY_EXPIRED: 401,
    ResponseCode.KEY_REVOKED: 401,
    ResponseCode.KEY_OF_ANOTHER_PARTICIPANT: 401,
    ResponseCode.SIGNATURE_SUITE_NOT_ALLOWED: 401,
    ResponseCode.SENDER_UNKNOWN: 401,
    ResponseCode.ENVELOPE_ID_REUSED: 409,
    ResponseCode.ANSWER_ERASED: 410,
    ResponseCode.PROTOCOL_NOT_SUPPORTED: 422,
    ResponseCode.PAYLOAD_NOT_AN_ENVELOPE: 422,
    ResponseCode.HUB_OVERLOADED: 503,
    ResponseCode.HUB_UNAVAILABLE: 503,
}
"""Every code a problem may carry, with its HTTP status."""

RETRIED: Final = frozenset({408, 429, 503})


def problem(error: HubError) -> web.Response:
    """Return the problem document of an error at the door."""
    assert isinstance(error, PeerError | UnavailableError)
    headers = {}
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    status = STATUS[error.code]
    text, remedy = publications.problem_texts(error.code)
    return _document(
        status,
        code=int(error.code),
        name=error.code.name,
        title=text,
        detail=error.detail,
        remedy=remedy,
        headers=headers,
    )


def not_found(path: str) -> web.Response:
    """Return the problem of an address that is not there."""
    return _document(
        404,
        code=None,
        name="NOT_FOUND",
        title="There is nothing at this address.",
        detail=f"{path[:200]} is not an address of this hub",
        remedy="See /openapi.json for the addresses of this hub.",
        headers={},
    )


def method_not_allowed(method: str, allowed: str) -> web.Response:
    """Return the problem of a method that the address does not know."""
    return _document(
        405,
        code=None,
        name="METHOD_NOT_ALLOWED",
        title="The address does not know this method.",
        detail=f"{method[:20]} is not allowed here",
        remedy=f"Use {allowed}.",
        headers={"Allow": allowed},
    )


def bad_request(status: int, detail: str) -> web.Response:
    """Return the problem of a request that is not proper HTTP."""
    return _document(
        status,
        code=None,
        name="BAD_REQUEST",
        title="The request cannot be read.",
        detail=detail,
        remedy="Send a complete HTTP/1.1 request as /openapi.json describes it.",
        headers={},
    )


def too_slow(detail: str) -> web.Response:
    """Return the problem of a request that took too long to arrive; its connection is closed."""
    response = _document(
        408,
        code=None,
        name="REQUEST_TOO_SLOW",
        title="The request did not arrive in time.",
        detail=detail,
        remedy="Send it again on a faster connection, or in smaller envelopes.",
        headers={},
    )
    response.force_close()
    return response


def log_request(detail: str, remedy: str) -> web.Response:
    """Return the problem of a request to the log that is not of its form."""
    return _document(
        400,
        code=None,
        name="LOG_REQUEST_MALFORMED",
        title="The log cannot be asked like this.",
        detail=detail,
        remedy=remedy,
        headers={},
    )


def not_in_log(detail: str, remedy: str) -> web.Response:
    """Return the problem of something that is not in the log as it is published."""
    return _document(
        404,
        code=None,
        name="NOT_IN_LOG",
        title="This is not in the published log.",
        detail=detail,
        remedy=remedy,
        headers={},
    )


def log_not_published(detail: str, remedy: str) -> web.Response:
    """Return the problem of an entry that no checkpoint covers yet: to be asked again."""
    return _document(
        503,
        code=None,
        name="LOG_NOT_PUBLISHED_YET",
        title="No checkpoint covers this yet.",
        detail=detail,
        remedy=remedy,
        headers={"Retry-After": "2"},
    )


def _document(
    status: int,
    *,
    code: int | None,
    name: str,
    title: str,
    detail: str,
    remedy: str,
    headers: dict[str, str],
) -> web.Response:
    body = {
        "type": f"https://itmo-hub.invalid/problems/{name.lower().replace('_', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "name": name,
        "remedy": remedy,
        "retry": status in RETRIED,
    }
    if code is not None:
        body["code"] = code
    return web.Response(
        status=status, body=json.dumps(body).encode(), content_type=MEDIA_TYPE, headers=headers
    )
