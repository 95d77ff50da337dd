"""The part of the OpenAPI description that is about the transparency log."""

from typing import Any, Final

from hub.http.log_routes import COSIGNATURES_BYTES_MAX

_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}
_TILE: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_CONSISTENCY: Final = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["first", "second", "hashes"],
            "properties": {
                "first": {"type": "integer"},
                "second": {"type": "integer"},
                "hashes": {"type": "array", "items": {"type": "string"}},
            },
        }
    }
}
_STORED: Final = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["stored"],
            "properties": {"stored": {"type": "integer", "minimum": 1}},
        }
    }
}
_KEPT: Final = {"Cache-Control": {"required": True, "schema": {"type": "string"}}}
_RETRY_AFTER: Final = {
    "Retry-After": {"required": True, "schema": {"type": "integer"}, "description": "seconds"}
}
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_QUORUM: Final = {
    "name": "quorum",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "enum": ["prompt", "settlement"]},
    "description": "whose cosignatures; prompt unless named",
}


def paths() -> dict[str, Any]:
    """Return the log's addresses."""
    return {
        "/checkpoint": {
            "get": _get(
                "The newest checkpoint with its cosignatures (C2SP tlog-checkpoint)",
                _TEXT,
                kept=True,
            )
        },
        "/tile/{path}": {
            "get": _get(
                "A tile of hashes, <level>/<index>[.p/<width>], or a bundle of entries, "
                "entries/<index>[.p/<width>] (C2SP tlog-tiles)",
                _TILE,
                _in_path("path"),
                kept=True,
            )
        },
        "/v1/log/proof/{index}": {
            "get": _get(
                "The inclusion proof of an entry (C2SP tlog-proof; its extra data is the entry)",
                _TEXT,
                _in_path("index"),
                _QUORUM,
            )
        },
        "/v1/log/consistency/{first}/{second}": {
            "get": _get(
                "The proof that the tree of one size begins that of another (RFC 9162 §2.1.4)",
                _CONSISTENCY,
                _in_path("first"),
                _in_path("second"),
                kept=True,
            )
        },
        "/v1/log/policy": {
            "get": _get(
                "Whom to believe: log keys, witnesses, quorum (C2SP tlog-policy)", _TEXT, _QUORUM
            )
        },
        "/v1/log/cosignatures": {"post": _post()},
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _get(
    summary: str, content: dict[str, Any], *parameters: dict[str, Any], kept: bool = False
) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": summary, "content": content}}
    if kept:
        responses["200"]["headers"] = _KEPT
    if parameters:
        responses["400"] = _problem("The request is not of its form")
        responses["404"] = _problem("The published log does not have it")
    responses["503"] = _problem("Not published yet, or the database cannot be reached now")
    responses["503"]["headers"] = _RETRY_AFTER
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _post() -> dict[str, Any]:
    unavailable = _problem("The database cannot be reached now") | {"headers": _RETRY_AFTER}
    return {
        "operationId": "postCosignatures",
        "summary": "Bring cosignatures of a published checkpoint",
        "requestBody": {
            "required": True,
            "description": "The size of the checkpoint on the first line, then signature lines "
            f"(C2SP tlog-cosignature), each with its newline; at most {COSIGNATURES_BYTES_MAX} "
            "bytes.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        "responses": {
            "200": {"description": "How many were stored", "content": _STORED},
            "400": _problem("Not of the form, or by no witness of the policy"),
            "404": _problem("No checkpoint of this size is kept"),
            "503": unavailable,
        },
    }


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": dict(_PROBLEM)}
