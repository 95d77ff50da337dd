"""A browser without scripts at the console's door: cookies kept, forms filled in as they stand."""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import pyotp
from argon2 import PasswordHasher

from hub.services.people import persons
from hub.services.people.door import Door
from hub.services.people.passwords import Passwords
from tests.hub.console.console_world import ConsoleWorld, Page
from tests.integration.peers import now

PASSWORD: Final = "seven quiet herons"
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def open_door(console: ConsoleWorld) -> Door:
    """Return the console's door, where passwords are hashed cheaply."""
    door = Door(console.console.ground, Passwords(CHEAP))
    console.console._desks[Door] = door
    return door


def add(console: ConsoleWorld, name: str, role: str = "officer") -> str:
    """Add a person who is invited; return the invitation's path."""
    with console.database.writing() as connection:
        persons.add(connection, name=name, display_name=name.title(), role=role, at=now())
    token = persons.Persons(console.database).invite(name, now()).token
    return f"/invitation/{token}"


@dataclass
class Browser:
    """Keeps cookies, follows no redirect by itself, sends forms with their hidden fields."""

    console: ConsoleWorld
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    page: Page | None = None

    async def ask(self, method: str, path: str, **options: Any) -> Page:
        """Send a request with the cookies of now."""
        given = {**self.headers, **options.pop("headers", {})}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.page = await self.console.ask(method, path, None, headers=given, **options)
        for name, value in self.page.cookies.items():
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return self.page

    async def get(self, path: str) -> Page:
        """Ask for a page."""
        return await self.ask("GET", path)

    async def send(self, path: str, action: str | None = None, **form: str) -> Page:
        """Open a page and send the form in it that goes to ``action`` (else to its own path)."""
        shown = await self.get(path)
        assert shown.status < 400, shown.text
        to = action or urlsplit(path).path
        return await self.post(to, {**hidden(shown.text, to), **form})

    async def post(self, path: str, form: dict[str, str]) -> Page:
        """Send a form."""
        return await self.ask("POST", path, data=form)

    async def follow(self) -> Page:
        """Go where the last answer leads; it must be a page of this console."""
        assert self.page is not None
        assert self.page.status == 303, self.page.text
        to = self.page.headers["Location"]
        address = self.console.console.address
        assert urljoin(address, to).startswith(f"{address}/"), to
        return await self.get(to)

    async def sign_in(self, name: str, password: str = PASSWORD, next_: str = "/") -> Page:
        """Send the form of the sign-in."""
        return await self.send(f"/sign-in?next={next_}", name=name, password=password)

    async def accept(self, path: str, password: str = PASSWORD) -> Page:
        """Accept an invitation."""
        return await self.send(path, password=password, again=password)

    async def set_up_codes(self) -> pyotp.TOTP:
        """Set up an app; return it."""
        shown = await self.get("/me/codes")
        key = re.search(r'class="codes-key"[^>]*>([A-Z2-7 ]+)<', shown.text)
        assert key is not None, shown.text
        app = pyotp.TOTP(key[1].replace(" ", ""))
        kept = await self.post(
            "/me/codes", {**hidden(shown.text, "/me/codes"), "code": app.at(now())}
        )
        assert kept.status == 303, kept.text
        return app


def hidden(text: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the form that goes to an address."""
    for form in text.split("<form")[1:]:
        if f'action="{action}"' in form.partition(">")[0]:
            found = _HIDDEN.findall(form.partition("</form>")[0])
            return {name: unescape(value) for name, value in found}
    raise AssertionError(f"no form goes to {action}: {text[:3000]}")
