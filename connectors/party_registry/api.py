"""The local API: what the operator's commands, and a registry in any language, talk to.

JSON in, JSON out; every path but health and the OpenAPI document wants the bearer token of the
token file. What changes something is durable when it is answered. Errors are problem documents.
"""

from __future__ import annotations

import hmac
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from connectors.party_registry import (
    api_commands,
    api_log,
    api_reconciliation,
    api_views,
    query_api,
)
from connectors.party_registry.api_support import REGISTRY, SESSION, problem
from connectors.party_registry.commands import CommandError
from connectors.party_registry.openapi import openapi_document
from connectors.party_registry.registry import PartyRegistry
from connectors.session.exchanger import HubRefusedError, HubUnavailableError
from connectors.session.log.monitor import LogUnknownError
from connectors.session.session import Session

__all__ = ["BODY_BYTES_MAX", "make_application"]

BODY_BYTES_MAX: Final = 2_097_152
_OPEN_PATHS: Final = frozenset({"/openapi.json", "/health/live", "/health/ready"})


def make_application(session: Session, registry: PartyRegistry, token: str) -> web.Application:
    """Return the application of the local API.

    Raises:
        ValueError: the token is too short to be a secret.
    """
    if len(token) < 32:
        raise ValueError("the API token has fewer than 32 characters")
    application = web.Application(
        middlewares=[_problems, _require_token(token)], client_max_size=BODY_BYTES_MAX
    )
    application[SESSION] = session
    application[REGISTRY] = registry
    application.router.add_get("/openapi.json", _get_openapi)
    application.router.add_get("/health/live", _get_live)
    application.add_routes(api_views.ROUTES)
    application.add_routes(api_commands.ROUTES)
    application.add_routes(api_log.ROUTES)
    application.add_routes(api_reconciliation.ROUTES)
    application.add_routes(query_api.ROUTES)
    return application


async def _get_openapi(_request: web.Request) -> web.Response:
    return web.json_response(openapi_document())


async def _get_live(_request: web.Request) -> web.Response:
    return web.json_response({"status": "live"})


def _require_token(token: str) -> Middleware:
    wanted = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if request.path not in _OPEN_PATHS and not hmac.compare_digest(given, wanted):
            return problem(401, "token", "send the bearer token of the token file")
        return await handler(request)

    return check


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except CommandError as error:
        return problem(409, "refused", str(error))
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return problem(422, "request", str(error))
    except LogUnknownError as error:
        return problem(503, "log-unknown", str(error))
    except HubUnavailableError as error:
        return problem(503, "hub-unavailable", str(error))
    except HubRefusedError as error:
        return problem(502, "hub-refused", str(error))
    except web.HTTPException as error:
        return problem(error.status, "http", error.reason)
