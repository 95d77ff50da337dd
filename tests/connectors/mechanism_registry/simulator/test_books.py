"""The simulated mechanism registry: its life from a seed, its faults, its feed and its books."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from connectors.mechanism_registry.cli import app
from connectors.mechanism_registry.feeds.example import fields_of
from connectors.mechanism_registry.feeds.fields import read_row
from connectors.mechanism_registry.feeds.files import Feed
from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.simulator.books import CONTRIBUTION, RegistryBooks
from connectors.mechanism_registry.simulator.faults import (
    ANSWER_FAULTS,
    LINE_FAULTS,
    kind_of,
    spoil,
)
from connectors.mechanism_registry.simulator.server import SimulatorServer, body_of
from connectors.mechanism_registry.views.http import HttpViews
from connectors.mechanism_registry.views.port import ViewQuestion, ViewRefusedError, may_see
from tests.connectors.mechanism_registry.issuances.test_survey import new_survey
from tests.connectors.mechanism_registry.rows import RULES, feed_lines

TOKEN = "the simulator's"  # of a test
BOOKS = RegistryBooks(7).live(12)


def lines_of(books: RegistryBooks) -> list[dict[str, Any]]:
    """Return the lines of a registry's feed as fields."""
    return [fields_of(row) for row in books.lines]


def test_the_same_seed_gives_the_same_registry() -> None:
    """A fault found once is found again."""
    assert RegistryBooks(7).live(12).lines == BOOKS.lines
    assert RegistryBooks(8).live(12).lines != BOOKS.lines


def test_a_registry_does_all_that_a_registry_does() -> None:
    """Within a dozen issuances everything happens that the feed has a line for."""
    kinds = Counter(kind_of(line) for line in lines_of(BOOKS))
    assert kinds["issuance"] == 12
    assert set(kinds) >= {
        "forwarding",
        "sop_adaptation",
        "omge",
        "contribution held",
        "contribution sop_adaptation",
        "authorization_change",
        "retirement",
        "cancellation",
    }


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_whatever_the_seed_every_line_is_good(seed: int) -> None:
    """A registry without faults breaks no rule of the connector."""
    books = RegistryBooks(seed).live(6)
    judged = new_survey().judge(feed_lines(lines_of(books)))
    assert [one for one in judged if one.problems] == []


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), fault=st.sampled_from(list(LINE_FAULTS)))
def test_under_a_fault_exactly_the_bad_lines_are_refused(seed: int, fault: str) -> None:
    """Each by a rule it may be refused by; what was spoiled is told."""
    spoiled = spoil(lines_of(RegistryBooks(seed).live(4)), [fault], seed)
    assert bool(spoiled.done) == bool(spoiled.bad)
    bad = {id(one.line): one.codes for one in spoiled.bad}
    judged = new_survey().judge(feed_lines(spoiled.lines))
    for line, one in zip(spoiled.lines, judged, strict=True):
        assert bool(one.problems) == (id(line) in bad), (line, one.problems)
        assert not one.problems or {p.code for p in one.problems} & bad[id(line)]


def test_a_fault_of_no_name_known_is_refused_with_the_names() -> None:
    """A misspelt fault must not look like a registry that behaves."""
    with pytest.raises(ValueError, match="doubled-rows"):
        spoil([], ["doubled-row"], 1)


@pytest.mark.parametrize("format_", [FeedFormat.JSON_LINES, FeedFormat.CSV, FeedFormat.XML])
def test_a_page_reads_the_same_in_each_format(tmp_path: Path, format_: FeedFormat) -> None:
    """Every kind of line, with the fields it has and no others."""
    path = tmp_path / "page"
    path.write_bytes(body_of(lines_of(BOOKS), format_.value))
    with closing(Feed(path, format_, None).open()) as reader:
        rows = [read_row(line.fields or {}, RULES) for line in reader]
    assert rows == BOOKS.lines


@pytest.fixture
async def server() -> AsyncIterator[SimulatorServer]:
    """Return a running simulator that behaves."""
    async with SimulatorServer(BOOKS, token=TOKEN) as running:
        yield running


async def ask(server: SimulatorServer, path: str, token: str = TOKEN, **headers: str) -> Any:
    """Return the status, headers and body of an answer."""
    headers["Authorization"] = f"Bearer {token}"
    address = f"{server.url}{path}"
    async with aiohttp.ClientSession(headers=headers) as http, http.get(address) as answer:
        return answer.status, answer.headers, await answer.read()


async def test_pages_lead_through_the_whole_feed_to_its_end(server: SimulatorServer) -> None:
    """Opaque cursors, an end that is said, and at the end nothing new."""
    body, cursor, end = b"", "", "false"
    while end == "false":
        status, headers, page = await ask(server, f"/feed?limit=7{cursor}")
        assert status == 200
        body += page
        cursor, end = f"&after={headers['X-Next-Cursor']}", headers["X-End"]
    assert body == body_of(lines_of(BOOKS), "jsonl")
    status, headers, _ = await ask(server, f"/feed?limit=7{cursor}")
    again, _, _ = await ask(server, f"/feed?limit=7{cursor}", **{"If-None-Match": headers["ETag"]})
    assert (status, again) == (200, 304)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/feed?limit=7&after=0.000000000000", 400),
        ("/feed?limit=7&after=zz", 400),
        ("/feed?limit=x", 400),
        ("/feed?limit=7&format=pdf", 400),
        ("/holdings?party=CHE&limit=0", 400),
        ("/holdings?party=CHE&after=1.1", 400),
        ("/history?party=CHE", 400),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    server: SimulatorServer, path: str, status: int
) -> None:
    """Cursors of others, and questions without sense."""
    assert (await ask(server, path))[0] == status
    assert (await ask(server, path, token="another"))[0] == 401


@pytest.mark.parametrize("party", ["THA", "CHE", "GHA"])
async def test_the_books_show_a_party_what_it_may_see_page_by_page(
    server: SimulatorServer, party: str
) -> None:
    """Union over pages is the whole, nothing twice, and never a contribution unit."""
    views = HttpViews(server.url, TOKEN, 5.0)
    try:
        rows, after = list[dict[str, Any]](), None
        while True:
            page = await views.look(ViewQuestion("holdings", party, {}, 5, after))
            rows.extend(page.rows)
            after = page.next
            if after is None:
                break
        whole = await views.look(ViewQuestion("holdings", party, {}, 1_000))
    finally:
        await views.close()
    assert tuple(rows) == whole.rows
    assert all(may_see("holdings", party, row) for row in rows)
    visible = [one for one in BOOKS.holdings if one.status != CONTRIBUTION]
    mine = [one for one in visible if party in {one.party, one.issuance.host_party}]
    assert len(rows) == len(mine)
    assert {row["status"] for row in rows} <= {"authorized", "used", "cancelled"}


async def test_the_history_of_units_is_told_to_their_host(server: SimulatorServer) -> None:
    """From issuance to where they are, in time; by serials or by an act's id."""
    last = next(row for row in reversed(BOOKS.history) if row["kind"] == "forwarded")
    names = ("cooperative_approach", "originating_registry", "first_transferring_party", "vintage")
    filters = {name: last[name] for name in (*names, "first_serial", "last_serial")}
    views = HttpViews(server.url, TOKEN, 5.0)
    try:
        page = await views.look(ViewQuestion("history", "THA", filters, 100))
        act = await views.look(
            ViewQuestion("history", "THA", {"transfer_id": last["reference"]}, 100)
        )
        with pytest.raises(ViewRefusedError, match="range"):
            await views.look(ViewQuestion("history", "THA", {}, 100))
    finally:
        await views.close()
    assert page.rows[0]["kind"] == "issued"
    assert last in page.rows
    assert act.rows == (last,)


async def test_each_fault_of_answers_strikes_and_passes(server: SimulatorServer) -> None:
    """Every third request is spoiled, in turn; the next is good again."""
    names = list(ANSWER_FAULTS)
    async with SimulatorServer(BOOKS, names, TOKEN, slow_seconds=0.01) as bad:
        seen = [await ask(bad, "/feed?limit=7") for _ in range(12)]
    good = [answer for number, answer in enumerate(seen) if number % 3 != 1]
    assert len({(status, body) for status, _, body in good}) == 1
    assert len(bad.told) == len(names)


def test_the_command_writes_a_feed_and_tells_what_it_spoiled(tmp_path: Path) -> None:
    """For a feed file instead of a source; ``faults`` lists what there is."""
    path = tmp_path / "feed.csv"
    arguments = ["simulate", "--out", str(path), "--issuances", "3", "--fault", "dropped-share"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "is left out" in result.output
    assert path.read_text(encoding="utf-8").startswith("record,")
    listed = CliRunner().invoke(app, ["faults"]).output
    assert all(name in listed for name in (*LINE_FAULTS, *ANSWER_FAULTS))
    assert CliRunner().invoke(app, ["simulate", "--fault", "none"]).exit_code == 2
