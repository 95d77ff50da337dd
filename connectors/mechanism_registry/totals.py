"""SQL of the figures of feeds: lines by what became of them, and t CO2 eq by kind of sum.

Every function works on an open connection, never writes, and takes one feed or several.
"""

from typing import Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, or_, select

from connectors.mechanism_registry.feeds.rows import AUTHORIZATION_CHANGE, NO_MOVEMENT
from connectors.mechanism_registry.store import KEPT, TAKEN
from connectors.mechanism_registry.tables import feed_message, feed_refusal

FeedIds: TypeAlias = int | Select[tuple[int]]
"""One feed, or a query of the numbers of several."""

LINES_MAX: Final = 10**11
"""No feed has as many lines; of feed and line it makes one number."""


def of_feeds(table: Table, feeds: FeedIds) -> ColumnElement[bool]:
    """Return the condition that a row belongs to the feeds."""
    of = table.c.feed_id
    return of.in_(feeds) if isinstance(feeds, Select) else of == feeds


def count_outcomes(connection: Connection, feeds: FeedIds) -> dict[str | None, int]:
    """Return how many messages of a feed have each outcome; None counts those waiting."""
    query = (
        select(feed_message.c.outcome, func.count())
        .where(of_feeds(feed_message, feeds))
        .group_by(feed_message.c.outcome)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def sum_quantities(connection: Connection, feeds: FeedIds, column: str) -> dict[str, int]:
    """Return the t CO2 eq that the hub took from a feed, by kind, account or vintage."""
    by = feed_message.c[column]
    query = (
        select(by, func.sum(feed_message.c.quantity))
        .where(
            of_feeds(feed_message, feeds),
            feed_message.c.outcome.in_(TAKEN),
            feed_message.c.kind.not_in(NO_MOVEMENT),
        )
        .group_by(by)
        .order_by(by)
    )
    return {str(value): int(total) for value, total in connection.execute(query)}


def sum_apart(connection: Connection, feeds: FeedIds) -> dict[str, int]:
    """Return the t CO2 eq of a feed that moved nothing at the hub, by kind: kept, authorized."""
    query = (
        select(feed_message.c.kind, func.sum(feed_message.c.quantity))
        .where(
            of_feeds(feed_message, feeds),
            or_(
                feed_message.c.outcome == KEPT,
                and_(
                    feed_message.c.outcome.in_(TAKEN),
                    feed_message.c.kind == AUTHORIZATION_CHANGE,
                ),
            ),
        )
        .group_by(feed_message.c.kind)
        .order_by(feed_message.c.kind)
    )
    return {str(kind): int(total) for kind, total in connection.execute(query)}


def count_refused(connection: Connection, feeds: FeedIds) -> dict[str, int]:
    """Return how many lines of a feed were refused by each rule, the most frequent first."""
    count = _refused_lines()
    query = (
        select(feed_refusal.c.rule, feed_refusal.c.name, count)
        .where(of_feeds(feed_refusal, feeds))
        .group_by(feed_refusal.c.rule, feed_refusal.c.name)
        .order_by(count.desc(), feed_refusal.c.rule)
    )
    return {f"{rule} {name}": number for rule, name, number in connection.execute(query)}


def count_refused_lines(connection: Connection, feeds: FeedIds) -> dict[str, int]:
    """Return how many lines of a feed were refused here (``feed``) and by the hub (``hub``)."""
    query = (
        select(feed_refusal.c.source, _refused_lines())
        .where(of_feeds(feed_refusal, feeds))
        .group_by(feed_refusal.c.source)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _refused_lines() -> ColumnElement[int]:
    """Return the count of lines among rows of refusals, of one feed or of several."""
    return func.count(func.distinct(feed_refusal.c.feed_id * LINES_MAX + feed_refusal.c.line))
