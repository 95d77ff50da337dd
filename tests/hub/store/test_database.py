"""Opening the database: writers wait for each other, readers see one view and change nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from hub.store import alerts
from hub.store import head as heads
from hub.store.database import Database, DatabaseUnavailableError
from tests.hub.store.samples import AT


def note(database: Database, subject: str) -> None:
    """Write one row in a transaction of its own, as every writer does: the head first."""
    with database.writing() as connection:
        heads.lock(connection)
        alerts.add(connection, kind="note", subject=subject, detail="", at=AT)


def subjects(database: Database) -> set[str]:
    """Return what was written and committed."""
    with database.reading() as connection:
        return {one.subject for one in alerts.newest(connection)}


def test_two_writers_that_collide_wait_and_none_fails(database: Database) -> None:
    """While one writer holds on, the other waits; both end with a commit, in that order."""
    holding, order = threading.Event(), []

    def first() -> None:
        with database.writing() as connection:
            heads.lock(connection)
            holding.set()
            time.sleep(0.3)
            alerts.add(connection, kind="note", subject="first", detail="", at=AT)
            order.append("first")

    def second() -> None:
        assert holding.wait(10)
        note(database, "second")
        order.append("second")

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result(30)
    assert order == ["first", "second"]
    assert subjects(database) == {"first", "second"}


def test_a_writer_that_waits_too_long_is_told_to_come_back(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy file is nobody's fault: the answer is "later", not a crash."""
    monkeypatch.setattr("hub.store.database.SQLITE_BUSY_SECONDS_MAX", 0.1)
    database = Database(sqlite_url)
    with database.writing(), pytest.raises(DatabaseUnavailableError, match="locked"):
        note(database, "late")
    note(database, "in time")
    assert subjects(database) == {"in time"}
    database.dispose()


def test_what_fails_leaves_nothing_behind(database: Database) -> None:
    """Any exception rolls the whole transaction back, and comes through as it is."""

    def fail_half_way() -> None:
        with database.writing() as connection:
            alerts.add(connection, kind="note", subject="half", detail="", at=AT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert subjects(database) == set()


def test_a_defect_of_ours_is_not_called_unavailable(database: Database) -> None:
    """A broken constraint is to be seen, not to be retried."""
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(text("INSERT INTO head VALUES (1, 0, '', 1, 1, 1)"))


def test_a_reader_cannot_write(database: Database) -> None:
    """The database itself refuses, so no query can change anything by mistake."""
    with (
        pytest.raises((DBAPIError, DatabaseUnavailableError), match=r"(?i)read.?only"),
        database.reading() as connection,
    ):
        connection.execute(text("UPDATE head SET log_index = 99"))
    with database.reading() as connection:
        assert heads.read(connection).log_index != 99


def test_a_reader_sees_one_view_while_writers_go_on(database: Database) -> None:
    """What is committed in the middle of a reading is seen by the next one only."""
    with database.reading() as connection:
        before = {one.subject for one in alerts.newest(connection)}
        note(database, "meanwhile")
        assert {one.subject for one in alerts.newest(connection)} == before
    assert subjects(database) == before | {"meanwhile"}


def test_a_database_that_is_away_is_called_unavailable(registered_url: str) -> None:
    """The wrong folder, or a server without that database: to be retried, not to crash."""
    database = Database(registered_url.replace("hub", "missing/hub"))
    with pytest.raises(DatabaseUnavailableError), database.reading():
        pass
    with pytest.raises(DatabaseUnavailableError), database.writing():
        pass
    database.dispose()


def test_sqlite_is_durable_at_every_commit(sqlite_url: str) -> None:
    """Write-ahead log, synchronised in full, foreign keys on: for readers and writers alike."""
    database = Database(sqlite_url)
    for opened in (database.writing, database.reading):
        with opened() as connection:
            pragmas = {
                name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    database.dispose()


@pytest.mark.parametrize("url", ["mysql://localhost/hub", "oracle://localhost", "nonsense", ""])
def test_only_the_two_databases_we_know_are_opened(url: str) -> None:
    """Another one is refused by name, before anything is tried on it."""
    with pytest.raises(ValueError, match="SQLite file or a PostgreSQL database"):
        Database(url)
