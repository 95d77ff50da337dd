"""What the pages of signing in share: the door, who comes from where, steps, and refusals.

A step's token is in a cookie of its own; where to go afterwards is in the form, and is a page of
the console or nothing.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from aiohttp import web

from hub.console.flash import is_own_path
from hub.console.forms import FormError, is_utf8
from hub.console.rendering import render
from hub.console.security import SESSION, client_address
from hub.console.surroundings import console_of
from hub.console.translating import N_, translate
from hub.services.people.door import Door
from hub.services.people.flows import FlowOverError, TooManyFlowsError
from hub.services.people.limits import BlockedError
from hub.services.people.passwords import (
    CHARACTERS_MAX,
    CHARACTERS_MIN,
    BusyError,
    PasswordRefusedError,
    Rule,
)
from hub.services.people.sign_in import Visitor

NEXT: Final = "next"
STEP_SECONDS: Final = 900
CREDENTIAL_CHARACTERS_MAX: Final = 64 * 1024
SET_UP: Final = "/me"
_NO_WAY_BACK: Final = ("/sign-in", "/sign-out", "/invitation")
_BUSY_SECONDS: Final = 5

RULES: Final = {
    Rule.LENGTH: N_("A password has {least} to {most} characters."),
    Rule.CHARACTERS: N_("A password has no control characters."),
    Rule.COMMON: N_("This is one of the first passwords that others would try."),
    Rule.REPEATED: N_("This repeats a few characters; others would soon guess it."),
    Rule.NAME: N_("This is little more than your own name."),
}
BLOCKED: Final = N_("Too many tries failed. The next one is possible after {time} UTC.")
BUSY: Final = N_("Too many people are signing in at this moment. Try again in a few seconds.")
OVER: Final = N_("This took too long, or was done already. Begin again.")


def door_of(request: web.Request) -> Door:
    """Return what people sign in with."""
    return console_of(request).desk(Door)


def visitor_of(request: web.Request) -> Visitor:
    """Return from where a request comes."""
    agent = request.headers.get("User-Agent", "")
    return Visitor(client_address(request), agent, console_of(request).address)


def now_of(request: web.Request) -> datetime:
    """Return the instant of a request."""
    return console_of(request).ground.clock()


def token_of(request: web.Request) -> str:
    """Return the token of the session, on routes that need somebody signed in."""
    token = request[SESSION]
    assert token is not None, "the route needs nobody signed in"
    return token


def next_of(value: object) -> str:
    """Return the page to go to afterwards, or the first one: always a page of the console.

    Whatever is asked for, it leads nowhere else: no host, no other scheme, no new line.
    """
    if not isinstance(value, str) or not is_own_path(value):
        return "/"
    path = value.partition("?")[0].partition("#")[0]
    if any(path == one or path.startswith(f"{one}/") for one in _NO_WAY_BACK):
        return "/"
    return value


# --- the step of a browser -----------------------------------------------------------------------


def step_cookie(request: web.Request) -> str:
    """Return the name of the cookie that has the token of a step."""
    return "__Host-itmo-step" if console_of(request).is_secure else "itmo-step"


def step_of(request: web.Request) -> str:
    """Return the token of a browser's step; an empty one opens none."""
    return request.cookies.get(step_cookie(request), "")[:100]


def keep_step(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Give a browser the token of its step. It comes back from a provider's page as well."""
    response.set_cookie(
        step_cookie(request),
        token,
        max_age=STEP_SECONDS,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=console_of(request).is_secure,
    )


def forget_step(request: web.Request, response: web.StreamResponse) -> None:
    """Take the token of a step away."""
    response.del_cookie(step_cookie(request), path="/", secure=console_of(request).is_secure)


# --- refusals ------------------------------------------------------------------------------------


def rule_text(error: PasswordRefusedError) -> str:
    """Return why a password is not taken, in the reader's language."""
    return translate(RULES[error.rule]).format(least=CHARACTERS_MIN, most=CHARACTERS_MAX)


def refusal(error: Exception) -> tuple[int, str, Mapping[str, str]]:
    """Return status, text and headers for a sign-in that is kept out, busy or over."""
    if isinstance(error, BlockedError):
        text = translate(BLOCKED).format(time=f"{error.until:%Y-%m-%d %H:%M:%S}")
        return 429, text, {"Retry-After": format_datetime(error.until, usegmt=True)}
    if isinstance(error, BusyError | TooManyFlowsError):
        return 503, translate(BUSY), {"Retry-After": str(_BUSY_SECONDS)}
    if isinstance(error, FlowOverError):
        return 403, translate(OVER), {}
    raise error


async def refused_page(
    request: web.Request, template: str, error: Exception | str, /, status: int = 403, **words: Any
) -> web.Response:
    """Show a form again, with why it was not taken."""
    headers: Mapping[str, str] = {}
    if isinstance(error, Exception):
        status, error, headers = refusal(error)
    response = await render(request, template, status=status, error=error, **words)
    response.headers.update(headers)
    return response


def refused_json(error: Exception | str, status: int = 403, **words: Any) -> web.Response:
    """Tell a script why something was not taken."""
    headers: Mapping[str, str] = {}
    if isinstance(error, Exception):
        status, error, headers = refusal(error)
    return web.json_response({"error": error, **words}, status=status, headers=headers)


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the object that a script sent; its token was checked before. Raises FormError."""
    try:
        value = await _parsed(request)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise FormError("body", translate(N_("This is no JSON object.")))
    return value


async def _parsed(request: web.Request) -> Any:
    if request.content_type != "application/json" or not is_utf8(request):
        return None
    text = await request.text()
    return json.loads(text) if len(text) <= CREDENTIAL_CHARACTERS_MAX else None


def text_in(values: Mapping[str, Any], name: str) -> str:
    """Return a text of such an object. Raises FormError."""
    value = values.get(name)
    if not isinstance(value, str) or len(value) > CREDENTIAL_CHARACTERS_MAX:
        raise FormError(name, translate(N_("This is needed.")))
    return value
