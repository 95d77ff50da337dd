"""The session's small parts: the database, crash points, settings and alarms."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update
from sqlalchemy.exc import OperationalError

from connectors.session import alarms, crash_points, inbox
from connectors.session.alarms import AlarmKind
from connectors.session.database import Database, Work
from connectors.session.session import open_database
from connectors.session.settings import SessionSettings
from connectors.session.trust import Trust
from tests.connectors.worlds import make_record

METADATA = MetaData()
number = Table("number", METADATA, Column("value", Integer, nullable=False))
AT = "2026-11-22T10:00:00.000Z"


def test_two_writers_of_one_file_take_turns(tmp_path: Path) -> None:
    """Two processes' worth of engines increment one number; no increment is lost."""
    first, second = (Database(tmp_path / "shared.sqlite", METADATA) for _ in range(2))
    first.write_now(
        "registry.command", lambda work: work.connection.execute(insert(number).values(value=0))
    )

    def increment(work: Work) -> None:
        seen = work.connection.execute(select(number.c.value)).scalar_one()
        work.connection.execute(update(number).values(value=seen + 1))

    def run(database: Database) -> None:
        for _ in range(50):
            database.write_now("registry.command", increment)

    threads = [threading.Thread(target=run, args=(database,)) for database in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first.read_now(lambda c: c.execute(select(number.c.value)).scalar_one()) == 100
    first.close()
    second.close()


def test_the_file_is_durable_and_readers_cannot_write(tmp_path: Path) -> None:
    """WAL, synchronous=FULL, and a reader's connection refuses every change."""
    database = Database(tmp_path / "one.sqlite", METADATA)
    pragma = "PRAGMA {}"
    modes = database.write_now(
        "registry.command",
        lambda work: [
            work.connection.exec_driver_sql(pragma.format(name)).scalar()
            for name in ("journal_mode", "synchronous")
        ],
    )
    assert modes == ["wal", 2]
    with pytest.raises(OperationalError):
        database.read_now(lambda c: c.execute(insert(number).values(value=1)))
    database.close()


def test_callbacks_wait_for_the_commit(tmp_path: Path) -> None:
    """A callback sees the committed row; without a commit it is not called."""
    database = Database(tmp_path / "two.sqlite", METADATA)
    seen: list[int] = []

    def look() -> None:
        seen.append(database.read_now(lambda c: len(c.execute(select(number)).all())))

    def use(work: Work) -> None:
        work.after_commit(look)
        work.connection.execute(insert(number).values(value=1))

    def fail(work: Work) -> None:
        use(work)
        raise RuntimeError("before the commit")

    database.write_now("registry.command", use)
    with pytest.raises(RuntimeError):
        database.write_now("registry.command", fail)
    assert seen == [1]
    database.close()


def test_a_crash_point_must_be_in_the_list() -> None:
    """A place that the kill tests do not know cannot be added silently."""
    crash_points.reach("outbox.before_send")
    with pytest.raises(AssertionError, match="not in the list"):
        crash_points.reach("somewhere.else")


@pytest.mark.parametrize(
    "wrong",
    [
        {"delivery_mode": "fax"},
        {"in_flight_per_recipient_max": 0},
        {"retry_delay_seconds_min": 9.0, "retry_delay_seconds_max": 1.0},
        {"fetch_wait_seconds": 30, "request_seconds_max": 30.0},
    ],
)
def test_settings_that_contradict_themselves_are_refused(wrong: dict[str, object]) -> None:
    """A session does not start with limits that cannot work."""
    with pytest.raises(ValueError, match=r"\w"):
        SessionSettings(participant="THA01", hub_url="http://hub.invalid", **wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_an_anchor_is_the_hubs_and_not_empty() -> None:
    """Without a key of the hub handed over by hand nothing can be believed."""
    for anchor in ((), (make_record("THA01"),)):
        with pytest.raises(ValueError, match="anchor"):
            Trust.of_anchor("XHB01", anchor)


def test_the_same_alarm_is_counted_and_a_closed_one_comes_back(tmp_path: Path) -> None:
    """A peer that repeats itself fills no table; closing ends only what was seen."""
    database = open_database(tmp_path / "three.sqlite")

    def again(work: Work) -> None:
        alarms.raise_alarm(work.connection, AlarmKind.DELIVERY_GAP, "1-2", "missing", AT, b"raw")

    for _ in range(3):
        database.write_now("alarms.raise", again)
    (one,) = database.read_now(lambda c: alarms.list_alarms(c, open_only=True, limit=9))
    assert one.count == 3
    closed = database.write_now(
        "alarms.close", lambda work: alarms.close_alarm(work.connection, one.alarm_id, AT)
    )
    assert closed
    database.write_now("alarms.raise", again)
    (other,) = database.read_now(lambda c: alarms.list_alarms(c, open_only=True, limit=9))
    assert (other.alarm_id, other.count) == (one.alarm_id + 1, 1)
    database.close()


def test_a_flood_of_different_forgeries_fills_no_disk(tmp_path: Path) -> None:
    """A hundred are kept with their bytes, the rest are counted in one row."""
    database = open_database(tmp_path / "four.sqlite")

    def flood(work: Work) -> None:
        for number in range(alarms.KEPT_OF_A_KIND_MAX + 50):
            raw = str(number).encode()
            inbox.store_refusal(work.connection, AlarmKind.DELIVERY_FORGED, "forged", AT, raw)

    database.write_now("inbox.refuse", flood)
    found = database.read_now(lambda c: alarms.list_alarms(c, open_only=True, limit=1000))
    assert len(found) == alarms.KEPT_OF_A_KIND_MAX + 1
    assert found[0].count == 50
    database.close()
