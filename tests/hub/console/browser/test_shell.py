"""What every page has, as a browser sees it."""

import pytest
from playwright.sync_api import Browser

from tests.hub.console.browser.visitors import ServedConsole, visiting
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_frame_of_a_page_is_accessible_in_both_lights(
    chromium: Browser, served: ServedConsole, theme: str
) -> None:
    """An error page has all that every page has."""
    with visiting(chromium, served, theme=theme) as visitor:  # type: ignore[arg-type] # one of the two
        visitor.open("/no/such/page")
        assert visitor.page.locator("html").get_attribute("data-bs-theme") == theme
        visitor.accessible()
        visitor.shot(f"not-found-{theme}")
        visitor.complaints.clear()  # the browser notes the 404 itself


def test_the_first_key_leads_past_the_navigation(chromium: Browser, served: ServedConsole) -> None:
    """Tab, Enter: the content has the focus."""
    with visiting(chromium, served) as visitor:
        page = visitor.open("/no/such/page")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip-link"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        visitor.complaints.clear()


def test_a_narrow_screen_does_not_scroll_sideways(chromium: Browser, served: ServedConsole) -> None:
    """320 pixels are enough (WCAG 1.4.10)."""
    with visiting(chromium, served, width=320) as visitor:
        page = visitor.open("/no/such/page")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        visitor.complaints.clear()
