"""A night written row by row: one registry agrees, one differs, one is silent; two cases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, insert

from hub.services.reconciliation.ledger.book_faults import BookFault, FaultKind, OwnBooks
from hub.store.reconciliation import nights, sessions, tables
from hub.store.reconciliation.nights import NightRow
from hub.store.reconciliation.sessions import AnswerRow, QuestionRow, SessionRow

NIGHT: Final = "2026-11-22"
BEGIN: Final = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
END: Final = BEGIN + timedelta(minutes=3)
EVIL: Final = '<script>alert("x")</script>\x01\u202e=cmd'
SOUND: Final = OwnBooks(90, 4, 2, 100, 300, 12, 0.4)
FAULTY: Final = replace(
    SOUND, fault_count=1, faults=(BookFault(FaultKind.DIGEST, "CHE01 CA0001", "4 sums differ", 1),)
)


def session_row(registry: str, log_index: int, **changes: object) -> SessionRow:
    """Return a session of the night that agreed."""
    made = SessionRow(
        session=f"{registry}-{log_index}",
        registry=registry,
        night=NIGHT,
        request_id=None,
        trigger="night",
        mode="digests",
        log_index=log_index,
        key_id=f"{registry}-2026",
        state="done",
        asked_at=BEGIN,
        answer_by=BEGIN + timedelta(hours=4),
        finished_at=BEGIN + timedelta(seconds=2),
        as_of=log_index + 1,
        agreed=True,
        basis="digests",
        question_count=1,
        finding_count=0,
        result_log_index=log_index + 50,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the test names the columns


SESSIONS: Final = (
    session_row("CHE01", 41, agreed=False, basis="blocks", question_count=5, finding_count=2),
    session_row("GHA01", 42, state="silent", agreed=None, basis=None, as_of=None, reason=EVIL),
    session_row("THA01", 43),
)


def plant_case(connection: Connection, case_id: str, units: int = 10, **changes: object) -> None:
    """Write a case of CHE01 that the night opened, its serials frozen unless it is closed."""
    values: dict[str, object] = {
        "case_id": case_id,
        "registry": "CHE01",
        "kind": "missing_at_registry",
        "state": "open",
        "summary": f"{units} units are missing at CHE01",
        "units": units,
        "due_on": "2026-11-27",
        "opened_at": BEGIN + timedelta(seconds=2),
        "opened_session": "CHE01-41",
        "last_session": "CHE01-41",
        "changed_at": BEGIN,
        "reopened_count": 0,
    }
    connection.execute(insert(tables.case).values(values | changes))
    if units:
        connection.execute(
            insert(tables.case_range).values(
                case_id=case_id,
                ordinal=0,
                cooperative_approach="CA0001",
                originating_registry="THA01",
                first_transferring_party="THA",
                vintage=2022,
                first_serial=1,
                last_serial=units,
                body="{}",
                is_frozen=changes.get("state") != "closed",
            )
        )


def plant_night(connection: Connection, own_books: OwnBooks = SOUND) -> None:
    """Write the night, and the one before it, which was missed."""
    before = NightRow("2026-11-21", nights.MISSED, BEGIN - timedelta(days=1))
    tonight = NightRow(NIGHT, nights.FINISHED, BEGIN, BEGIN, END, own_books.as_json(), "{}")
    nights.add(connection, [before, tonight])
    sessions.add(connection, SESSIONS)
    sessions.add_questions(
        connection, [QuestionRow("CHE01-41", 1, 41, "reconciliation.cut", "x" * 300, BEGIN)]
    )
    sessions.add_answers(
        connection, [AnswerRow("CHE01-41", 1, 44, "reconciliation.cut_ack", "y" * 700, BEGIN)]
    )
    plant_case(connection, "2026-11-22/1", 1_500)
    plant_case(
        connection,
        "2026-11-10/1",
        20,
        opened_at=BEGIN - timedelta(days=12),
        opened_session="CHE01-5",
        due_on="2026-11-15",
        assignee=EVIL,
        reopened_count=1,
    )
    connection.execute(
        insert(tables.case_event).values(
            case_id="2026-11-10/1",
            ordinal=1,
            log_index=91,
            at=BEGIN,
            actor="XHB01",
            kind="reopened",
            text="again",
        )
    )
    plant_case(
        connection,
        "2026-11-12/1",
        30,
        state="closed",
        opened_at=BEGIN - timedelta(days=10),
        opened_session="THA01-6",
        closed_session="THA01-43",
        last_session="THA01-43",
        closed_at=BEGIN + timedelta(seconds=3),
        registry="THA01",
    )
    plant_case(
        connection,
        "2026-11-01/1",
        40,
        state="closed",
        opened_at=BEGIN - timedelta(days=21),
        opened_session="THA01-2",
        closed_session="THA01-3",
        last_session="THA01-3",
        closed_at=BEGIN - timedelta(days=20),
    )
    plant_case(
        connection,
        "2026-11-22/2",
        0,
        registry="GHA01",
        kind="no_answer",
        opened_session="GHA01-42",
        last_session="GHA01-42",
        summary="GHA01 did not answer",
    )
