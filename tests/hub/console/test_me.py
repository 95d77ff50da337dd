"""One's own account: proving it again, cookies with TLS, addresses behind a proxy."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from hub.console.flash import forget_flash
from hub.console.parts.signing_in import forget_step
from hub.console.security import client_address, forget_session, set_session
from hub.protocol.console_policy import ConsolePolicy
from hub.services.people.sessions import PASSWORD_AND_CODE
from hub.store.database import Database
from tests.hub.console.console_world import ConsoleWorld, serve_console
from tests.hub.console.door_world import PASSWORD, Browser, add, hidden, open_door
from tests.integration.peers import now

SESSION = "itmo-session"


def set_session_anew(request: web.Request, response: web.Response) -> None:
    """Give a browser a session, which ends its visit."""
    set_session(request, response, "a token")


async def signed_in(console: ConsoleWorld, minutes_ago: int = 0) -> Browser:
    """Return the browser of somebody with a second factor who signed in a while ago."""
    browser = Browser(console)
    await browser.accept(add(console, "ana"))
    await browser.set_up_codes()
    person = console.console.sessions.find(browser.cookies[SESSION], now())
    assert person is not None
    browser.cookies[SESSION] = console.console.sessions.begin(
        person.person_id,
        PASSWORD_AND_CODE,
        "127.0.0.1",
        "a browser",
        now() - timedelta(minutes=minutes_ago),
    )
    return browser


async def test_who_signed_in_a_while_ago_types_the_password_before_a_change(
    console: ConsoleWorld,
) -> None:
    """The page leads there and back; a wrong password does not."""
    open_door(console)
    browser = await signed_in(console, minutes_ago=20)
    left = await browser.get("/me/codes")
    assert (left.status, left.headers["Location"]) == (303, "/me/confirm?next=%2Fme%2Fcodes")
    wrong = await browser.send("/me/confirm?next=/me/codes", password="wrong password")
    assert (wrong.status, "This is not your password." in wrong.text) == (403, True)
    shown = await browser.get("/me")
    for action in ("/me/codes/remove", "/me/passkeys/remove"):
        form = {"csrf": hidden(shown.text, "/sign-out")["csrf"], "key": "AAAA"}
        assert (await browser.post(action, form)).headers["Location"] == "/me/confirm?next=%2Fme"
    before = browser.cookies[SESSION]
    right = await browser.send("/me/confirm?next=/me/codes", password=PASSWORD)
    assert (right.status, right.headers["Location"]) == (303, "/me/codes")
    assert browser.cookies[SESSION] != before
    assert (await browser.get("/me/codes")).status == 200


async def test_the_last_second_factor_cannot_be_removed_at_the_console(
    console: ConsoleWorld,
) -> None:
    """No button for it, and whoever asks without one is told why not."""
    open_door(console)
    browser = await signed_in(console)
    shown = await browser.get("/me")
    assert 'action="/me/codes/remove"' not in shown.text
    form = {"csrf": hidden(shown.text, "/sign-out")["csrf"]}
    answer = await browser.post("/me/codes/remove", form)
    assert answer.status == 409
    assert 'lang="en">this is your last second factor' in answer.text


async def test_with_a_wrong_code_the_same_picture_is_shown_again(console: ConsoleWorld) -> None:
    """An app that scanned it already can be asked once more."""
    open_door(console)
    browser = await signed_in(console)
    shown = await browser.get("/me/codes")
    form = hidden(shown.text, "/me/codes")
    again = await browser.post("/me/codes", {**form, "code": "no code"})
    assert again.status == 403
    assert "This code is not of the app" in again.text
    assert (
        again.text.partition("data:image")[2][:500] == shown.text.partition("data:image")[2][:500]
    )
    assert hidden(again.text, "/me/codes")["flow"] == form["flow"]


async def test_a_session_that_ended_meanwhile_leads_to_the_sign_in(console: ConsoleWorld) -> None:
    """Whatever was being changed is not."""
    open_door(console)
    browser = await signed_in(console)
    shown = await browser.get("/me/password")
    form = hidden(shown.text, "/me/password")
    console.console.sessions.end(browser.cookies[SESSION])
    answer = await browser.post("/me/password", {**form, "password": PASSWORD})
    assert answer.status == 401


async def test_with_tls_cookies_are_bound_to_the_host_and_sent_by_tls_alone(
    console: ConsoleWorld,
) -> None:
    """`__Host-`, Secure, and the browser is told to stay with TLS."""
    open_door(console)
    console.console.address = console.console.address.replace("http://", "https://")
    browser = Browser(console)
    answer = await browser.accept(add(console, "ana"))
    assert answer.status == 303, answer.text
    assert "__Host-itmo-session" in answer.cookies
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")
    assert "Strict-Transport-Security" in answer.headers
    assert (await browser.get("/me")).status == 200


@pytest.mark.parametrize("named", ["198.51.100.7", "2001:db8::7"])
async def test_behind_a_trusted_proxy_people_are_counted_by_their_own_addresses(
    seeded: Database, named: str
) -> None:
    """The last address that the proxy names; what the visitor claims before it is not believed."""
    policy = ConsolePolicy(trusted_proxies=("127.0.0.0/8",))
    async with serve_console(seeded, policy) as console:
        open_door(console)
        await Browser(console).accept(add(console, "ana"))
        for number in range(5):
            forwarded = f"203.0.113.{number}, {named}"
            browser = Browser(console, headers={"X-Forwarded-For": forwarded})
            await browser.sign_in("ana", "wrong password")
        blocked = Browser(console, headers={"X-Forwarded-For": named})
        assert (await blocked.sign_in("ana")).status == 429
        other = Browser(console, headers={"X-Forwarded-For": "198.51.100.8"})
        assert (await other.sign_in("ana")).status == 303
        shown = await other.get("/me")
        assert "198.51.100.8" in shown.text


async def test_a_proxy_that_adds_a_line_of_its_own_is_believed_before_the_visitor(
    seeded: Database,
) -> None:
    """What the visitor sent stands in the first line, and the proxy's word in the last."""
    policy = ConsolePolicy(trusted_proxies=("127.0.0.0/8",))
    async with serve_console(seeded, policy) as console:
        lines = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "198.51.100.7")]
        request = make_mocked_request("GET", "/", CIMultiDict(lines), app=console.client.app)
        assert client_address(request.clone(remote="127.0.0.1")) == "198.51.100.7"


@pytest.mark.parametrize("forget", [forget_session, forget_step, forget_flash, set_session_anew])
async def test_with_tls_a_browser_takes_the_end_of_a_cookie_too(
    console: ConsoleWorld, forget: Callable[[web.Request, web.Response], None]
) -> None:
    """What is bound to the host is secure, or browsers pass over it."""
    console.console.address = console.console.address.replace("http://", "https://")
    request, response = make_mocked_request("GET", "/", app=console.client.app), web.Response()
    forget(request, response)
    assert response.cookies
    for name, cookie in response.cookies.items():
        assert name.startswith("__Host-itmo-")
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
