"""The database fails a worker in the middle of a session: nothing is lost, nothing counts twice."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from hub.services.reconciliation.cases.ending import Ending, SessionEndedError, end_session
from hub.store.database import Database
from hub.store.reconciliation import cases
from tests.hub.services.reconciliation.run_worlds import RunWorld, changed

SOON = timedelta(seconds=61)
"""A session that met a defect is looked at again after that."""


@pytest.fixture
def runs(sqlite: Database) -> RunWorld:
    """Return a hub and three registries; a third of what Switzerland holds is of another sector."""
    made = RunWorld(sqlite)
    made.sold()
    book = made.registries["CHE01"].book
    book.held = [changed(one, sector="Waste") if n else one for n, one in enumerate(book.held)]
    return made


@contextmanager
def refusing(database: Database, what: str) -> Iterator[None]:
    """Let the database refuse to insert into a table for a while."""
    with database.writing() as connection:
        connection.exec_driver_sql(
            f"CREATE TRIGGER no_more BEFORE INSERT ON {what} "
            "BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
        )
    try:
        yield
    finally:
        with database.writing() as connection:
            connection.exec_driver_sql("DROP TRIGGER no_more")


async def test_an_answer_that_came_at_the_last_moment_is_no_silence(runs: RunWorld) -> None:
    """It was taken at the door after the hub looked, and before it wrote the silence down."""
    registry = runs.registries["CHE01"]
    runs.ask("CHE01")
    await runs.worker.turn()
    (row,) = runs.sessions()
    registry.work()
    with pytest.raises(SessionEndedError, match="answered meanwhile"):
        end_session(
            runs.database,
            identity=runs.world.identity,
            policy=runs.policy,
            session=row,
            ending=Ending("silent", None),
            now=runs.clock(),
        )
    await runs.until_quiet()
    assert runs.results() == {"CHE01": "differs"}


@pytest.mark.parametrize("table", ["reconciliation_question", "reconciliation_finding"])
async def test_a_step_that_could_not_be_written_is_made_again(runs: RunWorld, table: str) -> None:
    """The next question as well as the end; by the same process, with the same findings."""
    registry = runs.registries["CHE01"]
    runs.ask("CHE01")
    await runs.worker.turn()
    with refusing(runs.database, table):
        for _ in range(8):
            registry.work()
            with suppress(IntegrityError):
                await runs.worker.turn()
    runs.ahead += SOON
    await runs.until_quiet()
    assert runs.results() == {"CHE01": "differs"}
    (result,) = registry.results
    assert {one["kind"] for one in result["findings"]} == {"attribute_differs"}
    assert sum(one["last_serial"] - one["first_serial"] + 1 for one in result["findings"]) == 180
    with runs.database.reading() as connection:
        assert len(cases.open_of(connection, "CHE01")) == 1
