"""Searches that people keep: saved from a page's filter, renamed, deleted, or shown at first."""

from typing import Final

from aiohttp import web

from hub.console.flash import see_other
from hub.console.forms import FormError, read_form
from hub.console.routing import Route
from hub.console.security import person_of
from hub.console.surroundings import console_of
from hub.console.translating import N_
from hub.services.console import filter_desk
from hub.services.console.filter_desk import FilterDesk, FilterError
from hub.services.people.roles import Right

RENAME: Final = "rename"
DELETE: Final = "delete"
SHOW_AT_FIRST: Final = "show_at_first"
SHOW_NO_MORE: Final = "show_no_more"


async def save(request: web.Request) -> web.Response:
    """Keep a search under a name, and go back to it."""
    form, console = await read_form(request), console_of(request)
    page = form.choice("page", filter_desk.PAGES)
    name = form.text("name", filter_desk.NAME_CHARACTERS_MAX)
    query = form.optional_text("query", filter_desk.QUERY_CHARACTERS_MAX) or ""
    desk, person_id = console.desk(FilterDesk), person_of(request).person_id
    try:
        kept = await console.run(desk.save, person_id, page, name, query)
    except FilterError as error:
        raise FormError("name", str(error)) from error
    return see_other(request, kept.address, N_("Saved as “{name}”."), name=kept.name)


async def change(request: web.Request) -> web.Response:
    """Rename or delete a search, or choose what its page shows at first."""
    form, console = await read_form(request), console_of(request)
    desk, person_id = console.desk(FilterDesk), person_of(request).person_id
    number = int(request.match_info["filter_id"])
    do = form.choice("do", (RENAME, DELETE, SHOW_AT_FIRST, SHOW_NO_MORE))
    try:
        if do == RENAME:
            name = form.text("name", filter_desk.NAME_CHARACTERS_MAX)
            kept = await console.run(desk.rename, person_id, number, name)
            return see_other(request, kept.address, N_("Renamed to “{name}”."), name=kept.name)
        if do == DELETE:
            kept = await console.run(desk.forget, person_id, number)
            return see_other(request, f"/{kept.page}", N_("Deleted “{name}”."), name=kept.name)
        is_default = do == SHOW_AT_FIRST
        kept = await console.run(desk.show_at_first, person_id, number, is_default=is_default)
    except FilterError as error:
        raise FormError("filter", str(error)) from error
    message = N_("“{name}” is shown at first.") if is_default else N_("All is shown at first.")
    return see_other(request, kept.address, message, name=kept.name)


ROUTES: Final = (
    Route("POST", "/filters", save, Right.LOOK),
    Route("POST", "/filters/{filter_id:[0-9]{1,9}}", change, Right.LOOK),
)
