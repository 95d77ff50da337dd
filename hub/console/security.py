"""Who may come in, and what every answer carries: the console's door, before any page is called.

1. An answer forbids the browser everything but our own files: no script or style in the page, no
   frame, no other host (``HEADERS``). What people see is kept by no cache.
2. A request is for our own address (``Host``), or a page of another name could speak for us.
3. The cookie of a session opens it; without one, only routes that are open to everybody.
4. What changes something comes from our own pages (``Origin``, ``Sec-Fetch-Site``) and repeats a
   token that only they know. The token is made of the session's own; there is none to steal twice.
5. A route needs a right, and a role has it or has not.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import quote

from aiohttp import web

from hub.console.forms import CSRF, read_form
from hub.console.routing import Handler, Route
from hub.console.surroundings import Console, console_of
from hub.services.people.roles import Right, may
from hub.services.people.sessions import SignedIn

PERSON: Final[web.RequestKey[SignedIn | None]] = web.RequestKey("person")
SESSION: Final[web.RequestKey[str | None]] = web.RequestKey("session")
NEW_VISIT: Final[web.RequestKey[str]] = web.RequestKey("new_visit")
SAFE: Final = frozenset({"GET", "HEAD"})
SET_UP: Final = "/me"
"""Where somebody is led whose second factor is still missing."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; manifest-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Server": "itmo-hub-console",
}
_HSTS: Final = "max-age=31536000"


class CsrfError(web.HTTPForbidden):
    """A change that was not asked for on a page of ours."""


class RightError(web.HTTPForbidden):
    """Somebody is signed in, and their role has not the right. ``right`` is the one it takes."""

    def __init__(self, right: Right) -> None:
        super().__init__()
        self.right = right


def session_cookie(console: Console) -> str:
    """Return the name of the session's cookie; with TLS a browser binds it to our host."""
    return "__Host-itmo-session" if console.is_secure else "itmo-session"


def visit_cookie(console: Console) -> str:
    """Return the name of the cookie of those who are not signed in: it carries a token of forms."""
    return "__Host-itmo-visit" if console.is_secure else "itmo-visit"


def set_session(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Give a browser its session; whatever token it had before means nothing any more."""
    console = console_of(request)
    _set_cookie(console, response, session_cookie(console), token)
    response.del_cookie(visit_cookie(console), path="/", secure=console.is_secure)


def forget_session(request: web.Request, response: web.StreamResponse) -> None:
    """Take a browser's session away."""
    console = console_of(request)
    # A browser takes nothing for a name with ``__Host-`` that is not secure, not even its end.
    response.del_cookie(session_cookie(console), path="/", secure=console.is_secure)


def person_of(request: web.Request) -> SignedIn:
    """Return who is signed in; only on routes that need a right."""
    person = request[PERSON]
    assert person is not None, "the route needs nobody signed in"
    return person


def csrf_token(request: web.Request) -> str:
    """Return the token that forms of this browser carry; begins a visit where there is none."""
    console = console_of(request)
    secret = request[SESSION] or request.cookies.get(visit_cookie(console))
    if not secret:
        secret = request.get(NEW_VISIT) or secrets.token_urlsafe(32)
        request[NEW_VISIT] = secret
    return csrf_of(secret)


def csrf_of(secret: str) -> str:
    """Return the token of forms that belongs to the token of a session or a visit."""
    # A cookie may have any bytes; those that are no text make a token like all others.
    key = secret.encode("utf-8", "surrogatepass")
    digest = hmac.new(key, b"itmo-console-form", hashlib.sha256).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def client_address(request: web.Request) -> str:
    """Return from where a request comes: of a trusted proxy, the last address it names."""
    remote = request.remote or ""
    proxies = console_of(request).ground.console.trusted_proxies
    # Some proxies add a line of their own below the one that the client sent.
    lines = request.headers.getall("X-Forwarded-For", [""])
    named = lines[-1].rpartition(",")[2].strip()
    if named and _is_among(remote, proxies):
        try:
            return str(ip_address(named))
        except ValueError:
            return remote
    return remote


def guarded(route: Route) -> Handler:
    """Return a route's handler behind what it needs: somebody with the right, a form of ours."""

    async def handle(request: web.Request) -> web.StreamResponse:
        person = request[PERSON]
        if route.right is not None:
            if person is None:
                return _to_sign_in(request)
            if person.is_confined and route.right is not Right.SIGNED_IN:
                return web.Response(status=303, headers={"Location": SET_UP})
            if not may(person.role, route.right):
                raise RightError(route.right)
        if request.method not in SAFE:
            await _require_own_form(request)
        return await route.handler(request)

    return handle


@web.middleware
async def with_headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give every answer the headers; a stream that has begun was given them by its page."""
    response = await handler(request)
    if response.prepared:
        return response
    headers_for(request, response)
    visit = request.get(NEW_VISIT)
    if visit is not None:
        console = console_of(request)
        _set_cookie(console, response, visit_cookie(console), visit)
    return response


def headers_for(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of an answer that it does not have; what is not said to be kept is not."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if console_of(request).is_secure:
        response.headers["Strict-Transport-Security"] = _HSTS


@web.middleware
async def with_session(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Find out who is signed in, after the address was found to be ours."""
    console = console_of(request)
    request[PERSON], request[SESSION] = None, None
    if request.path.startswith(("/static/", "/health/")):  # nobody in person, under any name
        return await handler(request)
    if request.host != console.address.partition("://")[2]:
        raise web.HTTPMisdirectedRequest
    token = request.cookies.get(session_cookie(console))
    if token and len(token) <= 100:
        # What a page asks by itself is no use of a session: left alone, it ends.
        by_itself = "X-By-Itself" in request.headers or request.path == "/live"
        now = console.ground.clock()
        person = await console.run(console.sessions.find, token, now, by_itself=by_itself)
        if person is not None:
            request[PERSON], request[SESSION] = person, token
    return await handler(request)


async def _require_own_form(request: web.Request) -> None:
    """Raise CsrfError unless what is asked comes from a page of this console."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != console_of(request).address:
        raise CsrfError
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise CsrfError
    secret = request[SESSION] or request.cookies.get(visit_cookie(console_of(request)))
    given = request.headers.get("X-CSRF-Token") or (await read_form(request)).raw(CSRF)
    # Compared as bytes: a text that is not ASCII is wrong like any other.
    if not secret or not hmac.compare_digest(
        csrf_of(secret).encode(), given.encode("utf-8", "surrogatepass")
    ):
        raise CsrfError


def _to_sign_in(request: web.Request) -> web.Response:
    """Lead to the sign-in, and back afterwards to a page that only shows."""
    if request.method not in SAFE:
        raise web.HTTPUnauthorized
    back = "" if request.path_qs == "/" else f"?next={quote(request.path_qs[:1_500], safe='')}"
    return web.Response(status=303, headers={"Location": f"/sign-in{back}"})


def _set_cookie(console: Console, response: web.StreamResponse, name: str, value: str) -> None:
    response.set_cookie(
        name, value, path="/", httponly=True, samesite="Lax", secure=console.is_secure
    )


def _is_among(address: str, networks: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(one, strict=False) for one in networks)
