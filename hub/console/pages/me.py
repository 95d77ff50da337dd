"""One's own account: password, second factors, sessions, the browser's key.

Who changes how they sign in has signed in a short while ago, or types the password once more.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from hub.console.flash import see_other
from hub.console.forms import FormError, read_form
from hub.console.parts.signing_in import (
    NEXT,
    OVER,
    SET_UP,
    door_of,
    next_of,
    now_of,
    read_json,
    refused_json,
    refused_page,
    rule_text,
    text_in,
    token_of,
    visitor_of,
)
from hub.console.rendering import render
from hub.console.routing import Route
from hub.console.security import forget_session, person_of, set_session
from hub.console.translating import N_, translate
from hub.services.people.flows import FlowOverError, TooManyFlowsError
from hub.services.people.limits import BlockedError
from hub.services.people.own_account import AccountError, NotFreshError, SessionOverError
from hub.services.people.passkeys import PasskeyRefusedError
from hub.services.people.passwords import CHARACTERS_MAX, BusyError, PasswordRefusedError
from hub.services.people.roles import Right
from hub.services.people.sign_in import SignInRefusedError

KEPT_OUT: Final = (BlockedError, BusyError, TooManyFlowsError)
WRONG_PASSWORD: Final = N_("This is not your password.")
WRONG_CODE: Final = N_("This code is not of the app that was set up just now. Try the next one.")
WRONG_PASSKEY: Final = N_("The device's answer was not taken. Try again.")
DIFFERENT: Final = N_("These are two different passwords.")
_ACCOUNT: Final = "me/account.html"
_PASSWORD: Final = "me/password.html"  # noqa: S105 - a template
_CONFIRM: Final = "me/confirm.html"
_CODES: Final = "me/codes.html"

Handler = Callable[[web.Request], Awaitable[web.Response]]


def _when_fresh(handler: Handler) -> Handler:
    """Let a page be called by who proved a short while ago who they are; others prove it first."""

    @wraps(handler)
    async def handle(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except NotFreshError:
            back = request.path if request.method == "GET" else SET_UP
            return see_other(request, f"/me/confirm?{urlencode({NEXT: back})}")
        except AccountError as error:
            return await _account_page(request, 409, str(error), is_english=True)
        except SessionOverError:
            return _out(request)
        except FlowOverError:
            return see_other(request, SET_UP, OVER, kind="warning")
        except KEPT_OUT as error:
            return await _account_page(request, error=error)

    return handle


# --- the account ---------------------------------------------------------------------------------


async def show_account(request: web.Request) -> web.Response:
    """Show how one signs in, and where one is signed in."""
    return await _account_page(request)


async def _account_page(
    request: web.Request,
    status: int = 200,
    error: Exception | str = "",
    *,
    is_english: bool = False,
) -> web.Response:
    door, person, now = door_of(request), person_of(request), now_of(request)
    visitor = visitor_of(request)
    account = await door.run(door.account.account, person, visitor)
    sessions = await door.run(door.sessions.listed, person.person_id, now)
    shown: dict[str, Any] = {
        "account": account,
        "sessions": sessions,
        "is_english": is_english,
    }
    if error:
        return await refused_page(request, _ACCOUNT, error, status=status, **shown)
    return await render(request, _ACCOUNT, error="", **shown)


# --- proving it again ----------------------------------------------------------------------------


async def show_confirm(request: web.Request) -> web.Response:
    """Ask for the password once more."""
    return await render(request, _CONFIRM, error="", to=next_of(request.query.get(NEXT)))


async def confirm(request: web.Request) -> web.Response:
    """Take the password once more; the session gets a new token."""
    form, door, person = await read_form(request), door_of(request), person_of(request)
    to = next_of(form.raw(NEXT))
    try:
        token = await door.run(
            door.account.confirm,
            person,
            token_of(request),
            form.raw("password")[: CHARACTERS_MAX + 1],
            visitor_of(request),
            now_of(request),
        )
    except SignInRefusedError:
        return await refused_page(request, _CONFIRM, translate(WRONG_PASSWORD), to=to)
    except KEPT_OUT as error:
        return await refused_page(request, _CONFIRM, error, to=to)
    except SessionOverError:
        return _out(request)
    response = see_other(request, to)
    set_session(request, response, token)
    return response


# --- the password --------------------------------------------------------------------------------


async def show_password(request: web.Request) -> web.Response:
    """Ask for the old password and a new one."""
    return await render(request, _PASSWORD, error="")


@_when_fresh
async def change_password(request: web.Request) -> web.Response:
    """Change the password; all other sessions end."""
    form, door, person = await read_form(request), door_of(request), person_of(request)
    old, new, again = (
        form.raw(name)[: CHARACTERS_MAX + 1] for name in ("password", "new_password", "again")
    )
    if new != again:
        return await refused_page(request, _PASSWORD, translate(DIFFERENT), status=400)
    visitor, now = visitor_of(request), now_of(request)
    try:
        token = await door.run(
            door.account.change_password, person, token_of(request), old, new, visitor, now
        )
    except PasswordRefusedError as error:
        return await refused_page(request, _PASSWORD, rule_text(error), status=400)
    except SignInRefusedError:
        return await refused_page(request, _PASSWORD, translate(WRONG_PASSWORD))
    except KEPT_OUT as error:
        return await refused_page(request, _PASSWORD, error)
    except SessionOverError:
        return _out(request)
    response = see_other(
        request, SET_UP, N_("The password is changed. Other sessions of yours have ended.")
    )
    set_session(request, response, token)
    return response


# --- codes of an app -----------------------------------------------------------------------------


@_when_fresh
async def show_codes(request: web.Request) -> web.Response:
    """Show what an authenticator app is given, and ask for its first code."""
    door = door_of(request)
    flow, codes = await door.run(door.account.new_codes, person_of(request), now_of(request))
    return await render(request, _CODES, error="", flow=flow, codes=codes)


@_when_fresh
async def keep_codes(request: web.Request) -> web.Response:
    """Keep the app's secret once it gives a right code; the session gets a new token."""
    form, door, person = await read_form(request), door_of(request), person_of(request)
    flow, now = form.raw("flow")[:100], now_of(request)
    try:
        token = await door.run(
            door.account.keep_codes,
            person,
            token_of(request),
            flow,
            form.raw("code")[:20],
            visitor_of(request),
            now,
        )
    except SignInRefusedError:
        codes = await door.run(door.account.codes_in, person, flow, now)
        return await refused_page(request, _CODES, translate(WRONG_CODE), flow=flow, codes=codes)
    response = see_other(request, SET_UP, N_("The app gives your codes from now on."))
    set_session(request, response, token)
    return response


@_when_fresh
async def drop_codes(request: web.Request) -> web.Response:
    """Forget the app's secret."""
    door = door_of(request)
    await door.run(
        door.account.drop_codes, person_of(request), visitor_of(request), now_of(request)
    )
    return see_other(request, SET_UP, N_("The app's codes count no more."))


# --- passkeys (a script asks) --------------------------------------------------------------------


async def ask_passkey(request: web.Request) -> web.Response:
    """Tell the script what to ask the device for."""
    door = door_of(request)
    try:
        flow, options = await door.run(
            door.account.passkey_question,
            person_of(request),
            visitor_of(request),
            now_of(request),
        )
    except NotFreshError:
        return _prove_first()
    except AccountError as error:
        return refused_json(str(error), status=409)
    except KEPT_OUT as error:
        return refused_json(error)
    return web.json_response({"flow": flow, "options": options})


async def keep_passkey(request: web.Request) -> web.Response:
    """Keep the passkey that the device made; the session gets a new token."""
    door = door_of(request)
    try:
        said = await read_json(request)
        flow, credential = text_in(said, "flow"), text_in(said, "credential")
        name = text_in(said, "name").strip()
        token = await door.run(
            door.account.keep_passkey,
            person_of(request),
            token_of(request),
            flow,
            credential,
            name,
            visitor_of(request),
            now_of(request),
        )
    except FormError as error:
        return refused_json(f"{error.field}: {error.message}", status=400)
    except NotFreshError:
        return _prove_first()
    except AccountError as error:
        return refused_json(str(error), status=409)
    except PasskeyRefusedError:
        return refused_json(translate(WRONG_PASSKEY))
    except SessionOverError:
        return refused_json(translate(OVER), to="/sign-in")
    except (*KEPT_OUT, FlowOverError) as error:
        return refused_json(error)
    response = web.json_response({"to": SET_UP})
    set_session(request, response, token)
    return response


@_when_fresh
async def drop_passkey(request: web.Request) -> web.Response:
    """Forget a passkey."""
    form, door = await read_form(request), door_of(request)
    key = form.text("key", 2_000)
    try:
        await door.run(
            door.account.drop_passkey,
            person_of(request),
            key,
            visitor_of(request),
            now_of(request),
        )
    except PasskeyRefusedError as error:
        raise FormError("key", translate(N_("This is no passkey."))) from error
    return see_other(request, SET_UP, N_("The passkey counts no more."))


def _prove_first() -> web.Response:
    """Tell the script that the password is asked for first."""
    text = translate(N_("Type your password once more first."))
    return refused_json(text, to=f"/me/confirm?{urlencode({NEXT: SET_UP})}")


# --- sessions ------------------------------------------------------------------------------------


@_when_fresh
async def end_session(request: web.Request) -> web.Response:
    """End one of one's own sessions."""
    form, door, person = await read_form(request), door_of(request), person_of(request)
    session_id = form.text("session", 36)
    await door.run(
        door.account.end_session, person, session_id, visitor_of(request), now_of(request)
    )
    if session_id == person.session_id:
        return _out(request)
    return see_other(request, SET_UP, N_("The session has ended."))


@_when_fresh
async def end_others(request: web.Request) -> web.Response:
    """End all of one's own sessions but this one."""
    door = door_of(request)
    await door.run(
        door.account.end_others, person_of(request), visitor_of(request), now_of(request)
    )
    return see_other(request, SET_UP, N_("All other sessions have ended."))


def _out(request: web.Request) -> web.Response:
    """Lead to the sign-in: this session has ended."""
    response = see_other(request, "/sign-in", N_("The session has ended."))
    forget_session(request, response)
    return response


ROUTES: Final = (
    Route("GET", "/me", show_account, Right.SIGNED_IN),
    Route("GET", "/me/confirm", show_confirm, Right.SIGNED_IN),
    Route("POST", "/me/confirm", confirm, Right.SIGNED_IN),
    Route("GET", "/me/password", show_password, Right.SIGNED_IN),
    Route("POST", "/me/password", change_password, Right.SIGNED_IN),
    Route("GET", "/me/codes", show_codes, Right.SIGNED_IN),
    Route("POST", "/me/codes", keep_codes, Right.SIGNED_IN),
    Route("POST", "/me/codes/remove", drop_codes, Right.SIGNED_IN),
    Route("POST", "/me/passkeys/question", ask_passkey, Right.SIGNED_IN),
    Route("POST", "/me/passkeys", keep_passkey, Right.SIGNED_IN),
    Route("POST", "/me/passkeys/remove", drop_passkey, Right.SIGNED_IN),
    Route("POST", "/me/sessions/end", end_session, Right.SIGNED_IN),
    Route("POST", "/me/sessions/end-others", end_others, Right.SIGNED_IN),
)
