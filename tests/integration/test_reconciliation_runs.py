"""Comparisons as an operator has them made: hubs killed and doubled, and the command's word."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import delete, update

from hub.commands import reconcile_runs
from hub.services.crash_points import RECONCILIATION_POINTS
from hub.services.reconciliation.runs.link_secrets import LinkSecrets, write_secret
from hub.services.reconciliation.runs.night_dates import due_at, latest_due
from hub.store.database import Database
from hub.store.reconciliation import nights, sessions
from hub.store.reconciliation.nights import FINISHED, NightRow
from hub.store.reconciliation.tables import night as night_table
from hub.store.reconciliation.tables import session as session_table
from tests.hub.commands.runner import Said, run
from tests.hub.services.reconciliation.run_worlds import MASTER, OWN, changed
from tests.hub.world import HUB, World
from tests.integration.compared_registry import ComparedRegistry
from tests.integration.conftest import StartHub
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import Peer, now

CODES = ("CHE01", "GHA01", "THA01")
WAIT_SECONDS = 60


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Write the hub's link secret."""
    write_secret(tmp_path / "master", HUB, MASTER)
    return tmp_path / "master"


def settings(secret: Path, **changes: Any) -> dict[str, str]:
    """Return the hub's settings; its last night was due an hour ago."""
    policy = {
        "secret": str(secret),
        "at": f"{now() - timedelta(hours=1):%H:%M}",
        "stagger_seconds": 0,
        "movements_between": 0,
    }
    return {
        "ITMO_HUB_RECONCILIATION": json.dumps(policy | changes),
        "ITMO_HUB_DELIVERY_POLL_SECONDS": "0.05",
    }


def sold(database_url: str) -> None:
    """Register everybody, and let Thailand sell units to Switzerland."""
    register(database_url)
    world = World(Database(database_url))
    world.begin()
    for n in range(3):
        world.transfer(f"THA01-{n + 1}", 100 * n + 1, 100 * n + 90)
    world.database.dispose()


class Compared:
    """The registries of a hub, all at work."""

    def __init__(self, hub: HubUnderTest, http: aiohttp.ClientSession) -> None:
        secrets = LinkSecrets(MASTER, OWN)
        self.of = {
            code: ComparedRegistry(Peer(code, hub.address, http), hub, secrets) for code in CODES
        }
        self._stack = AsyncExitStack()
        for one in self.of.values():
            one.copy_of_ledger()

    async def __aenter__(self) -> "Compared":
        for one in self.of.values():
            await self._stack.enter_async_context(one.working())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


async def reconcile(hub: HubUnderTest, *words: str) -> Said:
    """Run a command beside the running hub."""
    arguments = ("reconcile", *words, "--database", hub.database_url)
    return await asyncio.to_thread(run, *arguments)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Return a database where Switzerland has units of Thailand."""
    sold(database_url)
    opened = Database(database_url)
    yield opened
    opened.dispose()


def make_night_due(database: Database, at: str) -> None:
    """Let the latest night be one that has not run: the one before it is the last that did."""
    tonight = latest_due(at, now())
    with database.writing() as connection:
        connection.execute(delete(night_table))
        connection.execute(update(session_table).values(night=None))
        before = tonight - timedelta(days=1)
        nights.add(connection, [NightRow(str(before), FINISHED, due_at(before, at))])


async def until_night_ends(database: Database) -> NightRow:
    """Wait until the newest night has ended."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            with database.reading() as connection:
                (row,) = nights.newest(connection, 1)
                if row.state == FINISHED and row.own_books is not None:
                    return row
            await asyncio.sleep(0.05)


async def until_all_were_told(registries: Compared) -> None:
    """Wait until every registry has fetched the result of each session that it was asked in."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            if all(len(one.results) == len(set(one.cuts)) for one in registries.of.values()):
                return
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_night_ends_well_wherever_the_hub_is_killed(
    hubs: StartHub, http: aiohttp.ClientSession, database: Database, secret: Path
) -> None:
    """Before and after each commit: everybody is compared once, and nothing is said twice."""
    chosen = settings(secret)
    at = json.loads(chosen["ITMO_HUB_RECONCILIATION"])["at"]
    hub = await hubs(str(database.url.render_as_string(hide_password=False)), **chosen)
    async with Compared(hub, http) as registries:
        held = registries.of["CHE01"].book.held
        held[:] = [changed(one, sector="Waste") if n % 2 else one for n, one in enumerate(held)]
        for place in RECONCILIATION_POINTS:
            hub.kill_now()
            make_night_due(database, at)
            hub.environment["ITMO_CRASH_AT"] = place
            await hub.start()
            assert await hub.dead(60) == 137, place
            del hub.environment["ITMO_CRASH_AT"]
            await hub.start()
            night = await until_night_ends(database)
            with database.reading() as connection:
                rows = sessions.of_night(connection, night.night)
            results = {row.registry: sessions.result_of(row) for row in rows}
            expected = {"CHE01": "differs", "GHA01": "agreed", "THA01": "agreed"}
            assert (place, results, len(rows)) == (place, expected, 3)
        await until_all_were_told(registries)
    hub.prove()
    for one in registries.of.values():
        told = [result["session"] for result in one.results]
        assert told == list(dict.fromkeys(one.cuts)), "each session has one result"


@pytest.mark.timeout(120)
async def test_the_command_tells_by_its_exit_status_what_came_of_it(
    hubs: StartHub, http: aiohttp.ClientSession, database: Database, secret: Path
) -> None:
    """0 agreed, 1 differences, 2 what cannot be, 3 silence; the table says the same."""
    url = str(database.url.render_as_string(hide_password=False))
    hub = await hubs(url, **settings(secret, answer_seconds=5))
    async with Compared(hub, http) as registries:
        said = await reconcile(hub, "run", "--json")
        assert said.status == 0, said
        assert {row["registry"]: row["result"] for row in said.document} == dict.fromkeys(
            CODES, "agreed"
        )
        book = registries.of["CHE01"].book
        book.held[0] = changed(book.held[0], sector="Waste")
        said = await reconcile(hub, "run", "--registry", "CHE01", "--registry", "THA01", "--json")
        assert said.status == 1, said
        found = {row["registry"]: row for row in said.document}
        assert (found["CHE01"]["result"], found["THA01"]["result"]) == ("differs", "agreed")
        case = found["CHE01"]["cases"]
        assert case
        series = ("--registry", "CHE01", "--series", "CA0001-THA01-THA-*-2023")
        assert (await reconcile(hub, "run", *series)).status == 0
        same = (*series[:3], "CA0001-THA01-THA-*-2022")
        assert (await reconcile(hub, "run", *same)).status == 1
        registries.of["CHE01"].copy_of_ledger()
        said = await reconcile(hub, "run", "--case", case, "--json")
        assert said.status == 0, said
        for words, why in (
            (("--registry", "KEN01"), "there is no participant KEN01"),
            (("--case", "2020-01-01/9"), "there is no case"),
            (("--case", case, "--registry", "THA01"), "leave --registry out"),
        ):
            said = await reconcile(hub, "run", *words)
            assert (said.status, why in said.err) == (2, True), said
        registries.of["GHA01"].answers = False
        said = await reconcile(hub, "run", "--json")
        assert said.status == 3, said
        assert {row["registry"]: row["result"] for row in said.document}["GHA01"] == "silent"
    listed = (await reconcile(hub, "sessions", "--json", "--registry", "GHA01")).document
    assert [row["result"] for row in listed] == ["silent", "agreed"]
    standing = (await reconcile(hub, "status", "--json")).document
    assert [row["registry"] for row in standing["registries"]] == list(CODES)
    assert standing["registries"][1]["open_cases"] == 1


async def test_without_a_hub_the_command_says_so_and_takes_its_request_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 4; nothing is left that a hub would do later unasked."""
    monkeypatch.setattr(reconcile_runs, "LEAD_SECONDS", 0.3)
    url = str(database.url.render_as_string(hide_password=False))
    said = await asyncio.to_thread(run, "reconcile", "run", "--database", url)
    assert said.status == 4
    assert "no hub leads this database" in said.err
    with database.reading() as connection:
        assert nights.open_requests(connection) == []


@pytest.mark.postgres
@pytest.mark.timeout(120)
async def test_of_two_hubs_one_compares_and_the_other_takes_over(
    hubs: StartHub, http: aiohttp.ClientSession, postgres_database_url: str, secret: Path
) -> None:
    """A session that the dead leader began is ended by its successor; nobody is asked twice."""
    sold(postgres_database_url)
    first = await hubs(postgres_database_url, **settings(secret))
    await until_leads(first, http)
    second = await hubs(postgres_database_url, **settings(secret))
    async with Compared(second, http) as registries:
        assert (await reconcile(second, "run", "--registry", "CHE01")).status == 0
        registries.of["CHE01"].answers = False
        waiting = asyncio.create_task(reconcile(second, "run", "--registry", "CHE01", "--json"))
        opened = Database(postgres_database_url)
        await until_asked(opened)
        first.kill_now()
        registries.of["CHE01"].answers = True
        said = await waiting
    assert said.status == 0, said
    assert len(registries.of["CHE01"].cuts) == 2
    opened.dispose()


async def until_asked(database: Database) -> None:
    """Wait until a session is open."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            with database.reading() as connection:
                if sessions.open_sessions(connection):
                    return
            await asyncio.sleep(0.05)


async def until_leads(hub: HubUnderTest, http: aiohttp.ClientSession) -> None:
    """Wait until a hub leads."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            async with http.get(hub.address + "/health/ready") as response:
                if (await response.json())["leads"]:
                    return
            await asyncio.sleep(0.05)


async def test_a_hub_without_a_secret_is_healthy_and_names_the_remedy(
    hubs: StartHub, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """It says once that nothing is compared by digests; the command says how that is mended."""
    url = f"sqlite:///{tmp_path}/plain.db"
    sold(url)
    hub = await hubs(url)
    async with http.get(hub.address + "/health/ready") as response:
        assert (await response.json())["status"] == "ready"
    said = await reconcile(hub, "run")
    assert said.status == 2
    assert "reconcile secret new --out FILE" in said.err
    assert hub.log.read_text().count('"event": "no registry is compared by digests"') == 1
