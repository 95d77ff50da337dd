"""The report of a feed: everything from the database, one page without a request."""

import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from connectors.mechanism_registry.cli import app
from connectors.mechanism_registry.reports.page import BARS_MAX, render_html
from tests.connectors.mechanism_registry.hub import MechanismHub
from tests.connectors.mechanism_registry.rows import block, issuance, whole_issuance, write_lines
from tests.connectors.mechanism_registry.runs.test_push import push_feed

VOID = {"meta", "rect", "br"}
runner = CliRunner()


@pytest.fixture
async def hub() -> AsyncIterator[MechanismHub]:
    """Return a running hub."""
    async with MechanismHub() as running:
        yield running


class Page(HTMLParser):
    """Checks that tags are balanced, and collects what the page would load and say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.said = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links; void elements have no end."""
        self.loads += [str(value) for name, value in attrs if name in {"src", "href", "data"}]
        assert tag not in {"script", "link", "iframe", "object", "img"}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """End the last element."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        self.said += data


async def test_the_report_has_every_total_and_stands_beside_the_feed(
    hub: MechanismHub, tmp_path: Path
) -> None:
    """By account, Party, vintage and kind; refusals by rule; shares; runs; digests."""
    lines = [*whole_issuance(), block(1, 5), issuance(issuance_id="XMR01-2")]
    lines[0]["authorized_quantity"] = 1000
    feed = write_lines(tmp_path / "feed.jsonl", lines)
    report = await push_feed(hub, feed)
    document = json.loads((tmp_path / "feed.jsonl.report.json").read_text())
    figures = document["figures"]
    assert figures["accepted"] == report.accepted == 5
    assert figures["quantity_by_party"] == {"THA": 1000}
    assert figures["quantity_by_vintage"] == {"2022": 1000}
    assert sum(figures["quantity_by_account"].values()) == 1000
    assert figures["refused_by_rule"] == {"4002 TRANSFER_EXISTS_WITH_DIFFERENT_FIELD": 1}
    shares = {one["issuance_id"]: one for one in document["issuances"]["items"]}
    assert (document["issuances"]["count"], document["issuances"]["lacking"]) == (2, 1)
    assert document["issuances"]["issued"] == 2000
    assert shares["XMR01-1"]["complete"]
    assert (shares["XMR01-1"]["sop"], shares["XMR01-1"]["forwarded"]) == (50, 930)
    assert not shares["XMR01-2"]["complete"]
    assert document["issuances"]["items"][0]["issuance_id"] == "XMR01-2"
    (run,) = document["runs"]
    assert (run["surveyed_lines"], run["pushed_lines"]) == (6, 6)
    assert run["push_lines_per_second"] > 0
    assert document["feed"]["bytes"] == feed.stat().st_size
    page = Page((tmp_path / "feed.jsonl.report.html").read_text())
    assert page.loads == []
    for expected in ("CHE-HOLDING-1", "930", "incomplete", document["feed"]["sha256"], "4002"):
        assert expected in page.said


async def test_the_report_can_be_made_at_any_time(hub: MechanismHub, tmp_path: Path) -> None:
    """From the database alone, in another folder, after the feed itself is gone."""
    feed = write_lines(tmp_path / "feed.jsonl", whole_issuance())
    await push_feed(hub, feed)
    feed.unlink()
    config, out = str(tmp_path / "mechanism.toml"), tmp_path / "reports"
    arguments = ["report", "feed.jsonl", "--config", config, "--report-dir", str(out), "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["complete"]
    assert json.loads((out / "feed.jsonl.report.json").read_text()) == document
    unknown = runner.invoke(app, ["report", "other.csv", "--config", config])
    assert unknown.exit_code == 2
    assert "other.csv" in unknown.stderr


def document(**figures: Any) -> dict[str, Any]:
    """Return a report's document with these figures."""
    return {
        "form": "mechanism-feed-report/1",
        "made_at": "2026-11-22T10:00:00.000Z",
        "participant": "XMR01",
        "feed": {"name": "a.csv", "format": "csv", "lines": 1, "bytes": 9, "sha256": "00"},
        "source": None,
        "mapping": {"name": "m", "version": "1", "sha256": "11"},
        "complete": True,
        "figures": {
            "accepted": 0,
            "duplicates": 0,
            "refused_here": 0,
            "refused_by_hub": 0,
            "waiting": 0,
            "kept_back": 0,
            "refused_by_rule": {},
            "quantity_by_kind": {},
            "quantity_by_account": {},
            "quantity_by_party": {},
            "quantity_by_vintage": {},
            "quantity_apart": {},
            **figures,
        },
        "issuances": {"count": 0, "lacking": 0, "issued": 0, "items": []},
        "refusals": [],
        "runs": [],
    }


@given(
    st.dictionaries(st.text(max_size=40), st.integers(0, 10**18), max_size=60),
    st.text(max_size=30),
)
def test_whatever_stands_in_a_feed_stays_text(values: dict[str, int], name: str) -> None:
    """No name makes an element; bars stay within the plot, and many small ones become one."""
    made = document(quantity_by_account=values)
    made["feed"]["name"] = name
    text = render_html(made)
    page = Page(text)
    assert page.loads == []
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([0-9.]+)"', text)]
    assert len(widths) <= BARS_MAX
    assert all(0 < width <= 720 for width in widths)


def test_a_name_that_is_markup_is_shown_as_it_is() -> None:
    """An account or file name may hold anything."""
    made = document(quantity_by_account={"<script>alert(1)</script>": 5})
    text = render_html(made)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
