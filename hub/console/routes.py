"""The one table of all routes of the console. What is not in it does not exist.

``tests/hub/console/test_privileges.py`` tries every row in every role. ``CONTEXTS`` are what runs
beside the pages while the console runs (aiohttp's ``cleanup_ctx``).
"""

from collections.abc import AsyncIterator, Callable
from typing import Final

from aiohttp import web

from hub.console.pages import (
    acts,
    case,
    cases,
    evidence,
    filters,
    health,
    ledger,
    live,
    log,
    me,
    people,
    preferences,
    public,
    registries,
    registry_acts,
    sign_in,
    suspensions,
    system,
    tonight,
    transfers,
)
from hub.console.routing import Route

ROUTES: Final[tuple[Route, ...]] = (
    *acts.ROUTES,
    *cases.ROUTES,
    *case.ROUTES,
    *evidence.ROUTES,
    *filters.ROUTES,
    *health.ROUTES,
    *ledger.ROUTES,
    *live.ROUTES,
    *log.ROUTES,
    *me.ROUTES,
    *people.ROUTES,
    *preferences.ROUTES,
    *public.ROUTES,
    *registry_acts.ROUTES,
    *registries.ROUTES,
    *sign_in.ROUTES,
    *suspensions.ROUTES,
    *system.ROUTES,
    *tonight.ROUTES,
    *transfers.ROUTES,
)
CONTEXTS: Final[tuple[Callable[[web.Application], AsyncIterator[None]], ...]] = (
    ledger.ledger_context,
    live.live_context,
)
