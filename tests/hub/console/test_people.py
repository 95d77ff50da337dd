"""The people's pages: who is there, what an administrator changes, keys that are offered."""

import html
import re
from datetime import timedelta

import pytest

from hub.services.people.sessions import digest_of
from hub.store.people import persons
from hub.store.people.persons import PersonRow
from keys.local_signer import LocalSigner
from keys.possession import sign_possession
from tests.hub.console.console_world import ConsoleWorld, Page, add_person
from tests.hub.console.test_acts import head, hidden, link, send
from tests.hub.services.administration.hands import appoint, signer_of
from tests.hub.world import HUB
from tests.integration.peers import now, seeded_signer


def row(console: ConsoleWorld, name: str) -> PersonRow:
    """Return a person."""
    with console.database.reading() as connection:
        found = persons.by_name(connection, name)
    assert found is not None
    return found


async def done(console: ConsoleWorld, path: str, form: dict[str, str], as_: str) -> Page:
    """Fill a form in and confirm it, where nobody signs."""
    page = await console.post(path, {"reason": "a test", **form}, as_=as_)
    assert page.status == 200, page.text
    return await console.post("/acts", hidden(page), as_=as_)


async def test_a_person_is_added_and_invited_by_a_link_that_is_shown_once(
    console: ConsoleWorld,
) -> None:
    """The act first; the link afterwards, on the page that made it and nowhere else."""
    form = {"name": "olga", "display_name": "Olga <i>O</i>", "role": "officer"}
    page = await console.post("/people", {**form, "reason": "joins"}, as_="administrator")
    assert "Add a person" in page.text
    assert "The person is invited" in page.text
    answer = await console.post("/acts", hidden(page), as_="administrator")
    assert answer.headers["Location"] == "/people/olga"
    shown = await console.get("/people/olga", "administrator")
    assert "Olga &lt;i&gt;O&lt;/i&gt;" in shown.text
    assert "invited" in shown.text
    made = await console.post("/people/olga/invite", as_="administrator")
    found = re.search(r'value="(http://[^"]+/invitation/([A-Za-z0-9_-]{40,}))"', made.text)
    assert found is not None
    assert found[1].startswith(console.console.address)
    assert row(console, "olga").invitation_sha256 == digest_of(found[2])
    assert found[2] not in (await console.get("/people/olga", "administrator")).text
    assert found[2] not in (await console.get("/sign-ins?name=olga", "auditor")).text
    assert "by administrator" in (await console.get("/sign-ins?name=olga", "auditor")).text
    assert "Olga" in (await console.get("/people", "auditor")).text
    opened = await console.get(f"/invitation/{found[2]}", None)
    assert opened.status == 200


async def test_role_disable_enable_and_reset_are_acts_of_their_own(console: ConsoleWorld) -> None:
    """Each confirmed, with what follows said before; each in the log."""
    console.person("viewer", "ben")
    for path, form, role, state, follows in (
        ("role", {"role": "operator"}, "operator", "active", "All sessions of this person end"),
        ("disable", {}, "operator", "disabled", "cannot sign in any more"),
        ("enable", {}, "operator", "invited", "can sign in again"),
        ("reset", {}, "operator", "invited", "passkeys"),
    ):
        before = head(console)
        page = await console.post(
            f"/people/ben/{path}", {**form, "reason": "a test"}, as_="administrator"
        )
        assert follows in page.text, path
        assert head(console) == before
        await console.post("/acts", hidden(page), as_="administrator")
        assert (row(console, "ben").role, row(console, "ben").state) == (role, state)
        assert head(console) == before + 1
    shown = await console.get("/acts?subject=ben", "auditor")
    assert len(re.findall(r'<td class="number">', shown.text)) == 4


async def test_an_auditor_reads_and_is_offered_nothing_to_change(console: ConsoleWorld) -> None:
    """Nor is anybody else who may not administer."""
    console.person("viewer", "ben")
    for role in ("auditor", "officer", "operator"):
        for path in ("/people", "/people/ben"):
            page = await console.get(path, role)
            assert page.status == 200
            posts = set(re.findall(r'method="post" action="([^"]+)"', page.text))
            assert posts <= {"/sign-out", "/preferences"}, role
    assert (await console.get("/people", "viewer")).status == 403


async def test_sessions_are_ended_and_it_is_noted_by_whom(console: ConsoleWorld) -> None:
    """The person has to sign in again."""
    console.person("viewer", "ben")
    assert (await console.get("/me", "ben")).status == 200
    assert "Open sessions" in (await console.get("/people/ben", "administrator")).text
    ended = await console.post("/people/ben/end-sessions", as_="administrator")
    assert ended.status == 303
    assert (await console.get("/me", "ben")).status == 303
    assert "sessions ended" in (await console.get("/sign-ins", "auditor")).text


@pytest.mark.parametrize(
    "path",
    ["/people/nobody", "/people/%00", "/people/../acts", "/people/a%2Fb", "/people/" + "x" * 300],
)
async def test_who_is_nobody_has_no_page(console: ConsoleWorld, path: str) -> None:
    """Whatever stands in the address."""
    page = await console.get(path, "administrator")
    assert page.status in (200, 404)
    assert page.status == 404 or "Acts" in page.text


async def test_a_form_with_nonsense_is_refused_with_the_rule(console: ConsoleWorld) -> None:
    """Name, role and reason; nothing is done."""
    before = head(console)
    good = {"name": "olga", "display_name": "Olga", "role": "viewer", "reason": "x"}
    for changes, code, match in (
        ({"name": "O LGA"}, 409, "no name to sign in with"),
        ({"role": "root"}, 400, "Choose one of"),
        ({"reason": ""}, 400, "reason"),
        ({"reason": "x" * 1001}, 400, "At most 1000"),
        ({"display_name": ""}, 400, "display_name"),
    ):
        page = await console.post("/people", {**good, **changes}, as_="administrator")
        assert page.status == code, changes
        assert match in page.text, changes
    assert head(console) == before


def proof(signer: LocalSigner, participant: str = HUB) -> str:
    """Return a key's description, signed by itself, as a browser sends it."""
    return sign_possession(signer, participant, valid_from=now()).decode()


async def test_a_key_is_offered_compared_registered_and_signs_from_then_on(
    console: ConsoleWorld,
) -> None:
    """From the first key of all: its person registers it, and the next act is signed with it."""
    console.person("administrator", "ada")
    key_id = signer_of("ada").key_id
    offered = await console.post("/me/key", {"proof": proof(signer_of("ada"))}, as_="ada")
    assert (offered.status, offered.headers["Location"]) == (303, "/me/key")
    assert key_id in (await console.get("/me/key", "ada")).text
    assert "key waits" in (await console.get("/people", "auditor")).text
    shown = await console.get("/people/ada", "ada")
    form = hidden(shown, 'action="/people/ada/register-key"')
    assert form["key"] == key_id
    await done(
        console,
        "/people/ada/register-key",
        {**form, "administrator": "ada", "role": "administrator"},
        "ada",
    )
    assert row(console, "ada").administrator == "ada"
    assert "Signs as" in (await console.get("/people/ada", "auditor")).text
    console.person("viewer", "ben")
    page = await console.post("/people/ben/disable", {"reason": "left"}, as_="ada")
    assert "Sign and do it" in page.text
    assert (await send(console, page, "ada")).status == 303
    assert row(console, "ben").state == "disabled"


async def test_a_second_administrators_key_takes_two(console: ConsoleWorld) -> None:
    """Where two can approve, a third key is proposed and linked when it is approved."""
    appoint(console.world, "alice", "bob")
    for name in ("alice", "bob"):
        link(console, name)
    console.person("officer", "olga")
    await console.post("/me/key", {"proof": proof(signer_of("olga"))}, as_="olga")
    key = {"key": signer_of("olga").key_id, "administrator": "olga", "role": "officer"}
    page = await console.post(
        "/people/olga/register-key", {**key, "reason": "works cases"}, as_="alice"
    )
    assert "Two people: you propose it" in page.text
    where = (await send(console, page, "alice")).headers["Location"]
    page = await console.post(where, {"says": "approve", "reason": "compared"}, as_="bob")
    assert "olga" in page.text
    assert (await send(console, page, "bob")).status == 303
    assert row(console, "olga").administrator == "olga"
    listed = await console.get("/people/olga", "auditor")
    assert "officer" in listed.text
    assert "does not hold" not in (await console.get(f"/acts/{head(console)}", "auditor")).text


async def test_what_does_not_prove_a_key_offers_none(console: ConsoleWorld) -> None:
    """Another hub's, another's, changed, nonsense, or somebody's already."""
    appoint(console.world, "alice")
    console.person("viewer", "ben")
    good = proof(signer_of("ben"))
    for text, match in (
        (proof(seeded_signer("CHE01"), "CHE01"), "made for CHE01"),
        (good[:-9] + "AAAAA" + good[-4:], "not proved"),
        (good.replace("payload", "Payload"), "not proved"),
        ("{}", "not proved"),
        ("[" * 9_999, "not proved"),
        (proof(signer_of("alice")), "is or was the key of alice"),
    ):
        page = await console.post("/me/key", {"proof": text}, as_="ben")
        assert page.status == 409, text[:40]
        assert match in html.unescape(page.text), text[:40]
    assert row(console, "ben").offered_key is None
    assert (await console.post("/me/key", {"proof": "x" * 20_000}, as_="ben")).status == 400


async def test_a_session_that_is_not_fresh_offers_no_key(console: ConsoleWorld) -> None:
    """Who found an open browser proves first that it is theirs."""
    person_id = console.person("viewer", "ben")
    console._tokens["ben"] = console.console.sessions.begin(
        person_id, "passkey", "127.0.0.1", "a test", now() - timedelta(minutes=20)
    )
    page = await console.post("/me/key", {"proof": proof(signer_of("ben"))}, as_="ben")
    assert page.status == 303
    assert page.headers["Location"].startswith("/me/confirm")
    assert row(console, "ben").offered_key is None


async def test_a_key_that_was_offered_meanwhile_is_not_registered_for_the_one_compared(
    console: ConsoleWorld,
) -> None:
    """The form says which key the administrator looked at."""
    console.person("officer", "olga")
    await console.post("/me/key", {"proof": proof(signer_of("olga"))}, as_="olga")
    form = {"key": signer_of("olga").key_id, "administrator": "olga", "role": "administrator"}
    await console.post("/me/key", {"proof": proof(signer_of("mallory"))}, as_="olga")
    page = await console.post(
        "/people/olga/register-key", {**form, "reason": "x"}, as_="administrator"
    )
    assert page.status == 400
    assert "Another key is offered by now" in page.text


async def test_many_people_and_sign_ins_are_paged(console: ConsoleWorld) -> None:
    """All are met once, in order."""
    for number in range(130):
        add_person(console.database, f"p{number:03}", "viewer")
    seen: list[str] = []
    path = "/people"
    while path:
        page = await console.get(path, "auditor")
        seen += re.findall(r'<td><a href="/people/(p\d+)">', page.text)
        older = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = html.unescape(older[1]) if older else ""
    assert seen == [f"p{number:03}" for number in range(130)]
    for _ in range(60):
        await console.post("/people/p001/end-sessions", as_="administrator")
    count = 0
    path = "/sign-ins?name=p001"
    while path:
        page = await console.get(path, "auditor")
        count += page.text.count("by administrator")
        older = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = html.unescape(older[1]) if older else ""
    assert count == 60
