"""Who is told of what a night, or a comparison between nights, has found.

1. What is told: cases opened or reopened of at least so many units, registries that did not answer,
   faults of the hub's own books. Without any of these nobody is told anything.
2. Of a night there is one alert, whatever it found; of a session between nights one of its own.
3. Each webhook and each recipient of e-mail has a row of its own, written in the transaction that
   ended the night or session. It is sent later (``alert_sending``), so nothing waits for it.

All receivers get one document, ``itmo-reconciliation-alert/1``: a webhook as signed JSON, a person
as the same in words. ``alert`` in it is the name of the event: who gets it twice may drop one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services.reconciliation.reports import reports
from hub.services.reconciliation.reports.night_report import (
    UNANSWERED,
    CaseLine,
    NightReport,
    SessionLine,
)
from hub.services.reconciliation.reports.report_html import sentences
from hub.store.reconciliation import alerts as rows
from hub.store.reconciliation import reports as report_rows
from hub.store.reconciliation.alerts import NewAlert
from message_schemas import timestamps
from reconciliation.cases import NO_ANSWER, RECORD_DIFFERS

FORMAT: Final = "itmo-reconciliation-alert/1"
LISTED_MAX: Final = 100
"""Cases, registries and faults that are listed; the counts are of all."""
TEST: Final = "test"


@dataclass(frozen=True, slots=True)
class ToldCase:
    """A case that was opened or reopened; ``units`` are its serials, which are frozen."""

    case_id: str
    registry: str
    kind: str
    what: str
    units: int
    summary: str


@dataclass(frozen=True, slots=True)
class ToldSilence:
    """A registry with which nothing was compared: silent, refused or failed."""

    registry: str
    result: str
    session: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ToldFault:
    """A fault of the hub's own books."""

    kind: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """The document of an alert; what it is about is a night, a session, or neither (a test)."""

    format: str
    alert: str
    hub: str
    created_at: str
    title: str
    sentences: tuple[str, ...]
    night: str | None = None
    session: str | None = None
    case_count: int = 0
    cases: tuple[ToldCase, ...] = ()
    unanswered_count: int = 0
    unanswered: tuple[ToldSilence, ...] = ()
    own_books_fault_count: int = 0
    own_books_faults: tuple[ToldFault, ...] = ()

    @property
    def has_something(self) -> bool:
        """Tell whether there is anything to tell."""
        return bool(self.case_count or self.unanswered_count or self.own_books_fault_count)

    def as_json(self) -> str:
        """Return the document as it is kept and signed."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "Alert":
        """Return a document that was kept. Raises msgspec.ValidationError if it is none."""
        return msgspec.json.decode(text, type=cls)


def after_night(
    connection: Connection, night: str, *, policy: ReconciliationPolicy, now: datetime
) -> int:
    """Write the alerts of a night that has ended; return how many there are to send.

    Within the transaction that ended it, behind everything else. Raises reports.NoNightError.
    """
    if not receivers(policy):
        return 0
    found = of_night(reports.build(connection, night, now), policy)
    return _write(connection, found, policy, now) if found.has_something else 0


def after_session(
    connection: Connection, session: str, *, policy: ReconciliationPolicy, now: datetime
) -> int:
    """Write the alerts of a session that has ended, unless it belongs to a night.

    Within the transaction that ended it, behind everything else.
    """
    if not receivers(policy):
        return 0
    found = of_session(connection, session, policy, now)
    if found is None or not found.has_something:
        return 0
    return _write(connection, found, policy, now)


def receivers(policy: ReconciliationPolicy) -> list[tuple[str, str]]:
    """Return who is told: (channel, address), webhooks first."""
    mail = () if policy.mail is None else policy.mail.recipients
    found = [*(("webhook", url) for url in policy.webhooks), *(("mail", one) for one in mail)]
    return list(dict.fromkeys(found))


def of_night(report: NightReport, policy: ReconciliationPolicy) -> Alert:
    """Return what is to be told of a night, perhaps nothing."""
    cases = [
        _told_case(line)
        for line in (*report.happened("reopened"), *report.happened("opened"))
        if _is_told(line.kind, line.units, policy)
    ]
    silent = report.unanswered if policy.alert_of_silence else ()
    checked = report.own_books
    faults = () if checked is None else checked.faults
    return Alert(
        format=FORMAT,
        alert=f"night/{report.night}",
        hub=report.hub,
        created_at=timestamps.render(report.made_at),
        title=f"Reconciliation of {report.night}: "
        + _title(len(cases), len(silent), 0 if checked is None else checked.fault_count),
        sentences=tuple(sentences(report)),
        night=report.night,
        case_count=len(cases),
        cases=tuple(cases[:LISTED_MAX]),
        unanswered_count=len(silent),
        unanswered=tuple(map(_told_silence, silent[:LISTED_MAX])),
        own_books_fault_count=0 if checked is None else checked.fault_count,
        own_books_faults=tuple(
            ToldFault(str(one.kind), one.subject, one.text) for one in faults[:LISTED_MAX]
        ),
    )


def of_session(
    connection: Connection, name: str, policy: ReconciliationPolicy, now: datetime
) -> Alert | None:
    """Return what is to be told of a session between nights; None of one in a night."""
    row = report_rows.session_with_cases(connection, name)
    if row is None or row.night is not None:
        return None
    cases = [
        ToldCase(one.case_id, one.registry, one.kind, what, one.units, one.summary)
        for what, one in row.cases
        if _is_told(one.kind, one.units, policy)
    ]
    silent: tuple[ToldSilence, ...] = ()
    if policy.alert_of_silence and row.state in UNANSWERED:
        silent = (ToldSilence(row.registry, row.state, name, row.reason),)
    said = [f"{row.registry} was compared with the ledger in session {name}."]
    if row.state != "done":
        said = [f"{row.registry} could not be compared in session {name}: {row.state}."]
    return Alert(
        format=FORMAT,
        alert=f"session/{name}",
        hub=report_rows.hub_code(connection),
        created_at=timestamps.render(now),
        title=f"Reconciliation with {row.registry}: " + _title(len(cases), len(silent), 0),
        sentences=tuple(said),
        session=name,
        case_count=len(cases),
        cases=tuple(cases[:LISTED_MAX]),
        unanswered_count=len(silent),
        unanswered=silent,
    )


def trial(hub: str, now: datetime) -> Alert:
    """Return a document that says that it is a test, under a name of its own."""
    at = timestamps.render(now)
    said = ("This is a test. Nothing has happened; whoever reads it would be told.",)
    return Alert(FORMAT, f"{TEST}/{at}", hub, at, f"Test of alerts by {hub}", said)


def _write(
    connection: Connection, found: Alert, policy: ReconciliationPolicy, now: datetime
) -> int:
    body = found.as_json()
    return rows.add(
        connection,
        (NewAlert(channel, to, found.alert, body, now) for channel, to in receivers(policy)),
    )


def _is_told(kind: str, units: int, policy: ReconciliationPolicy) -> bool:
    """Tell whether a new case is worth an alert; one about records has no units to count."""
    if kind == NO_ANSWER:
        return False  # told as a registry without answer, if at all
    return kind == RECORD_DIFFERS or units >= policy.alert_units_min


def _told_case(line: CaseLine) -> ToldCase:
    return ToldCase(line.case_id, line.registry, line.kind, line.tonight, line.units, line.summary)


def _told_silence(line: SessionLine) -> ToldSilence:
    return ToldSilence(line.registry, line.result, line.session, line.reason)


def _title(cases: int, silent: int, faults: int) -> str:
    """Return the rest of a title: what is to be told, in figures."""
    parts: Iterable[str] = (
        f"{faults} fault{'s' * (faults > 1)} of the hub's own books" if faults else "",
        f"{cases} new case{'s' * (cases > 1)}" if cases else "",
        f"{silent} without answer" if silent else "",
    )
    return ", ".join(part for part in parts if part) or "nothing new"
