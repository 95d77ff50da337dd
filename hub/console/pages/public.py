"""The public page: what everybody may know, for whoever asks; it knows nobody and sets no cookie.

Its language is the one asked for (``?lang=fr``), else the browser's: nothing of a visitor's session
or choices is in it, so that caches may keep it for a minute.
"""

from typing import Final

from aiohttp import web

from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import PERSON, SESSION
from hub.console.surroundings import console_of
from hub.console.translating import LANGUAGES, negotiate, use
from hub.services.console.ledger.ledger_desk import LedgerDesk
from hub.services.console.log.log_desk import LogDesk
from hub.services.console.nights.tonight_desk import TonightDesk
from hub.services.console.public_desk import HOLDERS_MIN, PublicDesk, PublicFacts, document

CACHE: Final = "public, max-age=60"


async def page(request: web.Request) -> web.Response:
    """Show it. A person who is signed in sees what everybody sees."""
    facts = await _facts(request)
    request[PERSON] = request[SESSION] = None
    use(negotiate(request.headers.get("Accept-Language"), request.query.get("lang")))
    response = await render(
        request,
        "public/public.html",
        facts=facts,
        holders_min=HOLDERS_MIN,
        theme=None,
        flash=None,
        languages=LANGUAGES,
        now=facts.at,
    )
    response.cookies.clear()  # a message that waits for somebody's next page waits on
    response.headers["Cache-Control"] = CACHE
    response.headers["Vary"] = "Accept-Language"
    return response


async def twin(request: web.Request) -> web.Response:
    """Give the same as JSON, for whoever collects it."""
    facts = await _facts(request)
    response = web.json_response(document(facts))
    response.headers["Cache-Control"] = CACHE
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


async def _facts(request: web.Request) -> PublicFacts:
    """Return what is public. Raises HTTPNotFound where the operator tells nothing."""
    console = console_of(request)
    if not console.ground.console.public_page:
        raise web.HTTPNotFound
    desks = (console.desk(TonightDesk), console.desk(LedgerDesk), console.desk(LogDesk))
    return await console.run(console.desk(PublicDesk).facts, *desks)


ROUTES: Final = (
    Route("GET", "/public", page, None),
    Route("GET", "/public.json", twin, None),
)
