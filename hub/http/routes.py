"""The addresses of the hub: one that takes envelopes, and what anyone may fetch."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from hub.http import asyncapi, log_routes, openapi, problems
from hub.protocol.envelopes import MEDIA_TYPE, signer_of
from hub.protocol.errors import HubError, PeerError
from hub.protocol.limits import Limits
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import MEDIA_TYPES, Binding, binding_of, binding_of_media_type
from hub.services import publications, xml_threads
from hub.services.log_duties import LogDuties
from hub.services.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Door:
    """What the routes need: ways into the services, nothing of their inside."""

    receive: Callable[[bytes], Awaitable[bytes]]
    participants: Callable[[], bytes]
    health: Callable[[], dict[str, Any]]
    limits: Limits
    metrics: Metrics
    request_seconds_max: float
    log: LogDuties


DOOR: Final = web.AppKey("door", Door)
_SIGNERS_READ: Final = web.AppKey("signers_read", asyncio.Semaphore)
_SIGNERS_READ_AT_ONCE: Final = 4


def public_application(door: Door) -> web.Application:
    """Return the application of the public port."""
    application = web.Application(
        client_max_size=door.limits.envelope_bytes_max + 1, middlewares=[_errors_as_problems]
    )
    application[DOOR] = door
    application[_SIGNERS_READ] = asyncio.Semaphore(_SIGNERS_READ_AT_ONCE)
    application.router.add_post("/v1/envelopes", post_envelope)
    application.router.add_get("/v1/participants", get_participants)
    application.router.add_get("/v1/rulebook", get_rulebook)
    application.router.add_get("/v1/limits", get_limits)
    application.router.add_get("/v1/schemas", get_schemas)
    application.router.add_get("/v1/schemas/{name}", get_schema)
    application.router.add_get("/v1/schemas/xml/v1/{name}", get_xml_schema)
    application.router.add_get("/v1/code-lists", get_code_lists)
    application.router.add_get("/v1/code-lists/{date}/{name}", get_code_list)
    application.router.add_get("/openapi.json", get_openapi)
    application.router.add_get("/asyncapi.json", get_asyncapi)
    application.router.add_get("/health/live", get_live)
    application.router.add_get("/health/ready", get_ready)
    log_routes.add_routes(application, door.log)
    return application


def operator_application(registry: CollectorRegistry) -> web.Application:
    """Return the application of the operator's port: ``/metrics``."""

    async def get_metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    application = web.Application()
    application.router.add_get("/metrics", get_metrics)
    return application


@web.middleware
async def _errors_as_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer every error, ours and aiohttp's own, with a problem document."""
    try:
        return await handler(request)
    except HubError as error:
        request.app[DOOR].metrics.refused(error)
        return problems.problem(error)
    except web.HTTPNotFound:
        return problems.not_found(request.path)
    except web.HTTPMethodNotAllowed as error:
        return problems.method_not_allowed(request.method, error.headers["Allow"])
    except web.HTTPRequestEntityTooLarge:
        limit = request.app[DOOR].limits.envelope_bytes_max
        too_large = PeerError(ResponseCode.ENVELOPE_TOO_LARGE, f"the limit is {limit} bytes")
        return problems.problem(too_large)
    except web.HTTPException as error:
        return problems.bad_request(error.status, error.reason)
    except web.RequestPayloadError as error:
        return problems.bad_request(400, f"the body cannot be read: {error}"[:200])
    except TimeoutError:
        seconds = request.app[DOOR].request_seconds_max
        return problems.too_slow(f"the body did not arrive within {seconds:g} seconds")


async def post_envelope(request: web.Request) -> web.Response:
    """Take one signed envelope; answer with a signed receipt after the commit."""
    door = request.app[DOOR]
    announced = _announced_binding(request)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding != "identity":  # a digest is over the bytes as posted; nothing is inflated here
        raise PeerError(
            ResponseCode.MEDIA_TYPE_NOT_SUPPORTED,
            f"Content-Encoding {encoding[:40]!r}; send the envelope as it is",
        )
    length = request.content_length
    if length is not None and length > door.limits.envelope_bytes_max:
        raise PeerError(
            ResponseCode.ENVELOPE_TOO_LARGE,
            f"{length} bytes announced; the limit is {door.limits.envelope_bytes_max}",
        )
    async with asyncio.timeout(door.request_seconds_max):
        raw = await request.read()
    if (found := binding_of(raw)) is not announced:
        raise PeerError(
            ResponseCode.MEDIA_TYPE_NOT_SUPPORTED,
            f"Content-Type {request.content_type} announces {announced}, the body is {found}; "
            f"send {MEDIA_TYPES[found]} with it",
        )
    await _require_own_certificate(request, raw)
    receipt = await door.receive(raw)
    return web.Response(body=receipt, content_type=MEDIA_TYPES[binding_of(receipt)])


def _announced_binding(request: web.Request) -> Binding:
    """Return the binding that the request's media type announces. Raises PeerError."""
    announced = binding_of_media_type(request.content_type)
    if announced is None:
        raise PeerError(
            ResponseCode.MEDIA_TYPE_NOT_SUPPORTED,
            f"Content-Type {request.content_type[:80]!r}; send {' or '.join(MEDIA_TYPES.values())}",
        )
    charset = (request.charset or "utf-8").lower()
    if announced is Binding.XML and charset not in ("utf-8", "utf8"):
        raise PeerError(
            ResponseCode.MEDIA_TYPE_NOT_SUPPORTED,
            f"charset {charset[:40]!r}; an envelope in XML is UTF-8",
        )
    return announced


async def _require_own_certificate(request: web.Request, raw: bytes) -> None:
    """Where clients show certificates, the envelope's signer must be the certificate's subject."""
    certificate = request.get_extra_info("peercert")
    if not certificate:
        return
    names = {value for part in certificate.get("subject", ()) for _, value in part}
    names |= {value for _, value in certificate.get("subjectAltName", ())}
    if binding_of(raw) is Binding.XML:  # a stranger's: a few at once, each in a thread that ends
        async with request.app[_SIGNERS_READ]:
            signer = await xml_threads.run_apart(signer_of, raw)
    else:
        signer = signer_of(raw)
    if signer not in {name.upper() for name in names}:  # host names come in either case
        raise PeerError(
            ResponseCode.KEY_OF_ANOTHER_PARTICIPANT,
            f"the client certificate is for {', '.join(sorted(names))}, the envelope by {signer}",
        )


def _json(document: object) -> web.Response:
    return web.Response(
        body=json.dumps(document, ensure_ascii=False).encode(), content_type="application/json"
    )


async def get_participants(request: web.Request) -> web.Response:
    """Serve the signed list of participants and keys."""
    body = await asyncio.to_thread(request.app[DOOR].participants)
    return web.Response(body=body, content_type=MEDIA_TYPE)


async def get_rulebook(_: web.Request) -> web.Response:
    """Serve the check catalogue."""
    return _json(publications.rulebook_document())


async def get_limits(request: web.Request) -> web.Response:
    """Serve the limits."""
    return _json(request.app[DOOR].limits.document())


async def get_schemas(_: web.Request) -> web.Response:
    """Serve the names of the JSON Schemas and of the XML Schemas."""
    names = {
        "schemas": publications.schema_names(),
        "xml_schemas": publications.xml_schema_names(),
    }
    return _json(names)


async def get_schema(request: web.Request) -> web.Response:
    """Serve one JSON Schema."""
    name = request.match_info["name"].removesuffix(".schema.json")
    return _or_not_found(request, publications.schema_document(name))


async def get_xml_schema(request: web.Request) -> web.Response:
    """Serve one XML Schema; what it includes stands beside it."""
    name = request.match_info["name"]
    text = publications.xml_schema_text(name.removesuffix(".xsd")) if ".xsd" in name else None
    if text is None:
        return problems.not_found(request.path)
    return web.Response(body=text, content_type=MEDIA_TYPES[Binding.XML], charset="utf-8")


async def get_code_lists(_: web.Request) -> web.Response:
    """Serve the names of the code lists, by date."""
    return _json({"code_lists": publications.code_list_names()})


async def get_code_list(request: web.Request) -> web.Response:
    """Serve one code list of a date."""
    name = request.match_info["name"].removesuffix(".json")
    return _or_not_found(request, publications.code_list_document(request.match_info["date"], name))


def _or_not_found(request: web.Request, document: object | None) -> web.Response:
    return problems.not_found(request.path) if document is None else _json(document)


async def get_openapi(request: web.Request) -> web.Response:
    """Serve the OpenAPI description."""
    return _json(openapi.document(request.app[DOOR].limits))


async def get_asyncapi(request: web.Request) -> web.Response:
    """Serve the AsyncAPI description."""
    return _json(asyncapi.document(request.app[DOOR].limits))


async def get_live(_: web.Request) -> web.Response:
    """Say that the process runs."""
    return _json({"status": "live"})


async def get_ready(request: web.Request) -> web.Response:
    """Say whether envelopes can be taken now, part by part."""
    health = await asyncio.to_thread(request.app[DOOR].health)
    response = _json(health)
    response.set_status(200 if health["status"] == "ready" else 503)
    if response.status == 503:
        response.headers["Retry-After"] = "2"
    return response
