"""The OpenAPI 3.1 document of the local API, made from its routes and request structures."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from connectors.party_registry import requests
from connectors.party_registry.api_commands import ROUTES as COMMANDS
from connectors.party_registry.api_log import ROUTES as LOG
from connectors.party_registry.api_reconciliation import ROUTES as RECONCILIATION
from connectors.party_registry.api_views import ROUTES as VIEWS
from connectors.party_registry.query_api import ROUTES as QUERIES

__all__ = ["openapi_document"]

_BODY_OF = {
    "/v1/accounts": requests.OpenAccountRequest,
    "/v1/issuances": requests.IssueRequest,
    "/v1/transfers": requests.TransferRequest,
    "/v1/transfers/{transfer_id}/accept": requests.AnswerRequest,
    "/v1/transfers/{transfer_id}/reject": requests.AnswerRequest,
    "/v1/transfers/{transfer_id}/cancel": requests.CancelTransferRequest,
    "/v1/uses": requests.UseRequest,
    "/v1/cancellations": requests.CancellationRequest,
    "/v1/notes": requests.NoteRequest,
    "/v1/messages": requests.MessageRequest,
    "/v1/queries": requests.QueryRequest,
    "/v1/inbox/confirm": requests.ConfirmRequest,
    "/v1/reconciliation/explanations": requests.ExplanationRequest,
    "/v1/book/corrections": requests.CorrectionRequest,
    "/v1/book/reports": requests.ReportRequest,
    "/v1/log/resume": requests.LogResumeRequest,
    "/v1/log/pin": requests.LogPinRequest,
}
_VARIABLE = re.compile(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}")
_PROBLEM = {
    "description": "Refused; the problem document says why (RFC 9457).",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "name", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "name": {"type": "string"},
                    "detail": {"type": "string"},
                },
            }
        }
    },
}


@cache
def openapi_document() -> dict[str, Any]:
    """Return the document; the same object each time."""
    _, components = msgspec.json.schema_components(
        requests.REQUESTS, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in (*VIEWS, *COMMANDS, *LOG, *RECONCILIATION, *QUERIES):
        path = _VARIABLE.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Party registry connector",
            "version": "1",
            "description": "The local API of a connector to the ITMO hub.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: web.RouteDef, path: str) -> dict[str, Any]:
    summary = (route.handler.__doc__ or "").strip().partition("\n")[0]
    json_body = {"content": {"application/json": {"schema": {"type": "object"}}}}
    if path == "/metrics":
        json_body = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    created = path in _BODY_OF and "{" not in path and path not in {"/v1/queries"}
    changes = "confirm" in path or path.startswith("/v1/log/")
    status = "201" if route.method == "POST" and created and not changes else "200"
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": summary,
        "responses": {status: {"description": "Done.", **json_body}, "default": _PROBLEM},
    }
    names = _VARIABLE.findall(path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if route.method == "POST" and path in _BODY_OF:
        reference = f"#/components/schemas/{_BODY_OF[path].__name__}"
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": reference}}},
        }
    return operation
