"""Keys made in a browser, and acts signed there: what people see is what they sign."""

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, Page, expect

from hub.services.administration.administrators import add_administrator
from hub.services.administration.recorded_acts import ActReader
from hub.store import acts
from hub.store import head as heads
from hub.store.database import Database
from hub.store.people import persons
from keys.key_files import save_encrypted
from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord, PublicKey
from tests.hub.console.browser.visitors import ServedConsole, Visitor, visiting
from tests.hub.services.administration.hands import act_by, appoint, signer_of
from tests.hub.world import HUB, World
from tests.integration.peers import now
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser]

ADMINISTRATOR = "administrator"


def make_and_offer(visitor: Visitor) -> str:
    """Make a key in a browser and offer it; return its id."""
    page = visitor.open("/me/key")
    page.get_by_role("button", name="Make a key").click()
    expect(page.locator("#key-state")).to_contain_text("The key was made")
    key_id = page.locator("#key-list .key-id").inner_text()
    visitor.accessible()
    page.get_by_role("button", name="Offer it to be registered").click()
    expect(page.locator(".alert")).to_contain_text(key_id)
    return key_id


def fill_registration(visitor: Visitor, name: str, role: str) -> Page:
    """Fill in the form that registers the key a person offers."""
    page = visitor.open(f"/people/{name}")
    visitor.accessible()
    form = page.locator(f'form[action="/people/{name}/register-key"]')
    form.get_by_label("Name in the log").fill(name)
    form.get_by_label("Role of the key").select_option(role)
    form.get_by_label("Reason").fill("compared by telephone")
    form.get_by_role("button").click()
    return page


def sign(visitor: Visitor, button: str) -> Page:
    """Look at what is signed, and sign it."""
    page = visitor.page
    expect(page.locator("#signing-state")).to_have_text("Your key is in this browser.")
    visitor.accessible()
    page.get_by_role("button", name=button, exact=True).click()
    return page


def propose_carla(visitor: Visitor) -> str:
    """Propose another administrator; return the proposal's path."""
    page = visitor.open("/people")
    page.get_by_label("Name to sign in with").fill("carla")
    page.get_by_label("Shown as").fill("Carla")
    page.locator("#field-role").select_option(ADMINISTRATOR)
    page.get_by_label("Reason").fill("a third one")
    page.get_by_role("button", name="Add …").click()
    expect(page.locator("main")).to_contain_text("Two people: you propose it")
    visitor.shot("act-before-it-is-signed")
    sign(visitor, "Sign and propose")
    expect(page).to_have_url(re.compile(r"/approvals/[0-9a-f-]{36}$"))
    visitor.accessible()
    return page.url.removeprefix(visitor.console.address)


def approve_carla(visitor: Visitor, proposal: str) -> None:
    """Look at what is proposed, and approve it."""
    page = visitor.open("/approvals")
    visitor.accessible()
    page.locator(f'a[href="{proposal}"]').click()
    page.get_by_label("Reason").fill("agreed")
    page.get_by_role("button", name="Approve …").click()
    facts = page.locator("#signing-facts")
    expect(facts).to_contain_text("approve it")
    expect(facts).to_contain_text("carla")
    expect(facts).to_contain_text('"role": "administrator"')
    visitor.shot("act-before-it-is-approved")
    sign(visitor, "Sign, approve and do it")
    expect(page.locator(".alert-success")).to_contain_text("Approved and done")


def read_back(visitor: Visitor) -> None:
    """Read the newest act with its check, and the people's pages."""
    page = visitor.open("/acts")
    visitor.accessible()
    page.locator("#acts tbody tr").first.locator("a").first.click()
    expect(page.locator("main")).to_contain_text("approved it")
    visitor.accessible()
    visitor.shot("act-with-two-signatures")
    for path in ("/people", "/sign-ins"):
        visitor.open(path)
        visitor.accessible()


def newest_act(database: Database) -> tuple[str, str]:
    """Return the kind of the newest act, and whether it holds."""
    with database.reading() as connection:
        reader = ActReader(connection, HUB)
        found = reader.at(acts.newest(connection, 1)[0].log_index)
        return found.row.kind, found.verdict


def test_two_people_make_keys_sign_an_act_and_approve_one(
    chromium: Browser, served: ServedConsole
) -> None:
    """From a hub without administrators to an act with two signatures, in browsers alone."""
    database = served.database
    with (
        visiting(chromium, served, "ada", ADMINISTRATOR) as ada,
        visiting(chromium, served, "bob", ADMINISTRATOR) as bob,
    ):
        make_and_offer(ada)
        page = fill_registration(ada, "ada", ADMINISTRATOR)
        ada.accessible()
        page.get_by_role("button", name="Do it").click()
        expect(page.locator(".alert-success")).to_contain_text("of the log")
        bobs = make_and_offer(bob)
        page = fill_registration(ada, "bob", ADMINISTRATOR)
        expect(page.locator("#signing-facts")).to_contain_text(bobs)
        sign(ada, "Sign and do it")
        expect(page.locator(".alert-success")).to_contain_text("of the log")
        assert newest_act(database) == ("administrator.add", "signed by 1")

        proposal = propose_carla(ada)
        approve_carla(bob, proposal)
        assert newest_act(database) == ("person.add", "signed by 2")
        read_back(bob)
    with database.reading() as connection:
        assert persons.by_name(connection, "carla") is not None
        assert list(ActReader(connection, HUB).faults()) == []


def key_file(folder: Path, algorithm: str) -> tuple[Path, LocalSigner]:
    """Write a private key file as `itmo-hub keys generate` does without a passphrase."""
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "Ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    path = folder / "alice.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path, LocalSigner(key, HUB)


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256"])
def test_a_key_file_of_an_administrator_is_loaded_and_signs(
    chromium: Browser, served: ServedConsole, tmp_path: Path, algorithm: str
) -> None:
    """Registered at the command line, loaded here; kept so that no script reads it back."""
    path, signer = key_file(tmp_path, algorithm)
    world = World(served.database)
    public = PublicKey.from_der(HUB, signer.public_key_der)
    record = KeyRecord.of(public, now())
    world.administration.do(add_administrator("alice", record), act_by("root"))
    served.person("alice", ADMINISTRATOR, administrator="alice")
    served.person("ben", "viewer")
    with visiting(chromium, served, "alice", ADMINISTRATOR) as alice:
        page = alice.open("/me/key")
        page.locator("#key-file").set_input_files(path)
        expect(page.locator("#key-state")).to_have_text("The key was loaded.")
        expect(page.locator("#key-list .key-id")).to_have_text(public.key_id)
        expect(page.locator("#key-list .key-word")).to_have_text("registered as yours")
        kept = page.evaluate(
            """async () => {
              const { all } = await import(document.querySelector(
                'script[src*="browser_key"]').src.replace("browser_key", "keys"));
              const [key] = await all();
              return [key.algorithm, key.privateKey.extractable, key.privateKey.usages];
            }"""
        )
        assert kept == [algorithm, False, ["sign"]]
        for text, said in (
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END", "is encrypted"),
            ("nonsense", "This is no private key"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no private key"),
        ):
            page.locator("#key-file").set_input_files(
                {"name": "a.key", "mimeType": "text/plain", "buffer": text.encode()}
            )
            expect(page.locator("#key-state")).to_contain_text(said)
        page = alice.open("/people/ben")
        form = page.locator('form[action="/people/ben/disable"]')
        form.get_by_label("Reason").fill("left")
        form.get_by_role("button").click()
        sign(alice, "Sign and do it")
        expect(page.locator(".alert-success")).to_contain_text("of the log")
    assert newest_act(served.database) == ("person.disable", "signed by 1")


def test_an_encrypted_key_file_is_opened_by_its_passphrase(
    chromium: Browser, served: ServedConsole, tmp_path: Path
) -> None:
    """As `itmo-hub keys generate` writes it; a wrong passphrase is told, and nothing is kept."""
    key = ed25519.Ed25519PrivateKey.generate()
    signer, path = LocalSigner(key, HUB), tmp_path / "alice.key"
    save_encrypted(path, key, "correct horse battery")
    with visiting(chromium, served, "alice", ADMINISTRATOR) as alice:
        page = alice.open("/me/key")
        state = page.locator("#key-state")
        page.locator("#key-file").set_input_files(path)
        expect(state).to_contain_text("type its passphrase")
        alice.accessible()
        page.get_by_label("Passphrase of the file").fill("wrong horse battery")
        page.get_by_role("button", name="Open the file").click()
        expect(state).to_contain_text("does not open the file")
        page.get_by_label("Passphrase of the file").fill("correct horse battery")
        page.get_by_role("button", name="Open the file").click()
        expect(state).to_have_text("The key was loaded.")
        expect(page.locator("#key-list .key-id")).to_have_text(signer.key_id)
        expect(page.locator("#key-passphrase")).to_have_value("")


def prepare_disabling(visitor: Visitor) -> Page:
    """Go to the page that would disable Ben."""
    page = visitor.open("/people/ben")
    form = page.locator('form[action="/people/ben/disable"]')
    form.get_by_label("Reason").fill("left")
    form.get_by_role("button").click()
    return page


@pytest.fixture
def with_alice(served: ServedConsole) -> ServedConsole:
    """Return a console at which Alice signs, with a key that is in no browser yet."""
    appoint(World(served.database), "alice")
    served.person("alice", ADMINISTRATOR, administrator="alice")
    served.person("ben", "viewer")
    return served


def test_a_browser_without_the_key_says_so_and_signs_nothing(
    chromium: Browser, with_alice: ServedConsole
) -> None:
    """With the way to the account's page; and without JavaScript the page is read all the same."""
    with visiting(chromium, with_alice, "alice", ADMINISTRATOR) as alice:
        page = prepare_disabling(alice)
        expect(page.locator("#signing-no-key")).to_be_visible()
        expect(page.locator("#signing-button")).to_be_hidden()
        alice.accessible()
    with visiting(chromium, with_alice, "alice", ADMINISTRATOR, javascript=False) as alice:
        page = prepare_disabling(alice)
        expect(page.locator("main")).to_contain_text("Let a person in no more")
        expect(page.locator("#signing-button")).to_be_disabled()
        expect(page.locator("#signing-needs-script")).to_be_visible()
        alice.open("/me/key")
        expect(page.locator("main")).to_contain_text("Keys take JavaScript")


LOADING = """async (pem) => {
  const base = document.querySelector('script[src*="/js/console.js"]').src;
  const { load } = await import(base.replace("console.js", "keys.js"));
  await load("XHB01", pem);
}"""


def load_alice(visitor: Visitor) -> None:
    """Put Alice's key into a browser."""
    key = signer_of("alice")._key
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    visitor.open("/me").evaluate(LOADING, pem)


def test_a_page_that_shows_something_else_than_its_bytes_is_not_signed(
    chromium: Browser, with_alice: ServedConsole
) -> None:
    """Altered on the way: another subject in the bytes, or another one on the page."""
    with visiting(chromium, with_alice, "alice", ADMINISTRATOR) as alice:
        load_alice(alice)

        def alter(route: object, request: object) -> None:
            response = route.fetch()  # type: ignore[attr-defined] # Playwright's route
            shown = re.search(r'id="signing-shown">(.*?)</script>', response.text())
            assert shown is not None
            other = json.dumps({**json.loads(shown[1]), "subject": "bob"})
            body = response.text().replace(shown[1], other)
            route.fulfill(response=response, body=body)  # type: ignore[attr-defined] # Playwright

        alice.page.route("**/people/ben/disable", alter)
        page = prepare_disabling(alice)
        expect(page.locator("#signing-state")).to_contain_text("Do not sign")
        expect(page.locator("#signing-button")).to_be_disabled()
        expect(page.locator("#signing-content")).to_be_hidden()
        assert [one for one in alice.complaints if "differs from the page" in one]
        alice.complaints.clear()


def test_a_page_that_is_too_old_is_made_anew(chromium: Browser, with_alice: ServedConsole) -> None:
    """After a few minutes the button is gone; one click gives the same act, to be signed now."""
    with visiting(chromium, with_alice, "alice", ADMINISTRATOR) as alice:
        load_alice(alice)
        alice.page.clock.install()
        page = prepare_disabling(alice)
        expect(page.locator("#signing-button")).to_be_enabled()
        page.clock.fast_forward(290_000)
        expect(page.locator("#signing-button")).to_be_hidden()
        alice.accessible()
        page.get_by_role("button", name="Make it anew").click()
        page.clock.resume()
        sign(alice, "Sign and do it")
        expect(page.locator(".alert-success")).to_contain_text("of the log")


def test_a_double_click_signs_and_sends_once(chromium: Browser, with_alice: ServedConsole) -> None:
    """One act; going back shows a page that cannot be sent again."""
    with visiting(chromium, with_alice, "alice", ADMINISTRATOR) as alice:
        load_alice(alice)
        page = prepare_disabling(alice)
        expect(page.locator("#signing-button")).to_be_enabled()
        with with_alice.database.reading() as connection:
            before = heads.read(connection).log_index
        page.locator("#signing-button").dblclick()
        expect(page.locator(".alert-success")).to_contain_text("of the log")
        with with_alice.database.reading() as connection:
            assert heads.read(connection).log_index == before + 1


def test_a_key_is_forgotten_after_it_was_asked_twice(
    chromium: Browser, with_alice: ServedConsole
) -> None:
    """The dialog says what is lost; keeping it keeps it."""
    with visiting(chromium, with_alice, "alice", ADMINISTRATOR) as alice:
        load_alice(alice)
        page = alice.open("/me/key")
        for button, left in (("Keep it", 1), ("Forget it", 0)):
            page.locator(".key-forget").click()
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text("cannot be brought back")
            alice.accessible()
            dialog.get_by_role("button", name=button).click()
            expect(page.locator("#key-list .key-id")).to_have_count(left)
