"""What the fake hub says when something is wrong, or when a test wants it to say it wrongly."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from hub.protocol.response_codes import ResponseCode
from message_schemas.envelopes import Finding, Outcome


def refuse(message_id: str, code: ResponseCode, text: str) -> Outcome:
    """Return a refusal with one finding."""
    finding = Finding(
        rule=int(code),
        name=code.name,
        severity="stop",
        text=text,
        remedy="Correct it and send it again.",
        paragraph="-",
    )
    return Outcome(
        message_id=message_id,
        outcome="refused",
        code=int(code),
        name=code.name,
        findings=(finding,),
    )


def problem(
    status: int, code: ResponseCode, detail: str, *, retry: bool = False, after: int | None = None
) -> web.Response:
    """Return a problem document as the hub writes it."""
    body = {
        "type": f"https://itmo-hub.invalid/problems/{code.name.lower()}",
        "title": code.name,
        "status": status,
        "detail": detail,
        "code": int(code),
        "name": code.name,
        "remedy": "-",
        "retry": retry,
    }
    headers = {} if after is None else {"Retry-After": str(after)}
    return web.json_response(
        body, status=status, content_type="application/problem+json", headers=headers
    )


ANSWERS: dict[str, Callable[[], web.Response]] = {
    "500": lambda: web.Response(status=500, text="Internal Server Error"),
    "html-404": lambda: web.Response(
        status=404, text="<html>no such site</html>", content_type="text/html"
    ),
    "html-200": lambda: web.Response(text="<html>welcome</html>", content_type="text/html"),
    "503": lambda: problem(503, ResponseCode.HUB_UNAVAILABLE, "busy", retry=True, after=1),
    "problem-401": lambda: problem(401, ResponseCode.SIGNATURE_INVALID, "the signature is wrong"),
    "problem-409": lambda: problem(409, ResponseCode.ENVELOPE_ID_REUSED, "other bytes"),
}

SPOILERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "receipt-wrong-digest": lambda d: d.update(envelope_sha256="0" * 64),
    "receipt-no-digest": lambda d: d.pop("envelope_sha256"),
    "receipt-other-envelope": lambda d: d.update(
        receipt_for="01920000-0000-7000-8000-000000000000"
    ),
    "receipt-other-recipient": lambda d: d.update(recipient="ZZZ99"),
    "receipt-missing-outcome": lambda d: d["outcomes"].pop(),
    "receipt-double-outcome": lambda d: d["outcomes"].append(d["outcomes"][0]),
    "receipt-no-entry": lambda d: d.update(log_index=None, entry_salt=None),
    "receipt-no-salt": lambda d: d.update(entry_salt=None),
    "receipt-in-future": lambda d: d.update(received_at="2099-01-01T00:00:00.000Z"),
}


def _one_digit_more(raw: bytes) -> bytes:
    return raw.replace(b"<log_index>", b"<log_index>1", 1)


def _wrapped(raw: bytes) -> bytes:
    """Return the signed receipt whole inside another, which is the one to be read first."""
    end = raw.index(b"<ds:Signature")
    said, signature = raw[:end], raw[end : raw.rindex(b"</receipt>")]
    other = said.replace(b"<log_index>", b"<log_index>1", 1)
    return other + raw + signature + b"</receipt>"


def _with_a_document_type(raw: bytes) -> bytes:
    return b'<!DOCTYPE receipt [<!ENTITY e "e">]>' + raw


TWISTS: dict[str, Callable[[bytes], bytes]] = {
    "xml-receipt-altered": _one_digit_more,
    "xml-receipt-wrapped": _wrapped,
    "xml-receipt-document-type": _with_a_document_type,
}
"""What is done to the bytes of a receipt in XML, when it is signed already."""
