"""Searches that a person keeps, for the pages that have some."""

from collections.abc import Sequence

from aiohttp import web

from hub.console.flash import see_other
from hub.console.security import person_of
from hub.console.surroundings import console_of
from hub.services.console.filter_desk import FilterDesk, SavedFilter


async def saved_or_first(
    request: web.Request, page: str
) -> tuple[Sequence[SavedFilter], web.Response | None]:
    """Return what the person keeps, and the way to what they see at first, if there is no query."""
    console, person = console_of(request), person_of(request)
    saved = await console.run(console.desk(FilterDesk).of, person.person_id, page)
    if not request.query_string:
        first = next((one for one in saved if one.is_default and one.query), None)
        if first is not None:
            return saved, see_other(request, first.address)
    return saved, None
