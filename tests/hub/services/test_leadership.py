"""One process of a database leads; when it is gone another one does, at once."""

import time

import pytest
from sqlalchemy import text

from hub.services.leadership import Leadership
from hub.store.database import Database


def sought(leadership: Leadership) -> bool:
    """Seek the lead for up to ten seconds: a server ends a session a moment after its client."""
    deadline = time.monotonic() + 10
    while not leadership.seek():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_only_one_leads_and_the_next_takes_over(registered_url: str) -> None:
    """The second seeks in vain until the first gives up or dies."""
    databases = [Database(registered_url) for _ in range(2)]
    first, second = (Leadership(database) for database in databases)
    assert not first.leads
    assert first.seek()
    assert not second.seek()
    assert first.seek()
    first.close()
    assert not first.leads
    assert sought(second)
    assert not first.seek()
    second.close()
    assert sought(first)
    first.close()
    for database in databases:
        database.dispose()


@pytest.mark.postgres
def test_a_leader_cut_off_from_its_database_knows_that_it_leads_no_more(
    postgres_database_url: str,
) -> None:
    """Its session's end frees the lock; the next look tells it, and it may seek again."""
    database, other = Database(postgres_database_url), Database(postgres_database_url)
    first, second = Leadership(database), Leadership(other)
    assert first.seek()
    with other.writing() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert sought(second)
    assert not first.seek()
    second.close()
    assert sought(first)
    first.close()
    database.dispose()
    other.dispose()
