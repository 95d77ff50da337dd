"""Transfers as a browser sees them: accessible in both lights, usable by keyboard, no scripts."""

import pytest
from playwright.sync_api import Browser

from tests.hub.console.browser.visitors import ServedConsole, visiting
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_transfers_are_accessible_in_both_lights(
    chromium: Browser, served: ServedConsole, theme: str
) -> None:
    """The list, one transfer with all its parts open, a message, a check, what is found."""
    with visiting(chromium, served, "auditor", "auditor", theme=theme) as visitor:  # type: ignore[arg-type] # one of the two
        visitor.open("/transfers?state=completed")
        visitor.accessible()
        visitor.shot(f"transfers-{theme}")
        page = visitor.open("/transfers/THA01-1")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        visitor.accessible()
        visitor.shot(f"transfer-{theme}")
        page.get_by_role("link", name="Verify the evidence").click()
        page.get_by_role("button", name="Verify now").click()
        assert page.locator(".verdict").inner_text() == "Everything holds"
        visitor.accessible()
        visitor.shot(f"proof-{theme}")
        visitor.open("/find?q=CHE01")
        visitor.accessible()


def test_a_search_is_made_and_taken_back_by_chips(chromium: Browser, served: ServedConsole) -> None:
    """The form asks by its address; a chip leads to the list without it."""
    with visiting(chromium, served) as visitor:
        page = visitor.open("/transfers")
        page.get_by_label("State").select_option("rejected")
        page.get_by_role("button", name="Show", exact=True).click()
        assert page.locator("tbody tr").count() == 1
        page.get_by_role("link", name="Without: State").click()
        assert page.locator("tbody tr").count() == 4


def test_the_box_in_the_header_leads_to_a_transfer(
    chromium: Browser, served: ServedConsole
) -> None:
    """By its id, with the keyboard alone."""
    with visiting(chromium, served) as visitor:
        page = visitor.open("/transfers")
        page.locator("#find").fill("tha01-2")
        page.keyboard.press("Enter")
        page.wait_for_url("**/transfers/THA01-2")
        assert page.locator("h1").inner_text() == "Transfer THA01-2"


def test_a_transfer_fits_on_a_narrow_screen(chromium: Browser, served: ServedConsole) -> None:
    """320 pixels; the picture scrolls by itself."""
    with visiting(chromium, served, width=320) as visitor:
        for path in ("/transfers", "/transfers/THA01-1"):
            page = visitor.open(path)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
