"""Signing in with an OpenID provider: a real one, and every lie that would let a stranger in."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hub.protocol.console_policy import ConsolePolicy, OidcPolicy
from hub.services.people import persons
from hub.services.people.provider import ANSWER_BYTES_MAX
from hub.store.database import Database
from hub.store.people import sign_ins
from tests.hub.console.console_world import ConsoleWorld, serve_console
from tests.hub.console.door_world import Browser, add, open_door
from tests.hub.console.oidc_world import CLIENT, OTHER_KEY, Liar, allow, liar, provider_process
from tests.integration.peers import now

SESSION = "itmo-session"
REFUSED = "failed, or you are not known here"


@asynccontextmanager
async def console_of(
    database: Database, issuer: str, secret: Path | None = None
) -> AsyncIterator[ConsoleWorld]:
    """Serve a console whose people may sign in with a provider."""
    policy = ConsolePolicy(
        oidc=OidcPolicy(
            issuer, CLIENT, None if secret is None else str(secret), name="the Ministry"
        )
    )
    async with serve_console(database, policy) as served:
        open_door(served)
        yield served


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return the file of the client's secret."""
    path = tmp_path / "client-secret"
    path.write_text("the client's secret\n")
    path.chmod(0o600)
    return path


@pytest.fixture
async def provider() -> AsyncIterator[Liar]:
    """Serve a provider that lies as it is told."""
    async with liar() as served:
        yield served


@pytest.fixture
async def console(seeded: Database, provider: Liar) -> AsyncIterator[ConsoleWorld]:
    """Serve a console of that provider, with ana linked to her subject there."""
    async with console_of(seeded, provider.issuer) as served:
        browser = Browser(served)
        await browser.get(add(served, "ana") + "/provider")
        assert (await back(browser, provider)).headers["Location"] == "/me"
        await browser.send("/me", "/sign-out")
        yield served


async def back(browser: Browser, provider: Liar, **changes: str) -> Any:
    """Say yes at the provider, and come back with what it sends."""
    assert browser.page is not None
    assert browser.page.status == 303, browser.page.text
    return_ = urlsplit(provider.allow(browser.page.headers["Location"], **changes))
    return await browser.get(f"{return_.path}?{return_.query}")


async def refused(console: ConsoleWorld, provider: Liar, **changes: str) -> str:
    """Try to sign in, and be refused without a session; return what the log says of it."""
    browser = Browser(console)
    await browser.get("/sign-in/provider?next=/log")
    answer = await back(browser, provider, **changes)
    assert (answer.status, REFUSED in answer.text) == (403, True), answer.text
    assert SESSION not in browser.cookies
    return last_detail(console)


def last_detail(console: ConsoleWorld) -> str:
    """Return why the last sign-in was refused."""
    with console.database.reading() as connection:
        (event,) = sign_ins.page(connection, 1)
    assert event.outcome == "refused"
    return str(event.detail)


# --- a real provider -----------------------------------------------------------------------------


async def test_with_a_real_provider_somebody_is_linked_once_and_then_signs_in(
    seeded: Database, secret: Path
) -> None:
    """Invitation, link, sign out, in again; a stranger of the same provider stays outside."""
    async with provider_process() as issuer, console_of(seeded, issuer, secret) as console:
        browser, path = Browser(console), add(console, "ana")
        shown = await browser.get(path)
        assert "Use the Ministry instead" in shown.text
        left = await browser.get(f"{path}/provider")
        asked = parse_qs(urlsplit(left.headers["Location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["scope"] == ["openid"]
        came = urlsplit(await allow(left.headers["Location"], "subject-7"))
        answer = await browser.get(f"{came.path}?{came.query}")
        assert (answer.status, answer.headers["Location"]) == (303, "/me"), answer.text
        shown = await browser.follow()
        assert issuer in shown.text
        assert "One step is left" not in shown.text
        assert (await browser.get("/me/codes")).status == 409  # the provider looks after factors
        replayed = await browser.get(f"{came.path}?{came.query}")
        assert replayed.status == 403
        await browser.send("/me", "/sign-out")

        left = await browser.get("/sign-in/provider?next=/log")
        came = urlsplit(await allow(left.headers["Location"], "subject-7"))
        answer = await browser.get(f"{came.path}?{came.query}")
        assert (answer.status, answer.headers["Location"]) == (303, "/log"), answer.text

        stranger = Browser(console)
        left = await stranger.get("/sign-in/provider")
        came = urlsplit(await allow(left.headers["Location"], "subject-8"))
        answer = await stranger.get(f"{came.path}?{came.query}")
        assert (answer.status, REFUSED in answer.text) == (403, True)
        assert last_detail(console) == "nobody is linked to this subject"

        denied = Browser(console)
        left = await denied.get("/sign-in/provider")
        came = urlsplit(await allow(left.headers["Location"], "subject-7", action="deny"))
        answer = await denied.get(f"{came.path}?{came.query}")
        assert (answer.status, REFUSED in answer.text) == (403, True)


async def test_a_token_of_a_real_provider_that_is_over_does_not_count(
    seeded: Database, secret: Path
) -> None:
    """Signed by the right key, and too old."""
    async with (
        provider_process("--token-max-age", "-3600") as issuer,
        console_of(seeded, issuer, secret) as console,
    ):
        browser = Browser(console)
        left = await browser.get("/sign-in/provider")
        came = urlsplit(await allow(left.headers["Location"], "subject-7"))
        answer = await browser.get(f"{came.path}?{came.query}")
        assert (answer.status, REFUSED in answer.text) == (403, True)
        assert "the ID token does not count" in last_detail(console)


async def test_a_real_provider_takes_no_code_of_another_browser(seeded: Database) -> None:
    """A code that was stolen does not fit the thief's step."""
    async with provider_process() as issuer, console_of(seeded, issuer) as console:
        victim, thief = Browser(console), Browser(console)
        left = await victim.get("/sign-in/provider")
        stolen = urlsplit(await allow(left.headers["Location"], "subject-7"))
        await thief.get("/sign-in/provider")
        answer = await thief.get(f"{stolen.path}?{stolen.query}")
        assert answer.status == 403
        assert "the state is not the one" in last_detail(console)


# --- one that lies -------------------------------------------------------------------------------


async def test_an_honest_answer_of_the_other_provider_is_taken(
    console: ConsoleWorld, provider: Liar
) -> None:
    """So that the refusals below are of what each test changes; with PKCE's proof in the form."""
    browser = Browser(console)
    await browser.get("/sign-in/provider?next=/log")
    answer = await back(browser, provider)
    assert (answer.status, answer.headers["Location"]) == (303, "/log"), answer.text
    assert len(provider.forms[-1]["code_verifier"]) == 64
    assert provider.forms[-1]["client_id"] == CLIENT  # a public client says who it is


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"aud": []},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": float("nan")},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"sub": ""},
        {"sub": ["ana-at-the-provider"]},
        {"sub": "x" * 256},
        {"sub": "ana-at-the-provider\x00"},
        {"sub": "ana-at-the-provider "},
        {"sub": "ANA-AT-THE-PROVIDER"},
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_a_token_with_a_wrong_claim_lets_nobody_in(
    console: ConsoleWorld, provider: Liar, claims: dict[str, Any]
) -> None:
    """Signed by the right key, and yet."""
    provider.claims = claims
    assert await refused(console, provider)


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp", "iat", "nonce"])
async def test_a_token_without_a_claim_lets_nobody_in(
    console: ConsoleWorld, provider: Liar, claim: str
) -> None:
    """Each of them is needed."""
    provider.without = (claim,)
    assert claim in await refused(console, provider)


async def test_a_token_that_another_key_signed_lets_nobody_in(
    console: ConsoleWorld, provider: Liar
) -> None:
    """Not with a foreign key, not unsigned, not with the public key as a shared secret."""
    provider.sign_with = OTHER_KEY
    assert "the ID token does not count" in await refused(console, provider)
    provider.sign_with, provider.unsigned = None, True
    assert "the ID token does not count" in await refused(console, provider)
    provider.unsigned, provider.by_public_key = False, True
    assert "the ID token does not count" in await refused(console, provider)


async def test_new_keys_of_a_provider_are_found_and_not_asked_for_without_end(
    console: ConsoleWorld, provider: Liar
) -> None:
    """A key that is not known yet is asked for; bad tokens do not make us hammer the provider."""
    provider.asked.clear()
    for _ in range(3):
        provider.header = {"kid": "unknown"}
        provider.sign_with = OTHER_KEY
        await refused(console, provider)
    assert provider.asked.count("keys") <= 1


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 200),
        ("[]", 200),
        ("[" * 100_000, 200),
        ('{"id_token": 7}', 200),
        ('{"id_token": "a.b.c"}', 200),
        ('{"id_token": "' + "x" * 100_000 + '"}', 200),
        ('{"access_token": "x"}', 200),
        ("x" * (ANSWER_BYTES_MAX + 1), 200),
        ('{"error": "invalid_grant"}', 400),
        ("down", 503),
    ],
    ids=lambda value: str(value)[:24] or "empty",
)
async def test_an_answer_that_is_none_lets_nobody_in(
    console: ConsoleWorld, provider: Liar, text: str, status: int
) -> None:
    """Empty, endless, deep, of another shape, an error."""
    provider.token_text, provider.token_status = text, status
    assert await refused(console, provider)


async def test_a_browser_that_was_not_sent_comes_back_in_vain(
    console: ConsoleWorld, provider: Liar
) -> None:
    """Another state, none, another issuer, no code, no step: login CSRF."""
    assert "state" in await refused(console, provider, state="another")
    assert "state" in await refused(console, provider, state="ü\x00")
    assert "evil" in await refused(console, provider, iss="https://evil.example")
    assert "no code" in await refused(console, provider, code="")
    assert "access_denied" in await refused(console, provider, error="access_denied")
    stranger = Browser(console)
    answer = await stranger.get("/sign-in/provider/back?code=code-0&state=x")
    assert answer.status == 403
    assert SESSION not in stranger.cookies


async def test_a_step_to_the_provider_counts_once_and_ends_the_session_before(
    console: ConsoleWorld, provider: Liar
) -> None:
    """Replayed, the same answer is worth nothing; a planted session is replaced."""
    browser = Browser(console)
    await browser.get("/sign-in/provider")
    step = dict(browser.cookies)
    assert browser.page is not None
    came = urlsplit(provider.allow(browser.page.headers["Location"]))
    assert (await browser.get(f"{came.path}?{came.query}")).status == 303
    again = Browser(console, cookies=step)
    assert (await again.get(f"{came.path}?{came.query}")).status == 403
    first = browser.cookies[SESSION]
    await browser.get("/sign-in/provider")
    await back(browser, provider)
    assert browser.cookies[SESSION] != first
    assert console.console.sessions.find(first, now()) is None


async def test_a_subject_is_linked_to_one_person(console: ConsoleWorld, provider: Liar) -> None:
    """A second invitation with the same subject is refused, and stays open for the right one."""
    path, browser = add(console, "ben"), Browser(console)
    await browser.get(f"{path}/provider")
    answer = await back(browser, provider)
    assert (answer.status, SESSION in browser.cookies) == (403, False)
    provider.subject = "ben-at-the-provider"
    await browser.get(f"{path}/provider")
    assert (await back(browser, provider)).status == 303


async def test_a_disabled_person_does_not_come_in_by_the_provider(
    console: ConsoleWorld, provider: Liar
) -> None:
    """However right the token is."""
    with console.database.writing() as connection:
        persons.disable(connection, name="ana", at=now())
    assert await refused(console, provider) == "they are disabled"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 7},
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_a_provider_of_wrong_metadata_is_not_gone_to(
    seeded: Database, provider: Liar, document: dict[str, Any]
) -> None:
    """Another issuer, unprotected or missing addresses."""
    provider.document = document
    async with console_of(seeded, provider.issuer) as console:
        answer = await Browser(console).get("/sign-in/provider")
        assert (answer.status, REFUSED in answer.text) == (403, True)
        assert last_detail(console)


async def test_a_provider_that_is_away_makes_the_sign_in_fail_soon(seeded: Database) -> None:
    """The page says so; the password still works."""
    async with console_of(seeded, "http://127.0.0.1:9") as console:
        began = time.monotonic()
        answer = await Browser(console).get("/sign-in/provider")
        assert (answer.status, REFUSED in answer.text) == (403, True)
        assert time.monotonic() - began < 10
        browser = Browser(console)
        assert (await browser.accept(add(console, "ben"))).status == 303


async def test_nobody_makes_the_console_ask_a_provider_without_end(seeded: Database) -> None:
    """After a hundred starts from one address the provider is not asked any more."""
    async with liar() as provider, console_of(seeded, provider.issuer) as console:
        provider.document = {"issuer": "https://evil.example"}  # so that nothing is kept
        statuses = [(await Browser(console).get("/sign-in/provider")).status for _ in range(103)]
        assert statuses == [403] * 100 + [429] * 3
        assert provider.asked == ["metadata"] * 100


async def test_without_a_provider_there_is_no_way_to_one(seeded: Database) -> None:
    """The addresses are not found, and no page leads there."""
    async with serve_console(seeded) as console:
        open_door(console)
        for path in ("/sign-in/provider", "/sign-in/provider/back", "/invitation/x/provider"):
            assert (await console.get(path, None)).status == 404
        assert "/sign-in/provider" not in (await console.get("/sign-in", None)).text
