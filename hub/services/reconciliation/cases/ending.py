"""The end of a session: one transaction, one entry of the log, and everything that follows from it.

1. What the session came to is an act of the hub, ``reconciliation.result``: its document commits to
   the findings (the first of them in full, all of them by a digest) and to the ledger's digest.
2. Cases are opened, continued, reopened, closed; their serials frozen or thawed (``freezing``).
3. The registry is told by a notice of the same name; the findings are kept as rows.
4. The session is finished, and a cut on which both sides agreed is noted at the link.

A book in ruins has very many findings. The notice and the act then show the first of them, and
say how many there are; the rows have all.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

from hub.protocol.reconciliation_policy import ReconciliationPolicy
from hub.services import crash_points
from hub.services.acts import act_row, record_act
from hub.services.administration.doing import assert_notice_valid
from hub.services.batch_work import OutgoingItem
from hub.services.load_facts import HubIdentity
from hub.services.reconciliation.alerts import alerts
from hub.services.reconciliation.cases.freezing import (
    RECORDS,
    Compared,
    Settled,
    settle_cases,
    subject_of,
)
from hub.services.record_batch import file_items
from hub.store import head as heads
from hub.store.database import Database
from hub.store.reconciliation import cases, links, sessions
from hub.store.reconciliation.cases import FindingRow
from hub.store.reconciliation.sessions import ASKING, SessionRow
from message_schemas import json_codec
from message_schemas.messages.reconciliation import (
    ReconciliationFinding,
    ReconciliationResult,
    RecordFinding,
)
from reconciliation.cases import RECORD_DIFFERS, Seen
from reconciliation.digests import commitment
from reconciliation.discrepancies import PASSING
from reconciliation.run_states import Outcome

RESULT: Final = "reconciliation.result"
State = Literal["done", "refused", "silent", "failed"]

ROWS_SHOWN_MAX: Final = 500
BYTES_SHOWN_MAX: Final = 256 * 1024
"""What a notice and an act show of the findings: it fits a delivery beside others, in XML too."""

CASES_NAMED_MAX: Final = 1_000
REASON_CHARACTERS_MAX: Final = 2_000

_WHY: Final = {
    "silent": "the registry did not answer in time",
    "refused": "the registry refused",
    "failed": "the comparison failed",
}


class SessionEndedError(Exception):
    """The session has its result already, or an answer that came before it was called silent."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ends.

    ``done`` means that something was compared: ``outcome`` says what, or ``record_findings`` for
    transfers without units. ``reason`` says why not, in the other states; with ``done`` it is told
    along with the result. ``digest`` is the ledger's digest of all units as of the outcome's index.
    """

    state: State
    outcome: Outcome | None
    record_findings: tuple[RecordFinding, ...] = ()
    reason: str | None = None
    digest: int | None = None

    @property
    def is_contradictory(self) -> bool:
        """Tell whether the registry's answers cannot all be true."""
        return self.outcome is not None and self.outcome.is_contradictory

    @property
    def agreed(self) -> bool:
        """Tell whether something was compared and nothing differs but what passes by itself."""
        if self.state != "done" or self.record_findings or self.is_contradictory:
            return False
        return self.outcome is None or self.outcome.agreed

    def compared(self) -> Compared:
        """Return what the cases see of it."""
        outcome = self.outcome
        if self.state != "done":
            return Compared(reason=self.reason or _WHY[self.state])
        if outcome is None:
            return Compared(records=self.record_findings)
        reason = None
        if self.is_contradictory and all(one.kind in PASSING for one in outcome.findings):
            reason = "the registry's answers contradict each other"
        return Compared(
            outcome.findings,
            self.record_findings,
            Seen(
                outcome.awaited,
                frozenset(outcome.by_totals_alone),
                # What was not compared is not clean either: nothing is closed.
                self.is_contradictory or outcome.is_partial,
            ),
            reason,
            is_answered=not self.is_contradictory,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of it: who has news, the cases by what became of them, the entry of the log."""

    recipients: list[str]
    opened: tuple[str, ...]
    continued: tuple[str, ...]
    reopened: tuple[str, ...]
    closed: tuple[str, ...]
    log_index: int


def end_session(
    database: Database,
    *,
    identity: HubIdentity,
    policy: ReconciliationPolicy,
    session: SessionRow,
    ending: Ending,
    now: datetime,
) -> Ended:
    """Record how a session ended, all of it or nothing.

    Raises SessionEndedError if it has ended before, NoticeInvalidError for a defect of ours, and
    hub.store.database.DatabaseUnavailableError.
    """
    with database.writing() as connection:
        head = heads.lock(connection)
        stored = sessions.load(connection, session.session)
        if stored is None or stored.state != ASKING:
            raise SessionEndedError(f"session {session.session} is not asking")
        if ending.state == "silent" and sessions.is_answered(connection, session.session):
            raise SessionEndedError(f"session {session.session} was answered meanwhile")
        log_index = head.log_index + 1
        settled = settle_cases(
            connection,
            session,
            ending.compared(),
            policy=policy,
            log_index=log_index,
            actor=identity.hub,
            now=now,
        )
        told = _Told.of(session, ending, settled)
        cases.add_findings(connection, told.rows)
        ended = _ended_row(session, ending, len(told.rows), log_index, now)
        body = told.notice(ended, settled)
        assert_notice_valid(RESULT, body)
        item = OutgoingItem(log_index, notices=[(RESULT, body)])
        recipients = file_items(connection, {session.registry: [item]}, now)
        sessions.finish(connection, ended)
        if (index := _agreed_index(session, ending)) is not None:
            links.set_agreed(connection, session.registry, index, now)
        act = act_row(
            log_index,
            at=now,
            kind=RESULT,
            actor=identity.hub,
            subject=session.session,
            reason=_in_words(session, ending, ended),
            detail=told.detail(ended, settled, ending),
        )
        record_act(
            connection,
            head,
            act,
            hub=identity.hub,
            told=recipients,
            reference_changes=settled.freezes_changed,
        )
        alerts.after_session(connection, session.session, policy=policy, now=now)
        crash_points.reach("result.before_commit")
    return Ended(
        recipients,
        tuple(settled.opened),
        tuple(settled.continued),
        tuple(settled.reopened),
        tuple(settled.closed),
        log_index,
    )


def _ended_row(
    session: SessionRow, ending: Ending, finding_count: int, log_index: int, now: datetime
) -> SessionRow:
    """Return the session with its result."""
    outcome = ending.outcome
    basis = "none"
    if ending.state == "done":
        basis = RECORDS if subject_of(session) == RECORDS or outcome is None else outcome.basis
    compared = outcome is not None and outcome.as_of >= 0
    reason = ending.reason or (None if ending.state == "done" else _WHY[ending.state])
    return replace(
        session,
        state=ending.state,
        finished_at=now,
        as_of=outcome.as_of if outcome is not None and compared else session.log_index,
        agreed=ending.agreed,
        basis=str(basis),
        question_count=1 if outcome is None else outcome.question_count,
        finding_count=finding_count,
        result_log_index=log_index,
        reason=None if reason is None else reason[:REASON_CHARACTERS_MAX],
    )


def _agreed_index(session: SessionRow, ending: Ending) -> int | None:
    """Return the index as of which all holdings agree, if this session showed that."""
    outcome = ending.outcome
    if not ending.agreed or outcome is None or outcome.by_totals_alone or outcome.is_partial:
        return None
    if subject_of(session) == RECORDS:
        return None
    # What is on its way stays among the movements that may explain the next difference.
    late = [one.cause_index for one in outcome.findings if one.cause_index is not None]
    return min([outcome.as_of, *(index - 1 for index in late)])


def _in_words(session: SessionRow, ending: Ending, ended: SessionRow) -> str:
    if ending.state != "done":
        return f"{session.registry} was not compared: {ended.reason}"
    found = "agreed" if ending.agreed else f"{ended.finding_count} findings"
    return f"{session.registry} compared as of log index {ended.as_of}: {found}"


@dataclass(frozen=True, slots=True)
class _Told:
    """The findings of a session as rows: all for the table, the first of them to be told."""

    rows: list[FindingRow]
    serials: tuple[ReconciliationFinding, ...]
    records: tuple[RecordFinding, ...]

    @classmethod
    def of(cls, session: SessionRow, ending: Ending, settled: Settled) -> "_Told":
        rows: list[FindingRow] = []
        serials: list[ReconciliationFinding] = []
        records: list[RecordFinding] = []
        size = 0

        def has_room(body: str) -> bool:
            nonlocal size
            size += len(body)
            return size <= BYTES_SHOWN_MAX and len(serials) + len(records) < ROWS_SHOWN_MAX

        def keep(kind: str, body: str, case_id: str | None) -> None:
            rows.append(FindingRow(session.session, len(rows) + 1, kind, body, case_id))

        for row, body in settled.findings:
            if has_room(body):
                serials.append(row)
            keep(row.kind, body, row.case_id)
        for one in ending.record_findings:
            record = replace(one, case_id=settled.records_case)
            body = json_codec.encode(record).decode()
            if has_room(body):
                records.append(record)
            keep(RECORD_DIFFERS, body, record.case_id)
        return cls(rows, tuple(serials), tuple(records))

    def digest(self) -> str:
        """Return the SHA-256 of all findings, a line of JSON each, in hexadecimal digits."""
        return sha256("\n".join(row.body for row in self.rows).encode()).hexdigest()

    def notice(self, ended: SessionRow, settled: Settled) -> dict[str, Any]:
        """Return the body of the notice to the registry."""
        assert ended.as_of is not None
        assert ended.finding_count is not None
        basis: Any = ended.basis
        return json_codec.encode_body(
            ReconciliationResult(
                session=ended.session,
                log_index=ended.log_index,
                as_of=ended.as_of,
                agreed=bool(ended.agreed),
                basis=basis,
                finding_count=ended.finding_count,
                findings=self.serials,
                records=self.records,
                opened_cases=tuple((settled.opened + settled.reopened)[:CASES_NAMED_MAX]),
                closed_cases=tuple(settled.closed[:CASES_NAMED_MAX]),
                reason=ended.reason,
            )
        )

    def detail(self, ended: SessionRow, settled: Settled, ending: Ending) -> dict[str, Any]:
        """Return what the act's document says: the same, what it commits to, and the counts."""
        outcome = ending.outcome
        detail: dict[str, Any] = self.notice(ended, settled) | {
            "registry": ended.registry,
            "mode": ended.mode,
            "state": ended.state,
            "question_count": ended.question_count,
            "kinds": _counts(self.rows),
            "findings_sha256": self.digest(),
            "continued_cases": settled.continued[:CASES_NAMED_MAX],
            "reopened_cases": settled.reopened[:CASES_NAMED_MAX],
        }
        if outcome is not None:
            detail["awaited_count"] = len(outcome.awaited)
            detail["by_totals_alone"] = [str(one) for one in outcome.by_totals_alone]
            detail["is_contradictory"] = outcome.is_contradictory
            detail["compared"] = list(outcome.compared)
        if ending.digest is not None and ended.as_of is not None:
            detail["ledger_commitment"] = commitment(ended.as_of, ending.digest)
        return detail


def _counts(rows: Iterable[FindingRow]) -> dict[str, int]:
    """Return how many findings there are of each kind."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.kind] = counts.get(row.kind, 0) + 1
    return counts
