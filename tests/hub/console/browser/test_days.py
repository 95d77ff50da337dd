"""The operator's day, and how far the others come, each before a browser of their own."""

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.evidence import bundles
from hub.store import reference
from hub.store.database import Database
from tests.hub.console.browser.visitors import ServedConsole, Visitor, visiting
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser, pytest.mark.timeout(240)]

SERIAL: Final = "CA0001-THA01-THA-11-2022"


def find(visitor: Visitor, text: str) -> Page:
    """Type into the box of the header, as from any page."""
    page = visitor.page
    page.get_by_label("Find a transfer, case, serial, account or registry").fill(text)
    page.get_by_role("button", name="Find").click()
    return page


def state_of(database: Database, code: str) -> str:
    """Return the state of a participant."""
    with database.reading() as connection:
        return next(row.state for row in reference.participants(connection) if row.code == code)


def verify_and_take(arun: Visitor, folder: Path) -> None:
    """Find a transfer, have its evidence checked step by step, and take it away."""
    arun.open("/")
    page = find(arun, "THA01-1")
    expect(page).to_have_url(re.compile(r"/transfers/THA01-1$"))
    page.get_by_role("link", name="Verify the evidence").click()
    page.get_by_role("button", name="Verify now").click()
    expect(page.locator(".verdict")).to_have_text("Everything holds")
    assert page.locator("main tbody tr").count() > 5
    arun.accessible()
    arun.shot("day-1-verified")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Take the evidence", exact=True).click()
    taken.value.save_as(folder / "evidence.zip")
    assert bundles.read((folder / "evidence.zip").read_bytes()).items


def suspend_and_resume(arun: Visitor, database: Database) -> None:
    """Stop a registry with a reason, see it said everywhere, and let it go on."""
    page = find(arun, "GHA01")
    expect(page).to_have_url(re.compile(r"/registries/GHA01$"))
    for button, state in (("Suspend", "suspended"), ("Activate", "active")):
        page.get_by_role("link", name=button, exact=True).click()
        page.get_by_label("Reason").fill("their key may be lost")
        page.get_by_role("button", name="Look at what will be done").click()
        assert state_of(database, "GHA01") != state
        arun.accessible()
        page.get_by_role("button", name="Do it").click()
        expect(page.locator(".alert-success")).to_contain_text("of the log")
        assert state_of(database, "GHA01") == state


def test_an_operator_finds_verifies_stops_and_looks_up(
    chromium: Browser, served: ServedConsole, tmp_path: Path
) -> None:
    """A transfer by its id, its proof, a registry stopped and resumed, a serial's whole life."""
    with visiting(chromium, served, "arun", "operator") as arun:
        verify_and_take(arun, tmp_path)
        suspend_and_resume(arun, served.database)
        page = find(arun, SERIAL)
        expect(page.locator("main")).to_contain_text("CHE01")
        expect(page.locator("main")).to_contain_text("THA01-1")
        arun.accessible()
        arun.shot("day-2-serial")
        page = arun.open("/log")
        expect(page.locator("main")).to_contain_text("From now on it remembers this one")
        page = arun.open("/acts")
        expect(page.locator("#acts")).to_contain_text("arun")


LIMITS: Final = {
    # role: (what they see offered on a case, on a registry, may read acts)
    "viewer": (False, False, False),
    "auditor": (False, False, True),
    "officer": (True, False, True),
    "operator": (False, True, True),
    "administrator": (True, True, True),
}


@pytest.mark.parametrize("role", sorted(LIMITS))
def test_a_role_sees_what_it_may_and_is_offered_what_it_can(
    chromium: Browser, served: ServedConsole, role: str
) -> None:
    """No button leads to a refusal; an address typed by hand leads to one that says why."""
    works, operates, reads = LIMITS[role]
    with visiting(chromium, served, role, role) as visitor:
        page = visitor.open("/cases")
        page.locator("main tbody a[href^='/cases/']").first.click()
        expect(page.get_by_role("heading", name="Both books, side by side")).to_be_visible()
        expect(page.get_by_role("button", name="Acknowledge", exact=True)).to_have_count(int(works))
        visitor.accessible()
        page = visitor.open("/registries/GHA01")
        expect(page.get_by_role("link", name="Suspend", exact=True)).to_have_count(int(operates))
        rooms = page.get_by_role("navigation", name="Rooms")
        expect(rooms.get_by_role("link", name="Acts")).to_have_count(int(reads))
        page = visitor.open("/acts")
        if reads:
            expect(page.locator("h1")).to_have_text("Acts")
        else:
            expect(page.locator("main")).to_contain_text("which your role does not have")
            visitor.accessible()
            visitor.complaints.clear()  # the browser notes the 403 itself
