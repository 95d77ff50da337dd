"""Signing in at the console without a script: every step, and whoever tries to cheat at one."""

import re
from urllib.parse import quote

import pytest

from hub.console.parts.signing_in import next_of
from hub.console.routes import ROUTES
from hub.services.people import persons
from hub.services.people.door import Door
from hub.services.people.passwords import BusyError
from hub.services.people.roles import Right
from hub.store.people import persons as store
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.console.door_world import PASSWORD, Browser, add, hidden, open_door
from tests.integration.peers import now

SESSION = "itmo-session"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    " //evil.example",
    "/%0d%0aSet-Cookie:%20a=b\r\nX: y",
    "/sign-out",
    "/sign-in?next=/x",
    "/invitation/abc",
    "evil.example",
    "/" + "x" * 3_000,
    "/é",
    "",
]


@pytest.fixture
def door(console: ConsoleWorld) -> Door:
    """Return the console's door."""
    return open_door(console)


async def person(console: ConsoleWorld, name: str = "ana", role: str = "officer") -> Browser:
    """Return the browser of somebody who has chosen a password and nothing more."""
    browser = Browser(console)
    answer = await browser.accept(add(console, name, role))
    assert answer.status == 303, answer.text
    return browser


@pytest.mark.usefixtures("door")
async def test_from_the_invitation_to_the_first_page(console: ConsoleWorld) -> None:
    """Password, second factor, in; sign out; password and code, in again."""
    browser = await person(console)
    first = browser.cookies[SESSION]
    shown = await browser.follow()
    assert "One step is left: set up a second factor" in shown.text
    assert (await browser.get("/cases")).headers["Location"] == "/me"
    app = await browser.set_up_codes()
    assert browser.cookies[SESSION] != first
    shown = await browser.follow()
    assert "The app gives your codes from now on." in shown.text
    assert "password and code" in shown.text
    assert (await browser.send("/me", "/sign-out")).headers["Location"] == "/sign-in"
    assert SESSION not in browser.cookies

    answer = await browser.sign_in("ana", next_="/log")
    assert answer.headers["Location"] == "/sign-in/code?next=%2Flog"
    assert SESSION not in browser.cookies
    with console.database.reading() as connection:
        row = store.by_name(connection, "ana")
        assert row is not None
        assert row.totp_step is not None
    again = app.at(30 * row.totp_step)  # the very code of the set-up, however long that is ago
    used = await browser.send("/sign-in/code?next=/log", code=again)
    assert used.status == 403
    assert "was used already" in used.text
    with console.database.writing() as connection:  # as if half a minute had passed
        row = store.by_name(connection, "ana")
        assert row is not None
        store.set_totp(connection, row.person_id, row.totp_secret, None, now())
    answer = await browser.send("/sign-in/code?next=/log", code=app.at(now()))
    assert (answer.status, answer.headers["Location"]) == (303, "/log")
    assert (await browser.get("/me")).status == 200


@pytest.mark.usefixtures("door")
async def test_the_cookie_of_a_session_is_for_our_pages_alone(console: ConsoleWorld) -> None:
    """Not for scripts, not for other sites' forms; nothing of it in a page or an address."""
    browser = await person(console)
    assert browser.page is not None
    cookie = browser.page.headers["Set-Cookie"]
    assert cookie.startswith(f"{SESSION}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    shown = await browser.follow()
    assert browser.cookies[SESSION] not in shown.text
    assert shown.headers["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("door")
async def test_a_session_that_somebody_else_planted_is_worth_nothing(
    console: ConsoleWorld,
) -> None:
    """Fixation: every way in gives a new token and ends the session the browser had before."""
    mallory = await person(console, "mallory", "viewer")
    planted = mallory.cookies[SESSION]
    ana = await person(console)
    await ana.send("/me", "/sign-out")

    victim = Browser(console, cookies={SESSION: planted})
    shown = await mallory.get("/me")
    form = {**hidden(shown.text, "/sign-out"), "name": "ana", "password": PASSWORD}
    await victim.post("/sign-in", form)
    assert victim.cookies[SESSION] not in (planted, "")
    assert "Ana" in (await victim.get("/me")).text
    assert (await mallory.get("/me")).headers["Location"].startswith("/sign-in")

    chosen = Browser(console, cookies={SESSION: "a" * 43})
    await chosen.sign_in("ana")
    assert chosen.cookies[SESSION] != "a" * 43
    assert console.console.sessions.find("a" * 43, now()) is None


@pytest.mark.usefixtures("door")
async def test_every_gain_of_privilege_replaces_the_token(console: ConsoleWorld) -> None:
    """The token known before a second factor, a proof or a new password opens nothing after."""
    browser = await person(console)
    seen = [browser.cookies[SESSION]]
    await browser.set_up_codes()
    seen.append(browser.cookies[SESSION])
    await browser.send("/me/confirm?next=/me", password=PASSWORD)
    seen.append(browser.cookies[SESSION])
    await browser.send(
        "/me/password",
        password=PASSWORD,
        new_password="eight quiet herons",
        again="eight quiet herons",
    )
    seen.append(browser.cookies[SESSION])
    assert len(set(seen)) == 4
    for old in seen[:-1]:
        assert console.console.sessions.find(old, now()) is None
    assert (await browser.get("/me")).status == 200


@pytest.mark.usefixtures("door")
async def test_signing_out_ends_the_session_here_and_not_in_the_browser_alone(
    console: ConsoleWorld,
) -> None:
    """A token kept aside opens nothing afterwards."""
    browser = await person(console)
    kept = dict(browser.cookies)
    await browser.send("/me", "/sign-out")
    again = Browser(console, cookies=kept)
    assert (await again.get("/me")).headers["Location"] == "/sign-in?next=%2Fme"


@pytest.mark.usefixtures("door")
async def test_brute_force_is_kept_out_with_the_same_words_for_every_name(
    console: ConsoleWorld,
) -> None:
    """Five tries, then a block with its end; unknown names read the same."""
    await person(console)
    pages: dict[str, list[tuple[int, str]]] = {}
    for name in ("ana", "nobody"):
        told = []
        browser = Browser(console)
        for _ in range(7):
            answer = await browser.sign_in(name, "wrong password")
            alert = re.search(r'role="alert">([^<]+)<', answer.text)
            assert alert is not None
            told.append((answer.status, re.sub(r"[0-9:-]{2,} [0-9:]+", "…", alert[1])))
        pages[name] = told
        assert browser.page is not None
        assert "Retry-After" in browser.page.headers
        assert (await browser.sign_in(name, PASSWORD)).status == 429
    assert pages["ana"] == pages["nobody"]
    assert [status for status, _ in pages["ana"]] == [403] * 5 + [429] * 2


@pytest.mark.usefixtures("door")
async def test_the_last_address_a_trusted_proxy_names_is_counted_and_no_other(
    console: ConsoleWorld,
) -> None:
    """Whoever invents addresses is counted by their own."""
    await person(console)
    for number in range(5):
        browser = Browser(console, headers={"X-Forwarded-For": f"198.51.100.{number}"})
        await browser.sign_in("ana", "wrong password")
    assert (await Browser(console).sign_in("ana", PASSWORD)).status == 429


@pytest.mark.parametrize("to", ELSEWHERE, ids=lambda value: repr(value[:24]))
def test_nothing_but_a_page_of_the_console_is_gone_to_afterwards(to: str) -> None:
    """Open redirects, other schemes, new lines: the first page instead."""
    assert next_of(to) == "/"


@pytest.mark.parametrize("to", ["/", "/cases?state=open&page=2", "/cases/2026-11-22/3", "/log#x"])
def test_a_page_of_the_console_is_gone_to_afterwards(to: str) -> None:
    """As it was asked for."""
    assert next_of(to) == to


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("to", ELSEWHERE[:9], ids=lambda value: repr(value[:24]))
async def test_no_form_of_the_sign_in_leads_away(console: ConsoleWorld, to: str) -> None:
    """Neither the hidden field nor the address is believed."""
    browser = await person(console)
    await browser.send("/me", "/sign-out")
    shown = await browser.get(f"/sign-in?next={quote(to)}")
    form = hidden(shown.text, "/sign-in")
    assert form["next"] == "/"
    answer = await browser.post(
        "/sign-in", {**form, "next": to, "name": "ana", "password": PASSWORD}
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/me")
    shown = await browser.get(f"/me/confirm?next={quote(to)}")
    form = hidden(shown.text, "/me/confirm")
    answer = await browser.post("/me/confirm", {**form, "next": to, "password": PASSWORD})
    assert (answer.status, answer.headers["Location"]) == (303, "/")


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize(
    "name",
    [
        "ana\r\nSet-Cookie: a=b",
        "<script>alert(1)</script>",
        "\x00",
        "{{ 7*7 }}",
        "'\"><b>",
        "x" * 9_000,
    ],
    ids=["header", "script", "nul", "template", "quotes", "long"],
)
async def test_whatever_is_typed_as_a_name_stays_text(console: ConsoleWorld, name: str) -> None:
    """In no header, and escaped in the page."""
    answer = await Browser(console).sign_in(name, "wrong password")
    assert answer.status == 403
    assert set(answer.cookies) <= {"itmo-visit"}
    for bad in ("<script>alert", "<b>", '49"'):
        assert bad not in answer.text


@pytest.mark.usefixtures("door")
async def test_a_form_of_another_site_signs_nobody_in_or_out(console: ConsoleWorld) -> None:
    """Login CSRF: without the token of this browser's own visit nothing is tried."""
    browser = await person(console)
    await browser.send("/me", "/sign-out")
    form = {"name": "ana", "password": PASSWORD, "next": "/"}
    assert (await Browser(console).post("/sign-in", form)).status == 403
    other = await Browser(console).get("/sign-in")
    stolen = {**hidden(other.text, "/sign-in"), **form}
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        victim = Browser(console, headers=headers)
        if headers:
            shown = await victim.get("/sign-in")
            stolen = {**hidden(shown.text, "/sign-in"), **form}
        assert (await victim.post("/sign-in", stolen)).status == 403
        assert SESSION not in victim.cookies
    await browser.sign_in("ana")
    assert (await browser.post("/sign-out", {"csrf": "wrong"})).status == 403
    assert (await browser.get("/me")).status == 200


@pytest.mark.usefixtures("door")
async def test_with_a_password_alone_nothing_opens_but_the_own_account(
    console: ConsoleWorld,
) -> None:
    """Every route that takes more leads back to the set-up, for an administrator too."""
    browser = await person(console, "adam", "administrator")
    tried = 0
    for route in ROUTES:
        if route.right in (None, Right.SIGNED_IN) or route.method != "GET":
            continue
        path = re.sub(r"\{(?:[^{}]|\{[^{}]*\})+\}", "1", route.path)
        answer = await browser.get(path)
        if answer.status == 404:  # 1 is no such id, says the router
            continue
        assert (answer.status, answer.headers.get("Location")) == (303, "/me"), path
        tried += 1
    assert tried > 5


@pytest.mark.usefixtures("door")
async def test_a_disabled_person_is_out_with_the_next_page(console: ConsoleWorld) -> None:
    """And is told no more than anybody."""
    browser = await person(console)
    await person(console, "ben")
    with console.database.writing() as connection:
        persons.disable(connection, name="ana", at=now())
    assert (await browser.get("/me")).headers["Location"].startswith("/sign-in")
    answer = await Browser(console).sign_in("ana")
    assert "The name or the password is wrong, or you may not sign in." in answer.text


async def test_when_too_many_sign_in_the_rest_of_the_console_answers(
    console: ConsoleWorld, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 for the sign-in, with when to come back; other pages are as quick as ever."""
    browser = await person(console)

    async def full(*_: object) -> None:
        raise BusyError("full")

    with monkeypatch.context() as patched:
        patched.setattr(door, "run", full)
        answer = await Browser(console).sign_in("ana")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert (await console.get("/log", "viewer")).status < 500
    assert (await browser.get("/me")).status == 200


@pytest.mark.usefixtures("door")
async def test_a_link_of_an_invitation_that_counts_no_more_says_what_to_do(
    console: ConsoleWorld,
) -> None:
    """Used, replaced, or never made."""
    path = add(console, "ana")
    await Browser(console).accept(path)
    for link in (path, "/invitation/never-made"):
        answer = await Browser(console).get(link)
        assert answer.status == 403
        assert "This link counts no more." in answer.text


@pytest.mark.usefixtures("door")
async def test_a_first_password_is_typed_twice_and_kept_to_the_rules(
    console: ConsoleWorld,
) -> None:
    """Each refusal is a sentence, and the link counts on."""
    path, browser = add(console, "ana"), Browser(console)
    different = await browser.send(path, password=PASSWORD, again="x" + PASSWORD)
    assert (different.status, "two different passwords" in different.text) == (400, True)
    short = await browser.accept(path, "short")
    assert (short.status, "A password has 12 to 200 characters." in short.text) == (400, True)
    assert (await browser.accept(path)).status == 303


@pytest.mark.usefixtures("door")
async def test_sessions_are_listed_and_ended_from_the_account(console: ConsoleWorld) -> None:
    """One, or all others; nobody's but one's own."""
    ana = await person(console)
    others = [Browser(console) for _ in range(3)]
    for browser in others:
        browser.headers["User-Agent"] = "<b>another</b> browser"
        await browser.sign_in("ana")
    shown = await ana.get("/me")
    assert "&lt;b&gt;another&lt;/b&gt; browser" in shown.text
    assert shown.text.count('name="session"') == 3
    ben = await person(console, "ben")
    foreign = hidden(shown.text, "/me/sessions/end")["session"]
    csrf = hidden((await ben.get("/me")).text, "/sign-out")["csrf"]
    await ben.post("/me/sessions/end", {"csrf": csrf, "session": foreign})
    assert (await ana.get("/me")).text.count('name="session"') == 3
    await ana.send("/me", "/me/sessions/end")
    shown = await ana.get("/me")
    assert shown.text.count('name="session"') == 2
    await ana.send("/me", "/me/sessions/end-others")
    assert 'name="session"' not in (await ana.get("/me")).text
    for browser in others:
        assert (await browser.get("/me")).headers["Location"].startswith("/sign-in")


@pytest.mark.usefixtures("door")
async def test_scripts_are_answered_with_words_too(console: ConsoleWorld) -> None:
    """Passkey questions that are no JSON, of nobody, or of a number instead of a name."""
    browser = await person(console)
    csrf = hidden((await browser.get("/me")).text, "/sign-out")["csrf"]
    token = {"X-CSRF-Token": csrf}
    for body in ("", "[]", "{", '{"flow": 1}', '{"flow": "x"}', "[" * 50_000):
        headers = {**token, "Content-Type": "application/json"}
        answer = await browser.ask("POST", "/me/passkeys", data=body, headers=headers)
        assert answer.status == 400, (body[:20], answer.text)
    answer = await browser.ask("POST", "/me/passkeys/question", headers=token)
    assert answer.status == 409
    assert "reach the console by a name" in answer.text  # this one is reached as 127.0.0.1
    answer = await browser.ask("POST", "/me/passkeys/question")
    assert answer.status == 403
