"""The head: one row, one line of writers, and no number given twice."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from hub.store import head as heads
from hub.store.database import Database


def test_the_head_moves_from_where_it_was_read(database: Database) -> None:
    """All of it is written, and read back."""
    with database.writing() as connection:
        before = heads.lock(connection)
        after = heads.Head(before.log_index + 3, b"edge", 50, before.trust_version + 1, 77)
        heads.advance(connection, before, after)
    with database.reading() as connection:
        assert heads.read(connection) == after


def test_a_head_that_moved_meanwhile_is_not_overwritten(database: Database) -> None:
    """Compare-and-swap: a writer with an old view fails loudly, and its transaction with it."""
    with database.writing() as connection:
        before = heads.lock(connection)
        heads.advance(connection, before, replace(before, log_index=before.log_index + 1))
    with pytest.raises(AssertionError, match="the head moved"), database.writing() as connection:
        heads.advance(connection, before, replace(before, log_index=before.log_index + 9))
    with database.reading() as connection:
        assert heads.read(connection).log_index == before.log_index + 1


def test_writers_stand_in_line_and_none_fails(database: Database) -> None:
    """Forty increments from four threads: forty numbers, none given twice, none lost."""

    def add_one(_: int) -> int:
        with database.writing() as connection:
            before = heads.lock(connection)
            heads.advance(connection, before, replace(before, log_index=before.log_index + 1))
            return before.log_index + 1

    with database.reading() as connection:
        start = heads.read(connection).log_index
    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(add_one, range(40)))
    assert numbers == list(range(start + 1, start + 41))


def test_there_is_never_a_second_head(database: Database) -> None:
    """The database itself refuses one."""
    row = "INSERT INTO head VALUES (2, 0, '', 1, 1, 1)"
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(text(row))
