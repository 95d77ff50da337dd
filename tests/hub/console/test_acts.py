"""Acts from the pages: looked at first, signed with a person's own key, done once, read back."""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from hub.console.parts.act_words import KINDS as WORDS
from hub.console.parts.act_words import PARTS
from hub.services.administration import kinds
from hub.services.administration.deeds import Deed
from hub.services.administration.participants import change_state
from hub.services.administration.statements import TYP, Says, Statement, sign_statement
from hub.services.administration.suspensions import lift_suspension, place_suspension
from hub.store import administrators
from hub.store import head as heads
from hub.store.people import persons
from keys import base64url
from keys.jws import sign
from message_schemas import timestamps
from tests.hub.console.console_world import ConsoleWorld, Page
from tests.hub.services.administration.hands import (
    act_by,
    appoint,
    appoint_as,
    propose,
    said,
    signer_of,
)
from tests.integration.peers import now

STOP = place_suspension("participant", "CHE01")
CLOSE = change_state("CHE01", "close")


def link(console: ConsoleWorld, name: str, role: str = "administrator") -> str:
    """Enter a person of a role who acts as the administrator of the same name."""
    person_id = console.person(role, name)
    with console.database.writing() as connection:
        persons.set_administrator(connection, person_id, name, now())
    return name


def head(console: ConsoleWorld) -> int:
    """Return the index of the newest entry."""
    with console.database.reading() as connection:
        return heads.read(connection).log_index


def hidden(page: Page, form: str = 'action="/acts"') -> dict[str, str]:
    """Return the hidden fields of a page's form."""
    start = page.text.index(form)
    part = page.text[start : page.text.index("</form>", start)]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', part)
    return {name: html.unescape(value) for name, value in found if name != "csrf"}


def data_of(page: Page, name: str) -> Any:
    """Return what a page has for a script."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page.text)
    assert found is not None, page.text
    return json.loads(found[1])


async def prepared(
    console: ConsoleWorld, deed: Deed, as_: str, reason: str = "a test", back: str = "/approvals"
) -> Page:
    """Ask for the page of an act, as every form does in the end."""
    form = {"deed": deed.canonical().decode(), "reason": reason, "back": back}
    return await console.post("/acts/prepare", form, as_=as_)


def signature(page: Page, name: str) -> str:
    """Sign what a page gives to be signed, with an administrator's key, as the script does."""
    to_sign = data_of(page, "signing-data")
    assert to_sign["keyId"] == signer_of(name).key_id
    payload = base64url.decode(to_sign["payload"])
    return sign(payload, to_sign["typ"], [signer_of(name)]).decode()


async def send(console: ConsoleWorld, page: Page, name: str, as_: str | None = None) -> Page:
    """Sign what a page shows and send it."""
    return await console.post(
        "/acts", {**hidden(page), "statement": signature(page, name)}, as_=as_ or name
    )


@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
def test_every_kind_and_every_part_of_a_deed_has_words(kind: str) -> None:
    """So that who signs reads what it is."""
    assert kind in WORDS
    shape = kinds.KINDS[kind].shape
    assert set(shape.__annotations__) <= set(PARTS)


async def test_without_administrators_an_act_is_done_in_the_persons_name_and_works_without_script(
    console: ConsoleWorld,
) -> None:
    """First the page, nothing done; then one form."""
    before = head(console)
    page = await prepared(console, STOP, "operator", "a <b>stolen</b> key")
    assert page.status == 200
    assert "It is done at once" in page.text
    assert "a &lt;b&gt;stolen&lt;/b&gt; key" in page.text
    assert head(console) == before
    form = hidden(page)
    done = await console.post("/acts", form, as_="operator")
    assert (done.status, done.headers["Location"]) == (303, "/approvals")
    assert head(console) == before + 1
    shown = await console.get(f"/acts/{before + 1}", "auditor")
    assert "suspension.place" in shown.text
    assert "participant:CHE01" in shown.text
    assert "operator" in shown.text


async def test_a_form_that_is_sent_twice_is_done_once(console: ConsoleWorld) -> None:
    """A person who clicks twice, or goes back and sends again, hears what was done."""
    form = hidden(await prepared(console, STOP, "operator"))
    first = await console.post("/acts", form, as_="operator")
    index = head(console)
    await console.post(
        "/acts",
        hidden(await prepared(console, lift_suspension("participant", "CHE01"), "operator")),
        as_="operator",
    )
    again = await console.post("/acts", form, as_="operator")
    assert (first.status, again.status) == (303, 303)
    assert head(console) == index + 1
    assert bytes.fromhex(again.cookies["itmo-flash"]).decode().startswith('["info", "This was sent')
    # The same form with another deed in it is another form's, and refused.
    other = {**form, "deed": place_suspension("participant", "GHA01").canonical().decode()}
    refused = await console.post("/acts", other, as_="operator")
    assert (refused.status, head(console)) == (409, index + 1)
    assert "none counts twice" in refused.text
    for once in ("", "no-uuid", str(uuid4()).upper()):
        refused = await console.post("/acts", {**form, "once": once}, as_="operator")
        assert (refused.status, head(console)) in ((400, index + 1), (409, index + 1))


async def test_what_cannot_be_done_is_said_before_anybody_signs(console: ConsoleWorld) -> None:
    """Tried and taken back: the page has the refusal and no form that does it."""
    before = head(console)
    page = await prepared(console, lift_suspension("participant", "CHE01"), "operator")
    assert "not suspended" in page.text
    assert 'action="/acts"' not in page.text
    assert head(console) == before


async def test_an_act_is_signed_by_the_person_and_shown_as_it_was_signed(
    console: ConsoleWorld,
) -> None:
    """One who may alone: signed, done, in the log with the statement, which holds."""
    appoint(console.world, "alice", "bob")
    link(console, "alice")
    page = await prepared(console, STOP, "alice", "a stolen key")
    to_sign = data_of(page, "signing-data")
    payload = json.loads(base64url.decode(to_sign["payload"]))
    assert (payload["says"], payload["actor"], payload["kind"]) == ("do", "alice", STOP.kind)
    assert payload["reason"] == "a stolen key"
    assert to_sign["typ"] == TYP
    form = {**hidden(page), "statement": signature(page, "alice")}
    done = await console.post("/acts", form, as_="alice")
    assert (done.status, done.headers["Location"]) == (303, "/approvals")
    index = head(console)
    shown = await console.get(f"/acts/{index}", "auditor")
    assert "does not hold" not in shown.text
    assert signer_of("alice").key_id in shown.text
    again = await console.post("/acts", form, as_="alice")
    assert (again.status, head(console)) == (303, index)
    listed = await console.get("/acts?actor=alice", "auditor")
    assert f"/acts/{index}" in listed.text
    assert "holds, 1 signature" in listed.text


async def test_what_takes_two_is_proposed_by_one_and_approved_by_another(
    console: ConsoleWorld,
) -> None:
    """The page says so; the proposer cannot approve; both statements are in the log."""
    appoint(console.world, "alice", "bob")
    link(console, "alice")
    link(console, "bob")
    page = await prepared(console, CLOSE, "alice", "merged", back="/registries/CHE01")
    assert "Sign and propose" in page.text
    answer = await send(console, page, "alice")
    where = answer.headers["Location"]
    assert re.fullmatch(r"/approvals/[0-9a-f-]{36}", where)
    listed = await console.get("/approvals", "auditor")
    assert where in listed.text
    assert "Withdraw" in (await console.get(where, "alice")).text
    shown = await console.get(where, "bob")
    assert "merged" in shown.text
    assert "Approve …" in shown.text
    decision = {"says": "approve", "reason": "looked at it"}
    own = await console.post(where, decision, as_="alice")
    refused = await send(console, own, "alice")
    assert (refused.status, "takes another administrator" in html.unescape(refused.text)) == (
        409,
        True,
    )
    page = await console.post(where, decision, as_="bob")
    assert "Sign, approve and do it" in page.text
    assert "<dt>Proposed by</dt><dd>alice</dd>" in page.text
    assert "<dt>Why it was proposed</dt><dd>merged</dd>" in page.text
    before = head(console)
    done = await send(console, page, "bob")
    assert (done.status, done.headers["Location"], head(console)) == (303, where, before + 1)
    assert "approved and done" in (await console.get(where, "auditor")).text
    act = await console.get(f"/acts/{before + 1}", "auditor")
    assert "does not hold" not in act.text
    for name in ("alice", "bob"):
        assert signer_of(name).key_id in act.text
    assert where in (await console.get("/approvals", "auditor")).text
    again = await console.post(where, decision, as_="bob")
    assert again.status == 409


async def test_a_proposal_is_withdrawn_or_rejected_with_a_reason(console: ConsoleWorld) -> None:
    """Nothing of it is done."""
    appoint(console.world, "alice", "bob")
    for name in ("alice", "bob"):
        link(console, name)
        proposal_id = propose(console.world, CLOSE, "alice")
        where = f"/approvals/{proposal_id}"
        page = await console.post(where, {"says": "reject", "reason": "no"}, as_=name)
        assert "What was proposed is not done" in page.text
        assert (await send(console, page, name)).status == 303
        assert "rejected" in (await console.get(where, "auditor")).text
        act = await console.get(f"/acts/{head(console)}", "auditor")
        assert proposal_id in act.text
        assert "Close a participant" in act.text


async def test_whoever_has_no_key_or_one_of_another_role_is_told_so(console: ConsoleWorld) -> None:
    """No form to sign; what to do instead."""
    appoint(console.world, "alice")
    appoint_as(console.world, "officer", "olga")
    link(console, "olga", "operator")
    page = await prepared(console, STOP, "operator")
    assert "no administrator's key is registered for you" in page.text
    assert "signing-form" not in page.text
    page = await prepared(console, STOP, "olga")
    assert "whose signature does not count for this kind of act" in page.text
    assert "signing-form" not in page.text
    console.person("operator", "carol")
    with console.database.writing() as connection:
        persons.set_administrator(connection, console.people["carol"], "nobody", now())
    page = await prepared(console, STOP, "carol")
    assert "who is no administrator any more" in page.text


async def test_a_role_is_asked_of_the_person_too_whatever_their_key_may(
    console: ConsoleWorld,
) -> None:
    """An administrator's key in a session of an officer does an officer's acts."""
    appoint(console.world, "alice")
    link(console, "alice", "officer")
    assert (await prepared(console, STOP, "alice")).status == 403
    by = act_by("alice")
    raw = sign_statement(said(console.world, Says.DO, STOP, by), signer_of("alice")).decode()
    before = head(console)
    refused = await console.post("/acts", {"statement": raw, "back": "/"}, as_="alice")
    assert (refused.status, head(console)) == (403, before)


def statement_of(console: ConsoleWorld, name: str, **changes: Any) -> Statement:
    """Return what somebody would sign to suspend Switzerland."""
    return said(console.world, Says.DO, STOP, act_by(name), **changes)


def altered(raw: bytes, old: bytes, new: bytes) -> str:
    """Return a signed statement with other text in its payload."""
    document = json.loads(raw)
    payload = base64url.decode(document["payload"])
    assert old in payload
    document["payload"] = base64url.encode(payload.replace(old, new))
    return json.dumps(document, separators=(",", ":"))


async def refused(console: ConsoleWorld, form: Mapping[str, str], as_: str, match: str) -> None:
    """Send what must be refused: a page that says why, and nothing done."""
    before = head(console)
    page = await console.post("/acts", {"back": "/", **form}, as_=as_)
    assert page.status in (400, 403, 409), page.text
    assert re.search(match, html.unescape(page.text)), page.text
    assert head(console) == before


async def test_forged_altered_expired_and_foreign_statements_are_refused(
    console: ConsoleWorld,
) -> None:
    """Whatever else a form says: what is not exactly signed, now, by this person, is not done."""
    appoint(console.world, "alice", "bob")
    link(console, "alice")
    link(console, "bob")
    good = statement_of(console, "alice")
    raw = sign_statement(good, signer_of("alice"))
    old = replace(good, at=now() - timedelta(seconds=301))
    late = replace(good, at=now() + timedelta(seconds=301))
    elsewhere = replace(good, place=replace(good.place, log="0" * 64))
    document = json.loads(raw)
    signature_text = document["signatures"][0]["signature"]
    document["signatures"][0]["signature"] = signature_text[:-6] + "AAAAAA"
    for text, who, match in (
        (altered(raw, b"CHE01", b"GHA01"), "alice", "was changed"),
        (altered(raw, b"a test", b"a jest"), "alice", "was changed"),
        (altered(raw, b'"says":"do"', b'"says":"approve"'), "alice", "takes the proposal"),
        (sign_statement(good, signer_of("mallory")).decode(), "alice", "not the key of an admin"),
        (sign_statement(good, signer_of("bob")).decode(), "alice", "with the key of bob"),
        (raw.decode(), "bob", "you act here as bob"),
        (sign_statement(old, signer_of("alice")).decode(), "alice", "it counts for 300 s"),
        (sign_statement(late, signer_of("alice")).decode(), "alice", "it counts for 300 s"),
        (sign_statement(elsewhere, signer_of("alice")).decode(), "alice", "another hub's log"),
        (sign(good.payload(), "itmo-envelope+jws", [signer_of("alice")]).decode(), "alice", "typ"),
        (json.dumps(document), "alice", "was changed|no signed statement"),
        ("{}", "alice", "no signed statement"),
        ("é", "alice", "no signed statement"),
        ("[" * 100_000, "alice", "no signed statement"),
        ("x" * 600_000, "alice", "At most"),
    ):
        await refused(console, {"statement": text}, who, match)
    await refused(
        console,
        {"deed": STOP.canonical().decode(), "reason": "x", "once": str(uuid4())},
        "alice",
        "every act is signed",
    )
    before = head(console)
    assert (await console.post("/acts", {"statement": raw.decode()}, as_="alice")).status == 303
    assert head(console) == before + 1


async def test_an_expired_page_is_made_anew_with_the_same_act(console: ConsoleWorld) -> None:
    """The refusal offers it; the new page has a new statement."""
    appoint(console.world, "alice")
    link(console, "alice")
    page = await prepared(console, STOP, "alice", "in a hurry")
    form = hidden(page)
    old = replace(
        statement_of(console, "alice"), reason="in a hurry", at=now() - timedelta(seconds=400)
    )
    raw = sign_statement(old, signer_of("alice")).decode()
    answer = await console.post("/acts", {**form, "statement": raw}, as_="alice")
    assert answer.status == 409
    anew = hidden(answer, 'action="/acts/prepare"')
    assert anew["deed"] == STOP.canonical().decode()
    page = await console.post("/acts/prepare", anew, as_="alice")
    assert "in a hurry" in page.text
    assert (await send(console, page, "alice")).status == 303


async def test_an_approval_of_one_proposal_does_not_decide_another(console: ConsoleWorld) -> None:
    """Neither with another id beside it, nor without one, nor with one that is nothing."""
    appoint(console.world, "alice", "bob")
    link(console, "bob")
    first, second = (propose(console.world, CLOSE, "alice") for _ in range(2))
    decision = {"says": "approve", "reason": "yes"}
    page = await console.post(f"/approvals/{first}", decision, as_="bob")
    form = {**hidden(page), "statement": signature(page, "bob")}
    await refused(console, {**form, "proposal": second}, "bob", "something else")
    await refused(console, {**form, "proposal": ""}, "bob", "takes the proposal")
    await refused(console, {**form, "proposal": str(uuid4())}, "bob", "there is no proposal")
    assert (await console.post("/acts", form, as_="bob")).status == 303


async def test_a_proposal_that_was_changed_in_the_database_is_shown_as_such(
    console: ConsoleWorld,
) -> None:
    """In the list and on its page; it cannot be decided."""
    appoint(console.world, "alice", "bob")
    link(console, "bob")
    proposal_id = propose(console.world, CLOSE, "alice")
    with console.database.writing() as connection:
        connection.exec_driver_sql("UPDATE act_proposal SET subject = 'GHA01'")
    for path in ("/approvals", f"/approvals/{proposal_id}"):
        assert "changed in the database" in (await console.get(path, "bob")).text
    page = await console.post(
        f"/approvals/{proposal_id}", {"says": "approve", "reason": "x"}, as_="bob"
    )
    assert page.status == 409


async def test_a_role_that_was_edited_in_the_database_shows_at_the_act_it_was_used_for(
    console: ConsoleWorld,
) -> None:
    """The page runs the real check."""
    appoint(console.world, "alice")
    appoint_as(console.world, "officer", "olga")
    link(console, "olga", "operator")
    with console.database.writing() as connection:
        connection.exec_driver_sql("UPDATE administrator SET role='operator' WHERE name='olga'")
    assert (await send(console, await prepared(console, STOP, "olga"), "olga")).status == 303
    page = await console.get(f"/acts/{head(console)}", "auditor")
    assert "olga had the role officer, which does not sign suspension.place" in page.text
    listed = await console.get("/acts?kind=suspension.place", "auditor")
    assert "does not hold" in listed.text


async def test_what_is_no_act_proposal_or_deed_is_a_page_that_says_so(
    console: ConsoleWorld,
) -> None:
    """Unknown indices and ids, nonsense in forms."""
    for path in (
        "/acts/0",
        "/acts/9999999999999999999",
        f"/approvals/{uuid4()}",
        "/approvals/" + "-" * 36,
    ):
        assert (await console.get(path, "auditor")).status == 404, path
    for deed in ("", "{}", "[]", "null", '{"kind":"x","subject":"y","parameters":{}}', "[" * 9_999):
        page = await console.post(
            "/acts/prepare", {"deed": deed, "reason": "x", "back": "/"}, as_="administrator"
        )
        assert page.status == 409, deed
    for before in ("x", "-1", "99999999999999999999"):
        assert (await console.get(f"/acts?before={before}", "auditor")).status == 400


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/a\nb", "\\evil", ""])
async def test_a_form_leads_nowhere_but_into_the_console(console: ConsoleWorld, back: str) -> None:
    """Neither the page's links nor the redirect."""
    page = await prepared(console, STOP, "operator", back=back)
    assert "evil" not in page.text
    done = await console.post("/acts", {**hidden(page), "back": back}, as_="operator")
    assert done.headers["Location"] == "/"


async def test_acts_are_paged_by_their_index(console: ConsoleWorld) -> None:
    """The link to older ones goes on where the page ends; all are met once."""
    for number in range(60):
        make = lift_suspension if number % 2 else place_suspension
        console.world.administration.do(make("participant", "CHE01"), act_by("root", "again"))
    seen: list[str] = []
    path = "/acts?actor=root"
    while path:
        page = await console.get(path, "auditor")
        seen += re.findall(r'<td class="number"><a href="/acts/(\d+)">', page.text)
        older = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = html.unescape(older[1]) if older else ""
    assert len(seen) == len(set(seen)) == 60
    assert seen == sorted(seen, key=int, reverse=True)


async def test_decided_proposals_are_paged(console: ConsoleWorld) -> None:
    """More than a page of them are all met once."""
    appoint(console.world, "alice", "bob")
    ids = {propose(console.world, CLOSE, "alice") for _ in range(53)}
    with console.database.writing() as connection:
        for proposal_id in ids:
            administrators.decide(connection, proposal_id, "rejected", "bob", now())
    seen: list[str] = []
    path = "/approvals"
    while path:
        page = await console.get(path, "auditor")
        seen += re.findall(r'<a href="/approvals/([0-9a-f-]{36})">', page.text)
        older = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = html.unescape(older[1]) if older else ""
    assert len(seen) == 53
    assert set(seen) == ids


async def test_a_lapsed_proposal_says_so_and_is_not_decided(console: ConsoleWorld) -> None:
    """After the time an act waits for a second person."""
    appoint(console.world, "alice", "bob")
    proposal_id = propose(console.world, CLOSE, "alice", now() - timedelta(days=8))
    link(console, "bob")
    page = await console.get(f"/approvals/{proposal_id}", "bob")
    assert "lapsed" in page.text
    assert "Approve …" not in page.text
    page = await console.post(
        f"/approvals/{proposal_id}", {"says": "approve", "reason": "x"}, as_="bob"
    )
    assert page.status == 409
    assert timestamps.render(now())[:4] in page.text
