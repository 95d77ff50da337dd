"""What changes something comes from a page of ours, in this session, and from nowhere else."""

import pytest

from hub.console.routing import Route
from hub.console.security import csrf_of, visit_cookie
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.console.every_route import CHANGING, OWN_403, contents, ids, status

FOREIGN = {
    "another site": {"Origin": "https://evil.example"},
    "no origin at all": {"Origin": "null"},
    "our name by another scheme": {"Origin": "https://127.0.0.1"},
    "our name on another port": {"Origin": "http://127.0.0.1:1"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"},
    "typed": {"Sec-Fetch-Site": "none"},
}


@pytest.mark.parametrize("route", CHANGING, ids=ids)
async def test_a_form_from_elsewhere_changes_nothing(console: ConsoleWorld, route: Route) -> None:
    """No token, a wrong one, another session's, an empty one, or a page of another origin."""
    who = "administrator"
    stranger = csrf_of(console.token("officer"))
    own = csrf_of(console.token(who))
    before = contents(console.database)
    for token in ("", "x", own[:-1], own + "A", own.swapcase(), stranger, "é", "\u0000"):
        assert (await status(console, route, who, csrf=token))[0] == 403, token
    for what, headers in FOREIGN.items():
        assert (await status(console, route, who, csrf=own, headers=headers))[0] == 403, what
    assert contents(console.database) == before


@pytest.mark.parametrize("route", [one for one in CHANGING if one.right is None], ids=ids)
async def test_a_form_of_a_visitor_needs_the_visits_own_token(
    console: ConsoleWorld, route: Route
) -> None:
    """Who is not signed in has a token too, of their own visit: nobody signs them in elsewhere."""
    page = await console.get("/sign-in", None)
    visit = page.cookies[visit_cookie(console.console)]
    cookie = {"Cookie": f"{visit_cookie(console.console)}={visit}"}
    other = {"Cookie": f"{visit_cookie(console.console)}={visit[:-2]}xx"}
    before = contents(console.database)
    assert (await status(console, route, None, csrf="", headers=cookie))[0] == 403
    assert (await status(console, route, None, csrf=csrf_of(visit), headers={}))[0] == 403
    assert (await status(console, route, None, csrf=csrf_of(visit), headers=other))[0] == 403
    foreign = {**cookie, "Origin": "https://evil.example"}
    assert (await status(console, route, None, csrf=csrf_of(visit), headers=foreign))[0] == 403
    assert contents(console.database) == before
    taken, _ = await status(console, route, None, csrf=csrf_of(visit), headers=cookie)
    assert taken != 403 or ids(route) in OWN_403


async def test_a_token_ends_with_its_session(console: ConsoleWorld) -> None:
    """Signed out, its forms are worth nothing; the next session has another token."""
    token = csrf_of(console.token("viewer"))
    form = {"language": "fr", "back": "/"}
    assert (await console.post("/preferences", form, as_="viewer", csrf=token)).status == 303
    console.console.sessions.end(console.token("viewer"))
    assert (await console.post("/preferences", form, as_="viewer", csrf=token)).status == 403
    console._tokens.clear()
    assert (await console.post("/preferences", form, as_="viewer", csrf=token)).status == 403
    assert (await console.post("/preferences", form, as_="viewer")).status == 303


async def test_the_token_is_not_the_sessions_and_stands_in_no_address(
    console: ConsoleWorld,
) -> None:
    """A page shows what is made of the session's token, never the token itself."""
    page = await console.get("/people", "administrator")
    assert console.token("administrator") not in page.text
    assert csrf_of(console.token("administrator")) in page.text
    answer = await console.post("/preferences", {"language": "fr", "back": "/"}, as_="viewer")
    assert "csrf" not in answer.headers["Location"]
