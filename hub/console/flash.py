"""After a form: on to a page (303), which shows once what was done."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from hub.console.surroundings import console_of

_CHARACTERS_MAX: Final = 1_500
_BRACES: Final = re.compile(r"\{([a-z_]+)\}")


def see_other(
    request: web.Request,
    to: str,
    message: str | None = None,
    *,
    kind: str = "success",
    **words: Any,
) -> web.Response:
    """Return the answer that leads on to a page of the console, with a marked message (``N_``).

    ``words`` are filled into the message's braces when it is shown. ``kind`` is success, info,
    warning or danger. Raises ValueError for an address that is not a path of the console.
    """
    if not is_own_path(to):
        raise ValueError(f"{to[:80]!r} is no path of the console")
    response = web.Response(status=303, headers={"Location": to})
    if message is not None:
        text = json.dumps([kind, message, {name: str(value) for name, value in words.items()}])
        if len(text) <= _CHARACTERS_MAX:
            set_flash(request, response, text)
    return response


def flash_cookie(request: web.Request) -> str:
    """Return the name of the cookie; with TLS a browser takes it from our host alone."""
    return "__Host-itmo-flash" if console_of(request).is_secure else "itmo-flash"


def set_flash(request: web.Request, response: web.Response, text: str) -> None:
    """Keep a message until the next page."""
    response.set_cookie(
        flash_cookie(request),
        text.encode().hex(),
        max_age=60,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=console_of(request).is_secure,
    )


def forget_flash(request: web.Request, response: web.Response) -> None:
    """Take a message away that was shown."""
    response.del_cookie(flash_cookie(request), path="/", secure=console_of(request).is_secure)


def flash_of(request: web.Request) -> tuple[str, str, dict[str, str]] | None:
    """Return the message that waits: kind, marked text, words; None if there is none."""
    kept = request.cookies.get(flash_cookie(request))
    if not kept:
        return None
    try:
        kind, message, words = json.loads(bytes.fromhex(kept[: 2 * _CHARACTERS_MAX]))
        found = {str(name): str(value) for name, value in words.items()}
    except (ValueError, TypeError, AttributeError):
        return None
    known = kind if kind in ("success", "info", "warning", "danger") else "info"
    return known, str(message), found


def filled(message: str, words: Mapping[str, str]) -> str:
    """Return a message with its words in its braces.

    A browser keeps both, and sends what it likes: so nothing in braces but a name means anything.
    """
    return _BRACES.sub(lambda found: words.get(found[1], found[0]), message)


def is_own_path(path: str) -> bool:
    """Tell whether an address stays in the console: one slash, no host, no control characters."""
    return (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and "\\" not in path
        and path.isprintable()
        and path.isascii()
        and len(path) <= 2_000
    )
