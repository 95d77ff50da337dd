"""Registries in the console: the list, the page of one, and what somebody may do there."""

import re

import pytest

from hub.services.administration.participants import change_state
from hub.store import acts, mailboxes, reference
from hub.store.reconciliation import links
from tests.hub.console.console_world import ConsoleWorld
from tests.hub.console.registry_world import MARKUP, add_many, proof, trouble
from tests.hub.world import act

PAGES = (
    "/registries",
    "/registries/THA01",
    "/registries/CHE01/deliveries",
    "/registries/GHA01/accounts",
    "/registries/XHB01",
    "/registries/XIR01",
    "/registries/XMR01",
    "/suspensions",
    "/system",
)
FORMS = (
    "/registries/add",
    "/registries/CHE01/activate",
    "/registries/CHE01/suspend",
    "/registries/CHE01/close",
    "/registries/CHE01/delivery",
    "/registries/CHE01/binding",
    "/registries/CHE01/comparison",
    "/registries/CHE01/keys/add",
    "/suspensions/place",
    *(
        f"/suspensions/place?level={level}"
        for level in ("hub", "participant", "pair", "message_type", "account", "block")
    ),
    "/suspensions/lift?level=pair&subject=CHE01/THA01",
)


@pytest.mark.parametrize("as_", ["viewer", "officer", "operator", "administrator", "auditor"])
async def test_everybody_who_may_look_sees_the_registries(console: ConsoleWorld, as_: str) -> None:
    """Every role has the right to look; a form is for who may operate."""
    trouble(console.world)
    for path in PAGES:
        page = await console.get(path, as_=as_)
        assert page.status == 200, (path, page.text)
        assert page.text.count("<h1>") == 1
    operates = as_ in ("operator", "administrator")
    for path in FORMS:
        page = await console.get(path, as_=as_)
        assert page.status == (200 if operates else 403), path
    page = await console.get("/registries/THA01", as_=as_)
    assert ("Try now" in page.text) is operates
    assert ("/registries/THA01/suspend" in page.text) is operates


async def test_nobody_is_shown_as_such(console: ConsoleWorld) -> None:
    """A code that is nobody's, and one that is none, are not found."""
    for path in ("/registries/PER01", "/registries/per01", "/registries/PER01/deliveries"):
        assert (await console.get(path)).status == 404, path


async def test_what_peers_and_people_wrote_is_shown_as_text(console: ConsoleWorld) -> None:
    """Names, endpoints, errors, reasons and entities run nothing in a browser."""
    trouble(console.world)
    add_many(console.world, ["PER01"], name=MARKUP)
    for path in (
        *PAGES,
        "/registries/PER01",
        "/registries/PER01/suspend",
        "/registries/CHE01",
        "/suspensions/place?level=pair",
        f"/suspensions/place?level=account&subject={MARKUP.replace('&', '%26')}",
    ):
        page = await console.get(path, as_="operator")
        assert page.status == 200, path
        assert "<script>alert" not in page.text, path
        assert "<img src=x" not in page.text, path
    page = await console.get("/registries/THA01", as_="viewer")
    assert "500 &lt;script&gt;alert(1)" in page.text
    assert "https://tha.example/itmo?a=&lt;b&gt;" in page.text


async def test_a_list_of_three_hundred_is_searched_filtered_and_sorted(
    console: ConsoleWorld,
) -> None:
    """All are on one page; what is typed narrows it; unknown filters are refused by name."""
    codes = [f"P{chr(65 + n // 26)}{chr(65 + n % 26)}01" for n in range(294)]
    add_many(console.world, codes)
    page = await console.get("/registries")
    assert _rows(page.text) == 300
    page = await console.get("/registries?q=pab")
    assert _codes(page.text) == ["PAB01"]
    page = await console.get("/registries?state=registered&sort=code&order=down")
    assert _codes(page.text)[:2] == [codes[-1], codes[-2]]
    page = await console.get("/registries?trouble=waiting&sort=queue&order=down")
    assert set(_codes(page.text)) <= {"THA01", "CHE01", "GHA01", "XMR01"}
    page = await console.get("/registries?state=asleep")
    assert page.status == 400
    assert "state" in page.text


async def test_the_list_tells_back_off_waiting_items_and_keys_that_end(
    console: ConsoleWorld,
) -> None:
    """What needs a look is among what is asked for by it."""
    trouble(console.world)
    assert _codes((await console.get("/registries?trouble=backing_off")).text) == ["THA01"]
    assert _codes((await console.get("/registries?trouble=suspended")).text) == ["GHA01"]
    text = (await console.get("/registries/CHE01")).text
    assert "ends soon" in text
    assert "another goes on" in text, "the first key of CHE01 has no end"
    text = (await console.get("/registries/THA01")).text
    assert "6 failures" in text
    assert "signed last" in text


async def test_try_now_ends_the_back_off_and_is_no_act(console: ConsoleWorld) -> None:
    """A plain form of who operates; the log stays as it is."""
    trouble(console.world)
    before = _newest_act(console)
    assert (await console.post("/registries/THA01/try-now", as_="officer")).status == 403
    answer = await console.post("/registries/THA01/try-now", as_="operator")
    assert (answer.status, answer.headers["Location"]) == (303, "/registries/THA01")
    with console.database.reading() as connection:
        box = mailboxes.load(connection, ["THA01"])["THA01"]
    assert (box.failure_count, box.next_attempt_at) == (0, None)
    assert _newest_act(console) == before


@pytest.mark.parametrize(
    ("path", "form", "kind"),
    [
        ("/registries/CHE01/suspend", {}, "participant.suspend"),
        ("/registries/CHE01/close", {}, "participant.close"),
        ("/registries/CHE01/delivery", {"mode": "pull", "endpoint": ""}, "participant.delivery"),
        (
            "/registries/CHE01/delivery",
            {"mode": "push", "endpoint": "https://che.example/itmo"},
            "participant.delivery",
        ),
        ("/registries/CHE01/binding", {"binding": "json"}, "participant.binding"),
        ("/registries/CHE01/comparison", {"mode": "totals"}, "reconciliation.mode"),
    ],
)
async def test_a_form_leads_to_the_deed_and_does_nothing_itself(
    console: ConsoleWorld, path: str, form: dict[str, str], kind: str
) -> None:
    """The next page says what follows; only its own form does it."""
    before = _newest_act(console)
    page = await console.post(path, {**form, "reason": "as agreed"}, as_="operator")
    assert page.status == 200, page.text
    assert kind in page.text
    assert "What follows from it" in page.text
    assert _newest_act(console) == before
    done = await console.post("/acts", hidden(page.text), as_="operator")
    assert (done.status, done.headers["Location"]) == (303, "/registries/CHE01"), done.text
    with console.database.reading() as connection:
        newest = acts.newest(connection, 1)[0]
    assert (newest.kind, newest.reason) == (kind, "as agreed")


async def test_the_mode_of_comparing_is_set(console: ConsoleWorld) -> None:
    """What was confirmed is what is so."""
    form = {"mode": "statement", "reason": "no connector yet"}
    page = await console.post("/registries/GHA01/comparison", form, as_="operator")
    await console.post("/acts", hidden(page.text), as_="operator")
    with console.database.reading() as connection:
        assert links.mode_of(links.load(connection, "GHA01")) == "statement"


@pytest.mark.parametrize(
    ("path", "form", "named"),
    [
        ("/registries/CHE01/suspend", {"reason": " "}, "error-reason"),
        ("/registries/CHE01/suspend", {"reason": "x" * 1001}, "error-reason"),
        ("/registries/CHE01/activate", {"reason": "twice"}, "cannot activate from there"),
        ("/registries/CHE01/delivery", {"mode": "push", "reason": "r"}, "error-endpoint"),
        (
            "/registries/CHE01/delivery",
            {"mode": "push", "endpoint": "ftp://che.example/", "reason": "r"},
            "error-endpoint",
        ),
        ("/registries/CHE01/delivery", {"mode": "fly", "reason": "r"}, "mode"),
        ("/registries/CHE01/binding", {"binding": "yaml", "reason": "r"}, "binding"),
        ("/registries/CHE01/comparison", {"mode": "never", "reason": "r"}, "mode"),
        ("/registries/XMR01/comparison", {"mode": "off", "reason": "r"}, "Party registries alone"),
        ("/registries/CHE01/keys/add", {"keys": "no key", "reason": "r"}, "error-keys"),
        ("/registries/add", {"code": "PER1", "name": "P", "reason": "r"}, "kind"),
    ],
)
async def test_a_wrong_form_says_which_field_and_keeps_what_was_typed(
    console: ConsoleWorld, path: str, form: dict[str, str], named: str
) -> None:
    """400, the place, and the other fields as they were."""
    before = _newest_act(console)
    page = await console.post(path, form, as_="operator")
    assert page.status == 400
    assert named in page.text
    assert "nothing was changed" in page.text
    assert "<form" in page.text
    for value in form.values():
        # A choice that is none cannot be shown again; a form that is not offered has no fields.
        shown = value.strip() in page.text
        assert shown or named.endswith(("mode", "binding", "from there")), value
    assert _newest_act(console) == before


async def test_the_central_participants_have_keys_and_no_state_to_change(
    console: ConsoleWorld,
) -> None:
    """Nobody suspends the hub as a participant; its keys are registered and revoked."""
    assert (await console.get("/registries/XHB01/suspend", as_="operator")).status == 404
    page = await console.post("/registries/XIR01/close", {"reason": "r"}, as_="operator")
    assert page.status == 404
    assert (await console.get("/registries/XHB01/keys/add", as_="operator")).status == 200


async def test_a_key_is_registered_after_its_fingerprint_was_compared(
    console: ConsoleWorld,
) -> None:
    """First the document is shown, then the box is needed, then the deed; then it is there."""
    form = {"keys": proof("CHE01", days=90), "reason": "the old one is lost"}
    path = "/registries/CHE01/keys/add"
    page = await console.post(path, form, as_="operator")
    assert page.status == 200
    assert re.search(r"(?:[0-9a-f]{4} ){15}[0-9a-f]{4}", page.text), "the fingerprint, to be read"
    page = await console.post(path, {**form, "shown": "yes"}, as_="operator")
    assert page.status == 400
    assert "error-compared" in page.text
    page = await console.post(path, {**form, "shown": "yes", "compared": "yes"}, as_="operator")
    assert page.status == 200
    assert "key.add" in page.text
    before = _keys(console, "CHE01")
    assert (await console.post("/acts", hidden(page.text), as_="operator")).status == 303
    (key_id,) = _keys(console, "CHE01") - before
    assert key_id in (await console.get("/registries/CHE01")).text
    page = await console.post(path, {**form, "shown": "yes"}, as_="operator")
    assert page.status == 400
    assert "is registered already" in page.text


async def test_a_key_of_somebody_else_is_refused(console: ConsoleWorld) -> None:
    """A document says whose key it is."""
    form = {"keys": proof("THA01"), "reason": "r"}
    page = await console.post("/registries/CHE01/keys/add", form, as_="operator")
    assert page.status == 400
    assert "is a key of THA01, not of CHE01" in page.text


async def test_a_key_is_revoked(console: ConsoleWorld) -> None:
    """The page says that nobody hears the registry without another key."""
    (key_id,) = _keys(console, "GHA01")
    path = f"/registries/GHA01/keys/{key_id}/revoke"
    assert (await console.get(path, as_="operator")).status == 200
    page = await console.post(path, {"reason": "stolen"}, as_="operator")
    assert "nobody hears GHA01 until another is" in page.text
    assert (await console.post("/acts", hidden(page.text), as_="operator")).status == 303
    with console.database.reading() as connection:
        found = {one.key_id: one for one in reference.key_records(connection)}
    assert found[key_id].revoked_at is not None
    page = await console.post(path, {"reason": "again"}, as_="operator")
    assert page.status == 400
    other = key_id.replace("GHA01", "CHE01")
    page = await console.get(f"/registries/GHA01/keys/{other}/revoke", as_="operator")
    assert page.status == 404


async def test_a_participant_is_registered_with_its_keys(console: ConsoleWorld) -> None:
    """All fields, two steps, and then it is in the list."""
    form = {
        "code": "PER01",
        "name": "Peru's registry",
        "kind": "party_registry",
        "delivery_mode": "push",
        "endpoint": "https://per.example/itmo",
        "binding": "json",
        "suite": "Ed25519",
        "keys": proof("PER01"),
        "reason": "joins",
    }
    page = await console.post("/registries/add", form, as_="operator")
    assert page.status == 200
    assert "Peru&#39;s registry" in page.text
    compared = {**form, "shown": "yes", "compared": "yes"}
    page = await console.post("/registries/add", compared, as_="operator")
    assert "participant.add" in page.text
    assert (await console.post("/acts", hidden(page.text), as_="operator")).status == 303
    with console.database.reading() as connection:
        row = next(one for one in reference.participants(connection) if one.code == "PER01")
    assert (row.state, row.endpoint, row.suites) == (
        "registered",
        "https://per.example/itmo",
        ("Ed25519",),
    )
    page = await console.post("/registries/add", compared, as_="operator")
    assert page.status == 400
    assert "PER01 is registered already" in page.text
    form |= {"code": "PER02", "keys": proof("PER02")}
    for changes, named in (
        ({"code": "peru1"}, "error-code"),
        ({"code": "PER03"}, "error-keys"),
        ({"endpoint": ""}, "error-endpoint"),
        ({"suite": "none"}, "field-suite"),
    ):
        page = await console.post("/registries/add", {**form, **changes}, as_="operator")
        assert (page.status, named in page.text) == (400, True), changes


async def test_a_closed_registry_offers_no_way_back(console: ConsoleWorld) -> None:
    """Nothing of it can be changed any more, and it says so."""
    console.world.administration.do(change_state("GHA01", "close"), act())
    page = await console.get("/registries/GHA01", as_="operator")
    assert "/registries/GHA01/activate" not in page.text
    page = await console.get("/registries/GHA01/suspend", as_="operator")
    assert "this cannot be done from there" in page.text


async def test_nothing_of_the_system_page_is_a_secret(console: ConsoleWorld) -> None:
    """Versions, limits, how log and database stand; no path of a key, no password."""
    page = await console.get("/system")
    for text in ("Rulebook", "2026-11-22", "SQLite", "limits.envelope_bytes_max", "1,048,576"):
        assert text in page.text, text
    assert "nothing is pushed and no night is run" in page.text, "no hub runs in this test"


def hidden(text: str) -> dict[str, str]:
    """Return the hidden fields of the form that does what a page shows."""
    form = text[text.index('action="/acts"') :]
    fields = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[: form.index("</form>")]
    )
    unescaped = (
        (name, value.replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&"))
        for name, value in fields
    )
    return {name: value for name, value in unescaped if name != "csrf"}


def _rows(text: str) -> int:
    return len(_codes(text))


def _codes(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/registries/([A-Z0-9]{5})">', text)


def _keys(console: ConsoleWorld, code: str) -> set[str]:
    with console.database.reading() as connection:
        return {one.key_id for one in reference.key_records(connection) if one.participant == code}


def _newest_act(console: ConsoleWorld) -> int:
    with console.database.reading() as connection:
        return acts.newest(connection, 1)[0].log_index


async def test_what_asks_for_attention_stands_beside_its_registry(console: ConsoleWorld) -> None:
    """The same causes as on the page of tonight: the worst in the list, all on the page."""
    trouble(console.world)
    assert "THA01 is not reached; failed attempts: 6" in (await console.get("/registries")).text
    text = (await console.get("/registries/THA01")).text
    assert "To look at" in text
    assert "Call its operator" in text
    assert "To look at" not in (await console.get("/registries/XIR01")).text
