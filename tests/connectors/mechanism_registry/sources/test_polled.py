"""Polling over real HTTP: every line once, whatever the source does and whenever it ends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from connectors.mechanism_registry.cli import app
from connectors.mechanism_registry.feeds.example import ExampleWorld, example_rows
from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.feeds.rows import Row, reference_of
from connectors.mechanism_registry.reports.document import find_report
from connectors.mechanism_registry.reports.page import render_html
from connectors.mechanism_registry.runs.push import FeedHandler, PushStoppedError
from connectors.mechanism_registry.runs.run import new_session, running
from connectors.mechanism_registry.settings import SettingsError, load_settings
from connectors.mechanism_registry.sources import pages
from connectors.mechanism_registry.sources.client import (
    SourceAwayError,
    SourceClient,
    SourceFaultError,
)
from connectors.mechanism_registry.sources.polled import PolledSource, PollResult
from connectors.mechanism_registry.tables import open_feeds
from connectors.session.crash_points import ENVIRONMENT_NAME, EXIT_STATUS
from tests.connectors.mechanism_registry.feed_source import TOKEN, FeedSource, cursor_of
from tests.connectors.mechanism_registry.hub import MechanismHub, signers, write_settings
from tests.connectors.mechanism_registry.test_cli import environment, run_mechanism

ROWS = list(example_rows(40, 3))
LATER = ExampleWorld(first_serial=10**9, first_number=10**6)


class Poller:
    """A connector that polls a source for a hub, in a folder."""

    def __init__(self, hub: MechanismHub, source: FeedSource, folder: Path, **more: Any) -> None:
        config = write_settings(hub, folder)
        section = {
            "url": source.url,
            "format": source.format.value,
            "page_lines": 10,
            "request_seconds_max": 1.0,
            "attempts_max": 3,
            "retry_delay_seconds_min": 0.01,
            "retry_delay_seconds_max": 0.05,
        } | more
        with config.open("a") as file:
            file.write("[source]\n")
            file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in section.items())
        self.settings = load_settings(config)
        self.said: list[str] = []

    async def poll(self, token: str | None = TOKEN) -> PollResult:
        """Run one round."""
        source = self.settings.source
        assert source is not None
        with closing(open_feeds(self.settings.database)) as database:
            handler = FeedHandler()
            session = new_session(self.settings, database, handler, signers())
            client = SourceClient(source, token)
            try:
                async with running(session):
                    polled = PolledSource(
                        self.settings, source, None, session, handler, client, self.said.append
                    )
                    return await polled.poll()
            finally:
                await client.close()

    @property
    def cursor(self) -> str | None:
        """Return the durable cursor."""
        with closing(open_feeds(self.settings.database)) as database:
            return database.read_now(pages.load_source, "source", "").cursor


@asynccontextmanager
async def polling(
    folder: Path, rows: list[Row], format_: FeedFormat = FeedFormat.JSON_LINES, **more: Any
) -> AsyncIterator[tuple[MechanismHub, FeedSource, Poller]]:
    """Run a hub, a source and what stands between them."""
    async with MechanismHub() as hub, FeedSource(rows, format_) as source:
        yield hub, source, Poller(hub, source, folder, **more)


@pytest.mark.parametrize("format_", FeedFormat)
async def test_every_page_is_pushed_and_the_cursor_moves(
    tmp_path: Path, format_: FeedFormat
) -> None:
    """In each format; the next round asks only whether there is something new."""
    async with polling(tmp_path, list(ROWS), format_) as (hub, source, poller):
        result = await poller.poll()
        assert result.good
        assert (result.accepted, result.duplicates) == (len(ROWS), 0)
        assert result.pages == -(-len(ROWS) // 10)
        assert poller.cursor == result.cursor == cursor_of(len(ROWS))
        assert list(hub.taken) == [reference_of(row) for row in ROWS]
        assert pages_left(tmp_path) == []
        asked = len(source.asked)
        for _ in range(3):
            assert (await poller.poll()).pages == 0
        statuses = [status for _, status in source.asked[asked:]]
        assert statuses == [200, 304, 304]
        source.rows += example_rows(12, 8, LATER)
        assert (await poller.poll()).accepted == len(source.rows) - len(ROWS)
        assert set(hub.taken.values()) == {1}


def pages_left(folder: Path) -> list[str]:
    """Return the names of the files of pages."""
    return sorted(path.name for path in folder.glob("pages/*"))


@pytest.mark.parametrize(
    ("fault", "format_"),
    [
        *((fault, FeedFormat.JSON_LINES) for fault in ("503", "429", "drop", "cut", "hang")),
        ("cut", FeedFormat.CSV),
        ("cut", FeedFormat.XML),
        ("cut-head", FeedFormat.XML),
    ],
)
async def test_a_fault_on_the_way_costs_a_try(
    tmp_path: Path, fault: str, format_: FeedFormat
) -> None:
    """Silence, errors and cut pages are asked again; nothing is taken from half a page."""
    rows = list(ROWS[:25])
    async with polling(tmp_path, rows, format_, request_seconds_max=0.4) as (hub, source, poller):
        source.faults.extend(["", fault, fault])
        result = await poller.poll()
        assert (result.accepted, result.good) == (25, True)
        assert set(hub.taken.values()) == {1}
        source.faults.extend(["500"] * 3)
        with pytest.raises(SourceAwayError, match="3 tries"):
            await poller.poll()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("404", "answers 404"),
        ("401", "answers 401"),
        ("redirect", "answers 302"),
        ("no-cursor", "neither X-Next-Cursor"),
        ("large", "more than 65536 bytes"),
        ("stuck", "goes back"),
        ("back", "goes back: page 3 leads to the cursor .* of page 2"),
    ],
)
async def test_a_source_at_fault_stops_the_poll_before_anything_of_the_page_is_taken(
    tmp_path: Path, fault: str, said: str
) -> None:
    """The cursor stays; when the source is itself again, everything comes, once."""
    rows = list(ROWS)
    async with polling(tmp_path, rows, page_bytes_max=65_536) as (hub, source, poller):
        source.faults.extend(["", "", fault])
        with pytest.raises(SourceFaultError, match=said):
            await poller.poll()
        assert poller.cursor == cursor_of(20)
        assert len(hub.taken) == 20
        assert (await poller.poll()).good
        assert sum(hub.taken.values()) == len(hub.taken) == len(rows)


async def test_a_page_that_was_begun_is_gone_on_with_as_it_was_fetched_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file gone and the source changed, or its file changed: refused, however often."""

    async def stop(*_: object) -> None:
        raise PushStoppedError("the hub is away")

    async with polling(tmp_path, list(ROWS)) as (hub, source, poller):
        with monkeypatch.context() as patched:
            patched.setattr(PolledSource, "_push", stop)
            with pytest.raises(PushStoppedError):
                await poller.poll()
        assert poller.settings.source is not None
        path = poller.settings.source.pages / "source-00000001.jsonl"
        path.write_bytes(path.read_bytes().replace(b"THA", b"GHA"))
        with pytest.raises(SourceFaultError, match="not page 1 as it was fetched"):
            await poller.poll()
        path.unlink()
        source.rows[:] = ROWS[10:]
        for _ in range(2):
            with pytest.raises(SourceFaultError, match="another content"):
                await poller.poll()
        assert not hub.taken
        source.rows[:] = ROWS
        assert (await poller.poll()).accepted == len(hub.taken) == len(ROWS)


async def test_without_the_token_the_answer_is_final(tmp_path: Path) -> None:
    """The source's own words are in the error."""
    async with polling(tmp_path, list(ROWS)) as (_, _, poller):
        with pytest.raises(SourceFaultError, match=r"401: who are you\?"):
            await poller.poll(token=None)


async def test_a_page_that_comes_twice_is_told_and_known_again(tmp_path: Path) -> None:
    """Under another cursor the same bytes add nothing."""
    rows = [*ROWS[:10], *ROWS[:10], *ROWS[10:30]]
    async with polling(tmp_path, rows) as (hub, _, poller):
        result = await poller.poll()
        assert (result.accepted, result.duplicates, result.repeated_pages) == (30, 10, 1)
        assert any("page 2 is page 1 again" in text for text in poller.said)
        assert set(hub.taken.values()) == {1}


async def test_pages_in_another_order_are_told_and_their_lines_can_be_fed_again(
    tmp_path: Path,
) -> None:
    """Lines that came before their issuance wait in the rejected files."""
    rows = list(ROWS[10:20]) + list(ROWS[:10])
    async with polling(tmp_path, rows) as (hub, _, poller):
        result = await poller.poll()
        assert result.refused_here == result.lines_out_of_order > 0
        assert result.accepted + result.refused_here == 20
        assert any("another order" in text for text in poller.said)
        assert "source-00000001.jsonl.rejected.jsonl" in pages_left(tmp_path)
        assert len(hub.taken) == result.accepted


async def test_the_report_of_a_source_is_over_all_its_pages(tmp_path: Path) -> None:
    """Totals, shares and refusals of every page, each refusal with its page; status knows it."""
    rows = list(ROWS[:10]) + list(ROWS[20:30])
    async with polling(tmp_path, rows) as (_, source, poller):
        result = await poller.poll()
        source.rows = rows
        with closing(open_feeds(poller.settings.database)) as database:
            document = database.read_now(find_report, "source", "XMR01")
    assert document is not None
    figures = document["figures"]
    assert (figures["accepted"], figures["refused_here"]) == (result.accepted, result.refused_here)
    assert document["source"] == {"url": source.url, "cursor": cursor_of(20), "pages": 2}
    assert document["feed"]["lines"] == 20
    assert len(document["runs"]) == 2
    assert sum(figures["quantity_by_account"].values()) == sum(
        figures["quantity_by_vintage"].values()
    )
    assert {one["feed"] for one in document["refusals"]} <= {f"source-{n:08}.jsonl" for n in (1, 2)}
    assert source.url in render_html(document)
    config = str(tmp_path / "mechanism.toml")
    status = CliRunner().invoke(app, ["status", "--config", config, "--json"])
    assert json.loads(status.stdout)["sources"][0]["page_count"] == 2


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_stopped_at_any_fault_and_started_again_nothing_is_lost_or_repeated(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever mixture of faults ends each round, the rows arrive whole, once, in order."""
    folder = tmp_path_factory.mktemp("poll")
    kinds = ["", "", "500", "drop", "cut", "404", "back", "stuck", "no-cursor"]
    async with polling(folder, list(ROWS)) as (hub, source, poller):
        source.faults.extend(data.draw(st.lists(st.sampled_from(kinds), max_size=12)))
        for _ in range(20):
            try:
                result = await poller.poll()
            except (SourceAwayError, SourceFaultError):
                continue
            if result.good and poller.cursor == cursor_of(len(ROWS)):
                break
        assert list(hub.taken) == [reference_of(row) for row in ROWS]
        assert set(hub.taken.values()) == {1}


CRASHES = [
    "registry.command.after_commit:1",  # the page is noted
    "registry.command.before_commit:5",  # its lines go into the outbox
    "registry.command.before_commit:7",  # the cursor moves
    "registry.command.after_commit:7",
    "outbox.after_send:2",
]


@pytest.mark.slow
async def test_a_poll_killed_between_any_two_commits_loses_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    """A process dies at each place in turn; the one after it goes on with the page it was at."""
    for number, crash in enumerate(CRASHES):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with polling(folder, list(ROWS), token="env:FEED_TOKEN") as (hub, _, poller):
            variables = environment(FEED_TOKEN=TOKEN)
            command = ["poll", "--once", "--json", "--config", str(folder / "mechanism.toml")]
            status, _, errors = await run_mechanism(command, variables | {ENVIRONMENT_NAME: crash})
            assert status == EXIT_STATUS, f"{crash}: {errors}"
            status, output, errors = await run_mechanism(command, variables)
            assert status == 0, f"{crash}: {errors}"
            assert json.loads(output)["refused_here"] == 0
            assert poller.cursor == cursor_of(len(ROWS))
            assert list(hub.taken) == [reference_of(row) for row in ROWS], crash
            assert set(hub.taken.values()) == {1}, crash


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"http://registry.example/feed"', "must be https://"),
        ('"https://u:p@registry.example/feed"', "neither a user name"),
        ('"https://registry.example/feed?after=1"', "must not hold after"),
        ('{ url = "https://registry.example/feed", colour = 1 }', "colour"),
    ],
)
def test_a_wrong_source_is_refused_with_the_settings(tmp_path: Path, text: str, said: str) -> None:
    """The token never travels in the clear."""
    config = write_settings(None, tmp_path)
    config.write_text(config.read_text() + f"source = {text}\n")
    with pytest.raises(SettingsError, match=said):
        load_settings(config)


def test_an_address_alone_is_a_source(tmp_path: Path) -> None:
    """Everything else is as usual."""
    config = write_settings(None, tmp_path)
    config.write_text(config.read_text() + 'source = "https://registry.example/feed"\n')
    source = load_settings(config).source
    assert source is not None
    assert (source.format, source.pages) == (FeedFormat.JSON_LINES, tmp_path / "pages")
