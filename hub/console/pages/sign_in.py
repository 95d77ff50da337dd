"""Signing in and out: a name and a password, a second factor, a passkey, a provider, invitations.

Every way ends in a new session with a new token; the one the browser had before is ended. All of it
but passkeys works without a script.
"""

from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from hub.console.flash import is_own_path, see_other
from hub.console.forms import FormError, read_form
from hub.console.parts.signing_in import (
    NEXT,
    OVER,
    SET_UP,
    door_of,
    forget_step,
    keep_step,
    next_of,
    now_of,
    read_json,
    refused_json,
    refused_page,
    rule_text,
    step_of,
    text_in,
    visitor_of,
)
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import PERSON, SESSION, forget_session, set_session
from hub.console.translating import N_, translate
from hub.services.people.flows import FlowOverError, TooManyFlowsError
from hub.services.people.invitations import InvitationOverError
from hub.services.people.limits import BlockedError
from hub.services.people.passwords import CHARACTERS_MAX, BusyError, PasswordRefusedError
from hub.services.people.provider import CALLBACK, ProviderError
from hub.services.people.provider_sign_in import departure_of
from hub.services.people.sign_in import FactorNeeded, Opened, SignInRefusedError

KEPT_OUT: Final = (BlockedError, BusyError, TooManyFlowsError)
WRONG: Final = N_("The name or the password is wrong, or you may not sign in.")
WRONG_CODE: Final = N_("The code is wrong, or was used already. Wait for the next one.")
WRONG_PASSKEY: Final = N_("The passkey was not taken.")
WRONG_PROVIDER: Final = N_(
    "The sign-in with {name} failed, or you are not known here. An administrator of the hub can "
    "tell you more."
)
INVITATION_OVER: Final = N_(
    "This link counts no more. Ask an administrator of the hub for another one."
)
DIFFERENT: Final = N_("These are two different passwords.")
_FORM: Final = "sign_in/sign_in.html"
_CODE: Final = "sign_in/code.html"
_INVITATION: Final = "sign_in/invitation.html"


# --- a name and a password -----------------------------------------------------------------------


async def show_sign_in(request: web.Request) -> web.Response:
    """Ask who it is; whoever is signed in already goes on."""
    to = next_of(request.query.get(NEXT))
    person = request[PERSON]
    if person is not None:
        return see_other(request, SET_UP if person.is_confined else to)
    return await render(request, _FORM, error="", name="", to=to, provider=_provider(request))


async def try_password(request: web.Request) -> web.Response:
    """Take a name and a password."""
    form, door = await read_form(request), door_of(request)
    name, password = form.raw("name")[:200], form.raw("password")[: CHARACTERS_MAX + 1]
    to = next_of(form.raw(NEXT))
    shown: dict[str, Any] = {"name": name, "to": to, "provider": _provider(request)}
    if not name.strip() or not password:
        text = translate(N_("Type your name and your password."))
        return await refused_page(request, _FORM, text, status=400, **shown)
    try:
        found = await door.run(
            door.sign_in.with_password, name, password, visitor_of(request), now_of(request)
        )
    except SignInRefusedError:
        return await refused_page(request, _FORM, translate(WRONG), **shown)
    except KEPT_OUT as error:
        return await refused_page(request, _FORM, error, **shown)
    if isinstance(found, FactorNeeded):
        response = see_other(request, _with_next("/sign-in/code", to))
        keep_step(request, response, found.flow)
        return response
    return await _in(request, found, to)


async def show_code(request: web.Request) -> web.Response:
    """Ask for the second factor."""
    door, to = door_of(request), next_of(request.query.get(NEXT))
    try:
        needed = await door.run(door.sign_in.factor_needed, step_of(request), now_of(request))
    except FlowOverError:
        return see_other(request, _with_next("/sign-in", to), OVER, kind="warning")
    except BusyError as error:
        return await refused_page(request, _FORM, error, **_blank(request, to))
    return await render(request, _CODE, error="", needed=needed, to=to)


async def try_code(request: web.Request) -> web.Response:
    """Take the code of an app."""
    form, door = await read_form(request), door_of(request)
    to, step, now = next_of(form.raw(NEXT)), step_of(request), now_of(request)
    try:
        needed = await door.run(door.sign_in.factor_needed, step, now)
        try:
            opened = await door.run(
                door.sign_in.with_code, step, form.raw("code")[:20], visitor_of(request), now
            )
        except SignInRefusedError:
            text = translate(WRONG_CODE)
            return await refused_page(request, _CODE, text, needed=needed, to=to)
        except KEPT_OUT as error:
            return await refused_page(request, _CODE, error, needed=needed, to=to)
    except FlowOverError:
        return see_other(request, _with_next("/sign-in", to), OVER, kind="warning")
    except BusyError as error:
        return await refused_page(request, _FORM, error, **_blank(request, to))
    return await _in(request, opened, to)


# --- a passkey (a script asks) -------------------------------------------------------------------


async def ask_passkey(request: web.Request) -> web.Response:
    """Tell the script what to ask the device."""
    door = door_of(request)
    visitor = visitor_of(request)
    if not visitor.party.is_possible:
        return refused_json(translate(WRONG_PASSKEY), status=409)
    try:
        flow, options = await door.run(door.sign_in.passkey_question, visitor, now_of(request))
    except KEPT_OUT as error:
        return refused_json(error)
    return web.json_response({"flow": flow, "options": options})


async def try_passkey(request: web.Request) -> web.Response:
    """Take the device's answer."""
    door = door_of(request)
    try:
        said = await read_json(request)
        flow, credential = text_in(said, "flow"), text_in(said, "credential")
    except FormError as error:
        return refused_json(f"{error.field}: {error.message}", status=400)
    to = next_of(said.get(NEXT))
    try:
        opened = await door.run(
            door.sign_in.with_passkey, flow, credential, visitor_of(request), now_of(request)
        )
    except SignInRefusedError:
        return refused_json(translate(WRONG_PASSKEY))
    except (*KEPT_OUT, FlowOverError) as error:
        return refused_json(error)
    response = web.json_response({"to": to})
    await _give_session(request, response, opened)
    return response


# --- a provider ----------------------------------------------------------------------------------


async def leave_for_provider(request: web.Request) -> web.Response:
    """Send the browser to the provider, with a step to come back to."""
    return await _leave(request, next_of(request.query.get(NEXT)), None)


async def leave_to_link(request: web.Request) -> web.Response:
    """Send whoever is invited to the provider, to be linked with whom it says they are."""
    return await _leave(request, SET_UP, request.match_info["token"])


async def _leave(request: web.Request, to: str, invitation: str | None) -> web.Response:
    door = door_of(request)
    if door.provider is None or door.provider_sign_in is None:
        raise web.HTTPNotFound
    visitor, now = visitor_of(request), now_of(request)
    try:
        await door.run(door.provider_sign_in.admit, invitation, visitor, now)
        departure = await door.provider.departure(visitor.origin)
        step = await door.run(door.provider_sign_in.begin, departure, to, invitation, now)
    except ProviderError as error:
        await door.run(door.provider_sign_in.refused, error, visitor, now)
        return await refused_page(request, _FORM, _not_provided(request), **_blank(request, to))
    except InvitationOverError:
        return await _invitation_over(request)
    except KEPT_OUT as error:
        return await refused_page(request, _FORM, error, **_blank(request, to))
    # The provider's address is of its metadata, which the operator's setting vouches for.
    response = web.Response(status=303, headers={"Location": departure.address})
    keep_step(request, response, step)
    return response


async def back_from_provider(request: web.Request) -> web.Response:
    """Take what the provider sent back with the browser."""
    door = door_of(request)
    if door.provider is None or door.provider_sign_in is None:
        raise web.HTTPNotFound
    visitor, now = visitor_of(request), now_of(request)
    try:
        flow = await door.run(door.provider_sign_in.take, step_of(request), now)
    except (FlowOverError, BusyError) as error:
        return await refused_page(request, _FORM, error, **_blank(request, "/"))
    to = next_of(flow.data["to"])
    try:
        subject = await door.provider.subject(dict(request.query), departure_of(flow))
        opened = await door.run(door.provider_sign_in.finish, flow, subject, visitor, now)
    except ProviderError as error:
        await door.run(door.provider_sign_in.refused, error, visitor, now)
        return await refused_page(request, _FORM, _not_provided(request), **_blank(request, to))
    except SignInRefusedError:
        return await refused_page(request, _FORM, _not_provided(request), **_blank(request, to))
    except InvitationOverError:
        return await _invitation_over(request)
    except KEPT_OUT as error:
        return await refused_page(request, _FORM, error, **_blank(request, to))
    return await _in(request, opened, to)


# --- invitations ---------------------------------------------------------------------------------


async def show_invitation(request: web.Request) -> web.Response:
    """Ask whoever is invited for their first password."""
    door, token = door_of(request), request.match_info["token"]
    try:
        invited = await door.run(door.invitations.look, token, visitor_of(request), now_of(request))
    except InvitationOverError:
        return await _invitation_over(request)
    except KEPT_OUT as error:
        return await refused_page(request, _FORM, error, **_blank(request, "/"))
    return await render(
        request, _INVITATION, error="", invited=invited, provider=_provider(request)
    )


async def accept_invitation(request: web.Request) -> web.Response:
    """Take the first password; on to the second factor."""
    form, door, token = await read_form(request), door_of(request), request.match_info["token"]
    visitor, now = visitor_of(request), now_of(request)
    password, again = (form.raw(name)[: CHARACTERS_MAX + 1] for name in ("password", "again"))
    try:
        invited = await door.run(door.invitations.look, token, visitor, now)
        shown: dict[str, Any] = {"invited": invited, "provider": _provider(request)}
        if password != again:
            text = translate(DIFFERENT)
            return await refused_page(request, _INVITATION, text, status=400, **shown)
        try:
            opened = await door.run(door.invitations.accept, token, password, visitor, now)
        except PasswordRefusedError as error:
            text = rule_text(error)
            return await refused_page(request, _INVITATION, text, status=400, **shown)
    except InvitationOverError:
        return await _invitation_over(request)
    except KEPT_OUT as error:
        return await refused_page(request, _FORM, error, **_blank(request, "/"))
    return await _in(request, opened, "/")


# --- out -----------------------------------------------------------------------------------------


async def sign_out(request: web.Request) -> web.Response:
    """End the session here, and in the browser."""
    await _end_present(request)
    response = see_other(request, "/sign-in", N_("You are signed out."))
    forget_session(request, response)
    forget_step(request, response)
    # What pages kept in this browser goes, except the key that signs acts.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


async def _end_present(request: web.Request) -> None:
    """End the session that the browser has, whoever's it is."""
    person, token = request[PERSON], request[SESSION]
    if person is not None and token is not None:
        door = door_of(request)
        await door.run(door.sign_in.sign_out, token, person, visitor_of(request), now_of(request))


# --- what they share -----------------------------------------------------------------------------


async def _in(request: web.Request, opened: Opened, to: str) -> web.Response:
    """Lead whoever signed in to where they wanted; who misses a factor, to their account."""
    response = see_other(request, SET_UP if opened.is_confined else to)
    await _give_session(request, response, opened)
    return response


async def _give_session(request: web.Request, response: web.StreamResponse, opened: Opened) -> None:
    await _end_present(request)
    set_session(request, response, opened.token)
    forget_step(request, response)


async def _invitation_over(request: web.Request) -> web.Response:
    text = translate(INVITATION_OVER)
    return await refused_page(request, _FORM, text, **_blank(request, "/"))


def _with_next(path: str, to: str) -> str:
    address = f"{path}?{urlencode({NEXT: to})}"
    return path if to == "/" or not is_own_path(address) else address


def _provider(request: web.Request) -> str | None:
    """Return what the provider is called, if there is one."""
    provider = door_of(request).provider
    return None if provider is None else provider.policy.name


def _not_provided(request: web.Request) -> str:
    return translate(WRONG_PROVIDER).format(name=_provider(request))


def _blank(request: web.Request, to: str) -> dict[str, Any]:
    return {"name": "", "to": to, "provider": _provider(request)}


ROUTES: Final = (
    Route("GET", "/sign-in", show_sign_in, None),
    Route("POST", "/sign-in", try_password, None),
    Route("GET", "/sign-in/code", show_code, None),
    Route("POST", "/sign-in/code", try_code, None),
    Route("POST", "/sign-in/passkey/question", ask_passkey, None),
    Route("POST", "/sign-in/passkey", try_passkey, None),
    Route("GET", "/sign-in/provider", leave_for_provider, None),
    Route("GET", CALLBACK, back_from_provider, None),
    Route("GET", "/invitation/{token}", show_invitation, None),
    Route("POST", "/invitation/{token}", accept_invitation, None),
    Route("GET", "/invitation/{token}/provider", leave_to_link, None),
    Route("POST", "/sign-out", sign_out, None),
)
