"""A database of an earlier version is used as it is: what it lacks is added, nothing is lost."""

from contextlib import closing
from functools import partial
from pathlib import Path

from sqlalchemy import inspect, text

from connectors.mechanism_registry.store import find_feed
from connectors.mechanism_registry.tables import METADATA, open_feeds
from connectors.session.database import Work
from connectors.session.session import open_database

EARLIER = """
CREATE TABLE feed (feed_id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(255) NOT NULL UNIQUE,
 format VARCHAR(8) NOT NULL, offset_bytes INTEGER NOT NULL, line INTEGER NOT NULL,
 prefix_sha256 VARCHAR(64) NOT NULL, known_count INTEGER NOT NULL,
 started_at VARCHAR(24) NOT NULL, changed_at VARCHAR(24) NOT NULL)
"""


ROW = "INSERT INTO feed VALUES (1, 'a.csv', 'csv', 9, 2, 'x', 0, '', '')"


def execute(statement: str, work: Work) -> None:
    """Run a statement in a transaction."""
    work.connection.execute(text(statement))


def test_columns_that_an_earlier_version_lacked_are_added_once(tmp_path: Path) -> None:
    """The place of a feed is where it was; a second start changes nothing."""
    path = tmp_path / "mechanism.sqlite"
    with closing(open_database(path)) as database:
        for statement in (EARLIER, ROW):
            database.write_now("registry.command", partial(execute, statement))
    for _ in range(2):
        with closing(open_feeds(path)) as database:
            state = database.read_now(find_feed, "a.csv")
            assert state is not None
            assert (state.line, state.offset_bytes, state.mapping_sha256) == (2, 9, None)
            columns = database.read_now(
                lambda connection: {
                    table.name: {one["name"] for one in inspect(connection).get_columns(table.name)}
                    for table in METADATA.sorted_tables
                }
            )
    for table in METADATA.sorted_tables:
        assert columns[table.name] == {column.name for column in table.columns}
