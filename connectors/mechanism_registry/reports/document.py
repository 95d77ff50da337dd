"""The report of a feed as a document: figures, shares of each issuance, refusals, runs, digests.

It is made from the database alone, at any time: after the run that ended, after one that was
killed, or for a feed pushed last year. ``reports.page`` shows the same document to people.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select

from connectors.mechanism_registry import store
from connectors.mechanism_registry.feeds.rows import (
    AUTHORIZATION_CHANGE,
    ISSUANCE,
    AuthorizationChangeLine,
    IssuanceLine,
)
from connectors.mechanism_registry.issuances.shares import IssuanceTally
from connectors.mechanism_registry.reports.page import render_html
from connectors.mechanism_registry.reports.report import (
    Report,
    lacking_first,
    refusal_document,
    report_of_feed,
    report_of_feeds,
    share_document,
    stored_refusals,
)
from connectors.mechanism_registry.runs import history as runs
from connectors.mechanism_registry.sources import pages
from connectors.mechanism_registry.sources.pages import SourceState
from connectors.mechanism_registry.store import FeedState
from connectors.mechanism_registry.tables import feed_message
from connectors.mechanism_registry.totals import FeedIds, of_feeds
from message_schemas import timestamps

FORM: Final = "mechanism-feed-report/1"
ISSUANCES_MAX: Final = 1_000
"""So many issuances stand in a report, those that lack a share first; all of them are counted."""

RUNS_MAX: Final = 50
REFUSALS_MAX: Final = 100


def report_document(connection: Connection, state: FeedState, participant: str) -> dict[str, Any]:
    """Return the report of a feed as JSON values; quantities in t CO2 eq."""
    feed = {
        "name": state.name,
        "format": state.format,
        "lines": state.line,
        "bytes": state.offset_bytes,
        "sha256": state.prefix_sha256,
    }
    figures = report_of_feed(connection, state)
    parts = _parts(connection, state.feed_id, [state], figures)
    return _head(participant) | {"feed": feed, "source": None} | parts


def source_document(
    connection: Connection, source: SourceState, participant: str
) -> dict[str, Any] | None:
    """Return the report of a polled source over all its pages; None when it gave no line yet.

    The digest is of the pages' own, in their order, a line each.
    """
    feeds = pages.feeds_of(source.name)
    states = store.states_of(connection, feeds)
    if not states:
        return None
    digest = hashlib.sha256()
    for state in states:
        digest.update(f"{state.prefix_sha256}\n".encode())
    feed = {
        "name": source.name,
        "format": states[-1].format,
        "lines": sum(state.line for state in states),
        "bytes": sum(state.offset_bytes for state in states),
        "sha256": digest.hexdigest(),
    }
    polled = {"url": source.url, "cursor": source.cursor, "pages": source.page_count}
    known = sum(state.known_count for state in states)
    figures = report_of_feeds(connection, source.name, feeds, known)
    parts = _parts(connection, feeds, states, figures)
    return _head(participant) | {"feed": feed, "source": polled} | parts


def _head(participant: str) -> dict[str, Any]:
    now = timestamps.render(datetime.now(UTC))
    return {"form": FORM, "made_at": now, "participant": participant}


def _parts(
    connection: Connection, feeds: FeedIds, states: Sequence[FeedState], figures: Report
) -> dict[str, Any]:
    """Return what the reports of a feed and of a source have in common."""
    last = states[-1]
    mapping = {
        "name": last.mapping_name,
        "version": last.mapping_version,
        "sha256": last.mapping_sha256,
    }
    return {
        "mapping": None if last.mapping_name is None else mapping,
        "complete": figures.complete,
        "figures": _figures(figures),
        "issuances": _issuances(connection, feeds),
        "refusals": _first_refusals(connection, states),
        "runs": [run.document() for run in runs.of_feeds(connection, feeds, RUNS_MAX)],
    }


def _figures(report: Report) -> dict[str, Any]:
    figures = report.document()
    del figures["feed"]
    return figures


def _issuances(connection: Connection, feeds: FeedIds) -> dict[str, Any]:
    """Return counts and sums over all issuances, and the first of them one by one."""
    sums = {"issued": 0, "authorized": 0, "authorized_later": 0, "contribution_in_feeds": 0}

    def counted() -> Iterator[IssuanceTally]:
        for tally in tallies_of_feeds(connection, feeds):
            sums["issued"] += tally.issuance.issued_quantity
            sums["authorized"] += tally.issuance.authorized_quantity
            sums["authorized_later"] += tally.authorized_later
            sums["contribution_in_feeds"] += tally.contribution_shown
            yield tally

    shown, count, lacking = lacking_first(counted(), ISSUANCES_MAX)
    return {
        "count": count,
        "lacking": lacking,
        **sums,
        "contribution": sums["issued"] - sums["authorized"] - sums["authorized_later"],
        "items": [issuance_document(tally) for tally in shown],
    }


def issuance_document(tally: IssuanceTally) -> dict[str, Any]:
    """Return the shares of one issuance as JSON values, in t CO2 eq."""
    issuance = tally.issuance
    return share_document(tally) | {
        "activity_id": issuance.activity_id,
        "party": issuance.host_party,
        "vintage": issuance.vintage,
        "issued": issuance.issued_quantity,
        "authorized": issuance.authorized_quantity + tally.authorized_later,
        "sop_exempt": issuance.sop_exempt,
    }


def tallies_of_feeds(connection: Connection, feeds: FeedIds) -> Iterator[IssuanceTally]:
    """Return the tally of each issuance that some feeds name, by id, over all feeds.

    Lines that the hub refused do not count; lines that wait for its answer do.
    """
    named = select(feed_message.c.issuance_id).where(of_feeds(feed_message, feeds))
    drawn = (
        feed_message.c.issuance_id.in_(named),
        feed_message.c.outcome.is_distinct_from("refused"),
    )
    by_id = feed_message.c.issuance_id
    whole = (by_id, feed_message.c.issuance)
    given = (
        select(*whole)
        .where(*drawn, feed_message.c.kind == ISSUANCE)
        .order_by(func.length(by_id), by_id)
    )
    changed = select(*whole).where(*drawn, feed_message.c.kind == AUTHORIZATION_CHANGE)
    changes: dict[str, list[AuthorizationChangeLine]] = {}
    for issuance_id, raw in connection.execute(changed):
        one = msgspec.json.decode(raw, type=AuthorizationChangeLine)
        changes.setdefault(issuance_id, []).append(one)
    sums = connection.execute(
        select(by_id, feed_message.c.kind, func.sum(feed_message.c.quantity))
        .where(*drawn)
        .group_by(by_id, feed_message.c.kind)
        .order_by(func.length(by_id), by_id)
    )
    groups = groupby(sums, key=lambda row: str(row[0]))
    for issuance_id, raw in connection.execute(given):
        # A group without an issuance line is passed over: the hub refused that line.
        rows = next(rows for key, rows in groups if key == issuance_id)
        tally = IssuanceTally.of(msgspec.json.decode(raw, type=IssuanceLine))
        tally.restore({row[1]: int(row[2]) for row in rows}, changes.get(issuance_id, []))
        yield tally


def _first_refusals(connection: Connection, states: Sequence[FeedState]) -> list[dict[str, Any]]:
    """Return the first refusals; `FEED.refusals.jsonl` has all."""
    every = (
        {"feed": state.name, **refusal_document(refusal)}
        for state in states
        for refusal in stored_refusals(connection, state.feed_id)
    )
    return list(islice(every, REFUSALS_MAX))


def write_report(document: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write the report as JSON and as HTML; return both files. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    name = document["feed"]["name"]
    as_json, as_html = folder / f"{name}.report.json", folder / f"{name}.report.html"
    text = json.dumps(document, ensure_ascii=False, indent=1)
    as_json.write_text(text + "\n", encoding="utf-8")
    as_html.write_text(render_html(document), encoding="utf-8")
    return as_json, as_html


def find_report(connection: Connection, name: str, participant: str) -> dict[str, Any] | None:
    """Return the report of the feed or source of a name, or None if there never was one."""
    if (state := store.find_feed(connection, name)) is not None:
        return report_document(connection, state, participant)
    for source in pages.list_sources(connection):
        if source.name == name:
            return source_document(connection, source, participant)
    return None
