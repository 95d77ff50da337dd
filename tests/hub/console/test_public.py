"""The public page: open to everybody, nobody's cookie, nothing confidential."""

import json

import pytest
from sqlalchemy import func, select, update

from hub.bootstrap_console import ground_of
from hub.config import Settings
from hub.protocol.console_policy import ConsolePolicy
from hub.services.console.ledger.ledger_desk import LedgerDesk
from hub.services.console.log.log_desk import LogDesk
from hub.services.console.nights.tonight_desk import TonightDesk
from hub.services.console.public_desk import PublicDesk
from hub.store.database import Database
from hub.store.tables import participant, unit_block
from tests.hub.console.console_world import ConsoleWorld, serve_console
from tests.hub.services.reconciliation.night_rows import EVIL

PATHS = ("/public", "/public.json")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("as_", [None, "officer"])
async def test_everybody_sees_the_same_and_gets_no_cookie(
    console: ConsoleWorld, path: str, as_: str | None
) -> None:
    """Caches may keep it for a minute: nothing of the visitor is in it."""
    page = await console.get(path, as_=as_)
    assert page.status == 200
    assert page.headers["Cache-Control"] == "public, max-age=60"
    assert page.cookies == {}
    assert "Set-Cookie" not in page.headers
    assert "Officer" not in page.text
    assert "csrf" not in page.text


async def test_no_holdings_of_a_registry_and_no_case_are_told(console: ConsoleWorld) -> None:
    """Two registries have units: not even their sum is told, for one could compute the other's."""
    told = json.loads((await console.get("/public.json", as_=None)).text)
    assert set(told) == {
        *("format", "at", "hub", "participants", "counts", "log", "hub_keys", "rulebook"),
    }
    assert {key for one in told["participants"] for key in one} == {
        *("code", "party", "kind", "name", "state"),
    }
    assert told["counts"]["transfers_completed"] == 2
    assert set(told["counts"]["units_by_status"].values()) == {None}
    for word in ("case", "frozen", "finding", "account"):
        assert word not in json.dumps({**told, "rulebook": None})


def test_sums_are_told_where_three_registries_have_units(seeded: Database) -> None:
    """Of each status by itself, and of them all together only."""
    with seeded.writing() as connection:
        blocks = list(connection.execute(select(unit_block.c.block_id)).scalars())
        for code, block_id in zip(("THA01", "CHE01", "GHA01"), blocks, strict=False):
            connection.execute(
                update(unit_block)
                .where(unit_block.c.block_id == block_id)
                .values(registry=code, status="itmo")
            )
        held = select(func.sum(unit_block.c.last_serial - unit_block.c.first_serial + 1))
        itmos = connection.execute(held.where(unit_block.c.status == "itmo")).scalar_one()
    ground = ground_of(Settings(), seeded)
    desks = (TonightDesk(ground), LedgerDesk(ground), LogDesk(ground))
    facts = PublicDesk(ground).facts(*desks)
    assert facts.units is not None
    assert {one.status: one.units for one in facts.units} == {"itmo": itmos}


async def test_an_operator_may_switch_it_off(seeded: Database) -> None:
    """Then there is no such page, and no link to one."""
    async with serve_console(seeded, ConsolePolicy(public_page=False)) as console:
        for path in PATHS:
            assert (await console.get(path, as_=None)).status == 404
        assert 'href="/public"' not in (await console.get("/", as_="viewer")).text


async def test_markup_in_a_name_stays_a_text(seeded: Database) -> None:
    """A participant's name is shown as it is, and runs nothing."""
    with seeded.writing() as connection:
        connection.execute(update(participant).values(name=EVIL))
    async with serve_console(seeded) as console:
        page = await console.get("/public", as_=None)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


async def test_the_keys_and_the_newest_checkpoint_are_there(console: ConsoleWorld) -> None:
    """Whoever wants to verify finds all it takes."""
    told = json.loads((await console.get("/public.json", as_=None)).text)
    origin = told["log"]["origin"]
    assert told["log"]["checkpoint"].startswith(f"{origin}\n")
    assert told["hub_keys"]
    assert told["log"]["checkpoints"][0]["size"] <= told["counts"]["log_entries"]
    assert len(told["rulebook"]["rules"]) > 50


async def test_the_language_is_the_one_asked_for(console: ConsoleWorld) -> None:
    """Not the visitor's own, or a cache would show it to others."""
    page = await console.get("/public?lang=fr", as_="officer")
    assert '<html lang="fr"' in page.text
    assert page.headers["Vary"] == "Accept-Language"
