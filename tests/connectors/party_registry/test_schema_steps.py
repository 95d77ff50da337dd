"""Files of an earlier version are brought up to date when they are opened."""

from pathlib import Path

from sqlalchemy import text

from connectors.party_registry import book, book_tables, reconciliation_tables, tracking_tables
from connectors.party_registry.book_store import fetch_holdings
from connectors.party_registry.check_book import check_book
from connectors.party_registry.schema_steps import bring_up_to_date, guard_serials
from connectors.party_registry.units import BlockStatus, Span
from connectors.session.database import open_engine
from tests.connectors.party_registry.test_book import AT, ATTRIBUTES, SERIES, issue, open_book

EARLIER = (
    "ALTER TABLE unit_block DROP COLUMN known_to_hub",
    "ALTER TABLE movement DROP COLUMN known_to_hub",
    "DROP TABLE recorded_unit",
    "DROP TABLE book_correction",
)


def test_an_older_book_learns_what_the_hub_knows(tmp_path: Path) -> None:
    """ITMOs and ended units are known to the hub, authorized ones are not; twice does no harm."""
    connection = open_book(tmp_path)
    issue(connection, 10)
    arrived = [(Span(SERIES, 11, 30), ATTRIBUTES, "earlier")]
    book.credit(connection, "A-1", arrived, "CHE01-1", AT)
    book.reserve(connection, "A-1", [Span(SERIES, 21, 30)], "THA01-1", AT)
    book.retire(connection, "THA01-1", BlockStatus.USED, "use", AT)
    for statement in EARLIER:
        connection.execute(text(statement))
    connection.commit()
    connection.close()
    engine = open_engine(tmp_path / "book.sqlite")
    for _ in range(2):
        with engine.begin() as opened:
            for metadata in (
                tracking_tables.METADATA,
                book_tables.METADATA,
                reconciliation_tables.METADATA,
            ):
                metadata.create_all(opened)
            bring_up_to_date(opened)
            known = {b.first: b.known_to_hub for b in fetch_holdings(opened)}
            assert known == {1: False, 11: True, 21: True}
            assert guard_serials(opened)
            assert check_book(opened) == []
    engine.dispose()
