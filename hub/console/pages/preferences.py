"""Language and colours: one's own where somebody is signed in, else kept in the browser."""

from typing import Final

from aiohttp import web

from hub.console.flash import is_own_path, see_other
from hub.console.forms import read_form
from hub.console.routing import Route
from hub.console.security import PERSON
from hub.console.surroundings import console_of
from hub.console.translating import LANGUAGES, negotiate, use
from hub.services.people.preferences import Preferences

LANGUAGE: Final = "itmo-language"
THEME: Final = "itmo-theme"
_YEAR_SECONDS: Final = 31_536_000


def use_language(request: web.Request) -> None:
    """Make the answer to a request in its reader's language."""
    person = request.get(PERSON)
    own = None if person is None else person.language
    accepted = request.headers.get("Accept-Language")
    use(negotiate(accepted, own, request.cookies.get(LANGUAGE)))


async def set_preferences(request: web.Request) -> web.Response:
    """Keep what was chosen, and lead back to where it was."""
    form = await read_form(request)
    language = form.choice("language", LANGUAGES)
    theme = form.optional_choice("theme", ("light", "dark"))
    back = form.raw("back")
    response = see_other(request, back if is_own_path(back) else "/")
    person = request[PERSON]
    if person is not None:
        console = console_of(request)
        await console.run(console.desk(Preferences).keep, person.person_id, language, theme)
    for name, value in ((LANGUAGE, language), (THEME, theme)):
        if value is None:
            response.del_cookie(name, path="/")
        else:
            response.set_cookie(
                name, value, max_age=_YEAR_SECONDS, path="/", httponly=True, samesite="Lax"
            )
    return response


ROUTES: Final = (Route("POST", "/preferences", set_preferences, None),)
