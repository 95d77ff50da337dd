"""What a session makes of its registry's cases: opened, continued, reopened, closed; and frozen.

1. A comparison of holdings touches the cases with serials, one of records the case of records, each
   its own case of no answer. A session without an answer touches that one alone.
2. A case that is open has its serials frozen, exactly those that differ now, in as few ranges as
   they make. What did not change is not written: frozen serials are cached by every hub.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.store.reconciliation import cases
from hub.store.reconciliation.cases import CaseRow, EventRow, RangeRow
from hub.store.reconciliation.sessions import SessionRow
from message_schemas import json_codec
from message_schemas.messages.reconciliation import ReconciliationFinding, RecordFinding
from reconciliation.case_states import CaseInput, CaseState, Who, next_state
from reconciliation.case_words import records_summary, summary_of
from reconciliation.cases import (
    NO_ANSWER,
    RECORD_DIFFERS,
    CaseFound,
    CaseRange,
    KnownCase,
    Seen,
    after_session,
    allowed_message,
    merged,
)
from reconciliation.discrepancies import PASSING, Finding
from reconciliation.messages import finding_row

HOLDINGS = "holdings"
RECORDS = "records"
"""What a session compares; the ``reference`` of a case of no answer."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a session came to, as the cases see it.

    ``reason`` is why nothing was compared, if so. ``is_answered``: the answers could be believed.
    """

    findings: tuple[Finding, ...] = ()
    records: tuple[RecordFinding, ...] = ()
    seen: Seen = field(default_factory=Seen)
    reason: str | None = None
    is_answered: bool = True


class ShownFinding(NamedTuple):
    """A finding as a row of a result, and that row as JSON."""

    row: ReconciliationFinding
    body: str


@dataclass(slots=True)
class Settled:
    """What became of the cases, by id; every finding with its case; whether freezes changed."""

    opened: list[str] = field(default_factory=list)
    continued: list[str] = field(default_factory=list)
    reopened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    findings: list[ShownFinding] = field(default_factory=list)
    records_case: str | None = None
    freezes_changed: bool = False


def subject_of(session: SessionRow) -> str:
    """Return what a session compares: holdings or records."""
    return RECORDS if session.mode == RECORDS else HOLDINGS


def settle_cases(
    connection: Connection,
    session: SessionRow,
    compared: Compared,
    *,
    policy: ReconciliationPolicy,
    log_index: int,
    actor: str,
    now: datetime,
) -> Settled:
    """Write what a session makes of its registry's cases, under the head's lock."""
    day = now.date()
    settling = _Settling(
        connection,
        session,
        log_index,
        actor,
        now,
        day=day.isoformat(),
        due_on=(day + timedelta(days=policy.due_days)).isoformat(),
        next_number=cases.next_number(connection, day.isoformat()),
    )
    return settling.settle(compared)


@dataclass(slots=True)
class _Settling:
    """One session's cases: what is to be written, all of it at the end."""

    connection: Connection
    session: SessionRow
    log_index: int
    actor: str
    now: datetime
    day: str
    due_on: str
    next_number: int
    done: Settled = field(default_factory=Settled)
    new: list[CaseRow] = field(default_factory=list)
    changed: list[CaseRow] = field(default_factory=list)
    ranges: dict[str, list[RangeRow]] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)

    def settle(self, compared: Compared) -> Settled:
        subject = subject_of(self.session)
        open_rows = cases.open_of(self.connection, self.session.registry)
        unanswered = [r for r in open_rows if r.kind == NO_ANSWER and r.reference == subject]
        of_records = [r for r in open_rows if r.kind == RECORD_DIFFERS]
        if compared.reason is not None:
            self._without_serials(unanswered, NO_ANSWER, _no_answer_summary(compared), subject)
        elif compared.is_answered:
            self._close(unanswered)
        if compared.records:
            summary = records_summary([one.transfer_id for one in compared.records])
            self.done.records_case = self._without_serials(
                of_records, RECORD_DIFFERS, summary, None
            )
        elif compared.reason is None and subject == RECORDS:
            self._close(of_records)
        if subject == HOLDINGS and (compared.reason is None or compared.findings):
            with_serials = [r for r in open_rows if r.kind not in (NO_ANSWER, RECORD_DIFFERS)]
            self._with_serials(with_serials, compared)
        cases.add(self.connection, self.new)
        cases.write(self.connection, self.changed)
        cases.replace_ranges(self.connection, self.ranges)
        cases.add_events(self.connection, self.events)
        return self.done

    # --- cases without serials -----------------------------------------------------------------

    def _without_serials(
        self, there: Sequence[CaseRow], kind: str, summary: str, reference: str | None
    ) -> str:
        """Continue the open case of its kind, or open one; return its id."""
        if there:
            row = self._again(there[0], summary=summary)
            self.changed.append(row)
            return row.case_id
        return self._new(kind, summary, 0, None, reference).case_id

    # --- cases with serials --------------------------------------------------------------------

    def _with_serials(self, open_rows: Sequence[CaseRow], compared: Compared) -> None:
        serious = [one for one in compared.findings if one.kind not in PASSING]
        closed_rows = cases.closed_over(
            self.connection,
            self.session.registry,
            _kinds_of(serious),
            {one.series for one in serious},
        )
        rows = {row.case_id: row for row in (*open_rows, *closed_rows)}
        ranges = cases.ranges(self.connection, rows)
        after = after_session(
            compared.findings,
            [_known(row, ranges) for row in open_rows],
            [_known(row, ranges) for row in closed_rows],
            compared.seen,
        )
        for found in after.found:
            self._write_found(found, rows, ranges)
        self._close([rows[known.case_id] for known in after.closed])
        passing = (one for one in compared.findings if one.kind in PASSING)
        self.done.findings += [_shown(one, None) for one in passing]

    def _write_found(
        self,
        found: CaseFound,
        rows: dict[str, CaseRow],
        ranges: dict[str, list[RangeRow]],
    ) -> None:
        joined = merged(found.findings)
        before = [] if found.known is None else ranges[found.known.case_id]
        by_ordinal = {one.ordinal: one for one in before}
        kept = [replace(by_ordinal[one.ordinal], is_frozen=True) for one in found.kept]
        now_units = sum(one.quantity for one in joined) + sum(one.quantity for one in kept)
        summary = summary_of(found.kind, joined)
        if found.known is None:
            cause_index, reference = found.cause or (None, None)
            row = self._new(found.kind, summary, now_units, cause_index, reference)
        else:
            known = rows[found.known.case_id]
            cause_index, reference = found.cause or (known.cause_index, known.reference)
            row = replace(
                self._again(known, summary=summary, is_reopened=found.is_reopened),
                kind=found.kind,
                units=now_units,
                cause_index=cause_index,
                reference=reference,
            )
            self.changed.append(row)
        shown = [_shown(one, row.case_id) for one in joined]
        bodies = zip(joined, shown, strict=True)
        after = [*(_range_row(one, row.case_id, body) for one, (_, body) in bodies), *kept]
        if _places(before) != _places(after):
            self.ranges[row.case_id] = after
            self.done.freezes_changed = True
        self.done.findings += shown

    # --- rows ----------------------------------------------------------------------------------

    def _new(
        self,
        kind: str,
        summary: str,
        units: int,
        cause_index: int | None,
        reference: str | None,
    ) -> CaseRow:
        row = CaseRow(
            case_id=f"{self.day}/{self.next_number}",
            registry=self.session.registry,
            kind=kind,
            state=CaseState.OPEN.value,
            summary=summary,
            units=units,
            cause_index=cause_index,
            reference=reference,
            assignee=None,
            due_on=self.due_on,
            opened_at=self.now,
            opened_session=self.session.session,
            last_session=self.session.session,
            changed_at=self.now,
        )
        self.next_number += 1
        self.new.append(row)
        self.done.opened.append(row.case_id)
        self._note(row, "opened", summary)
        return row

    def _again(self, row: CaseRow, *, summary: str, is_reopened: bool = False) -> CaseRow:
        """Return a case that was found again, in this session."""
        state = next_state(CaseState(row.state), CaseInput.FIND_AGAIN, Who.SESSION)
        (self.done.reopened if is_reopened else self.done.continued).append(row.case_id)
        said = "as before" if summary == row.summary else summary
        self._note(row, "reopened" if is_reopened else "found_again", said)
        again = replace(
            row,
            state=state.value,
            summary=summary,
            last_session=self.session.session,
            changed_at=self.now,
        )
        if not is_reopened:
            return again
        return replace(
            again,
            due_on=self.due_on,
            closed_at=None,
            closed_session=None,
            reopened_count=row.reopened_count + 1,
        )

    def _close(self, rows: Sequence[CaseRow]) -> None:
        for row in rows:
            state = next_state(CaseState(row.state), CaseInput.FIND_CLEAN, Who.SESSION)
            ended = replace(
                row,
                state=state.value,
                last_session=self.session.session,
                changed_at=self.now,
                closed_at=self.now,
                closed_session=self.session.session,
            )
            self.changed.append(ended)
            self.done.closed.append(row.case_id)
            self._note(row, "closed", f"Both sides agree as of session {self.session.session}.")
        if rows and cases.thaw(self.connection, [row.case_id for row in rows]):
            self.done.freezes_changed = True

    def _note(self, row: CaseRow, kind: str, text: str) -> None:
        self.events.append(
            EventRow(row.case_id, 0, self.log_index, self.now, self.actor, kind, text)
        )


def _shown(finding: Finding, case_id: str | None) -> ShownFinding:
    """Return a finding as it is told and kept."""
    row = finding_row(finding, case_id, case_id is not None)
    return ShownFinding(row, json_codec.encode(row).decode())


def _range_row(finding: Finding, case_id: str, body: str) -> RangeRow:
    return RangeRow(
        case_id,
        0,
        *finding.series,
        finding.first,
        finding.last,
        body,
        is_frozen=True,
        allows=allowed_message(finding),
    )


def _places(rows: Iterable[RangeRow]) -> list[tuple[object, ...]]:
    """Return all of rows but their numbers."""
    return [
        (row.series, row.first_serial, row.last_serial, row.body, row.is_frozen, row.allows)
        for row in rows
    ]


def _known(row: CaseRow, ranges: dict[str, list[RangeRow]]) -> KnownCase:
    of_case = (
        CaseRange(one.series, one.first_serial, one.last_serial, one.ordinal)
        for one in ranges[row.case_id]
    )
    return KnownCase(row.case_id, row.kind, tuple(of_case))


def _kinds_of(findings: Collection[Finding]) -> set[str]:
    """Return the kinds that cases of findings may have: a field of the identifier may differ."""
    kinds = {one.kind.value for one in findings}
    return kinds | {"attribute_differs"} if kinds else kinds


def _no_answer_summary(compared: Compared) -> str:
    return f"no comparison: {compared.reason}"
