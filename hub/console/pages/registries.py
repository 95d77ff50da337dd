"""Registries: all of them in one table, and the page of one; what is done to them is beside.

What a registry says of itself, and what its endpoint answered, is its own text: shown, never
trusted.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from hub.console.flash import see_other
from hub.console.forms import Query
from hub.console.parts.attention_words import AttentionLine, lines
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.surroundings import Console, console_of
from hub.console.translating import N_, translate
from hub.console.words import word
from hub.services.console.nights.tonight_desk import TonightDesk
from hub.services.console.registries.registry_deeds import BINDINGS, DELIVERY_MODES, MODES
from hub.services.console.registries.registry_desk import RegistryDesk, RegistryPage
from hub.services.console.registries.registry_list import SORTS, TROUBLES, Wanted
from hub.services.people.roles import Right

STATES: Final = ("registered", "active", "suspended", "closed")
KINDS: Final = ("party_registry", "mechanism_registry", "international_registry", "hub")
ROWS_PER_PAGE: Final = 50
_SEQUENCE_MAX: Final = 2**63 - 1

TROUBLE_NAMES: Final[Mapping[str, str]] = {
    "any": N_("anything to look at"),
    "backing_off": N_("backing off"),
    "waiting": N_("something waits"),
    "silent": N_("not heard for a day"),
    "key_ends": N_("key ends soon"),
    "suspended": N_("suspended"),
    "cases": N_("open cases"),
}
COLUMNS: Final = (
    ("code", N_("Registry"), False),
    ("party", N_("Party"), False),
    ("kind", N_("Kind"), False),
    ("state", N_("State"), False),
    ("heard", N_("Last heard"), False),
    ("binding", N_("Binding"), False),
    ("delivery", N_("Delivery"), False),
    ("queue", N_("Waiting"), True),
    ("oldest", N_("Oldest since"), False),
    ("back_off", N_("Back-off"), False),
    ("key", N_("First key ends"), False),
    ("mode", N_("Compared by"), False),
    ("agreed", N_("Last agreed"), False),
    ("cases", N_("Open cases"), True),
)
"""The columns of the list: by what it is sorted, the heading, whether it is a number."""
_UP_FIRST: Final = frozenset({"queue", "back_off", "cases", "heard", "agreed"})
"""Columns whose largest or newest values are looked for first."""
ONBOARDING: Final[Mapping[str, str]] = {
    "registered": N_("Registered at the hub"),
    "keys": N_("A key that speaks now is registered"),
    "heard": N_("First message received and recorded"),
    "active": N_("Activated: it may transfer"),
    "acknowledged": N_("First delivery acknowledged"),
    "agreed": N_("First comparison of both books agreed"),
}


async def registries(request: web.Request) -> web.Response:
    """Show the participants that are wanted."""
    query = Query(request)
    wanted = Wanted(
        search=query.optional_text("q", 100),
        state=query.optional_choice("state", STATES),
        kind=query.optional_choice("kind", KINDS),
        binding=query.optional_choice("binding", BINDINGS),
        delivery=query.optional_choice("delivery", DELIVERY_MODES),
        mode=query.optional_choice("mode", MODES),
        trouble=query.optional_choice("trouble", TROUBLES),
        sort=query.optional_choice("sort", SORTS) or "code",
        descending=query.optional_choice("order", ("up", "down")) == "down",
    )
    console = console_of(request)
    found = await console.run(console.desk(RegistryDesk).listed, wanted)
    return await render(
        request,
        "registries/list.html",
        found=found,
        worst=_worst(await _causes(console)),
        wanted=wanted,
        states=choices(STATES, "participant_state"),
        kinds=choices(KINDS, "participant_kind"),
        bindings=[(one, one.upper()) for one in BINDINGS],
        delivery_modes=choices(DELIVERY_MODES, "delivery_mode"),
        modes=choices(MODES, "comparison_mode"),
        troubles=[(name, translate(text)) for name, text in TROUBLE_NAMES.items()],
        columns=[
            (name, heading, is_number, _sort_address(request, wanted, name))
            for name, heading, is_number in COLUMNS
        ],
    )


def choices(values: Iterable[str], family: str) -> list[tuple[str, str]]:
    """Return values with their words, for a field that chooses among them."""
    return [(value, word(value, family)) for value in values]


def _sort_address(request: web.Request, wanted: Wanted, name: str) -> str:
    """Return the address of the same list, sorted by a column; the other way if it is already."""
    down = name in _UP_FIRST
    if wanted.sort == name:
        down = not wanted.descending
    kept = {key: value for key, value in request.query.items() if value}
    kept |= {"sort": name, "order": "down" if down else "up"}
    return f"/registries?{urlencode(kept)}"


async def _causes(console: Console) -> list[AttentionLine]:
    """Return what asks for attention about participants, the worst first."""
    return lines(await console.run(console.desk(TonightDesk).attention_of_registries))


def _worst(causes: Iterable[AttentionLine]) -> dict[str, AttentionLine]:
    """Return the worst cause of each participant."""
    found: dict[str, AttentionLine] = {}
    for one in causes:
        found.setdefault(one.subject, one)
    return found


async def registry(request: web.Request) -> web.Response:
    """Show everything about one participant."""
    page = await _page_of(request)
    console = console_of(request)
    return await render(
        request,
        "registries/registry.html",
        page=page,
        attention=[one for one in await _causes(console) if one.subject == page.row.code],
        names=ONBOARDING,
        limits=console.ground.limits.document(),
        policy=console.ground.identity.policy,
    )


async def deliveries(request: web.Request) -> web.Response:
    """Show the deliveries made for a participant, newest first."""
    code = request.match_info["code"]
    before = Query(request).optional_number("before", 1, _SEQUENCE_MAX)
    console = console_of(request)
    desk = console.desk(RegistryDesk)
    page = await console.run(desk.deliveries, code, before, ROWS_PER_PAGE)
    if page is None:
        raise web.HTTPNotFound
    older = None
    if page.next_before is not None:
        older = f"/registries/{code}/deliveries?before={page.next_before}"
    return await render(
        request,
        "registries/deliveries.html",
        code=code,
        page=page,
        newer=None if before is None else f"/registries/{code}/deliveries",
        older=older,
    )


async def accounts(request: web.Request) -> web.Response:
    """Show the accounts of a registry's Party in the international registry."""
    code = request.match_info["code"]
    after = Query(request).optional_text("after", 50) or ""
    console = console_of(request)
    desk = console.desk(RegistryDesk)
    page = await console.run(desk.accounts, code, after, ROWS_PER_PAGE)
    if page is None:
        raise web.HTTPNotFound
    older = None
    if page.next_after is not None:
        older = f"/registries/{code}/accounts?{urlencode({'after': page.next_after})}"
    return await render(
        request,
        "registries/accounts.html",
        code=code,
        page=page,
        newer=f"/registries/{code}/accounts" if after else None,
        older=older,
    )


async def try_now(request: web.Request) -> web.Response:
    """End a participant's back-off: the next delivery goes out at once. No act of the log."""
    page = await _page_of(request)
    code = page.row.code
    console = console_of(request)
    await console.run(console.desk(RegistryDesk).try_now, code)
    message = N_("{code} is due now: the hub that leads tries it at once.")
    return see_other(request, f"/registries/{code}", message, code=code)


async def _page_of(request: web.Request) -> RegistryPage:
    """Return the page of the participant that an address names. Raises HTTPNotFound."""
    console = console_of(request)
    page = await console.run(console.desk(RegistryDesk).page, request.match_info["code"])
    if page is None:
        raise web.HTTPNotFound
    return page


CODE: Final = "{code:[A-Z]{3}[0-9]{2}}"
ROUTES: Final = (
    Route("GET", "/registries", registries, Right.LOOK),
    Route("GET", f"/registries/{CODE}", registry, Right.LOOK),
    Route("GET", f"/registries/{CODE}/deliveries", deliveries, Right.LOOK),
    Route("GET", f"/registries/{CODE}/accounts", accounts, Right.LOOK),
    Route("POST", f"/registries/{CODE}/try-now", try_now, Right.OPERATE),
)
