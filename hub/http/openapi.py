"""The OpenAPI 3.1 description of the hub, made from the same tables as its behaviour."""

from typing import Any, Final

from hub.http import openapi_log
from hub.http.problems import STATUS
from hub.protocol.envelopes import MEDIA_TYPE
from hub.protocol.limits import Limits
from hub.protocol.signed_objects import MEDIA_TYPES, Binding

_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "name", "remedy", "retry"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "integer", "description": "a number of the rulebook"},
        "name": {"type": "string"},
        "remedy": {"type": "string"},
        "retry": {
            "type": "boolean",
            "description": "true: send the same bytes again after Retry-After",
        },
    },
}
SIGNED_XML: Final = {
    "type": "string",
    "description": "XML of the namespace urn:itmo-exchange:1 with one enveloped XML Signature as "
    "the last child of its root; see docs/xml-binding.md and /v1/schemas/xml/v1/itmo-exchange.xsd",
}
JWS: Final = {
    "type": "object",
    "description": "JWS General JSON Serialization (RFC 7515 §7.2.1), one or two signatures",
    "required": ["payload", "signatures"],
    "additionalProperties": False,
    "properties": {
        "payload": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        "signatures": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": {
                "type": "object",
                "required": ["protected", "signature"],
                "additionalProperties": False,
                "properties": {
                    "protected": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
                    "signature": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
                },
            },
        },
    },
}


_RETRY_AFTER: Final = {
    "Retry-After": {"required": True, "schema": {"type": "integer"}, "description": "seconds"}
}


def document(limits: Limits) -> dict[str, Any]:
    """Return the description, with the limits in force."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ITMO Hub",
            "version": "1",
            "summary": "Signed messages between the registries of Article 6",
            "description": "Every envelope, receipt and delivery is a JWS, or XML with an XML "
            "Signature; docs/protocol.md and docs/xml-binding.md are the normative text, "
            "/v1/schemas the content model.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(limits),
        "components": {
            "schemas": {"Problem": _PROBLEM, "Jws": JWS, "SignedXml": SIGNED_XML},
            "responses": {"Problem": _problem("A problem document (RFC 9457)")},
        },
    }


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


def _paths(limits: Limits) -> dict[str, Any]:
    return {
        "/v1/envelopes": {"post": _post_envelope(limits)},
        "/v1/participants": {"get": _get("Participants and their keys, signed by the hub", True)},
        "/v1/rulebook": {"get": _get("The check catalogue")},
        "/v1/limits": {"get": _get("The limits in force")},
        "/v1/schemas": {"get": _get("The names of the JSON Schemas and of the XML Schemas")},
        "/v1/schemas/{name}": {"get": _get("One JSON Schema", False, "name")},
        "/v1/schemas/xml/v1/{name}": {"get": _xml_schema()},
        "/v1/code-lists": {"get": _get("The names of the code lists, by date")},
        "/v1/code-lists/{date}/{name}": {"get": _get("One code list", False, "date", "name")},
        "/openapi.json": {"get": _get("This description")},
        "/asyncapi.json": {"get": _get("Deliveries and messages, as AsyncAPI 3.0")},
        "/health/live": {"get": _get("Whether the process runs")},
        "/health/ready": {"get": _ready()},
        **openapi_log.paths(),
    }


def _post_envelope(limits: Limits) -> dict[str, Any]:
    either = _in_either_binding()
    responses: dict[str, Any] = {
        "200": {
            "description": "The hub-signed receipt (typ itmo-receipt+jws), after the commit, in "
            "the binding of the envelope. The same envelope again gets the same bytes.",
            "content": either,
        }
    }
    for status in sorted(set(STATUS.values())):
        names = ", ".join(code.name for code, value in STATUS.items() if value == status)
        responses[str(status)] = _problem(names)
    responses["408"] = _problem("The body did not arrive in time; the connection is closed")
    responses["503"]["headers"] = _RETRY_AFTER
    return {
        "operationId": "postEnvelope",
        "summary": "Post one signed envelope",
        "requestBody": {
            "required": True,
            "description": f"At most {limits.envelope_bytes_max} bytes, "
            f"{limits.messages_per_envelope_max} messages; typ itmo-envelope+jws. A hub without a "
            "key for XML answers XML with 415.",
            "content": either,
        },
        "responses": responses,
    }


def _in_either_binding() -> dict[str, Any]:
    """Return the content of a signed object that may be in JSON or in XML."""
    return {
        MEDIA_TYPES[Binding.JSON]: {"schema": {"$ref": "#/components/schemas/Jws"}},
        MEDIA_TYPES[Binding.XML]: {"schema": {"$ref": "#/components/schemas/SignedXml"}},
    }


def _xml_schema() -> dict[str, Any]:
    operation = _get("One XML Schema, such as itmo-exchange.xsd", False, "name")
    answer = operation["responses"]["200"]
    answer["content"] = {MEDIA_TYPES[Binding.XML]: {"schema": {"type": "string"}}}
    return operation


def _get(summary: str, jws: bool = False, *parameters: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Jws"} if jws else {"type": "object"}
    media_type = MEDIA_TYPE if jws else "application/json"
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": summary, "content": {media_type: {"schema": schema}}}},
    }
    if parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in parameters
        ]
        operation["responses"]["404"] = _problem("There is no such document")
    if jws:
        operation["responses"]["503"] = _problem("The database cannot be reached now")
        operation["responses"]["503"]["headers"] = _RETRY_AFTER
    return operation


def _ready() -> dict[str, Any]:
    operation = _get("Whether envelopes can be taken now")
    operation["responses"]["503"] = {
        "description": "Not now; the parts say which of them is not ready",
        "headers": _RETRY_AFTER,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
    return operation
