"""The operator's day at the registries: looking, suspending and lifting, with keys alone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.store import reference
from hub.store.database import Database
from tests.hub.console.browser.visitors import ServedConsole, console_process, visiting
from tests.hub.console.registry_world import trouble
from tests.hub.world import World
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser]

PAGES = {
    "registries": "/registries",
    "registry": "/registries/THA01",
    "registry-keys": "/registries/CHE01",
    "registry-add": "/registries/add",
    "registry-key": "/registries/THA01/keys/add",
    "suspensions": "/suspensions",
    "suspensions-pair": "/suspensions/place?level=pair",
    "system": "/system",
}


@pytest.fixture
def served(seeded: Database) -> Iterator[ServedConsole]:
    """Run a console process over the small day with registries in trouble."""
    trouble(World(seeded))
    with console_process(seeded) as console:
        yield console


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_registries_are_accessible_in_both_lights(
    chromium: Browser, served: ServedConsole, theme: str
) -> None:
    """axe-core finds nothing on any of them; the script of a key's file says nothing wrong."""
    for name, path in PAGES.items():
        with visiting(chromium, served, "ops", "operator", theme=theme) as visitor:  # type: ignore[arg-type] # one of the two
            visitor.open(path)
            visitor.accessible()
            visitor.shot(f"{name}-{theme}")


def test_a_narrow_screen_shows_registries_without_scrolling_the_page_sideways(
    chromium: Browser, served: ServedConsole
) -> None:
    """Tables scroll in regions of their own."""
    for name, path in PAGES.items():
        with visiting(chromium, served, "ops", "operator", width=320) as visitor:
            page = visitor.open(path)
            fits = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            visitor.shot(f"{name}-narrow")
            assert fits, path


def test_the_list_is_filtered_as_one_types_and_without_a_script(
    chromium: Browser, served: ServedConsole
) -> None:
    """Htmx swaps the table; without it the form asks for a page."""
    with visiting(chromium, served) as visitor:
        page = visitor.open("/registries")
        page.get_by_label("Code, Party or name").fill("tha")
        expect(page.locator("#registries tbody tr")).to_have_count(1)
        assert "q=tha" in page.url
    with visiting(chromium, served, javascript=False) as visitor:
        page = visitor.open("/registries")
        page.get_by_label("With").select_option("backing_off")
        page.get_by_role("button", name="Show").click()
        assert page.locator("#registries tbody tr").count() == 1


def test_an_operator_suspends_a_registry_and_lifts_it_with_the_keyboard_alone(
    chromium: Browser, served: ServedConsole
) -> None:
    """From the list to the log, without a mouse; nothing happens before the confirmation."""
    with visiting(chromium, served, "ops", "operator") as visitor:
        page = visitor.open("/registries")
        _go(page, "CHE01")
        _go(page, "Suspend")
        _type(page, "Reason", "A stolen key, says its operator")
        _press(page, "Look at what will be done")
        assert _state(served, "CHE01") == "active"
        visitor.accessible()
        visitor.shot("registry-suspend-confirm")
        _press(page, "Do it")
        page.wait_for_url("**/registries/CHE01")
        assert _state(served, "CHE01") == "suspended"
        _go(page, "Activate")
        _type(page, "Reason", "The key was replaced")
        _press(page, "Look at what will be done")
        _press(page, "Do it")
        page.wait_for_url("**/registries/CHE01")
        assert _state(served, "CHE01") == "active"


def test_a_suspension_is_placed_and_lifted_without_a_script(
    chromium: Browser, served: ServedConsole
) -> None:
    """The level is chosen by a link, the rest by forms."""
    with visiting(chromium, served, "ops", "operator", javascript=False) as visitor:
        page = visitor.open("/suspensions")
        page.get_by_role("link", name="Suspend something").click()
        page.get_by_role("link", name="pair", exact=True).click()
        page.get_by_label("One of the two").select_option("THA01")
        page.get_by_label("The other one").select_option("CHE01")
        page.get_by_label("Reason").fill("They ask for a pause")
        page.get_by_role("button", name="Look at what will be done").click()
        assert "CHE01, THA01" in page.inner_text("main")
        page.get_by_role("button", name="Do it").click()
        assert "They ask for a pause" in page.inner_text("main")
        page.get_by_role("link", name="Lift CHE01/THA01").click()
        page.get_by_label("Reason").fill("The pause is over")
        page.get_by_role("button", name="Look at what will be done").click()
        page.get_by_role("button", name="Do it").click()
        assert "The pause is over" in page.inner_text("main")


def _go(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("link", name=name, exact=True).first.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")


def _type(page: Page, label: str, text: str) -> None:
    page.get_by_label(label).focus()
    page.keyboard.type(text)


def _press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")


def _state(served: ServedConsole, code: str) -> str:
    with served.database.reading() as connection:
        return next(row.state for row in reference.participants(connection) if row.code == code)
