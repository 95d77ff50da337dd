"""People: who may come in, in which role, with what; and the keys that sign acts.

What changes a person is an act and goes the way of all acts (``acting``). A key is made or loaded
in a browser (``/me/key``), offered with a proof, and registered here by an administrator.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

from aiohttp import web

from hub.console import acting
from hub.console.flash import see_other
from hub.console.forms import Fields, FormError, Query, read_form
from hub.console.parts.signing_in import NEXT, SET_UP
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import client_address, person_of
from hub.console.surroundings import console_of
from hub.console.translating import N_, translate
from hub.console.words import word
from hub.services.administration import people as deeds
from hub.services.administration.administrators import SIGNING_ROLES, add_administrator
from hub.services.administration.deeds import REASON_CHARACTERS_MAX, Deed
from hub.services.console.acts.people_desk import PeopleDesk, signing_role_of
from hub.services.people.persons import NAME_CHARACTERS_MAX, PersonError
from hub.services.people.roles import Right, Role

OUTCOMES: Final[Mapping[str, str]] = {
    "signed_in": N_("signed in"),
    "refused": N_("refused"),
    "blocked": N_("blocked for a while"),
    "signed_out": N_("signed out"),
    "ended": N_("sessions ended"),
    "set_up": N_("way to sign in set up"),
    "invited": N_("invitation link made"),
}
ROLES: Final = tuple(role.value for role in Role)


async def list_people(request: web.Request) -> web.Response:
    """Show who may come in, and in which role."""
    console = console_of(request)
    after = Query(request).optional_text("after", NAME_CHARACTERS_MAX)
    page = await console.run(console.desk(PeopleDesk).people, after or "")
    return await render(
        request,
        "people/list.html",
        people=page.people,
        newer=None if after is None else "/people",
        older=None if page.after is None else f"/people?{urlencode({'after': page.after})}",
        roles=_role_options(ROLES),
    )


async def add_person(request: web.Request) -> web.Response:
    """Lead to the act that adds a person."""
    form = await read_form(request)
    name = form.text("name", NAME_CHARACTERS_MAX)
    deed = deeds.add_person(
        name, form.text("display_name", NAME_CHARACTERS_MAX), form.choice("role", ROLES)
    )
    effects = [N_("The person is invited: afterwards you make a link for them, shown once.")]
    return await acting.confirm(request, deed, _reason(form), back=_path(name), effects=effects)


async def show_person(request: web.Request) -> web.Response:
    """Show one person: role, ways to sign in, keys, and what an administrator may change."""
    return await _person_page(request)


async def _person_page(
    request: web.Request, *, link: str | None = None, until: object = None
) -> web.Response:
    console, name = console_of(request), request.match_info["name"]
    desk = console.desk(PeopleDesk)
    try:
        found = await console.run(desk.person, name)
    except PersonError:
        raise web.HTTPNotFound from None
    events = await console.run(desk.events, None, name)
    return await render(
        request,
        "people/person.html",
        shown=found,
        one=found.person,
        events=events.events[:10],
        outcomes=OUTCOMES,
        at=_path(name),
        roles=_role_options(ROLES),
        signing_roles=_role_options(SIGNING_ROLES),
        signing_role=signing_role_of(found.person.role),
        link=link,
        until=until,
    )


async def _deed_of_role(request: web.Request, form: Fields, name: str) -> Deed:
    del request
    return deeds.set_role(name, form.choice("role", ROLES))


async def _deed_of_disabling(request: web.Request, form: Fields, name: str) -> Deed:
    del request, form
    return deeds.disable_person(name)


async def _deed_of_enabling(request: web.Request, form: Fields, name: str) -> Deed:
    del request, form
    return deeds.enable_person(name)


async def _deed_of_resetting(request: web.Request, form: Fields, name: str) -> Deed:
    del request, form
    return deeds.reset_person(name)


async def _deed_of_linking(request: web.Request, form: Fields, name: str) -> Deed:
    del request
    return deeds.link_administrator(name, form.optional_text("administrator", 100))


async def _deed_of_registering(request: web.Request, form: Fields, name: str) -> Deed:
    """Return the deed that registers the key a person offers; the form says which one it was."""
    console = console_of(request)
    key = await console.run(console.desk(PeopleDesk).offered_record, name)
    if form.text("key", 40) != key.key_id:
        message = N_("Another key is offered by now; open the page again and compare it.")
        raise FormError("key", translate(message))
    role = form.choice("role", SIGNING_ROLES)
    return add_administrator(form.text("administrator", 100), key, role, name)


_ENDS: Final = N_("All sessions of this person end at once.")
_DEEDS: Final[
    Mapping[str, tuple[Callable[[web.Request, Fields, str], Awaitable[Deed]], Sequence[str]]]
] = {
    "role": (_deed_of_role, [_ENDS]),
    "disable": (_deed_of_disabling, [_ENDS, N_("The person cannot sign in any more.")]),
    "enable": (_deed_of_enabling, [N_("The person can sign in again, with what they had.")]),
    "reset": (
        _deed_of_resetting,
        [
            _ENDS,
            N_("Password, second factor, passkeys and the link to a provider are forgotten."),
            N_("Afterwards you make a link with which the person chooses anew, shown once."),
        ],
    ),
    "register-key": (
        _deed_of_registering,
        [
            N_("From then on the person signs acts with this key, in the browser that has it."),
            N_("From the first key on, every act at this hub is signed."),
        ],
    ),
    "link": (_deed_of_linking, []),
}


def _role_of_key(deed: Deed) -> list[str]:
    """Return for which acts a key that is registered counts: a deed names no usual role."""
    if not deed.kind.startswith("administrator."):
        return []
    role = str(deed.parameters.get("role", Role.ADMINISTRATOR))
    text = translate(N_("The key counts for the acts of this role: {role}."))
    return [text.format(role=word(role, "role"))]


def _change(what: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    make, effects = _DEEDS[what]

    async def change(request: web.Request) -> web.Response:
        form, name = await read_form(request), request.match_info["name"]
        deed = await make(request, form, name)
        told = [*effects, *_role_of_key(deed)]
        return await acting.confirm(request, deed, _reason(form), back=_path(name), effects=told)

    return change


async def invite(request: web.Request) -> web.Response:
    """Make a link for a person who has no way to sign in, and show it this once."""
    console, name = console_of(request), request.match_info["name"]
    made = await console.run(
        console.desk(PeopleDesk).invite, name, person_of(request), client_address(request)
    )
    return await _person_page(request, link=made.link(console.address), until=made.until)


async def end_sessions(request: web.Request) -> web.Response:
    """End all sessions of a person."""
    console, name = console_of(request), request.match_info["name"]
    ended = await console.run(
        console.desk(PeopleDesk).end_sessions, name, person_of(request), client_address(request)
    )
    return see_other(request, _path(name), N_("Sessions ended: {count}."), count=ended)


async def list_sign_ins(request: web.Request) -> web.Response:
    """Show who signed in from where, and what was refused."""
    query, console = Query(request), console_of(request)
    name = query.optional_text("name", NAME_CHARACTERS_MAX)
    cursor = query.optional_text("before", 40)
    page = await console.run(console.desk(PeopleDesk).events, cursor, name)
    kept = {} if name is None else {"name": name}
    return await render(
        request,
        "people/sign_ins.html",
        page=page,
        name=name,
        outcomes=OUTCOMES,
        newer=None if cursor is None else f"/sign-ins?{urlencode(kept)}",
        older=(
            None if page.older is None else f"/sign-ins?{urlencode({**kept, 'before': page.older})}"
        ),
    )


async def show_own_key(request: web.Request) -> web.Response:
    """Show the keys of this browser that sign acts, and how to get one."""
    console = console_of(request)
    own = await console.run(console.desk(PeopleDesk).own_key, person_of(request))
    return await render(request, "people/own_key.html", own=own)


async def offer_key(request: web.Request) -> web.Response:
    """Keep the public key that the browser proved to have, to be registered.

    Who offers one has proved a short while ago who they are: a stolen session offers none.
    """
    form, console, person = await read_form(request), console_of(request), person_of(request)
    if person.is_confined or not person.is_fresh(console.ground.clock()):
        to = SET_UP if person.is_confined else f"/me/confirm?{urlencode({NEXT: '/me/key'})}"
        return see_other(request, to, N_("Confirm who you are, then offer the key again."))
    proof = form.text("proof", 16_384)
    offered = await console.run(console.desk(PeopleDesk).offer_key, person, proof)
    message = N_("The key {key} is offered. Tell an administrator its fingerprint.")
    return see_other(request, "/me/key", message, key=offered.key_id)


def _reason(form: Fields) -> str:
    return form.text("reason", REASON_CHARACTERS_MAX)


def _path(name: str) -> str:
    return f"/people/{quote(name, safe='')}"


def _role_options(roles: Sequence[str]) -> list[tuple[str, str]]:
    return [(role, word(role, "role")) for role in roles]


_PERSON: Final = "/people/{name}"
ROUTES: Final = (
    Route("GET", "/people", list_people, Right.READ_ACTS),
    Route("POST", "/people", add_person, Right.ADMINISTER),
    Route("GET", "/sign-ins", list_sign_ins, Right.READ_ACTS),
    Route("GET", _PERSON, show_person, Right.READ_ACTS),
    *(Route("POST", f"{_PERSON}/{what}", _change(what), Right.ADMINISTER) for what in _DEEDS),
    Route("POST", f"{_PERSON}/invite", invite, Right.ADMINISTER),
    Route("POST", f"{_PERSON}/end-sessions", end_sessions, Right.ADMINISTER),
    Route("GET", "/me/key", show_own_key, Right.SIGNED_IN),
    Route("POST", "/me/key", offer_key, Right.SIGNED_IN),
)
