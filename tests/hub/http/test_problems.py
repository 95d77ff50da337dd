"""Every error has one HTTP form, with a number, a remedy and whether to send it again."""

import json
from typing import Any

import pytest
from aiohttp import web

from hub.http import problems
from hub.protocol.errors import PeerError, UnavailableError
from hub.protocol.response_codes import ResponseCode, Stage

IN_RECEIPTS = {
    ResponseCode.SENT_AT_IN_FUTURE,
    ResponseCode.SENT_AT_TOO_OLD,
    ResponseCode.MESSAGE_ID_REPEATED,
    ResponseCode.ENVELOPE_MIXED,
}
"""Faults of an envelope whose header is good: answered by a signed receipt."""

RETRIED = {ResponseCode.HUB_OVERLOADED, ResponseCode.HUB_UNAVAILABLE}


def document_of(response: web.Response) -> Any:
    """Return the problem document of a response."""
    assert response.content_type == "application/problem+json"
    assert isinstance(response.body, bytes)
    document = json.loads(response.body)
    assert document["status"] == response.status
    for name in ("type", "title", "detail", "name", "remedy"):
        assert document[name]
    return document


def test_every_code_of_the_door_has_a_status_or_is_answered_in_a_receipt() -> None:
    """No code of the envelope stage is without a way to the peer."""
    door = {code for code in ResponseCode if code and code.stage is Stage.ENVELOPE}
    assert set(problems.STATUS) == door - IN_RECEIPTS


@pytest.mark.parametrize("code", sorted(set(problems.STATUS) - RETRIED), ids=lambda code: code.name)
def test_a_peers_fault_is_final(code: ResponseCode) -> None:
    """A 4xx with its number; the same bytes will fail again, so no Retry-After."""
    response = problems.problem(PeerError(code, "because"))
    document = document_of(response)
    assert 400 <= response.status < 500
    assert (document["code"], document["name"]) == (int(code), code.name)
    assert document["detail"] == "because"
    assert document["retry"] is False
    assert "Retry-After" not in response.headers
    assert document["type"].endswith(code.name.lower().replace("_", "-"))


@pytest.mark.parametrize("code", sorted(RETRIED), ids=lambda code: code.name)
def test_nobodys_fault_says_when_to_come_back(code: ResponseCode) -> None:
    """503 with Retry-After: send the same bytes again, then."""
    response = problems.problem(UnavailableError(code, "because", retry_after_seconds=7))
    document = document_of(response)
    assert response.status == 503
    assert response.headers["Retry-After"] == "7"
    assert document["retry"] is True


def test_what_http_itself_refuses_has_the_same_form() -> None:
    """Wrong address, method, request and speed: no number of the rulebook, but a remedy."""
    found = document_of(problems.not_found("/" + "x" * 5_000))
    assert (found["status"], found["retry"]) == (404, False)
    assert len(found["detail"]) < 300
    refused = problems.method_not_allowed("B" * 100, "GET, HEAD")
    assert document_of(refused)["status"] == 405
    assert refused.headers["Allow"] == "GET, HEAD"
    assert document_of(problems.bad_request(400, "no HTTP"))["retry"] is False
    slow = document_of(problems.too_slow("30 seconds"))
    assert (slow["status"], slow["retry"]) == (408, True)
    for one in (found, slow):
        assert "code" not in one
