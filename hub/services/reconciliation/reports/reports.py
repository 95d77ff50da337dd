"""The report of a night: one value, built from the tables, that all three forms are written from.

What ran and what agreed, cases opened, met again, reopened, closed and still open, serials frozen,
who was silent, nights missed, the hub's own books, and the 30 nights up to this one.

An older night is told as of its end where the tables know it; a case has the state of today.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection

from hub.services.reconciliation.ledger.book_faults import OwnBooks
from hub.services.reconciliation.reports import report_html, report_tables
from hub.services.reconciliation.reports.night_report import (
    CaseLine,
    HistoryLine,
    NightReport,
    SessionLine,
)
from hub.store.database import Database
from hub.store.reconciliation import nights, sessions
from hub.store.reconciliation import reports as rows
from hub.store.reconciliation.nights import NightRow
from hub.store.reconciliation.reports import CaseRow, PastSession
from hub.store.reconciliation.sessions import SessionRow

HISTORY_NIGHTS: Final = 30
FORMS: Final = ("html", "csv", "json")

_WORST_FIRST: Final = ("differs", "failed", "silent", "refused", "asking", "agreed")


class NoNightError(LookupError):
    """There is no such night on record."""


def build(connection: Connection, name: str | None, made_at: datetime) -> NightReport:
    """Return the report of a night (``YYYY-MM-DD``), or of the newest. Raises NoNightError."""
    chosen = rows.newest_night(connection) if name is None else name
    row = None if chosen is None else nights.load(connection, chosen)
    if row is None:
        what = "no night has run yet" if name is None else f"there was no night {name}"
        raise NoNightError(f"{what}; `itmo-hub reconcile nights` lists them")
    of_night = sessions.of_night(connection, row.night)
    names = rows.names(connection)
    past = rows.nights_up_to(connection, row.night, HISTORY_NIGHTS)
    return NightReport(
        hub=rows.hub_code(connection),
        night=row.night,
        state=row.state,
        due_at=row.due_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        made_at=made_at,
        sessions=tuple(_session_lines(connection, row, of_night, names)),
        cases=tuple(_case_lines(connection, row, of_night, made_at)),
        own_books=None if row.own_books is None else OwnBooks.from_json(row.own_books),
        missed_nights=tuple(_missed(past)),
        history_nights=tuple(one.night for one in past),
        history=tuple(_history(connection, past, names)),
    )


def write_night(
    database: Database, night: str, directory: Path, made_at: datetime | None = None
) -> list[Path]:
    """Write a night's report into a directory, in all forms, and return the files.

    Each file is whole or not there. Raises NoNightError, OSError.
    """
    with database.reading() as connection:
        report = build(connection, night, made_at or datetime.now(UTC))
    directory.mkdir(parents=True, exist_ok=True)
    return [
        write_whole(directory / f"reconciliation-{report.night}.{form}", written(report, form))
        for form in FORMS
    ]


def written(report: NightReport, form: str) -> bytes:
    """Return a report as ``html``, ``csv`` or ``json``; KeyError of another form."""
    writers = {"html": report_html.page, "csv": report_tables.csv, "json": report_tables.json}
    return writers[form](report)


def write_whole(path: Path, content: bytes) -> Path:
    """Put a file in its place at once: whoever opens it finds all of it, or the one before."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _session_lines(
    connection: Connection,
    row: NightRow,
    of_night: Sequence[SessionRow],
    names: Mapping[str, str],
) -> list[SessionLine]:
    """Return a line for each session, and one for each registry that was not asked."""
    sizes = rows.sizes(connection, [one.session for one in of_night])
    lines = [_session_line(one, names, *sizes.get(one.session, (0, 0))) for one in of_night]
    asked = {one.registry for one in of_night}
    waiting = "waiting" if row.state == nights.RUNNING else "not asked"
    hindered = {} if row.summary is None else msgspec.json.decode(row.summary)
    why = hindered.get("not_compared", {})
    lines.extend(
        SessionLine(code, names.get(code, code), mode, waiting, reason=why.get(code))
        for code, mode in rows.compared(connection).items()
        if code not in asked
    )
    return sorted(lines, key=lambda line: (line.registry, line.session or ""))


def _session_line(
    row: SessionRow, names: Mapping[str, str], asked: int, answered: int
) -> SessionLine:
    return SessionLine(
        registry=row.registry,
        name=names.get(row.registry, row.registry),
        mode=row.mode,
        result=sessions.result_of(row),
        session=row.session,
        log_index=row.log_index,
        as_of=row.as_of,
        basis=row.basis,
        question_count=row.question_count or 0,
        finding_count=row.finding_count or 0,
        seconds=_seconds(row.asked_at, row.finished_at),
        characters_asked=asked,
        characters_answered=answered,
        result_log_index=row.result_log_index,
        reason=row.reason,
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _case_lines(
    connection: Connection, row: NightRow, of_night: Sequence[SessionRow], made_at: datetime
) -> list[CaseLine]:
    """Return the cases that were open when the night ended, and those it closed."""
    until = row.finished_at or made_at
    ours = {one.session for one in of_night}
    results = [one.result_log_index for one in of_night if one.result_log_index is not None]
    reopened = rows.reopened(connection, results)
    lines = []
    for found in rows.cases_as_of(connection, until, row.started_at or row.due_at):
        event = _what_happened(found, ours, reopened)
        # Closed by hand or by another session meanwhile: neither open nor this night's doing.
        if event == "closed" or found.closed_at is None or found.closed_at > until:
            lines.append(_case_line(found, event, until))
    return lines


def _what_happened(row: CaseRow, ours: Collection[str], reopened: Collection[str]) -> str:
    """Return in one word what the night did with a case; nothing for a case it did not meet."""
    if row.closed_session in ours:
        return "closed"
    if row.case_id in reopened:
        return "reopened"
    if row.opened_session in ours:
        return "opened"
    return "continued" if row.last_session in ours else ""


def _case_line(row: CaseRow, event: str, until: datetime) -> CaseLine:
    return CaseLine(
        case_id=row.case_id,
        registry=row.registry,
        kind=row.kind,
        state=row.state,
        summary=row.summary,
        units=row.units,
        frozen_units=row.frozen_units,
        opened_on=row.opened_at.date().isoformat(),
        age_days=max(0, (until - row.opened_at) // timedelta(days=1)),
        tonight=event,
        assignee=row.assignee,
        due_on=row.due_on,
        is_overdue=event != "closed"
        and row.due_on is not None
        and until > datetime.combine(date.fromisoformat(row.due_on), time.max, UTC),
        reopened_count=row.reopened_count,
    )


def _missed(past: Sequence[NightRow]) -> list[str]:
    """Return the nights that were missed since the last one that ran, before the newest here."""
    missed: list[str] = []
    for row in reversed(past[:-1]):
        if row.state != nights.MISSED:
            break
        missed.append(row.night)
    return missed[::-1]


def _history(
    connection: Connection, past: Sequence[NightRow], names: Mapping[str, str]
) -> list[HistoryLine]:
    """Return for each registry what each night came to: the worst of its sessions."""
    if not past:
        return []
    results: dict[str, dict[str, str]] = {}
    for one in rows.past_sessions(connection, past[0].night, past[-1].night):
        of_registry = results.setdefault(one.registry, {})
        of_registry[one.night] = _worse(of_registry.get(one.night), _result(one))
    missed = {row.night for row in past if row.state == nights.MISSED}
    codes = sorted(results.keys() | rows.compared(connection).keys())
    return [
        HistoryLine(
            registry=code,
            name=names.get(code, code),
            results=tuple(
                results.get(code, {}).get(row.night, "missed" if row.night in missed else "none")
                for row in past
            ),
        )
        for code in codes
    ]


def _result(row: PastSession) -> str:
    return ("agreed" if row.agreed else "differs") if row.state == "done" else row.state


def _worse(one: str | None, other: str) -> str:
    return other if one is None else min(one, other, key=_WORST_FIRST.index)
