"""Refused lines in a file of their own: the source's bytes, mended and fed again."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from connectors.mechanism_registry import feeds
from connectors.mechanism_registry.feeds.example import COLUMN_ORDER
from connectors.mechanism_registry.feeds.files import FeedChangedError
from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.feeds.mapping import Mapping
from connectors.mechanism_registry.feeds.mapping_file import load_mapping
from connectors.mechanism_registry.runs.run import Order, dry_run, push
from tests.connectors.mechanism_registry.hub import MechanismHub, signers
from tests.connectors.mechanism_registry.rows import block, whole_issuance
from tests.connectors.mechanism_registry.runs.test_push import make_order, push_feed, refusals


@pytest.fixture
async def hub() -> AsyncIterator[MechanismHub]:
    """Return a running hub."""
    async with MechanismHub() as running:
        yield running


def written(lines: list[dict[str, Any]], format_: FeedFormat) -> list[str]:
    """Return each line as a source might write it, with some dress of its own."""
    if format_ is FeedFormat.CSV:
        return [
            ",".join(f'"{line.get(name, "")}"' for name in COLUMN_ORDER).replace("False", "false")
            + "\r\n"
            for line in lines
        ]
    if format_ is FeedFormat.XML:
        return [
            f"<t:{line['record']}>"
            + "".join(f"\n  <{n}> {v} </{n}>" for n, v in line.items() if n != "record")
            + f"\n</t:{line['record']}>\n"
            for line in [
                {n: str(v).lower() if v is False else v for n, v in line.items()} for line in lines
            ]
        ]
    return [json.dumps(line, separators=(" , ", " : ")) + "\n" for line in lines]


HEAD = {
    FeedFormat.JSON_LINES: "\ufeff",
    FeedFormat.CSV: ",".join(COLUMN_ORDER) + "\r\n",
    FeedFormat.XML: '<?xml version="1.0"?>\n<!-- an export -->\n<t:units xmlns:t="urn:t">\n',
}
FOOT = {FeedFormat.JSON_LINES: "", FeedFormat.CSV: "", FeedFormat.XML: "</t:units>\n"}


@pytest.mark.parametrize("format_", FeedFormat)
async def test_rejected_lines_are_the_sources_bytes_and_can_be_fed_again(
    hub: MechanismHub, tmp_path: Path, format_: FeedFormat
) -> None:
    """Those held back here and those refused by the hub; nothing else, each once."""
    lines = whole_issuance()
    lines[3:] = [
        block(71, 500, acquiring_account="CLOSED-1"),
        block(501, 600, quantity=7, vintage=2099),
        block(601, 1000),
    ]
    texts = written(lines, format_)
    feed = tmp_path / f"feed.{format_}"
    feed.write_bytes((HEAD[format_] + "".join(texts) + FOOT[format_]).encode())
    hub.refused_accounts = {"CLOSED-1"}
    report = await push_feed(hub, feed)
    assert (report.accepted, report.refused_here, report.refused_by_hub) == (4, 1, 1)
    rejected = tmp_path / f"feed.{format_}.rejected.{format_}"
    expected = HEAD[format_] + texts[3] + texts[4] + FOOT[format_]
    assert rejected.read_bytes().decode() == expected
    mended = rejected.read_text().replace("CLOSED-1", "OPEN-1").replace("2099", "2022")
    again = tmp_path / f"mended.{format_}"
    again.write_text(
        mended.replace('"7"', '"100"')
        .replace("> 7 <", "> 100 <")
        .replace('"quantity" : 7', '"quantity" : 100')
    )
    report = await push_feed(hub, again)
    assert (report.accepted, report.complete) == (2, True)
    assert not (tmp_path / f"mended.{format_}.rejected.{format_}").exists()
    assert len(hub.taken) == 6


async def test_a_cut_off_xml_feed_rejects_no_half_record(hub: MechanismHub, tmp_path: Path) -> None:
    """The refusal tells line and place; the rest comes with the whole file, and only that."""
    texts = written(whole_issuance(), FeedFormat.XML)
    whole = HEAD[FeedFormat.XML] + "".join(texts) + FOOT[FeedFormat.XML]
    feed = tmp_path / "feed.xml"
    feed.write_text(whole[: whole.index(texts[3]) + 100])
    report = await push_feed(hub, feed)
    assert (report.accepted, report.refused_here) == (3, 1)
    (refusal,) = refusals(feed)
    assert refusal["line"] > 40
    assert refusal["record"] == 4
    assert "cut off" in refusal["text"]
    assert not (tmp_path / "feed.xml.rejected.xml").exists()
    feed.write_text(whole)
    report = await push_feed(hub, feed)
    assert (report.accepted, report.complete) == (4, True)
    assert set(hub.taken.values()) == {1}


async def test_another_mapping_is_another_feed(hub: MechanismHub, tmp_path: Path) -> None:
    """What was begun with one mapping is never gone on with by another, nor without one."""
    text = files(feeds).joinpath("example_mapping.toml").read_text(encoding="utf-8")
    (tmp_path / "m.toml").write_text(text)
    feed = tmp_path / "feed.csv"
    feed.write_text(
        "Type,IssuanceNo,Activity,Host,MonitoringEnd,Issued,Authorized,Adaptation,Exempt,Omge,"
        "IssuedOn,Remark\nISS,1,A64-THA-0001,Thailand,31.12.2022,1,1,50,N,20,01.03.2026 10:00,x\n"
        "ISS,2,A64-THA-0001,Thailand,31.12.2022,1,1,5.0,N,20,01.03.2026 10:00,x\n"
    )
    order = make_order(hub, feed)
    first = load_mapping(tmp_path / "m.toml")
    report = await push(_with(order, first), signers())
    assert (report.accepted, report.refused_here) == (1, 1)
    (refusal,) = refusals(feed)
    assert (refusal["line"], refusal["field"]) == (3, "sop_quantity")
    assert (refusal["source_field"], refusal["source_value"]) == ("Adaptation", "5.0")
    assert "rule" in refusal
    (tmp_path / "m.toml").write_text(text.replace('version = "1"', 'version = "2"'))
    for mapping in (None, load_mapping(tmp_path / "m.toml")):
        with pytest.raises(FeedChangedError, match="a64-export-example version 1"):
            await push(_with(order, mapping), signers())
        with pytest.raises(FeedChangedError):
            dry_run(_with(order, mapping))
    assert (await push(_with(order, first), signers())) == report


def _with(order: Order, mapping: Mapping | None) -> Order:
    return replace(order, mapping=mapping)
