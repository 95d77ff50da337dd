"""The report of a night for machines: JSON whole, CSV as flat rows of one header.

What peers and people wrote is no formula in a spreadsheet (``spreadsheet_cells``).
"""

import csv as csv_files
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from io import StringIO
from typing import Any, Final

import msgspec

from hub.services.reconciliation.reports.night_report import NightReport
from hub.services.spreadsheet_cells import cell
from message_schemas import timestamps

FORMAT: Final = "itmo-reconciliation-night/1"
COLUMNS: Final = (
    *("night", "record", "registry", "name", "mode", "result", "session", "log_index", "as_of"),
    *("basis", "questions", "findings", "seconds", "characters", "result_log_index", "case_id"),
    *("kind", "state", "tonight", "units", "frozen_units", "opened_on", "age_days", "due_on"),
    *("overdue", "assignee", "reopened", "text"),
)
"""The columns of the CSV; ``record`` is night, missed_night, session, case, own_books
or own_books_fault."""


def json(report: NightReport) -> bytes:
    """Return the report as a JSON document, with the sums that its pages show."""
    document: dict[str, Any] = {
        "format": FORMAT,
        **{name: _plain(value) for name, value in asdict(report).items()},
        "seconds": report.seconds,
        "totals": {
            "results": dict(sorted(report.results.items())),
            "cases": {
                "opened": len(report.happened("opened")),
                "continued": len(report.happened("continued")),
                "reopened": len(report.happened("reopened")),
                "closed": len(report.happened("closed")),
                "open": len(report.open_cases),
                "overdue": sum(line.is_overdue for line in report.cases),
            },
            "units_frozen": report.units_frozen,
            "questions": report.question_count,
            "characters": report.characters,
        },
        "ages": [asdict(group) for group in report.ages],
        "good": report.is_good,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def csv(report: NightReport) -> bytes:
    """Return the report as CSV (RFC 4180, UTF-8), one row for each thing."""
    text = StringIO(newline="")
    writer = csv_files.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in _rows(report):
        writer.writerow({"night": report.night} | {key: cell(row[key]) for key in row})
    return text.getvalue().encode()


def _plain(value: Any) -> Any:
    return timestamps.render(value) if isinstance(value, datetime) else value


def _rows(report: NightReport) -> Iterator[Mapping[str, Any]]:
    yield {
        "record": "night",
        "registry": report.hub,
        "state": report.state,
        "seconds": report.seconds,
        "questions": report.question_count,
        "findings": sum(line.finding_count for line in report.sessions),
        "characters": report.characters,
        "frozen_units": report.units_frozen,
        "text": "" if report.started_at is None else timestamps.render(report.started_at),
    }
    for name in report.missed_nights:
        yield {"record": "missed_night", "text": name}
    for one in report.sessions:
        yield {
            "record": "session",
            **{name: getattr(one, name) for name in ("registry", "name", "mode", "result")},
            **{name: getattr(one, name) for name in ("session", "log_index", "as_of", "basis")},
            "questions": one.question_count,
            "findings": one.finding_count,
            "seconds": one.seconds,
            "characters": one.characters_asked + one.characters_answered,
            "result_log_index": one.result_log_index,
            "text": one.reason,
        }
    for case in report.cases:
        names = ("case_id", "registry", "kind", "state", "tonight", "units", "frozen_units")
        yield {
            "record": "case",
            **{name: getattr(case, name) for name in names},
            **{name: getattr(case, name) for name in ("opened_on", "age_days", "due_on")},
            "overdue": case.is_overdue,
            "assignee": case.assignee,
            "reopened": case.reopened_count,
            "text": case.summary,
        }
    checked = report.own_books
    if checked is not None:
        text = f"{checked.series_checked} of {checked.series_known} series checked"
        result = "sound" if checked.is_sound else "faults"
        yield {
            "record": "own_books",
            "result": result,
            "findings": checked.fault_count,
            "seconds": checked.seconds,
            "as_of": checked.checked_to,
            "text": text,
        }
        for fault in checked.faults:
            text = f"{fault.subject}: {fault.text}"
            yield {"record": "own_books_fault", "kind": str(fault.kind), "text": text}
