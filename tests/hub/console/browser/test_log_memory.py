"""The log page in a browser that remembers: it believes what continues, and a liar is found.

The liar is between the console and the browser: the test answers in the console's place, with what
a hub could answer that rewrote its history and still has the log's key.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCheckpoint, StoredCosignature
from tests.hub.console.browser.visitors import (
    ServedConsole,
    Visitor,
    console_process,
    visiting,
)
from tests.hub.log_world import Witness, log_keys, policy_text, published
from tests.integration.peers import now
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser]

WITNESS = Witness("w.example")
AWAY = Witness("away.example")
UNIT = "CA0001-THA01-THA-15-2022"
MEMORY = "JSON.parse(localStorage.getItem('itmo-hub.log'))"


@pytest.fixture(scope="module")
def watched_file(seeded_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a copy of the small day for all tests here: its log only grows."""
    path = tmp_path_factory.mktemp("watched") / "hub.db"
    path.write_bytes(seeded_file.read_bytes())
    return path


@pytest.fixture(scope="module")
def watched(
    watched_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedConsole]:
    """Run a console process over it, with two witnesses."""
    policy = tmp_path_factory.mktemp("policy") / "witnesses"
    policy.write_text(policy_text(WITNESS, AWAY))
    database = Database(f"sqlite:///{watched_file}")
    with console_process(database, ITMO_HUB_WITNESS_POLICY=str(policy)) as console:
        yield console
    database.dispose()


@pytest.fixture
def visitor(chromium: Browser, watched: ServedConsole) -> Iterator[Visitor]:
    """Give somebody a browser that remembers nothing yet."""
    with visiting(chromium, watched) as made:
        yield made


def settled(page: Page) -> Any:
    """Return the page when the browser has done its check."""
    expect(page.locator("#log-check .log-verdict")).to_have_count(1)
    expect(page.locator("#log-check")).not_to_have_attribute("aria-busy", "true")
    return page.locator("#log-check")


def grown(console: ServedConsole, count: int = 40) -> StoredCheckpoint:
    """Let the log grow, and the witness cosign."""
    checkpoint = published(console.database, count)
    line = WITNESS.cosign(checkpoint.note)
    said = StoredCosignature(checkpoint.size, WITNESS.name, WITNESS.key.key_id.hex(), line, now())
    with console.database.writing() as connection:
        log_checkpoints.add_cosignatures(connection, [said])
    return checkpoint


def answering(visitor: Visitor, path: str, body: str, status: int = 200) -> None:
    """Answer in the console's place."""

    def lie(route: Route) -> None:
        route.fulfill(status=status, body=body, content_type="text/plain; charset=utf-8")

    visitor.page.route(f"**{path}", lie)


def test_the_first_visit_begins_to_remember(visitor: Visitor, watched: ServedConsole) -> None:
    """The checkpoint and the key, with its fingerprint."""
    newest = grown(watched)
    area = settled(visitor.open("/log"))
    expect(area).to_contain_text("From now on it remembers this one")
    expect(area).to_contain_text("Fingerprint")
    expect(visitor.page.locator("#log-memory")).to_contain_text(str(newest.size))
    memory = visitor.page.evaluate(MEMORY)
    assert memory["size"] == str(newest.size)
    assert memory["vkey"] == log_keys().vkeys[0]
    again = settled(visitor.open("/log"))
    expect(again).to_contain_text("it is the same log")


def test_a_log_that_grew_is_proved_to_continue(visitor: Visitor, watched: ServedConsole) -> None:
    """Signature, proof and the witness's cosignature each have their tick."""
    grown(watched)
    settled(visitor.open("/log"))
    newest = grown(watched, 600)
    area = settled(visitor.open("/log"))
    expect(area).to_contain_text("Nothing was rewritten")
    expect(area.locator(".log-step-bad")).to_have_count(0)
    expect(area).to_contain_text("The witness w.example cosigned it at")
    expect(area).to_contain_text("The witness away.example has not cosigned it (yet)")
    assert visitor.page.evaluate(MEMORY)["size"] == str(newest.size)
    visitor.page.get_by_role("button", name="Check now").click()
    expect(settled(visitor.page)).to_contain_text("it is the same log")


def lies(newest: StoredCheckpoint, older: StoredCheckpoint) -> dict[str, tuple[str, str]]:
    """Return what a liar may serve as the newest checkpoint, and what it must be called."""
    keys, other = log_keys(), log_keys("another.example/log")
    line = WITNESS.cosign(older.note)  # of another tree than it is put under
    middle = len(newest.note) - 40
    spoilt = (
        newest.note[:middle]
        + ("A" if newest.note[middle] != "A" else "B")
        + newest.note[middle + 1 :]
    )
    return {
        "same size": (keys.sign(newest.size, b"\x01" * 32), "Fork"),
        "larger": (keys.sign(newest.size + 50, b"\x02" * 32), "Fork"),
        "smaller": (older.note, "Rollback"),
        "other log": (other.sign(newest.size, newest.root), "another log"),
        "other signature": (spoilt, "not signed by the log"),
        "witness": (newest.note + line, "name is not of this checkpoint"),
        "no checkpoint": ("<html>hello</html>", "is none"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "same size",
        "larger",
        "smaller",
        "other log",
        "other signature",
        "witness",
        "no checkpoint",
    ],
)
def test_a_lying_server_is_found_and_the_finding_stays(
    visitor: Visitor, watched: ServedConsole, tmp_path: Path, name: str
) -> None:
    """Loudly, with evidence to keep, and not forgotten when the liar tells the truth again."""
    older = grown(watched)
    newest = grown(watched)
    settled(visitor.open("/log"))
    served, called = lies(newest, older)[name]
    answering(visitor, "/log/checkpoint", served)
    hashes = json.dumps({"hashes": ["A" * 43 + "="] * 3})
    answering(visitor, "/log/consistency?*", hashes)
    area = settled(visitor.open("/log"))
    expect(area.get_by_role("alert")).to_contain_text(called)
    assert area.locator(".log-step-bad").count() >= 1
    assert visitor.page.evaluate(MEMORY)["size"] == str(newest.size)
    visitor.accessible()
    visitor.shot(f"log-{name.replace(' ', '-')}")

    visitor.page.unroute_all()
    area = settled(visitor.open("/log"))
    expect(area.get_by_role("alert")).to_contain_text(called)
    with visitor.page.expect_download() as waiting:
        area.get_by_role("button", name="Save the evidence as a file").click()
    waiting.value.save_as(tmp_path / "evidence.json")
    evidence = json.loads((tmp_path / "evidence.json").read_text())
    assert evidence["served"] == served
    assert evidence["remembered"]["note"].startswith(newest.note)

    area.locator("summary").click()
    area.get_by_role("button", name="The evidence is saved").click()
    expect(settled(visitor.page)).to_contain_text("From now on it remembers this one")


def test_a_proof_that_cannot_be_had_is_neither_a_fork_nor_a_tick(
    visitor: Visitor, watched: ServedConsole
) -> None:
    """The browser keeps what it remembers, and compares when it can."""
    before = grown(watched)
    settled(visitor.open("/log"))
    grown(watched)
    answering(visitor, "/log/consistency?*", "{}", status=503)
    area = settled(visitor.open("/log"))
    expect(area).to_contain_text("there was no proof")
    assert visitor.page.evaluate(MEMORY)["size"] == str(before.size)
    visitor.page.unroute_all()
    expect(settled(visitor.open("/log"))).to_contain_text("Nothing was rewritten")
    # The browser tells of the answer 503 itself.
    visitor.complaints = [one for one in visitor.complaints if "/log/consistency" not in one]


def test_a_key_that_the_console_does_not_know_can_be_pasted(
    visitor: Visitor, watched: ServedConsole
) -> None:
    """Until then the signature is told to be unverified; a key of another log is refused."""
    grown(watched)

    def without_keys(route: Route) -> None:
        answer = route.fetch()
        text = answer.text().replace(json.dumps(log_keys().vkeys), "[]")
        route.fulfill(response=answer, body=text)

    visitor.page.route("**/log", without_keys)
    page = visitor.open("/log")
    expect(settled(page)).to_contain_text("public key is not known here")
    box = page.get_by_label("The log’s public key")
    box.fill(WITNESS.key.vkey)
    page.get_by_role("button", name="Remember this key").click()
    expect(page.locator("#log-pin-error")).to_contain_text("not of this log")
    box.fill(log_keys().vkeys[0])
    page.get_by_role("button", name="Remember this key").click()
    expect(settled(page)).to_contain_text("The log’s key")
    assert visitor.page.evaluate(MEMORY)["vkey"] == log_keys().vkeys[0]


def test_an_entry_is_proved_in_the_browser_and_a_changed_one_is_not(
    visitor: Visitor, watched: ServedConsole
) -> None:
    """Leaf, path and signature; a byte changed on the way is found."""
    newest = grown(watched)
    settled(visitor.open("/log"))
    page = visitor.open("/log/entries/3")
    place = page.locator("#entry-check[data-done]")
    expect(place.locator(".log-step-good")).to_have_count(4)
    expect(place).to_contain_text("that this browser remembers")

    def changed(route: Route) -> None:
        answer = route.fetch()
        begin = answer.text().index('"data":"') + 8
        text = answer.text()[: begin + 4] + "AAAA" + answer.text()[begin + 8 :]
        route.fulfill(response=answer, body=text)

    page.route("**/log/entries/*", changed)
    page = visitor.open(f"/log/entries/{newest.size - 1}")
    expect(page.locator("#entry-check[data-done]")).to_contain_text("The entry is not proved")
    assert page.locator("#entry-check .log-step-bad").count() == 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_ledger_and_log_are_accessible_in_both_lights(
    chromium: Browser, watched: ServedConsole, theme: Any
) -> None:
    """axe-core finds nothing; charts are drawn under the content policy."""
    pages = {
        "ledger": "/ledger",
        "ledger-vintage": "/ledger?rows=approach&columns=vintage",
        "blocks": "/ledger/blocks",
        "serial": f"/ledger/serial?units={UNIT}",
        "serial-range": f"/ledger/serial?units={UNIT}..900",
        "serial-wrong": "/ledger/serial?units=nonsense",
        "log": "/log",
        "entry": "/log/entries/3",
    }
    with visiting(chromium, watched, theme=theme) as visitor:
        for name, path in pages.items():
            page = visitor.open(path)
            if name == "log":
                settled(page)
            if name in ("ledger", "ledger-vintage"):
                expect(page.locator("[data-chart] canvas")).to_have_count(1)
            visitor.accessible()
            visitor.shot(f"{name}-{theme}")
        # The browser tells of the page that was refused itself.
        visitor.complaints = [one for one in visitor.complaints if "nonsense" not in one]


def test_the_pages_fit_a_narrow_screen_and_need_no_script(
    chromium: Browser, watched: ServedConsole
) -> None:
    """Tables scroll in regions of their own; without scripts everything is there to read."""
    paths = ("/ledger", "/ledger/blocks", f"/ledger/serial?units={UNIT}", "/log", "/log/entries/3")
    with visiting(chromium, watched, width=320) as visitor:
        for path in paths:
            page = visitor.open(path)
            fits = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            visitor.shot(f"narrow{path.split('?')[0].replace('/', '-')}")
            assert fits, path
    with visiting(chromium, watched, javascript=False) as visitor:
        for path in paths:
            visitor.open(path)
        expect(visitor.page.get_by_text("Without scripts nothing is verified here")).to_be_visible()
