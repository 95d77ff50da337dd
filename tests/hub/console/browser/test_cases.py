"""Cases before a real browser: the line of serials under the keyboard, the list, accessibility."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.services.reconciliation.cases import case_acts
from hub.store.database import Database
from hub.store.reconciliation import cases
from tests.hub.console.browser.visitors import ServedConsole, visiting
from tests.hub.services.reconciliation.case_worlds import HELD, compared, finding
from tests.hub.world import World, act
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser]
Theme = Literal["light", "dark"]


def case_of(served: ServedConsole, kind: str) -> str:
    """Return the id of the case of a kind."""
    with served.database.reading() as connection:
        rows = cases.listed(connection, cases.Wanted(kind=kind))
    return rows[0].case_id


def view(page: Page) -> tuple[int, int]:
    """Return the first and last serial that the zoomed line shows."""
    first, last = page.locator("[data-serial-line]").first.evaluate(
        "root => root.dataset.view.split('-')"
    )
    return int(first), int(last)


def ink(page: Page) -> list[str]:
    """Return the signs in the zoomed line."""
    return page.locator(".serial-zoom").first.locator("text.sign").all_text_contents()


@pytest.fixture
def far_apart(seeded: Database, tmp_path: Path) -> str:
    """Return a case of one serial in a thousand million, and of a thousand ranges behind."""
    del tmp_path
    several = (
        finding(first, first, ledger=(), registry=(HELD,))
        for first in (1_000, *range(500_000_000, 500_010_000, 10), 1_000_000_000)
    )
    (case_id,) = compared(World(seeded), *several, registry="GHA01").opened
    return case_id


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_list_and_the_pages_of_cases_are_accessible(
    chromium: Browser, served: ServedConsole, theme: Theme
) -> None:
    """In both lights, with all parts open, for somebody who may do everything there."""
    with visiting(chromium, served, "ada", "officer", theme=theme) as visitor:
        page = visitor.open("/cases")
        visitor.accessible()
        visitor.shot(f"cases-{theme}")
        for kind in ("lost_message", "held_twice", "attribute_differs"):
            visitor.open(f"/cases/{case_of(served, kind)}")
            for part in page.locator("main details").all():
                part.evaluate("part => { part.open = true; }")
            page.get_by_role("button", name="Next difference").first.click()
            visitor.accessible()
            visitor.shot(f"case-{kind}-{theme}")


def test_the_line_is_zoomed_and_moved_by_the_keyboard(
    chromium: Browser, served: ServedConsole
) -> None:
    """Plus, minus, arrows, zero; N and P tell the difference they go to."""
    with visiting(chromium, served, "ada", "officer") as visitor:
        page = visitor.open(f"/cases/{case_of(served, 'lost_message')}")
        line = page.get_by_role("group", name="Both books along CA0001-THA01-THA-*-2022")
        line.focus()
        whole = view(page)
        assert whole == (1, 40)
        assert "≠" in ink(page)
        page.keyboard.press("+")
        narrow = view(page)
        assert whole[0] < narrow[0] < narrow[1] < whole[1]
        page.keyboard.press("ArrowLeft")
        left = view(page)
        assert (left[0] < narrow[0], left[1] - left[0]) == (True, narrow[1] - narrow[0])
        page.keyboard.press("ArrowRight")
        assert view(page) == narrow
        page.keyboard.press("-")
        page.keyboard.press("-")
        assert view(page) == whole
        page.keyboard.press("n")
        status = page.locator(".serial-detail").first
        expect(status).to_contain_text("11–20")
        expect(status).to_contain_text("ledger: held")
        expect(status).to_contain_text("registry: nothing")
        assert view(page) != whole
        page.keyboard.press("0")
        assert view(page) == whole
        for _ in range(40):
            page.keyboard.press("+")
        assert view(page)[1] - view(page)[0] == 3
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert view(page)[1] <= whole[1]


def test_the_line_is_zoomed_by_buttons_wheel_and_pointer(
    chromium: Browser, served: ServedConsole
) -> None:
    """And the page scrolls as everywhere until somebody has come to the line."""
    with visiting(chromium, served, "ada", "officer") as visitor:
        page = visitor.open(f"/cases/{case_of(served, 'held_twice')}")
        whole = view(page)
        tools = page.get_by_role("toolbar").first
        tools.get_by_role("button", name="Zoom in").click()
        narrow = view(page)
        assert narrow[1] - narrow[0] < whole[1] - whole[0]
        tools.get_by_role("button", name="Show all").click()
        assert view(page) == whole
        stage = page.locator(".serial-zoom").first
        stage.scroll_into_view_if_needed()
        stage.hover()
        page.mouse.wheel(0, -100)
        assert view(page) == whole
        stage.focus()
        stage.hover()
        page.mouse.wheel(0, -100)
        line = page.locator("[data-serial-line]").first
        expect(line).not_to_have_attribute("data-view", f"{whole[0]}-{whole[1]}")
        tools.get_by_role("button", name="Next difference").click()
        stage.click()
        expect(page.locator(".serial-detail").first).to_contain_text("ledger")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_thousand_ranges_in_a_thousand_million_stay_readable(
    chromium: Browser, far_apart: str, served: ServedConsole, theme: Theme
) -> None:
    """The overview counts them, the line shows a page of them, no mark vanishes at any zoom."""
    with visiting(chromium, served, "ada", "officer", theme=theme) as visitor:
        page = visitor.open(f"/cases/{far_apart}")
        counts = page.locator(".serial-figure text.marked").all_text_contents()
        assert "1000" in counts
        strips = page.locator("svg.serial-strip g[data-standing=differs]")
        assert strips.count() == 25
        widths = strips.locator("rect.box").evaluate_all(
            "boxes => boxes.map((box) => box.getBoundingClientRect().width)"
        )
        assert min(widths) >= 10
        assert any("×≠" in sign or sign == "≠" for sign in ink(page))
        page.locator(".serial-zoom").first.focus()
        for _ in range(3):
            page.keyboard.press("n")
        assert "≠" in ink(page)
        visitor.accessible()
        visitor.shot(f"case-far-apart-{theme}")
        page.get_by_role("link", name="Higher serials").click()
        expect(page.get_by_role("link", name="Lower serials")).to_be_visible()
        assert strips.count() == 25


def test_the_page_of_a_case_works_without_a_script(
    chromium: Browser, served: ServedConsole
) -> None:
    """The picture, the table and the forms are there; what needs a script is not."""
    with visiting(chromium, served, "ada", "officer", javascript=False) as visitor:
        page = visitor.open(f"/cases/{case_of(served, 'lost_message')}")
        expect(page.locator("svg.serial-strip").first).to_be_visible()
        expect(page.locator("[data-serial-line]").first).to_be_hidden()
        page.locator("summary", has_text="The same as a table").click()
        expect(page.get_by_role("row", name="11–20")).to_contain_text("differs")
        page.get_by_label("Reason (stands in the log)").first.fill("seen early")
        page.get_by_role("button", name="Acknowledge", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Before it is done")
        page.go_back()
        page.emulate_media(media="print")
        expect(page.locator("svg.serial-strip").first).to_be_visible()
        expect(page.locator("#actions")).to_be_hidden()


def test_the_page_of_a_case_follows_what_happens(chromium: Browser, served: ServedConsole) -> None:
    """State and history are shown anew; what somebody is typing stays."""
    with visiting(chromium, served, "ada", "officer") as visitor:
        case_id = case_of(served, "lost_message")
        page = visitor.open(f"/cases/{case_id}")
        page.get_by_label("What you ask").fill("Was it restored?")
        World(served.database).administration.do(case_acts.acknowledge([case_id]), act("seen"))
        page.evaluate("htmx.trigger(document.body, 'live-cases')")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Case {case_id} acknowledged")
        expect(page.locator("#case-events")).to_contain_text("seen")
        expect(page.get_by_label("What you ask")).to_have_value("Was it restored?")


def test_chosen_cases_are_counted_and_kept_when_the_list_changes(
    chromium: Browser, served: ServedConsole
) -> None:
    """All of a page at once; the bulk form says what it will do with them."""
    with visiting(chromium, served, "ada", "officer") as visitor:
        page = visitor.open("/cases")
        page.get_by_label("Choose all on this page").check()
        expect(page.locator("#chosen-count")).to_have_text("(3)")
        page.evaluate("htmx.trigger(document.body, 'live-cases')")
        expect(page.get_by_role("link", name="The list changed since")).to_be_visible()
        expect(page.locator("#chosen-count")).to_have_text("(3)")
        page.get_by_label("To", exact=True).fill("bert")
        page.get_by_role("button", name="Assign the chosen cases").click()
        expect(page.get_by_text("bert is shown as the one who works on the case.")).to_be_visible()


@pytest.mark.parametrize("path", ["/cases", "case"])
def test_a_narrow_screen_does_not_scroll_sideways(
    chromium: Browser, served: ServedConsole, path: str
) -> None:
    """320 pixels are enough (WCAG 1.4.10); tables and pictures scroll by themselves."""
    with visiting(chromium, served, "ada", "officer", width=320) as visitor:
        page = visitor.open(f"/cases/{case_of(served, 'lost_message')}" if path == "case" else path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        visitor.accessible()
