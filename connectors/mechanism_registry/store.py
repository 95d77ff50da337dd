"""SQL of the feeds: the place in each file, what was put into the outbox, what was refused.

Every function works on an open connection and never commits. The caller's transaction holds the
outbox too, so that place, message and outcome can never tell different stories.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from connectors.mechanism_registry.feeds.intervals import IntervalSet
from connectors.mechanism_registry.feeds.lines import FeedFormat, FeedLine
from connectors.mechanism_registry.feeds.mapping import Mapping as FieldMapping
from connectors.mechanism_registry.feeds.problems import ADVICE, Problem
from connectors.mechanism_registry.feeds.rows import (
    AUTHORIZATION_CHANGE,
    ISSUANCE,
    AuthorizationChangeLine,
    ContributionLine,
    IssuanceLine,
    Row,
    account_of,
    content_sha256,
    identifiers_of,
    issuance_reference,
    kind_of,
    reference_of,
)
from connectors.mechanism_registry.issuances.shares import IssuanceTally
from connectors.mechanism_registry.tables import feed, feed_message, feed_refusal

NOTHING_SHA256: Final = hashlib.sha256().hexdigest()
TAKEN: Final = ("accepted", "duplicate-of")
"""Outcomes after which the hub has the message."""
KEPT: Final = "kept"
"""Outcome of a line of contribution units: it is no message, and stays here."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """How far a feed is in the outbox: bytes and lines, the digest of those bytes, its mapping."""

    feed_id: int
    name: str
    offset_bytes: int
    line: int
    prefix_sha256: str
    known_count: int
    format: str
    mapping_name: str | None = None
    mapping_version: str | None = None
    mapping_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One problem of one line, as reported; ``source`` is who found it, feed or hub.

    ``source_line`` is set for XML, where ``line`` counts records. ``source_field`` and
    ``source_value`` are what a mapping read.
    """

    line: int
    source: str
    reference: str | None
    block_first: str | None
    block_last: str | None
    rule: int
    name: str
    field: str | None
    value: str | None
    text: str
    remedy: str
    paragraph: str
    source_line: int | None = None
    source_field: str | None = None
    source_value: str | None = None
    offset_bytes: int | None = None
    end_bytes: int | None = None
    issuance_id: str | None = None


def refusals_of(
    line: FeedLine,
    row: Row | None,
    problems: Iterable[Problem],
    registry: str,
    mapping: FieldMapping | None = None,
) -> list[Refusal]:
    """Return the refusals of a line that was held back here."""
    # Where XML breaks there is no record whose bytes could be told.
    is_row = line.consumed or line.source_line is None
    block = _identifiers(row, registry)
    return [
        Refusal(
            line=line.number,
            source="feed",
            reference=None if row is None else reference_of(row),
            block_first=block[0],
            block_last=block[1],
            rule=int(problem.code),
            name=problem.code.name,
            field=problem.field,
            value=problem.value,
            text=problem.text,
            remedy=ADVICE[problem.code].remedy,
            paragraph=ADVICE[problem.code].paragraph,
            source_line=line.source_line,
            offset_bytes=line.offset if is_row else None,
            end_bytes=line.end_offset if is_row else None,
            issuance_id=None if row is None else row.issuance_id,
            **_source_of(line, problem, mapping),
        )
        for problem in problems
    ]


def _source_of(
    line: FeedLine, problem: Problem, mapping: FieldMapping | None
) -> dict[str, str | None]:
    """Return the source's field and value that a problem goes back to, if a mapping knows."""
    if mapping is None or line.source is None:
        return {}
    record = mapping.records.get(str(line.source.get(mapping.record_field)), "")
    name = mapping.source_of(record, problem.field)
    if name is None and problem.field in line.source:
        name = problem.field  # a field of the source that no rule reads
    value = None if name is None else line.source.get(name)
    return {"source_field": name, "source_value": None if value is None else str(value)[:200]}


def find_feed(connection: Connection, name: str) -> FeedState | None:
    """Return how far the feed of this name is, or None when it is new."""
    columns = [feed.c[name] for name in FeedState.__dataclass_fields__]
    row = connection.execute(select(*columns).where(feed.c.name == name)).mappings().first()
    return None if row is None else FeedState(**row)


def add_feed(
    connection: Connection,
    name: str,
    format_: FeedFormat,
    at: str,
    mapping: FieldMapping | None = None,
) -> FeedState:
    """Remember a feed with nothing of it in the outbox yet; of a known one only the mapping."""
    values: dict[str, Any] = {
        "format": format_.value,
        "mapping_name": mapping and mapping.name,
        "mapping_version": mapping and mapping.version,
        "mapping_sha256": mapping and mapping.sha256,
    }
    start: dict[str, Any] = {"offset_bytes": 0, "line": 0, "prefix_sha256": NOTHING_SHA256}
    statement = upsert(feed).values(
        name=name, known_count=0, started_at=at, changed_at=at, **start, **values
    )
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
    state = find_feed(connection, name)
    assert state is not None
    return state


def move_place(connection: Connection, old: FeedState, new: FeedState, at: str) -> bool:
    """Move the place of a feed; False when it is not where ``old`` says (nothing changes then)."""
    values = asdict(new)
    del values["feed_id"], values["name"]
    result = connection.execute(
        update(feed)
        .where(feed.c.feed_id == old.feed_id, feed.c.offset_bytes == old.offset_bytes)
        .values(changed_at=at, **values)
    )
    return result.rowcount == 1


def put_refusals(connection: Connection, feed_id: int, refusals: Sequence[Refusal]) -> None:
    """Store the refusals of some lines; each line's replace what was stored for it."""
    position: dict[int, int] = {}
    rows = []
    for refusal in refusals:
        position[refusal.line] = position.get(refusal.line, -1) + 1
        rows.append({"feed_id": feed_id, "position": position[refusal.line], **asdict(refusal)})
    if rows:
        statement = upsert(feed_refusal)
        changes = {
            column.name: statement.excluded[column.name]
            for column in feed_refusal.c
            if not column.primary_key
        }
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["feed_id", "line", "position"], set_=changes
            ),
            rows,
        )


def forget_refusals_after(connection: Connection, state: FeedState) -> None:
    """Drop what an earlier survey said about lines that are not in the outbox yet."""
    connection.execute(
        delete(feed_refusal).where(
            feed_refusal.c.feed_id == state.feed_id,
            feed_refusal.c.line > state.line,
            feed_refusal.c.source == "feed",
        )
    )


def fetch_refused_lines(
    connection: Connection, feed_id: int, first: int, last: int
) -> frozenset[int]:
    """Return which lines from ``first`` to ``last`` are held back here."""
    query = select(feed_refusal.c.line).where(
        feed_refusal.c.feed_id == feed_id,
        feed_refusal.c.line.between(first, last),
        feed_refusal.c.source == "feed",
    )
    return frozenset(connection.execute(query).scalars())


def fetch_refusals(
    connection: Connection, feed_id: int, after: tuple[int, int], limit: int
) -> list[tuple[tuple[int, int], Refusal]]:
    """Return up to ``limit`` refusals in the order of their lines, each with its place."""
    names = list(Refusal.__dataclass_fields__)
    line, position = feed_refusal.c.line, feed_refusal.c.position
    query = (
        select(position, *(feed_refusal.c[name] for name in names))
        .where(
            feed_refusal.c.feed_id == feed_id,
            or_(line > after[0], and_(line == after[0], position > after[1])),
        )
        .order_by(line, position)
        .limit(limit)
    )
    return [
        ((values[1], values[0]), Refusal(**dict(zip(names, values[1:], strict=True))))
        for values in connection.execute(query)
    ]


def fetch_pushed(
    connection: Connection, references: Sequence[str], *, except_feed: int | None = None
) -> dict[str, str]:
    """Return the content digests of those messages that were pushed and not refused."""
    query = select(feed_message.c.reference, feed_message.c.content_sha256).where(
        feed_message.c.reference.in_(references),
        feed_message.c.outcome.is_distinct_from("refused"),
        feed_message.c.feed_id.is_distinct_from(except_feed),
    )
    return {row.reference: row.content_sha256 for row in connection.execute(query)}


def put_messages(
    connection: Connection, feed_id: int, rows: Sequence[tuple[FeedLine, Row]], registry: str
) -> None:
    """Remember messages put into the outbox; a refused one of the same id gives way."""
    if not rows:
        return
    statement = upsert(feed_message)
    changes = {
        column.name: statement.excluded[column.name]
        for column in feed_message.c
        if not column.primary_key
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=["reference"], set_=changes),
        [_message_values(feed_id, line, row, registry) for line, row in rows],
    )


def _message_values(feed_id: int, line: FeedLine, row: Row, registry: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "reference": reference_of(row),
        "feed_id": feed_id,
        "line": line.number,
        "source_line": line.source_line,
        "offset_bytes": line.offset,
        "end_bytes": line.end_offset,
        "party": row.host_party,
        "issuance_id": row.issuance_id,
        "content_sha256": content_sha256(row),
        "vintage": row.vintage,
        "outcome": None,
        "kind": ISSUANCE,
        "quantity": 0,
        "account": None,
        "block_first": None,
        "block_last": None,
        "issuance": None,
    }
    if isinstance(row, IssuanceLine | AuthorizationChangeLine):
        values["issuance"] = msgspec.json.encode(row)
    if isinstance(row, IssuanceLine):
        return values
    first, last = _identifiers(row, registry)
    return values | {
        "kind": kind_of(row),
        "outcome": KEPT if isinstance(row, ContributionLine) else None,
        "quantity": row.quantity,
        "account": account_of(row),
        "block_first": first,
        "block_last": last,
    }


def _identifiers(row: Row | None, registry: str) -> tuple[str, str] | tuple[None, None]:
    """Return the lowest and the highest unit that a line names, if it names units."""
    if row is None or isinstance(row, IssuanceLine):
        return None, None
    return identifiers_of(row, registry)


_SETTLED: Final = (
    update(feed_message)
    .where(feed_message.c.reference == bindparam("settled"), feed_message.c.outcome.is_(None))
    .values(outcome=bindparam("said"))
)
_PLACED: Final = ("line", "block_first", "block_last", "source_line", "offset_bytes", "end_bytes")
_REFUSED: Final = _SETTLED.returning(
    *(feed_message.c[name] for name in ("feed_id", "issuance_id", *_PLACED))
)


def settle(connection: Connection, reference: str, outcome: str) -> tuple[int, Refusal] | None:
    """Note the hub's outcome; of a refusal return the feed and an empty refusal to fill in.

    None otherwise, also when the message is none of a feed's, or has its outcome already.
    """
    values = {"settled": reference, "said": outcome}
    if outcome != "refused":
        connection.execute(_SETTLED, values)
        return None
    row = connection.execute(_REFUSED, values).mappings().first()
    if row is None:
        return None
    blank = Refusal(
        source="hub",
        reference=reference,
        rule=0,
        name="",
        field=None,
        value=None,
        text="",
        remedy="",
        paragraph="",
        issuance_id=row["issuance_id"],
        **{name: row[name] for name in _PLACED},
    )
    return row["feed_id"], blank


def count_waiting(connection: Connection, feed_id: int) -> int:
    """Return how many messages of a feed have no outcome yet."""
    query = select(func.count()).where(
        feed_message.c.feed_id == feed_id, feed_message.c.outcome.is_(None)
    )
    return int(connection.execute(query).scalar_one())


def list_feeds(connection: Connection, limit: int) -> list[FeedState]:
    """Return up to ``limit`` feeds, the newest first."""
    columns = [feed.c[name] for name in FeedState.__dataclass_fields__]
    query = select(*columns).order_by(feed.c.feed_id.desc()).limit(limit)
    return [FeedState(**row) for row in connection.execute(query).mappings()]


def states_of(connection: Connection, feeds: Select[tuple[int]]) -> list[FeedState]:
    """Return the states of several feeds, the oldest first."""
    columns = [feed.c[name] for name in FeedState.__dataclass_fields__]
    query = select(*columns).where(feed.c.feed_id.in_(feeds)).order_by(feed.c.feed_id)
    return [FeedState(**row) for row in connection.execute(query).mappings()]


def fetch_tally(
    connection: Connection, issuance_id: str, *, except_feed: int | None
) -> IssuanceTally | None:
    """Return what other feeds drew on an issuance and the hub did not refuse, or None."""
    raw = connection.execute(
        select(feed_message.c.issuance).where(
            feed_message.c.reference == issuance_reference(issuance_id),
            feed_message.c.outcome.is_distinct_from("refused"),
            feed_message.c.feed_id.is_distinct_from(except_feed),
        )
    ).scalar()
    if raw is None:
        return None
    tally = IssuanceTally.of(msgspec.json.decode(raw, type=IssuanceLine))
    drawn = (
        feed_message.c.issuance_id == issuance_id,
        feed_message.c.outcome.is_distinct_from("refused"),
        feed_message.c.feed_id.is_distinct_from(except_feed),
    )
    sums: Mapping[str, int] = {
        kind: int(total)
        for kind, total in connection.execute(
            select(feed_message.c.kind, func.sum(feed_message.c.quantity))
            .where(*drawn)
            .group_by(feed_message.c.kind)
        )
    }
    changes = connection.execute(
        select(feed_message.c.issuance).where(*drawn, feed_message.c.kind == AUTHORIZATION_CHANGE)
    ).scalars()
    tally.restore(sums, [msgspec.json.decode(c, type=AuthorizationChangeLine) for c in changes])
    return tally


def fetch_contribution(
    connection: Connection, issuance_id: str, *, except_feed: int | None
) -> tuple[IntervalSet, IntervalSet]:
    """Return the serials that other feeds showed as contribution units, and authorized later."""
    shown, later = IntervalSet(), IntervalSet()
    columns = feed_message.c
    of_others = (
        columns.issuance_id == issuance_id,
        columns.outcome.is_distinct_from("refused"),
        columns.feed_id.is_distinct_from(except_feed),
    )
    kept = select(columns.block_first, columns.block_last).where(columns.outcome == KEPT)
    for first, last in connection.execute(kept.where(*of_others)):
        shown.add(_serial_of(first), _serial_of(last))
    changed = select(columns.issuance).where(columns.kind == AUTHORIZATION_CHANGE, *of_others)
    for raw in connection.execute(changed).scalars():
        for span in msgspec.json.decode(raw, type=AuthorizationChangeLine).spans:
            shown.remove(*span)
            later.add(*span)
    return shown, later


def _serial_of(identifier: str) -> int:
    """Return the serial number of a unit's identifier (6/CMA.4 I.5)."""
    return int(identifier.split("-")[-2])
