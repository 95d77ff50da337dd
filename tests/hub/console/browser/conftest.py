"""One Chromium for all browser tests of a worker; a console process of its own for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from hub.store.database import Database
from tests.hub.console.browser.visitors import ServedConsole, console_process
from tests.tools import CHROMIUM


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def served(seeded: Database) -> Iterator[ServedConsole]:
    """Run a console process over the small day."""
    with console_process(seeded) as console:
        yield console
