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
        for path in ("/me", "/", "/registries/CHE01", "/public", "/no/such/page"):
            page = visitor.open(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        visitor.complaints.clear()


def test_where_nothing_is_translated_yet_numbers_stay_before_their_words(
    chromium: Browser, served: ServedConsole
) -> None:
    """In Arabic, written from right to left: English sentences keep their own direction."""
    served.person("reader", "viewer", language="ar")
    with visiting(chromium, served, "reader") as visitor:
        page = visitor.open("/")
        for text in ("3 open cases", "1 registry differs from the ledger."):
            first, last = page.get_by_text(text, exact=True).evaluate(
                """element => {
                  const text = [...element.childNodes].find((node) => node.data?.trim());
                  const begin = text.data.search(/\\S/);
                  const left = (from, to) => {
                    const range = document.createRange();
                    range.setStart(text, from);
                    range.setEnd(text, to);
                    return range.getBoundingClientRect().left;
                  };
                  return [left(begin, begin + 1), left(begin + 2, begin + 3)];
                }"""
            )
            assert first < last, text
