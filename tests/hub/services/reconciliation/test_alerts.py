"""Who is told of what: thresholds, one alert a night, one row a receiver, nobody told twice."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from hub.protocol.reconciliation_policy import MailPolicy, ReconciliationPolicy
from hub.services.reconciliation.alerts import alerts
from hub.services.reconciliation.alerts.alerts import Alert
from hub.store.database import Database
from hub.store.reconciliation import alerts as rows
from hub.store.reconciliation import sessions, tables
from hub.store.reconciliation.alerts import AlertRow
from tests.hub.services.reconciliation.night_rows import (
    END,
    EVIL,
    FAULTY,
    NIGHT,
    plant_case,
    plant_night,
    session_row,
)

HOOK = "https://desk.example/alerts"
POLICY = ReconciliationPolicy(
    webhooks=(HOOK,),
    mail=MailPolicy("mail.example", "hub@registry.example", ("a@desk.example", "b@desk.example")),
)


def waiting(database: Database) -> list[AlertRow]:
    """Return the alerts that wait."""
    with database.reading() as connection:
        return rows.due(connection, END, 100)


def told(database: Database, policy: ReconciliationPolicy = POLICY) -> Alert | None:
    """Write the alerts of the night and return what is told; None if nothing is."""
    with database.writing() as connection:
        alerts.after_night(connection, NIGHT, policy=policy, now=END)
    found = waiting(database)
    documents = {row.body for row in found}
    assert len(documents) <= 1, "all receivers are told the same"
    return Alert.from_json(documents.pop()) if documents else None


@pytest.fixture
def planted(either: Database) -> Database:
    """Return a database with a night in it."""
    with either.writing() as connection:
        plant_night(connection)
    return either


def test_a_night_is_told_once_to_each_receiver(planted: Database) -> None:
    """One row for each webhook and recipient, not one a case; a second end adds none."""
    document = told(planted)
    assert document is not None
    assert [(row.channel, row.target) for row in waiting(planted)] == [
        ("webhook", HOOK),
        ("mail", "a@desk.example"),
        ("mail", "b@desk.example"),
    ]
    assert document.alert == f"night/{NIGHT}"
    assert document.title == f"Reconciliation of {NIGHT}: 2 new cases, 1 without answer"
    assert [(one.case_id, one.what) for one in document.cases] == [
        ("2026-11-10/1", "reopened"),
        ("2026-11-22/1", "opened"),
    ]
    assert [(one.registry, one.result, one.reason) for one in document.unanswered] == [
        ("GHA01", "silent", EVIL)
    ]
    assert "3 cases are open, 1,520 units are frozen." in document.sentences
    told(planted)
    assert len(waiting(planted)) == 3


def test_small_cases_are_told_of_to_nobody(planted: Database) -> None:
    """The threshold is in units; silence and its case are another matter."""
    document = told(planted, replace(POLICY, alert_units_min=1_000, alert_of_silence=False))
    assert document is not None
    assert [one.case_id for one in document.cases] == ["2026-11-22/1"]
    assert document.unanswered == ()


def test_a_night_below_every_threshold_is_not_told(planted: Database) -> None:
    """Nothing is written; nor is it without anybody to tell."""
    assert told(planted, replace(POLICY, alert_units_min=9_999, alert_of_silence=False)) is None
    assert told(planted, ReconciliationPolicy()) is None


def test_a_fault_of_the_own_books_is_always_told(either: Database) -> None:
    """No threshold keeps it back."""
    with either.writing() as connection:
        plant_night(connection, FAULTY)
    document = told(either, replace(POLICY, alert_units_min=9_999, alert_of_silence=False))
    assert document is not None
    assert document.own_books_fault_count == 1
    assert document.own_books_faults[0].text == "4 sums differ"
    assert "1 fault of the hub's own books" in document.title


def test_records_that_differ_are_told_without_units(planted: Database) -> None:
    """Such a case has no serials, so no threshold of units can hide it."""
    with planted.writing() as connection:
        plant_case(connection, "2026-11-22/3", 0, kind="record_differs")
    document = told(planted, replace(POLICY, alert_units_min=9_999))
    assert document is not None
    assert [one.case_id for one in document.cases] == ["2026-11-22/3"]


def after(database: Database, name: str, policy: ReconciliationPolicy = POLICY) -> int:
    """Write the alerts of a session."""
    with database.writing() as connection:
        return alerts.after_session(connection, name, policy=policy, now=END)


def test_a_session_between_nights_is_told_at_once(planted: Database) -> None:
    """The cases it opened, under its own name, once to each receiver."""
    with planted.writing() as connection:
        sessions.add(connection, [session_row("CHE01", 60, night=None, trigger="request")])
        plant_case(connection, "2026-11-22/7", 12, opened_session="CHE01-60")
    assert after(planted, "CHE01-60") == 3
    assert after(planted, "CHE01-60") == 0
    document = Alert.from_json(waiting(planted)[0].body)
    assert document.alert == "session/CHE01-60"
    assert [one.case_id for one in document.cases] == ["2026-11-22/7"]


def test_a_session_of_a_night_leaves_the_telling_to_the_night(planted: Database) -> None:
    """Two hundred registries are one letter, not two hundred."""
    assert after(planted, "CHE01-41") == 0
    assert after(planted, "GHA01-42") == 0


def test_a_session_that_found_nothing_new_is_not_told(planted: Database) -> None:
    """Agreement is no alert; silence is, where it is wanted."""
    with planted.writing() as connection:
        quiet = session_row("THA01", 61, night=None, trigger="request")
        silent = session_row("THA01", 62, night=None, state="silent", agreed=None)
        sessions.add(connection, [quiet, silent])
    assert after(planted, "THA01-61") == 0
    assert after(planted, "THA01-62", replace(POLICY, alert_of_silence=False)) == 0
    assert after(planted, "THA01-62") == 3
    assert after(planted, "THA01-999") == 0


def test_an_alert_waits_is_put_off_and_ends(planted: Database) -> None:
    """Put off it is due later; sent or given up it is never due again."""
    told(planted)
    first, second, third = waiting(planted)
    with planted.writing() as connection:
        later = END + timedelta(minutes=1)
        rows.postpone(connection, first.alert_id, failure_count=1, until=later, error="away")
        rows.finish(connection, second.alert_id, state=rows.SENT, at=END)
        rows.finish(connection, third.alert_id, state=rows.GIVEN_UP, at=END, error="gone")
    assert waiting(planted) == []
    with planted.reading() as connection:
        (due,) = rows.due(connection, later, 10)
        ended = rows.newest(connection, (rows.SENT, rows.GIVEN_UP), 10)
        assert rows.counts(connection) == {"waiting": 1, "sent": 1, "given_up": 1}
    assert (due.alert_id, due.failure_count, due.last_error) == (first.alert_id, 1, "away")
    assert [(row.state, row.last_error) for row in ended] == [("given_up", "gone"), ("sent", None)]


def test_the_document_of_an_alert_is_plain_json(planted: Database) -> None:
    """A receiver in any language reads the names that are documented."""
    told(planted)
    document: dict[str, Any] = json.loads(waiting(planted)[0].body)
    assert document["format"] == "itmo-reconciliation-alert/1"
    assert document["hub"] == "XHB01"
    assert document["night"] == NIGHT
    assert set(document["cases"][0]) == {
        *("case_id", "registry", "kind", "what", "units", "summary"),
    }


def test_thresholds_are_those_of_when_the_night_ends(planted: Database) -> None:
    """A case that was closed before the night ended is told as closed, not as new."""
    with planted.writing() as connection:
        connection.execute(
            update(tables.case)
            .where(tables.case.c.case_id == "2026-11-22/1")
            .values(state="closed", closed_at=END, closed_session="CHE01-41")
        )
    document = told(planted)
    assert document is not None
    assert [one.case_id for one in document.cases] == ["2026-11-10/1"]
