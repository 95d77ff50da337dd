"""Every route of the console with an address that leads to it, and what a request leaves behind."""

import re
from hashlib import sha256
from typing import Final

from sqlalchemy import inspect, text

from hub.console.routes import ROUTES
from hub.console.routing import Route
from hub.console.security import csrf_of, session_cookie
from hub.store.database import Database
from tests.hub.console.console_world import ConsoleWorld

EXAMPLES: Final = {
    "account": "CHE-100-1",
    "act": "suspend",
    "case": "1",
    "code": "CHE01",
    "form": "csv",
    "key_id": "CHE01-0123456789abcdef",
    "log_index": "3",
    "index": "3",
    "name": "someone",
    "night": "2026-11-22",
    "number": "1",
    "part": "envelope",
    "proposal_id": "01890000-0000-7000-8000-000000000000",
    "session": "01890000-0000-7000-8000-000000000000",
    "token": "nobodys",
    "transfer_id": "THA01-1",
}
"""A value for each part of an address that varies; another route may need another one."""
_PART: Final = re.compile(r"\{([a-z_]+)(?::((?:[^{}]|\{[^{}]*\})*))?\}")
OWN_403: Final = {
    "POST /me/confirm",
    "GET /invitation/{token}",
    "POST /invitation/{token}",
}
"""Whose own answer to a wrong password, or to a link that counts no more, is 403 too."""
# What is written though only something was looked at: how long a session was used, and steps that
# signing in begins before anybody is known.
WRITTEN_ASIDE: Final = frozenset({"person_session", "sign_in_flow", "sign_in_limit"})


def ids(route: Route) -> str:
    """Return the name of a route in a test."""
    return f"{route.method} {_PART.sub(lambda part: '{' + part[1] + '}', route.path)}"


def address(route: Route) -> str:
    """Return an address that a route takes."""

    def example(part: re.Match[str]) -> str:
        name, pattern = part[1], part[2] or "[^/]+"
        for value in (EXAMPLES.get(name, "1"), *EXAMPLES.values()):
            if re.fullmatch(pattern, value):
                return value
        raise AssertionError(f"{route.path}: EXAMPLES has nothing for {name!r} ({pattern})")

    return _PART.sub(example, route.path)


async def status(
    console: ConsoleWorld,
    route: Route,
    as_: str | None,
    *,
    csrf: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Ask for a route with an empty form; return the status and where it leads.

    The body is not read: a stream would never end. ``csrf`` None is the session's own token.
    """
    given = dict(headers or {})
    if as_ is not None:
        given["Cookie"] = f"{session_cookie(console.console)}={console.token(as_)}"
        csrf = csrf_of(console.token(as_)) if csrf is None else csrf
    data = {"csrf": csrf or ""} if route.method == "POST" else None
    console.client.session.cookie_jar.clear()
    async with console.client.request(
        route.method, address(route), allow_redirects=False, headers=given, data=data
    ) as response:
        found = response.status, response.headers.get("Location", "")
        response.close()
        return found


def contents(database: Database) -> dict[str, str]:
    """Return a digest of every table, but of those that are written aside."""
    found: dict[str, str] = {}
    with database.reading() as connection:
        for table in sorted(inspect(connection).get_table_names()):
            if table not in WRITTEN_ASIDE:
                rows = connection.execute(text(f'SELECT * FROM "{table}"')).all()
                found[table] = sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()
    return found


READING: Final = [route for route in ROUTES if route.method == "GET"]
CHANGING: Final = [route for route in ROUTES if route.method != "GET"]
