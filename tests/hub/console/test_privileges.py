"""Every route in every role: who may come in, who may change something, and nobody else.

What is expected follows from the route's right alone. The routes that are open to everybody, and
the changes that a looking role may ask for, are listed here one by one: a new one is a decision.
"""

from typing import Final

import pytest

from hub.console.routes import ROUTES
from hub.console.routing import Route
from hub.services.administration.people import disable_person, set_role
from hub.services.people.roles import RIGHTS, Right, Role, may
from hub.services.people.sessions import PASSWORD
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.console.every_route import OWN_403, READING, address, contents, ids, status
from tests.hub.services.administration.hands import act_by
from tests.integration.peers import now

OPEN: Final = {
    "GET /sign-in",
    "POST /sign-in",
    "GET /sign-in/code",
    "POST /sign-in/code",
    "POST /sign-in/passkey",
    "POST /sign-in/passkey/question",
    "GET /sign-in/provider",
    "GET /sign-in/provider/back",
    "GET /invitation/{token}",
    "POST /invitation/{token}",
    "GET /invitation/{token}/provider",
    "POST /sign-out",
    "POST /preferences",
    "GET /health/live",
    "GET /health/ready",
}
"""What everybody may ask for, signed in or not."""
OPEN_BEGINNINGS: Final = ("GET /public",)
"""The page for everybody, and what belongs to it."""

ANY_ROLE_CHANGES: Final = ("POST /me", "POST /filters")
"""What is one's own: the account, and the searches one keeps."""
JUDGED_BY_KIND: Final = {
    "POST /acts",
    "POST /acts/prepare",
    "POST /approvals/{proposal_id}",
}
"""Whose right is that of the kind of act, asked when it is known (``test_acts``)."""
READS_BY_POST: Final = {"POST /transfers/{transfer_id}/verify"}
"""What is asked by a form because it takes a while, and changes nothing."""
CHANGING_RIGHTS: Final = frozenset({Right.WORK_CASES, Right.OPERATE, Right.ADMINISTER})


def test_every_route_is_there_once_and_has_an_address() -> None:
    """Two rows for one address would be two decisions."""
    names = [ids(route) for route in ROUTES]
    assert sorted(names) == sorted(set(names))
    assert all(address(route).startswith("/") for route in ROUTES)
    assert {route.method for route in ROUTES} == {"GET", "POST"}


@pytest.mark.parametrize("route", ROUTES, ids=ids)
def test_every_route_has_a_decision(route: Route) -> None:
    """Open ones are listed; whoever changes something has a right to change."""
    name = ids(route)
    is_open = name in OPEN or name.startswith(OPEN_BEGINNINGS)
    assert (route.right is None) is is_open
    if route.method == "POST" and not is_open:
        if name in JUDGED_BY_KIND:
            assert route.right is Right.READ_ACTS
        elif name in READS_BY_POST:
            assert route.right is Right.READ_MESSAGES
        elif name.startswith(ANY_ROLE_CHANGES):
            assert route.right in (Right.SIGNED_IN, Right.LOOK)
        else:
            assert route.right in CHANGING_RIGHTS


def test_the_lists_of_decisions_have_no_route_that_is_gone() -> None:
    """So they stay what they are: a list of all exceptions."""
    names = {ids(route) for route in ROUTES}
    assert names >= OPEN | JUDGED_BY_KIND | READS_BY_POST


def test_no_looking_role_has_a_right_to_change() -> None:
    """Viewers and auditors look."""
    for role in (Role.VIEWER, Role.AUDITOR):
        assert not RIGHTS[role] & CHANGING_RIGHTS


@pytest.mark.parametrize("route", ROUTES, ids=ids)
async def test_who_may_come_in_follows_from_the_right(console: ConsoleWorld, route: Route) -> None:
    """Each role and nobody: let in, told that the right is missing, or led to sign in."""
    code, to = await status(console, route, None)
    if route.right is None:
        # Nobody has no token for forms yet either.
        assert code < 500
        assert code == 403 or route.method == "GET"
    elif route.method == "GET":
        assert code == 303
        assert to.startswith("/sign-in")
    else:
        assert code == 401
    for role in Role:
        console._tokens.pop(role.value, None)
        console.token(role.value)
        is_allowed = route.right is None or may(role, route.right)
        before = {} if is_allowed else contents(console.database)
        code, _ = await status(console, route, role.value)
        if is_allowed:
            assert code != 401, role
            assert code != 403 or ids(route) in OWN_403, role
            assert code < 500, role
        else:
            assert code == 403, role
            assert contents(console.database) == before, role


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if one.right not in (None, Right.SIGNED_IN)], ids=ids
)
async def test_a_session_without_its_second_factor_reaches_nothing_but_its_own_account(
    console: ConsoleWorld, route: Route
) -> None:
    """A password alone, even an administrator's, leads to the set-up of a second factor."""
    console._tokens["administrator"] = console.console.sessions.begin(
        console.person("administrator"), PASSWORD, "127.0.0.1", "a test", now()
    )
    code, to = await status(console, route, "administrator")
    assert (code, to) == (303, "/me")


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if one in READING or ids(one) in READS_BY_POST], ids=ids
)
async def test_looking_changes_nothing(console: ConsoleWorld, route: Route) -> None:
    """However often a page is asked for, by whomever: no table is another afterwards."""
    for role in (None, "viewer", "administrator"):
        if role is not None:
            console.token(role)
        before = contents(console.database)
        for _ in range(2):
            await status(console, route, role)
        assert contents(console.database) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_do_nothing(console: ConsoleWorld, method: str) -> None:
    """No route is reached by another method than its own."""
    console.token("administrator")
    before = contents(console.database)
    for route in ROUTES:
        page = await console.ask(method, address(route), "administrator")
        assert page.status in (404, 405), address(route)
    assert contents(console.database) == before


async def test_who_is_disabled_or_given_another_role_is_out_at_once(console: ConsoleWorld) -> None:
    """Their open session ends with the act."""
    for name, deed in (
        ("anna", set_role("anna", "viewer")),
        ("ben", disable_person("ben")),
    ):
        console.person("operator", name)
        assert (await console.get("/suspensions/place", name)).status == 200
        console.world.administration.do(deed, act_by("root"))
        assert (await console.get("/suspensions/place", name)).status == 303
