"""Alerts: one row a cause, counted, the newest first."""

from datetime import timedelta

from hub.store import alerts
from hub.store.alerts import Alert
from hub.store.database import Database
from tests.hub.store.samples import AT


def test_the_same_cause_is_counted_and_not_repeated(database: Database) -> None:
    """A flood of one cause stays one row, with its latest detail and time."""
    with database.writing() as connection:
        for number in range(5):
            at = AT + timedelta(seconds=number)
            alerts.add(connection, kind="note", subject="THA01", detail=f"no. {number}", at=at)
        alerts.add(connection, kind="note", subject="CHE01", detail="", at=AT)
        found = alerts.newest(connection)
    assert found == [
        Alert(AT + timedelta(seconds=4), "note", "THA01", "no. 4", 5),
        Alert(AT, "note", "CHE01", "", 1),
    ]


def test_the_list_is_as_long_as_asked_for(database: Database) -> None:
    """The newest come first, and the limit cuts the oldest off."""
    with database.writing() as connection:
        for number in range(5):
            at = AT + timedelta(seconds=number)
            alerts.add(connection, kind="note", subject=str(number), detail="", at=at)
        found = alerts.newest(connection, limit=2)
    assert [one.subject for one in found] == ["4", "3"]
