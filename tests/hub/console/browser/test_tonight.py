"""The home page in a browser: read at a glance, refreshed by itself, and by everybody."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import update

from hub.store.database import Database
from hub.store.reconciliation import nights, sessions
from hub.store.tables import participant
from tests.hub.console.browser.visitors import ServedConsole, Visitor, visiting
from tests.hub.services.reconciliation.night_rows import EVIL, NIGHT, plant_case, plant_night
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser]


@pytest.fixture
def seeded(seeded: Database) -> Database:
    """Write a night into the small day."""
    with seeded.writing() as connection:
        plant_night(connection)
    return seeded


def is_drawn(visitor: Visitor, chart: str) -> bool:
    """Tell whether a chart's canvas has anything on it."""
    script = """id => {
        const canvas = document.querySelector(`[data-chart=${id}] canvas`);
        if (!canvas) return false;
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.some(value => value !== 0);
    }"""
    return bool(visitor.page.evaluate(script, chart))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_home_page_is_accessible_and_breaks_no_policy(
    chromium: Browser, served: ServedConsole, theme: str
) -> None:
    """Heat map, charts and lists, in both themes; the browser has nothing to complain of."""
    with visiting(chromium, served, theme=theme) as visitor:  # type: ignore[arg-type] # one of the two
        page = visitor.open("/")
        expect(page.locator("#verdict")).to_contain_text("differ")
        expect(page.locator("#map tbody tr").first).to_contain_text("CHE01")
        page.wait_for_function("document.querySelectorAll('[data-chart] canvas').length === 2")
        assert is_drawn(visitor, "ages-data")
        visitor.accessible()
        visitor.shot(f"tonight-{theme}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nights_sessions_and_the_public_page_are_accessible(
    chromium: Browser, served: ServedConsole, theme: str
) -> None:
    """Each in both themes."""
    with visiting(chromium, served, "olga", "officer", theme=theme) as visitor:  # type: ignore[arg-type] # one of the two
        for path, name in (
            ("/nights", "nights"),
            (f"/nights/{NIGHT}", "night"),
            ("/nights/sessions/CHE01-41", "session"),
            ("/public", "public"),
        ):
            page = visitor.open(path)
            for details in page.locator("main details").all():
                details.evaluate("one => { one.open = true; }")
            visitor.accessible()
            visitor.shot(f"{name}-{theme}")


def test_a_cell_leads_to_its_night_session(chromium: Browser, served: ServedConsole) -> None:
    """By keyboard as well as by hand."""
    with visiting(chromium, served) as visitor:
        page = visitor.open("/")
        cell = page.locator("#map a.is-findings").last
        cell.focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/nights/sessions/CHE01-"))


def test_without_scripts_everything_is_there(chromium: Browser, served: ServedConsole) -> None:
    """The map and all numbers are tables; only the drawings are missing."""
    with visiting(chromium, served, javascript=False) as visitor:
        page = visitor.open("/")
        expect(page.locator("#map a.is-silent").first).to_have_text("silent")
        expect(page.locator("#ages tbody tr").first).to_be_visible()
        expect(page.locator("#attention")).to_contain_text("The night of 2026-11-21 was missed")


def test_a_new_case_is_seen_without_a_reload(chromium: Browser, served: ServedConsole) -> None:
    """The page asks for itself when the database has changed, and the charts with it."""
    with visiting(chromium, served) as visitor:
        page = visitor.open("/")
        expect(page.locator("#live-state")).to_have_text("Live")
        page.evaluate("window.isTheSame = true")
        total = page.locator("#ages tfoot td").last
        before = int(total.inner_text())
        page.locator("#map tbody a").first.focus()
        page.locator("#minutes-table summary").evaluate("one => { one.parentNode.open = true; }")
        page.wait_for_timeout(1_500)  # later looks at the database are compared with the first
        with served.database.writing() as connection:
            plant_case(connection, "2026-11-22/9", 7, changed_at=datetime.now(UTC))
        expect(total).to_have_text(str(before + 1), timeout=15_000)
        assert page.evaluate("window.isTheSame"), "it was not loaded anew"
        assert page.evaluate("document.activeElement.getAttribute('href')") == "/registries/CHE01"
        assert page.locator("#minutes-table").evaluate("one => one.open"), "it stays open"
        page.wait_for_function("document.querySelectorAll('[data-chart] canvas').length === 2")
        assert is_drawn(visitor, "ages-data")
        visitor.accessible()


def test_updates_can_be_stopped(chromium: Browser, served: ServedConsole) -> None:
    """Whoever reads slowly stops them, on all pages, until they want them again."""
    with visiting(chromium, served) as visitor:
        page = visitor.open("/")
        expect(page.locator("#live-state")).to_have_text("Live")
        page.get_by_role("button", name="Stop updates").click()
        expect(page.locator("#live-state")).to_have_text("Paused")
        visitor.open("/nights")
        expect(page.locator("#live-state")).to_have_text("Paused")
        page.get_by_role("button", name="Update by itself").click()
        expect(page.locator("#live-state")).to_have_text("Live")


def test_a_running_night_shows_how_far_it_is(chromium: Browser, served: ServedConsole) -> None:
    """Its registries, counted; and the end of it is seen as it comes."""
    now = datetime.now(UTC)
    with served.database.writing() as connection:
        nights.add(connection, [nights.NightRow("2026-11-23", nights.RUNNING, now, now)])
        row = sessions.load(connection, "THA01-43")
        assert row is not None
    with visiting(chromium, served) as visitor:
        page = visitor.open("/")
        expect(page.locator("#night-now progress")).to_have_attribute("value", "0")
        expect(page.locator("#live-state")).to_have_text("Live")
        page.wait_for_timeout(1_500)
        with served.database.writing() as connection:
            nights.finish(connection, "2026-11-23", at=now, summary="{}")
        expect(page.locator("#night-now")).to_contain_text("Last night", timeout=15_000)


def test_a_name_with_markup_is_drawn_as_text(chromium: Browser, served: ServedConsole) -> None:
    """In the map, in the charts' data, on the public page."""
    with served.database.writing() as connection:
        connection.execute(update(participant).values(name=EVIL))
    with visiting(chromium, served) as visitor:
        for path in ("/", "/public"):
            page = visitor.open(path)
            expect(page.locator("main")).to_contain_text("<script>alert")
            page.wait_for_timeout(300)


def test_a_narrow_screen_scrolls_only_inside_tables(
    chromium: Browser, served: ServedConsole
) -> None:
    """320 pixels are enough (WCAG 1.4.10)."""
    with visiting(chromium, served, width=320) as visitor:
        for path in ("/", f"/nights/{NIGHT}", "/nights/sessions/CHE01-41", "/public"):
            page = visitor.open(path)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        visitor.open("/")
        visitor.shot("tonight-narrow")
