"""Somebody at the console with a real browser, and what is looked at on every page they see.

1. ``ServedConsole`` is a real ``itmo-hub console`` process over a database.
2. ``Visitor`` is a person with a browser of their own: signed in by a session begun aside, unless
   they sign in themselves. What the browser complains of (a script's error, a breach of the
   content policy) is collected, and is a failure at the end.
3. ``accessible`` asks axe-core; ``shot`` keeps a picture under ``build/console-pages``.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people.sessions import PASSWORD_AND_CODE, Sessions
from hub.store.database import Database
from tests.hub.console.console_world import add_person

VENDOR: Final = Path(__file__).parents[1] / "vendor"
AXE: Final = (VENDOR / "axe-core-4.14.1" / "axe.min.js").read_text()
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PICTURES: Final = Path(
    os.environ.get("ITMO_HUB_PICTURES") or Path(__file__).parents[4] / "build" / "console-pages"
)
START_SECONDS: Final = 30
# What is waited for comes at once, or on a machine that is busy with other tests, later.
expect.set_options(timeout=30_000)


@dataclass(slots=True)
class ServedConsole:
    """A console process: its address and the database it stands on."""

    address: str
    database: Database
    people: dict[str, str] = field(default_factory=dict)

    def person(self, name: str, role: str, **changes: Any) -> str:
        """Return the id of a person of this name, entered when they are first named."""
        if name not in self.people:
            self.people[name] = add_person(self.database, name, role, **changes)
        return self.people[name]

    def token(self, name: str, role: str) -> str:
        """Begin a session of a person."""
        sessions = Sessions(self.database, ConsolePolicy())
        person_id = self.person(name, role)
        now = datetime.now(UTC)
        try:
            return sessions.begin(person_id, PASSWORD_AND_CODE, "127.0.0.1", "a test", now)
        finally:
            sessions.close()


@dataclass  # without slots: Playwright keeps something beside a method that hears events
class Visitor:
    """A person before a browser. ``complaints`` are what the browser said was wrong."""

    console: ServedConsole
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page of the console."""
        self.page.goto(self.console.address + path)
        return self.page

    def hear(self, message: ConsoleMessage) -> None:
        """Keep what the browser complains of."""
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location})")

    def accessible(self) -> None:
        """Assert that axe-core finds nothing on the page as it is now."""
        self.page.evaluate(AXE)
        found = self.page.evaluate(
            "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
        )
        wrong = [
            f"{one['id']}: {one['help']}: "
            + "; ".join(f"{node['target']} {node['failureSummary']}" for node in one["nodes"][:4])
            for one in found["violations"]
        ]
        assert not wrong, f"{self.page.url}\n" + "\n".join(wrong)

    def shot(self, name: str) -> None:
        """Keep a picture of the whole page."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@contextmanager
def visiting(
    browser: Browser,
    console: ServedConsole,
    name: str = "viewer",
    role: str = "viewer",
    *,
    signed_in: bool = True,
    theme: Literal["light", "dark"] = "light",
    width: int = 1280,
    javascript: bool = True,
) -> Iterator[Visitor]:
    """Give a person a browser; at the end it must not have complained."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        java_script_enabled=javascript,
        locale="en-GB",
        reduced_motion="reduce",
    )
    if signed_in:
        context.add_cookies(
            [
                {
                    "name": "itmo-session",
                    "value": console.token(name, role),
                    "url": console.address,
                    "httpOnly": True,
                    "sameSite": "Lax",
                }
            ]
        )
    page = context.new_page()
    visitor = Visitor(console, context, page)
    page.on("console", visitor.hear)
    page.on("pageerror", lambda error: visitor.complaints.append(f"script: {error}"))
    try:
        yield visitor
        assert visitor.complaints == []
    finally:
        context.close()


@contextmanager
def console_process(
    database: Database, *options: str, **environment: str
) -> Iterator[ServedConsole]:
    """Run ``itmo-hub console`` on a free port until the end of the block."""
    command = [sys.executable, "-m", "hub", "console", "--port", "0", *options]
    url = database.url.render_as_string(hide_password=False)
    surroundings = {**os.environ, "ITMO_HUB_DATABASE_URL": url, **environment}
    with subprocess.Popen(
        command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"listening\t(http\S+)\n", line)
            if found is None:
                process.kill()
                assert process.stderr is not None
                raise AssertionError(f"no console: {line!r} {process.stderr.read()}")
            yield ServedConsole(found[1], database)
        finally:
            process.terminate()
            process.wait(START_SECONDS)
