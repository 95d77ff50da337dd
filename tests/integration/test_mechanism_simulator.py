"""A simulated mechanism registry, its real connector, and a real hub: whatever goes wrong between.

Every good tonne ends up in exactly one account; every bad line is among the refusals, by a rule it
may be refused by; contribution units never reach the ledger; the host Party hears of each first
transfer once.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import Connection, select

from connectors.mechanism_registry import store
from connectors.mechanism_registry.feeds.example import ExampleWorld
from connectors.mechanism_registry.reports.report import stored_refusals
from connectors.mechanism_registry.runs.push import FeedHandler
from connectors.mechanism_registry.runs.run import new_session, running
from connectors.mechanism_registry.settings import MechanismSettings, load_settings
from connectors.mechanism_registry.simulator.books import RegistryBooks
from connectors.mechanism_registry.simulator.faults import FAULT_NAMES, Line, Spoiled, kind_of
from connectors.mechanism_registry.simulator.server import SimulatorServer
from connectors.mechanism_registry.sources.client import SourceClient, SourceFaultError
from connectors.mechanism_registry.sources.polled import PolledSource
from connectors.mechanism_registry.tables import open_feeds
from hub.store.database import Database
from hub.store.tables import series, unit_block
from tests.integration.hub_process import HubUnderTest
from tests.integration.mechanism_world import MechanismHome, prepare
from tests.integration.peers import Peer, seeded_signer
from tests.integration.worlds import mailbox, notices

pytestmark = pytest.mark.slow

TOKEN = "a token of the simulator"  # of a test
PAGE_LINES = 25
POLLS_MAX = 20
SERIALS = 10**9
_REGISTRIES = itertools.count(1)

Place = tuple[int, str, str | None, str]
Runs = dict[Place, list[tuple[int, int]]]


def new_books(issuances: int = 4) -> RegistryBooks:
    """Return a registry whose ids and serials no other test uses."""
    number = next(_REGISTRIES)
    world = ExampleWorld(first_serial=number * SERIALS, first_number=number * 10_000)
    return RegistryBooks(number, world).live(issuances)


def settings_for(hub: HubUnderTest, url: str, folder: Path, format_: str) -> MechanismSettings:
    """Return the settings of a connector that polls a simulator for a hub."""
    home = MechanismHome(folder, hub)
    home.configure()
    values = {
        "url": f'"{url}/feed?format={format_}"',
        "format": f'"{format_}"',
        "page_lines": PAGE_LINES,
        "keep_pages": "true",
        "request_seconds_max": 0.5,
        "retry_delay_seconds_min": 0.01,
        "retry_delay_seconds_max": 0.05,
    }
    with home.config.open("a", encoding="utf-8") as file:
        file.write("[source]\n")
        file.writelines(f"{name} = {value}\n" for name, value in values.items())
    return load_settings(home.config)


async def poll(settings: MechanismSettings) -> None:
    """Take all there is; a source that goes back is polled again, as an operator would."""
    source = settings.source
    assert source is not None
    with closing(open_feeds(settings.database)) as database:
        handler = FeedHandler()
        session = new_session(settings, database, handler, [seeded_signer("XMR01")])
        client = SourceClient(source, TOKEN)
        polled = PolledSource(settings, source, None, session, handler, client, lambda _: None)
        try:
            async with running(session):
                for _ in range(POLLS_MAX):
                    try:
                        await polled.poll()
                    except SourceFaultError:
                        continue
                    return
        finally:
            await client.close()
    raise AssertionError("the source never came to its end")


def refused_lines(settings: MechanismSettings) -> dict[int, set[int]]:
    """Return the rules by which lines were refused, by their place in the whole feed, from 0."""
    found: dict[int, set[int]] = defaultdict(set)

    def read(connection: Connection) -> None:
        for state in store.list_feeds(connection, 10_000):
            page = int(state.name.partition("-")[2].partition(".")[0])
            for refusal in stored_refusals(connection, state.feed_id):
                found[(page - 1) * PAGE_LINES + refusal.line - 1].add(refusal.rule)

    with closing(open_feeds(settings.database)) as database:
        database.read_now(read)
    return found


def expected_runs(lines: Iterable[Line]) -> Runs:
    """Return where the units of good lines must be: vintage, registry, account, status."""
    runs: Runs = defaultdict(list)
    for line in lines:
        vintage, kind = line.get("vintage"), kind_of(line)
        assert isinstance(vintage, int)
        span = (line.get("first_serial", 0), line.get("last_serial", 0))
        if kind in {"forwarding", "sop_adaptation", "omge"}:
            status = "cancelled" if kind == "omge" else "itmo"
            runs[vintage, "XIR01", line["acquiring_account"], status].append(span)
        elif kind in {"retirement", "cancellation"}:
            status = "used" if kind == "retirement" else "cancelled"
            runs[vintage, "XMR01", line["account"], status].append(span)
        elif kind == "authorization_change":
            for share, status in (("sop", "itmo"), ("omge", "cancelled")):
                if f"{share}_account" in line:
                    part = (line[f"{share}_first_serial"], line[f"{share}_last_serial"])
                    runs[vintage, "XIR01", line[f"{share}_account"], status].append(part)
    return {place: joined(spans) for place, spans in runs.items()}


def ledger_runs(hub: HubUnderTest, seed: int) -> Runs:
    """Return where the hub's ledger has the units of a simulated registry."""
    columns = [unit_block.c[name] for name in ("registry", "account", "status")]
    serials = [unit_block.c.first_serial, unit_block.c.last_serial]
    query = select(series.c.vintage, *columns, *serials).join(
        series, series.c.series_id == unit_block.c.series_id
    )
    query = query.where(serials[0] >= seed * SERIALS, serials[1] < (seed + 1) * SERIALS)
    runs: Runs = defaultdict(list)
    database = Database(hub.database_url)
    with database.reading() as connection:
        for vintage, registry, account, status, first, last in connection.execute(query):
            runs[vintage, registry, account, str(status)].append((first, last))
    database.dispose()
    return {place: joined(spans) for place, spans in runs.items()}


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return runs in order, those that touch as one; none may overlap."""
    whole: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if whole and whole[-1][1] + 1 == first:
            whole[-1] = (whole[-1][0], last)
        else:
            assert not whole or whole[-1][1] < first, f"{first} is there twice"
            whole.append((first, last))
    return whole


def good_lines(spoiled: Spoiled) -> list[Line]:
    """Return the lines that must take effect."""
    bad = {id(one.line) for one in spoiled.bad}
    return [line for line in spoiled.lines if id(line) not in bad]


def prove_refusals(spoiled: Spoiled, found: dict[int, set[int]]) -> None:
    """Prove that the bad lines, and no others, were refused, each by a rule for it."""
    codes = {id(one.line): one for one in spoiled.bad}
    for place, line in enumerate(spoiled.lines):
        one = codes.get(id(line))
        if one is None:
            assert place not in found, (line, found[place])
        elif place in found:
            assert found[place] & {int(code) for code in one.codes}, (line, found[place])
        else:
            assert one.is_repetition, f"{line} was taken"


async def play(
    hub: HubUnderTest,
    http: aiohttp.ClientSession,
    folder: Path,
    faults: tuple[str, ...] = (),
    format_: str = "jsonl",
) -> tuple[SimulatorServer, MechanismSettings]:
    """Let a simulator live and a connector poll it; prove where every unit is."""
    await prepare(hub, http)
    books = new_books()
    async with SimulatorServer(books, faults, TOKEN, slow_seconds=0.7) as server:
        settings = settings_for(hub, server.url, folder, format_)
        await poll(settings)
    runs = ledger_runs(hub, books.seed)
    assert runs
    assert runs == expected_runs(good_lines(server.spoiled))
    return server, settings


@pytest.mark.parametrize("format_", ["jsonl", "csv", "xml"])
async def test_all_that_a_registry_does_arrives_in_each_format(
    hub: HubUnderTest, http: aiohttp.ClientSession, tmp_path: Path, format_: str
) -> None:
    """Issuances, shares, forwardings, later authorizations, retirements and cancellations."""
    server, settings = await play(hub, http, tmp_path, format_=format_)
    assert not refused_lines(settings)
    done = Counter(kind_of(line) for line in server.spoiled.lines)
    assert done["issuance"] == 4
    assert done["forwarding"]


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
@pytest.mark.parametrize("fault", FAULT_NAMES)
async def test_under_each_fault_good_units_arrive_and_bad_lines_are_refused(
    hub: HubUnderTest, http: aiohttp.ClientSession, tmp_path: Path, fault: str
) -> None:
    """One fault at a time: nothing twice, nothing lost, nothing refused without a rule."""
    server, settings = await play(hub, http, tmp_path, (fault,))
    prove_refusals(server.spoiled, refused_lines(settings))
    assert server.spoiled.done or server.told, "the fault did not strike"


async def test_the_host_party_hears_of_each_first_transfer_once(
    hub: HubUnderTest, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """With rows doubled, answers lost and pages cut: 4/CMA.6 para 13, neither less nor more."""
    faults = ("doubled-rows", "truncated", "server-error")
    server, _ = await play(hub, http, tmp_path, faults)
    number = server.books.world.first_number
    told: Counter[tuple[str, str]] = Counter()
    units: Counter[str] = Counter()
    for notice in notices(await mailbox(Peer("THA01", hub.address, http)), "first_transfer.notice"):
        body: dict[str, Any] = notice["body"]
        if number <= int(body["reference"].partition("-")[2]) < number + 10_000:
            told[body["reference"], body["event"]] += 1
            units[body["event"]] += body["quantity"]
    events = {"forwarding": "international_transfer", "sop_adaptation": "adaptation_fund"}
    events |= {"omge": "omge", "retirement": "international_transfer", "cancellation": "omge"}
    awaited: Counter[str] = Counter()
    for line in good_lines(server.spoiled):
        if (event := events.get(kind_of(line))) is not None:
            awaited[event] += line["quantity"]
        for share, event in (("sop", "adaptation_fund"), ("omge", "omge")):
            if f"{share}_account" in line:
                awaited[event] += line[f"{share}_last_serial"] - line[f"{share}_first_serial"] + 1
    assert set(told.values()) == {1}
    assert units == awaited
