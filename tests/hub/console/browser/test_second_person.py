"""A compensating entry, from the case to the closed case: one proposes, another one approves."""

import re
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Browser, Page, expect

from hub.services.administration.administrators import add_administrator
from hub.services.administration.statements import Says, sign_statement
from hub.store.reconciliation import nights
from keys.key_files import save_encrypted
from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord, PublicKey
from tests.hub.console.browser.visitors import ServedConsole, Visitor, visiting
from tests.hub.services.administration.hands import act_by, said
from tests.hub.services.reconciliation.case_worlds import compared
from tests.hub.world import HUB, World
from tests.integration.peers import now
from tests.tools import needs_chromium

pytestmark = [needs_chromium, pytest.mark.browser, pytest.mark.timeout(240)]

PASSPHRASE: Final = "correct horse battery staple"
OFFICERS: Final = ("maria", "kofi")


def register(world: World, folder: Path) -> None:
    """Register an administrator and two officers with keys of their own, and write their files."""
    keys = {name: Ed25519PrivateKey.generate() for name in ("ingrid", *OFFICERS)}
    for name, key in keys.items():
        save_encrypted(folder / f"{name}.key", key, PASSPHRASE)
        public = PublicKey.from_der(HUB, LocalSigner(key, HUB).public_key_der)
        role = "administrator" if name == "ingrid" else "officer"
        deed = add_administrator(name, KeyRecord.of(public, now()), role)
        act = act_by("ingrid", "appointed")
        statement = None
        if name != "ingrid":
            signer = LocalSigner(keys["ingrid"], HUB)
            statement = sign_statement(said(world, Says.DO, deed, act), signer)
        world.administration.do(deed, act, statement)


def load_key(visitor: Visitor, path: Path) -> None:
    """Load a key file into a browser."""
    page = visitor.open("/me/key")
    page.locator("#key-file").set_input_files(path)
    page.get_by_label("Passphrase of the file").fill(PASSPHRASE)
    page.get_by_role("button", name="Open the file").click()
    expect(page.locator("#key-list .key-word")).to_have_text("registered as yours")


def sign(visitor: Visitor, button: str) -> Page:
    """Sign what the page shows."""
    page = visitor.page
    expect(page.locator("#signing-state")).to_have_text("Your key is in this browser.")
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.locator(".alert-success")).to_be_visible()
    return page


def propose(maria: Visitor, case: str) -> str:
    """Propose to move the lost message's units back; return the proposal's path."""
    page = maria.open(case)
    form = page.get_by_role("form", name="Propose a compensating entry", exact=True)
    form.get_by_label("To the registry").select_option("THA01")
    form.get_by_label(re.compile("^Reason")).fill("Both registries agree that it was undone.")
    form.get_by_role("button").click()
    sign(maria, "Sign and propose")
    return page.url.removeprefix(maria.console.address)


def approve(visitor: Visitor, proposal: str) -> Page:
    """Approve what is proposed."""
    page = visitor.open(proposal)
    page.get_by_label("Reason").fill("agreed with both registries")
    page.get_by_role("button", name="Approve …").click()
    return page


def test_what_one_proposes_another_approves_and_a_clean_comparison_closes(
    chromium: Browser, served: ServedConsole, tmp_path: Path
) -> None:
    """Neither alone moves a unit; the ledger moves once, and the open page sees the case close."""
    world = World(served.database)
    register(world, tmp_path)
    case = f"/cases/{now():%Y-%m-%d}/1"
    for name in OFFICERS:
        served.person(name, "officer", administrator=name)
    with (
        visiting(chromium, served, "maria", "officer") as maria,
        visiting(chromium, served, "kofi", "officer") as kofi,
    ):
        load_key(maria, tmp_path / "maria.key")
        load_key(kofi, tmp_path / "kofi.key")
        proposal = propose(maria, case)
        before = world.blocks()
        expect(maria.page.get_by_role("button", name="Withdraw …")).to_be_visible()
        expect(maria.page.get_by_role("button", name="Approve …")).to_have_count(0)
        assert world.blocks() == before
        approve(kofi, proposal)
        sign(kofi, "Sign, approve and do it")
        assert (11, 20, "THA01", "itmo") in world.blocks()

        page = maria.open(case)
        expect(page.locator("main")).to_contain_text("being corrected")
        asked = page.get_by_role("form", name="Compare again", exact=True)
        asked.get_by_label(re.compile("^Reason")).fill("it was put right")
        asked.get_by_role("button", name="Compare again", exact=True).click()
        sign(maria, "Sign and do it")
        with served.database.reading() as connection:
            assert nights.is_waiting(connection, "CHE01")
        compared(world)
        expect(page.locator("main")).to_contain_text("Closed by session")
    world.prove()
