"""Signing in with a real browser: passkeys on a virtual device, and pages that everybody can use.

Chromium's virtual authenticator is a device that does what real ones do, without a finger.
"""

import re
from typing import Any, Literal

import pyotp
import pytest
from playwright.sync_api import Browser, CDPSession

from hub.services.people import persons
from hub.services.people.persons import Persons
from hub.store.people import passkeys, sign_ins
from tests.hub.console.browser.visitors import ServedConsole, Visitor, visiting
from tests.integration.peers import now
from tests.tools import needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]

PASSWORD = "seven quiet herons"


def invite(served: ServedConsole, name: str, role: str = "officer") -> str:
    """Add a person; return the path of their invitation."""
    with served.database.writing() as connection:
        persons.add(connection, name=name, display_name=name.title(), role=role, at=now())
    return f"/invitation/{Persons(served.database).invite(name, now()).token}"


def accept(visitor: Visitor, path: str) -> None:
    """Accept an invitation with a password."""
    page = visitor.open(path)
    page.get_by_label("Choose a password").fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Set up the account").click()
    page.wait_for_url("**/me")


class Device:
    """A virtual authenticator in a visitor's browser."""

    def __init__(self, visitor: Visitor, *, verifies: bool = True) -> None:
        self.session: CDPSession = visitor.context.new_cdp_session(visitor.page)
        self.session.send("WebAuthn.enable", {"enableUI": False})
        self.id = self.session.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "ctap2Version": "ctap2_1",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": verifies,
                    "automaticPresenceSimulation": True,
                }
            },
        )["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        """Return the passkeys on the device."""
        asked = {"authenticatorId": self.id}
        found: list[dict[str, Any]] = self.session.send("WebAuthn.getCredentials", asked)[
            "credentials"
        ]
        return found

    def verify(self, is_verified: bool) -> None:
        """Let the device know its user, or not."""
        self.session.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": self.id, "isUserVerified": is_verified},
        )

    def count_back(self) -> None:
        """Make the device a copy that does not know how often the passkey was used."""
        (credential,) = self.credentials()
        self.session.send("WebAuthn.clearCredentials", {"authenticatorId": self.id})
        self.session.send(
            "WebAuthn.addCredential",
            {"authenticatorId": self.id, "credential": {**credential, "signCount": 0}},
        )


def sign_out(visitor: Visitor) -> None:
    """Sign out by the menu."""
    visitor.page.locator(".console-menu > summary").click()
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.page.wait_for_url("**/sign-in")


def last_events(served: ServedConsole) -> list[str]:
    """Return what the last events say, newest first."""
    with served.database.reading() as connection:
        return [f"{one.outcome} {one.method}" for one in sign_ins.page(connection, 3)]


def test_a_passkey_is_made_and_then_signs_in_without_a_name(
    served: ServedConsole, chromium: Browser
) -> None:
    """Registration opens the confined session; sign-in is both factors; the device counts."""
    with visiting(chromium, served, signed_in=False) as visitor:
        accept(visitor, invite(served, "ana"))
        page, device = visitor.page, Device(visitor)
        assert page.get_by_text("One step is left").is_visible()
        page.get_by_label("Name of the device").fill("Ana's laptop")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_text("Ana's laptop", exact=True).wait_for()
        assert not page.get_by_text("One step is left").is_visible()
        visitor.accessible()
        visitor.shot("me-passkey")
        assert len(device.credentials()) == 1

        sign_out(visitor)
        visitor.open("/sign-in?next=/me")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{served.address}/me")
        assert last_events(served)[0] == "signed_in passkey"
        with served.database.reading() as connection:
            person_id = Persons(served.database).find("ana").person_id
            (kept,) = passkeys.of_person(connection, person_id)
        assert kept.sign_count == device.credentials()[0]["signCount"] > 0
        assert kept.used_at is not None


def test_a_copied_passkey_and_an_unverified_user_stay_outside(
    served: ServedConsole, chromium: Browser
) -> None:
    """A count that goes back, or a device that did not ask who it is."""
    with visiting(chromium, served, signed_in=False) as visitor:
        accept(visitor, invite(served, "ana"))
        page, device = visitor.page, Device(visitor)
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_text("My passkey", exact=True).wait_for()
        sign_out(visitor)
        visitor.open("/sign-in?next=/me")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{served.address}/me")
        sign_out(visitor)

        device.count_back()
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("The passkey was not taken.").wait_for()
        assert last_events(served)[0] == "refused passkey"
        device.verify(is_verified=False)
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_text("No passkey was used.").wait_for()
        assert visitor.context.cookies()[-1]["name"] != "itmo-session"
        visitor.complaints[:] = [
            one for one in visitor.complaints if "/sign-in/passkey" not in one
        ]  # the browser tells of the answer 403


def test_after_the_password_a_passkey_is_the_second_factor(
    served: ServedConsole, chromium: Browser
) -> None:
    """The page offers it, and nothing else where there are no codes."""
    with visiting(chromium, served, signed_in=False) as visitor:
        accept(visitor, invite(served, "ana"))
        page = visitor.page
        Device(visitor)
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_text("My passkey", exact=True).wait_for()
        sign_out(visitor)
        page.get_by_label("Name").fill("ana")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/sign-in/code")
        assert page.get_by_label("Code").count() == 0
        visitor.accessible()
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.get_by_role("button", name="Find").wait_for()
        assert visitor.page.url == f"{served.address}/"


def test_without_scripts_a_password_and_a_code_sign_in(
    served: ServedConsole, chromium: Browser
) -> None:
    """From the invitation to the account; passkeys say that they need a script."""
    with visiting(chromium, served, signed_in=False, javascript=False) as visitor:
        accept(visitor, invite(served, "ana"))
        page = visitor.page
        page.get_by_role("link", name="Set up an app").click()
        key = page.locator(".codes-key").inner_text()
        app = pyotp.TOTP(key.replace(" ", ""))
        page.get_by_label("Code").fill(app.now())
        page.get_by_role("button", name="Use this app").click()
        page.wait_for_url("**/me")
        assert page.get_by_text("The app gives your codes from now on.").is_visible()
        assert page.get_by_text("Passkeys need JavaScript.").is_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_everybody_can_use_the_pages_of_signing_in(
    served: ServedConsole, chromium: Browser, theme: Literal["light", "dark"], width: int
) -> None:
    """axe-core finds nothing, in light and dark, on wide and narrow screens."""
    path = invite(served, "ana")
    with visiting(chromium, served, signed_in=False, theme=theme, width=width) as visitor:
        page = visitor.open("/sign-in")
        visitor.accessible()
        visitor.shot(f"sign-in-{theme}-{width}")
        page.get_by_label("Name").fill("ana")
        page.get_by_label("Password").fill("wrong password")
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("alert").first.wait_for()
        visitor.accessible()
        visitor.open(path)
        visitor.accessible()
        accept(visitor, path)
        for where in ("/me", "/me/codes", "/me/password", "/me/confirm?next=/me"):
            visitor.open(where)
            visitor.accessible()
            visitor.shot(re.sub(r"[^a-z0-9]+", "-", f"{where} {theme} {width}").strip("-"))
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0
        visitor.complaints[:] = [one for one in visitor.complaints if "403" not in one]
