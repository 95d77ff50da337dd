"""SQL of a polled source: its cursor, and every page ever taken from it.

1. ``feed_source``: the durable cursor. It moves when the lines of a page are with the outbox, and
   in the same transaction the page is noted as done.
2. ``feed_page``: a page that was fetched, with the cursor it was asked with and the one it gave.
   One that is not done is gone on with after a kill, from the very bytes that were fetched.

Old cursors and digests stay: they tell when a source goes back or gives a page twice.
"""

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, Select, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from connectors.mechanism_registry.feeds.lines import FeedFormat
from connectors.mechanism_registry.tables import (
    feed,
    feed_message,
    feed_page,
    feed_refusal,
    feed_source,
)
from hub.protocol.response_codes import ResponseCode

OUT_OF_ORDER: Final = (
    int(ResponseCode.ISSUANCE_UNKNOWN),
    int(ResponseCode.ISSUANCE_SHARES_INCOMPLETE),
)


@dataclass(frozen=True, slots=True)
class SourceState:
    """Where a source is; ``etag`` is of the page behind ``cursor``, if it was seen already."""

    name: str
    url: str
    cursor: str | None
    etag: str | None
    page_count: int


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page as it was fetched; ``after`` is the cursor it was asked with."""

    source: str
    number: int
    after: str | None
    next_cursor: str | None
    is_end: bool
    etag: str | None
    sha256: str
    line_count: int
    fetched_at: str


def load_source(connection: Connection, name: str, url: str) -> SourceState:
    """Return where a source is; a new one is at its beginning."""
    columns = [feed_source.c[column] for column in SourceState.__dataclass_fields__]
    row = connection.execute(select(*columns).where(feed_source.c.name == name)).mappings().first()
    return SourceState(name, url, None, None, 0) if row is None else SourceState(**row)


def list_sources(connection: Connection) -> list[SourceState]:
    """Return every source that was ever polled."""
    columns = [feed_source.c[column] for column in SourceState.__dataclass_fields__]
    query = select(*columns).order_by(feed_source.c.name)
    return [SourceState(**row) for row in connection.execute(query).mappings()]


def page_file(source: str, number: int, format_: FeedFormat) -> str:
    """Return the name of a page's file, and so of its feed."""
    return f"{source}-{number:08}.{format_.value}"


def feeds_of(source: str) -> Select[tuple[int]]:
    """Return the query of the feeds that a source's pages are."""
    names = [f"{source}-{'[0-9]' * 8}.{format_.value}" for format_ in FeedFormat]
    return select(feed.c.feed_id).where(or_(*(feed.c.name.op("GLOB")(name) for name in names)))


def open_page(connection: Connection, source: str) -> FetchedPage | None:
    """Return the page that was fetched and is not done, if there is one."""
    columns = [feed_page.c[column] for column in FetchedPage.__dataclass_fields__]
    query = select(*columns).where(feed_page.c.source == source, feed_page.c.done_at.is_(None))
    row = connection.execute(query.order_by(feed_page.c.number)).mappings().first()
    return None if row is None else FetchedPage(**row)


def was_asked_with(connection: Connection, source: str, cursor: str) -> int | None:
    """Return the number of the first page that was asked for with a cursor, or None."""
    query = select(func.min(feed_page.c.number)).where(
        feed_page.c.source == source, feed_page.c.after == cursor
    )
    number: int | None = connection.execute(query).scalar()
    return number


def same_page(connection: Connection, page: FetchedPage) -> int | None:
    """Return the number of an earlier page with the same bytes, or None."""
    query = select(func.min(feed_page.c.number)).where(
        feed_page.c.source == page.source,
        feed_page.c.sha256 == page.sha256,
        feed_page.c.number < page.number,
    )
    number: int | None = connection.execute(query).scalar()
    return number


def last_sha256(connection: Connection, source: str, after: str | None) -> str | None:
    """Return the digest of the last page that was asked for with a cursor, or None."""
    query = select(feed_page.c.sha256).where(
        feed_page.c.source == source, feed_page.c.after.is_not_distinct_from(after)
    )
    digest: str | None = connection.execute(query.order_by(feed_page.c.number.desc())).scalar()
    return digest


def note_etag(connection: Connection, page: FetchedPage) -> None:
    """Remember the ETag of the page behind the cursor, which said nothing new."""
    connection.execute(
        update(feed_source).where(feed_source.c.name == page.source).values(etag=page.etag)
    )


def put_page(connection: Connection, page: FetchedPage) -> None:
    """Note a page before any of its lines is pushed."""
    connection.execute(insert(feed_page).values(**asdict(page), done_at=None))


def move_cursor(connection: Connection, state: SourceState, page: FetchedPage, at: str) -> None:
    """Move the cursor behind a page whose lines are with the outbox."""
    connection.execute(
        update(feed_page)
        .where(feed_page.c.source == page.source, feed_page.c.number == page.number)
        .values(done_at=at)
    )
    stays = page.next_cursor is None or page.next_cursor == page.after
    moved = {
        "url": state.url,
        "cursor": page.after if stays else page.next_cursor,
        "etag": page.etag if stays else None,
        "page_count": page.number,
        "changed_at": at,
    }
    statement = upsert(feed_source).values(name=state.name, **moved)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=moved))


def out_of_order(connection: Connection, page_feed: str) -> int:
    """Return how many lines were refused before this page because it had not come yet.

    Lines of earlier feeds that named an issuance, or forwarded before its shares, which this page
    gives.
    """
    page_id = select(feed.c.feed_id).where(feed.c.name == page_feed).scalar_subquery()
    here = select(feed_message.c.issuance_id).where(feed_message.c.feed_id == page_id).distinct()
    query = select(func.count()).where(
        feed_refusal.c.rule.in_(OUT_OF_ORDER),
        feed_refusal.c.source == "feed",
        feed_refusal.c.feed_id < page_id,
        feed_refusal.c.issuance_id.in_(here),
    )
    return int(connection.execute(query).scalar_one())
