"""Feeds of each format into a real hub, killed on the way: every tonne in its account, once."""

import json
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from connectors.mechanism_registry.feeds.example import ExampleWorld, example_rows
from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.feeds.rows import UnitBlockLine
from connectors.session.crash_points import ENVIRONMENT_NAME, EXIT_STATUS
from tests.integration.hub_process import HubUnderTest
from tests.integration.mechanism_world import MechanismHome, balances, make_feed, prepare
from tests.integration.worlds import until

BLOCKS = 500
FIRST = {
    FeedFormat.JSON_LINES: 10_000_000_001,
    FeedFormat.CSV: 20_000_000_001,
    FeedFormat.XML: 30_000_000_001,
}
CRASHES = {
    FeedFormat.JSON_LINES: "registry.command.after_commit:3",
    FeedFormat.CSV: "outbox.after_send:2",
    FeedFormat.XML: "outbox.receipt.before_commit:3",
}


@pytest.mark.slow
@pytest.mark.parametrize("format_", FeedFormat)
async def test_a_push_killed_again_and_again_credits_each_unit_once(
    hub: HubUnderTest, http: aiohttp.ClientSession, tmp_path: Path, format_: FeedFormat
) -> None:
    """Dead at a named place, then by a real kill -9; the run after it ends with the whole."""
    await prepare(hub, http)
    home = MechanismHome(tmp_path, hub)
    home.configure(messages_per_envelope_max=50, messages_waiting_max=200)
    feed, first = tmp_path / f"feed.{format_}", FIRST[format_]
    lines = make_feed(feed, format_, BLOCKS, first)
    command = ("push", str(feed), "--json")
    status, _, errors = await home.run(*command, **{ENVIRONMENT_NAME: CRASHES[format_]})
    assert status == EXIT_STATUS, errors
    last = first + 10**9
    before = sum(balances(hub, first, last).values())
    process = await home.start(*command)
    await until(lambda: sum(balances(hub, first, last).values()) > before)
    process.kill()
    await process.communicate()
    status, output, errors = await home.run(*command)
    assert status == 0, errors
    report = json.loads(output)
    assert report["accepted"] + report["duplicates"] == lines
    assert balances(hub, first, last) == report["quantity_by_account"] == expected(first)
    runs = json.loads((tmp_path / f"feed.{format_}.report.json").read_text())["runs"]
    assert [run["ending"] for run in runs].count(None) == 2


def expected(first: int) -> dict[str, int]:
    """Return what the example feed puts into each account."""
    totals: Counter[str] = Counter()
    for row in example_rows(BLOCKS, 7, ExampleWorld(first_serial=first, first_number=first)):
        if isinstance(row, UnitBlockLine):
            totals[row.acquiring_account] += row.quantity
    return dict(totals)


@pytest.mark.slow
async def test_an_xml_feed_goes_on_at_a_record_after_a_kill(
    hub: HubUnderTest, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The place in the database is the byte behind a record; what grew behind it is pushed too."""
    await prepare(hub, http)
    home = MechanismHome(tmp_path, hub)
    home.configure(messages_per_envelope_max=20)
    feed, first = tmp_path / "grown.xml", 40_000_000_001
    make_feed(feed, FeedFormat.XML, 120, first)
    whole = feed.read_text()
    cut = whole.index("</first_transfer>", len(whole) // 2) + len("</first_transfer>")
    feed.write_text(whole[:cut] + "\n</feed>\n")
    status, output, errors = await home.run("push", str(feed), "--json")
    assert status == 0, errors
    half = json.loads(output)["accepted"]
    feed.write_text(whole)
    status, output, errors = await home.run("push", str(feed), "--json")
    assert status == 0, errors
    report = json.loads(output)
    assert 0 < half < report["accepted"]
    assert report["duplicates"] == 0
    assert sum(balances(hub, first, first + 10**9).values()) == sum(
        report["quantity_by_account"].values()
    )
