"""The console as an aiohttp application: routes, the door, and pages for what goes wrong."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web
from uuid_utils import uuid7

from hub.console import security
from hub.console.forms import FormError
from hub.console.pages import preferences
from hub.console.rendering import render
from hub.console.routes import CONTEXTS, ROUTES
from hub.console.security import CsrfError, RightError
from hub.console.surroundings import CONSOLE, Console
from hub.console.translating import N_, translate
from hub.console.words import word
from hub.services.administration.deeds import AdministrationError
from hub.services.console.ground import DatabaseUnavailableError

log = structlog.get_logger(__name__)

FORM_BYTES_MAX: Final = 1024 * 1024

_ERRORS: Final = {
    400: (N_("This cannot be read"), N_("The address or the form is not one of ours.")),
    401: (N_("Sign in first"), N_("You are not signed in any more; nothing was changed.")),
    403: (N_("Not allowed"), N_("Your role does not allow this.")),
    404: (N_("Not found"), N_("There is no such page, or nothing of this name.")),
    405: (N_("Not possible"), N_("This address does not take such a request.")),
    413: (N_("Too large"), N_("What was sent is larger than the console takes.")),
    421: (N_("Another address"), N_("The console is not reached under this name.")),
    429: (N_("Too many"), N_("Too many requests; wait a little and try again.")),
}


def application(console: Console) -> web.Application:
    """Return the application of a console."""
    made = web.Application(
        client_max_size=FORM_BYTES_MAX,
        middlewares=[security.with_headers, _errors_as_pages, security.with_session, _in_language],
    )
    made[CONSOLE] = console
    made.router.add_get("/static/{version}/{name:.+}", console.assets.serve)
    for route in ROUTES:
        made.router.add_route(route.method, route.path, security.guarded(route))
    made.cleanup_ctx.extend(CONTEXTS)
    return made


@web.middleware
async def _in_language(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    preferences.use_language(request)
    return await handler(request)


@web.middleware
async def _errors_as_pages(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer with a page that says what went wrong, what did not happen and what to do."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except FormError as error:
        remedy = translate(N_("Go back, put it right and send it again; nothing was changed."))
        words = f"{error.field}: {error.message}"
        return await _page(request, 400, translate(N_("This cannot be taken")), words, remedy)
    except CsrfError:
        remedy = translate(N_("Open the page again and repeat what you did there."))
        text = translate(N_("This form was not sent from a page of your session."))
        return await _page(request, 403, translate(N_("Not taken")), text, remedy)
    except RightError as error:
        text = translate(N_("This takes the right “{right}”, which your role does not have."))
        remedy = translate(N_("An administrator of the hub gives roles to people."))
        words = text.format(right=word(error.right, "right"))
        return await _page(request, 403, translate(N_("Not allowed")), words, remedy)
    except web.HTTPException as error:
        heading, text = _ERRORS.get(error.status, _ERRORS[400])
        return await _page(request, error.status, translate(heading), translate(text))
    except AdministrationError as error:
        remedy = translate(N_("Nothing was changed."))
        return await _page(request, 409, translate(N_("Not possible")), str(error), remedy)
    except DatabaseUnavailableError as error:
        log.warning("database unavailable", detail=str(error))
        text = translate(N_("The database cannot be reached now; nothing was changed."))
        remedy = translate(N_("Try again in a moment."))
        return await _page(request, 503, translate(N_("Not available")), text, remedy)
    except Exception:  # a page must never take the console down, nor show its insides
        reference = str(uuid7())
        log.exception("page failed", path=request.path, reference=reference)
        text = translate(N_("The page failed; nothing was changed by it."))
        return await _page(request, 500, translate(N_("A defect")), text, reference=reference)


async def _page(
    request: web.Request,
    status: int,
    heading: str,
    text: str,
    remedy: str = "",
    reference: str = "",
) -> web.Response:
    if security.PERSON not in request:  # it went wrong before anybody was looked for
        request[security.PERSON], request[security.SESSION] = None, None
    return await render(
        request,
        "error.html",
        status=status,
        heading=heading,
        text=text,
        remedy=remedy,
        reference=reference,
    )
