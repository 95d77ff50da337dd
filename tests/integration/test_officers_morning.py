"""The officer's morning, in real browsers, over the demonstration's real processes.

The night that `itmo-hub demo --keep` leaves: Switzerland's book lost a completion and has a credit
twice. Maria signs in with her password, loads her key, and works both cases until they are closed;
Kofi is the second person where it takes two. Nothing is simulated: the hub, three registries, the
console, the browsers, and every signature.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from hub.demo.console_chapter import KEY_PASSPHRASE
from hub.store.database import Database
from tests.hub.console.browser.visitors import ServedConsole, Visitor, visiting
from tests.tools import CHROMIUM, needs_chromium

pytestmark = [
    needs_chromium,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
PLAY_SECONDS_MAX: Final = 400.0
CLOSED_MILLISECONDS_MAX: Final = 60_000


class Night:
    """The night that the demonstration left: where everything is, and who may sign in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / "console.json").read_text())

    @property
    def served(self) -> ServedConsole:
        """Return the console, as visitors need it."""
        return ServedConsole(self.facts["address"], Database(f"sqlite:///{self.folder}/hub/hub.db"))

    def password(self, name: str) -> str:
        """Return with what somebody signs in."""
        return next(str(one["password"]) for one in self.facts["people"] if one["name"] == name)

    def switzerland(self, *arguments: str) -> None:
        """Run a command of Switzerland's operator."""
        config = self.folder / "CHE01" / "registry.toml"
        command = [sys.executable, "-m", "hub", "registry", *arguments, "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """Play the demonstration, and leave it running while the test works its night."""
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "hub", "demo", "--keep", "--feed-blocks", "1000"]
    log = (tmp_path / "demo.log").open("wb")
    environment = {**os.environ, "COLUMNS": "120"}
    with (
        log,
        subprocess.Popen(
            [*command, "--folder", str(folder)], stdout=log, stderr=log, env=environment
        ) as process,
    ):
        try:
            deadline = time.monotonic() + PLAY_SECONDS_MAX
            while not (folder / "console.json").exists():
                told = (tmp_path / "demo.log").read_text(errors="replace")[-3000:]
                assert process.poll() is None, told
                assert time.monotonic() < deadline, told
                time.sleep(0.5)
            yield Night(folder)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@contextmanager
def at_the_desk(browser: Browser, night: Night, name: str, role: str) -> Iterator[Visitor]:
    """Sign somebody in with their password, and load their key into their browser."""
    with visiting(browser, night.served, name, role, signed_in=False) as visitor:
        page = visitor.open("/")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(night.password(name))
        visitor.accessible()
        page.get_by_role("button", name="Sign in", exact=True).click()
        page = visitor.open("/me/key")
        page.locator("#key-file").set_input_files(night.facts["keys"][name])
        page.get_by_label("Passphrase of the file").fill(KEY_PASSPHRASE)
        page.get_by_role("button", name="Open the file").click()
        expect(page.locator("#key-list .key-word")).to_have_text("registered as yours")
        yield visitor


def signed(visitor: Visitor, button: str = "Sign and do it") -> Page:
    """Look at what will be done, and sign it."""
    page = visitor.page
    expect(page.locator("#signing-state")).to_have_text("Your key is in this browser.")
    visitor.accessible()
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator(".alert-success")).to_be_visible()
    return page


def go_from_the_red_cell_to_the_case(visitor: Visitor) -> None:
    """One glance says that somebody differs; two steps lead to the lost message's case."""
    page = visitor.open("/")
    expect(page.locator("#verdict")).to_contain_text("1 registry differs from the ledger")
    expect(page.locator("#verdict")).to_contain_text("2 open cases")
    visitor.accessible()
    visitor.shot("morning-1-tonight")
    page.locator("#map a.is-findings").first.click()
    expect(page.locator("h1")).to_contain_text("CHE01")
    visitor.accessible()
    page.locator("main a[href^='/cases/']").first.click()
    expect(page.locator("h1")).to_contain_text("Case")


def compare_the_lines(visitor: Visitor, units: int) -> None:
    """Both books lie side by side; what differs is marked, and told in a table as well."""
    page = visitor.page
    expect(page.get_by_role("heading", name="Both books, side by side")).to_be_visible()
    assert page.locator("main svg").count() > 0
    expect(page.locator("main")).to_contain_text(f"{units} units")
    visitor.accessible()
    visitor.shot("morning-2-case")


def case_of(page: Page, kind: str) -> str:
    """Return the path of the open case of a kind."""
    row = page.locator("main tbody tr", has_text=kind)
    path = row.locator("a[href^='/cases/']").first.get_attribute("href")
    assert path is not None, kind
    return path


def press(page: Page, form: str, button: str, **fields: str) -> None:
    """Fill in one of a case's forms and send it."""
    shown = page.get_by_role("form", name=form, exact=True)
    for label, value in fields.items():
        shown.get_by_label(re.compile(f"^{label}")).fill(value)
    shown.get_by_role("button", name=button, exact=True).click()


def work(visitor: Visitor, path: str) -> None:
    """Acknowledge a case and take it."""
    page = visitor.open(path)
    press(page, "Acknowledge", "Acknowledge", Reason="seen this morning")
    signed(visitor)
    press(page, "Assign", "Assign", To="maria", Reason="mine")
    signed(visitor)
    expect(page.locator("main")).to_contain_text("maria")


def propose_and_refuse_an_entry(maria: Visitor, kofi: Visitor, path: str) -> None:
    """A compensating entry takes two: Maria proposes, Kofi looks at what she signed, and refuses.

    He knows from Switzerland that the message itself will be taken: an entry would be wrong.
    """
    page = maria.open(path)
    form = page.get_by_role("form", name="Propose a compensating entry", exact=True)
    form.get_by_label("To the registry").select_option("THA01")
    form.get_by_label(re.compile("^Reason")).fill("Switzerland says that it never got them.")
    form.get_by_role("button").click()
    expect(page.locator("main")).to_contain_text("Two people")
    maria.shot("morning-3-entry")
    signed(maria, "Sign and propose")
    proposal = page.url.removeprefix(maria.console.address)
    page = kofi.open(proposal)
    kofi.accessible()
    page.get_by_label("Reason").fill("The registry takes the message after all.")
    page.get_by_role("button", name="Reject …").click()
    signed(kofi, "Sign and reject")


def test_an_officer_works_the_night_until_every_case_is_closed(night: Night) -> None:
    """Sign in, see, compare, assign, two people, put right, compare again, closed, and proved."""
    lots = night.facts["lots"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with (
            at_the_desk(browser, night, "maria", "officer") as maria,
            at_the_desk(browser, night, "kofi", "officer") as kofi,
        ):
            go_from_the_red_cell_to_the_case(maria)
            page = maria.open("/cases")
            lost, doubled = case_of(page, "lost message"), case_of(page, "doubled message")
            page = maria.open(lost)
            compare_the_lines(maria, 90)
            work(maria, lost)
            propose_and_refuse_an_entry(maria, kofi, lost)
            work(maria, doubled)

            because = ["--reason", "Found by the comparison."]
            correct = ["book", "correct"]
            night.switzerland(*correct, "completion", lots["lost"]["transfer_id"], *because)
            night.switzerland(*correct, "doubled", "--block", lots["doubled"]["units"], *because)
            page = maria.open(lost)
            press(page, "Compare again", "Compare again", Reason="Switzerland put it right")
            signed(maria)
            expect(page.locator("main")).to_contain_text(
                "Closed by session", timeout=CLOSED_MILLISECONDS_MAX
            )
            maria.shot("morning-4-closed")
            page = maria.open("/")
            expect(page.locator("#verdict")).to_contain_text("agree")
            expect(page.locator("#verdict")).not_to_contain_text("differ")
            maria.shot("morning-5-tonight")
            see_the_acts(kofi)
        browser.close()


def see_the_acts(visitor: Visitor) -> None:
    """Every act of the morning is in the log, signed, and holds."""
    page = visitor.open("/acts")
    for kind in ("Acknowledge", "Assign", "Compare"):
        expect(page.locator("#acts")).to_contain_text(re.compile(kind, re.IGNORECASE))
    visitor.accessible()
    visitor.shot("morning-6-acts")
