"""Ask a registry: an act of the hub's own, a notice in the mailbox, and the row of the question.

1. The first question of a session is the cut. Its ``log_index`` is the index of its own entry, so
   the session has its name only now: ``CHE01-48211``.
2. Cuts of one night share a transaction; each is an entry of its own.
3. The head's lock is held from looking to writing: no registry is asked twice for one comparison,
   also not by two hub processes of which each believes to lead.

The act names the question and commits to its body; the body itself is in the mailbox, and no digest
stands in either.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hub.services import crash_points
from hub.services.acts import act_leaf, act_row
from hub.services.administration.doing import assert_notice_valid
from hub.services.batch_work import OutgoingItem
from hub.services.record_batch import file_items
from hub.store import acts, log
from hub.store import head as heads
from hub.store.acts import ActRow
from hub.store.database import Database
from hub.store.head import Head
from hub.store.reconciliation import sessions
from hub.store.reconciliation.sessions import ASKING, QuestionRow, SessionRow
from message_schemas import json_codec, timestamps
from message_schemas.messages.reconciliation import ReconciliationRecordsAsked
from reconciliation.messages import Cut, Question, TotalsAsked, question_notice
from reconciliation.records import RecordsAsked

AnyQuestion = Question | RecordsAsked

BEGUN_TOGETHER_MAX: Final = 50
"""Sessions that begin in one transaction."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A session that is to begin: with whom, how they are compared, why.

    ``mode`` is digests, totals or records; ``key_id`` names the key of the digests. ``after`` is
    for records alone: the log index behind which they are compared.
    """

    registry: str
    mode: str
    trigger: str
    key_id: str | None = None
    night: str | None = None
    request_id: int | None = None
    after: int = 0

    @property
    def concerns(self) -> str:
        """Return what is compared: units or records. One session of each is open at a time."""
        return concern_of(self.mode)

    def first_question(self, log_index: int, answer_by: datetime) -> AnyQuestion:
        """Return the cut, now that its place in the log is known."""
        session, by = f"{self.registry}-{log_index}", timestamps.render(answer_by)
        if self.mode == "records":
            return RecordsAsked(session, 1, log_index, after=self.after, answer_by=by)
        if self.mode == "totals":
            return TotalsAsked(session, 1, log_index, answer_by=by)
        assert self.key_id is not None, "digests are made with a key"
        return Cut(session, 1, log_index, self.key_id, answer_by=by)


@dataclass(frozen=True, slots=True)
class Asked:
    """The sessions that asked, and the registries that have a new item."""

    begun: list[SessionRow]
    recipients: list[str]


def concern_of(mode: str) -> str:
    """Return what a mode compares: ``units`` or ``records``."""
    return "records" if mode == "records" else "units"


def begin(
    database: Database,
    beginnings: Iterable[Beginning],
    *,
    hub: str,
    answer_seconds: int,
    now: datetime,
) -> Asked:
    """Begin the sessions that are not begun yet; a registry that is being asked is passed over."""
    with database.writing() as connection:
        head = heads.lock(connection)
        rows = sessions.open_sessions(connection)
        busy = {(row.registry, concern_of(row.mode)) for row in rows}
        answer_by = now + timedelta(seconds=answer_seconds)
        begun: list[tuple[SessionRow, AnyQuestion]] = []
        for one in beginnings:
            if (one.registry, one.concerns) in busy or _is_begun(connection, one):
                continue
            busy.add((one.registry, one.concerns))
            question = one.first_question(head.log_index + len(begun) + 1, answer_by)
            begun.append((_session_row(one, question, now, answer_by), question))
        if not begun:
            return Asked([], [])
        sessions.add(connection, [row for row, _ in begun])
        recipients = _record(connection, head, begun, hub=hub, now=now)
        crash_points.reach("cut.before_commit")
    crash_points.reach("cut.after_commit")
    return Asked([row for row, _ in begun], recipients)


def ask(
    database: Database,
    session: SessionRow,
    question: AnyQuestion,
    *,
    hub: str,
    answer_seconds: int,
    now: datetime,
) -> Asked:
    """Ask the next question of a session; nothing, if it has ended or asked it already.

    ``session.mode`` is how it goes on from here.
    """
    answer_by = now + timedelta(seconds=answer_seconds)
    with database.writing() as connection:
        head = heads.lock(connection)
        stored = sessions.load(connection, session.session)
        last = sessions.last_number(connection, session.session)
        if stored is None or stored.state != ASKING or question.number != last + 1:
            return Asked([], [])
        if isinstance(question, TotalsAsked):
            question = replace(question, answer_by=timestamps.render(answer_by))
        sessions.go_on(connection, session.session, mode=session.mode, answer_by=answer_by)
        recipients = _record(connection, head, [(session, question)], hub=hub, now=now)
        crash_points.reach("question.before_commit")
    crash_points.reach("question.after_commit")
    return Asked([replace(session, answer_by=answer_by)], recipients)


def notice_of(question: AnyQuestion) -> tuple[str, dict[str, Any]]:
    """Return the type and the body of the notice that asks a question."""
    if not isinstance(question, RecordsAsked):
        return question_notice(question)
    body = ReconciliationRecordsAsked(
        session=question.session,
        number=question.number,
        log_index=question.index,
        after=question.after,
        answer_by=question.answer_by,
        after_transfer=question.after_transfer,
    )
    return "reconciliation.records_asked", json_codec.encode_body(body)


def _is_begun(connection: Connection, one: Beginning) -> bool:
    """Tell whether a night or request has its session with the registry already."""
    if one.night is not None:
        rows = sessions.of_night(connection, one.night)
    elif one.request_id is not None:
        rows = sessions.of_request(connection, one.request_id)
    else:
        return False
    return any((row.registry, concern_of(row.mode)) == (one.registry, one.concerns) for row in rows)


def _session_row(
    one: Beginning, question: AnyQuestion, now: datetime, answer_by: datetime
) -> SessionRow:
    return SessionRow(
        session=question.session,
        registry=one.registry,
        night=one.night,
        request_id=one.request_id,
        trigger=one.trigger,
        mode=one.mode,
        log_index=int(question.session.rpartition("-")[2]),
        key_id=one.key_id,
        state=ASKING,
        asked_at=now,
        answer_by=answer_by,
    )


def _record(
    connection: Connection,
    head: Head,
    asked: Sequence[tuple[SessionRow, AnyQuestion]],
    *,
    hub: str,
    now: datetime,
) -> list[str]:
    """Write questions, their notices and their acts, and advance the head by as many entries."""
    rows: list[QuestionRow] = []
    done: list[ActRow] = []
    outgoing: dict[str, list[OutgoingItem]] = {}
    for position, (session, question) in enumerate(asked, start=1):
        type_, body = notice_of(question)
        assert_notice_valid(type_, body)
        log_index = head.log_index + position
        text = msgspec.json.encode(body)
        row = QuestionRow(
            session.session, question.number, log_index, type_, text.decode(), asked_at=now
        )
        rows.append(row)
        item = OutgoingItem(log_index, notices=[(type_, body)])
        outgoing.setdefault(session.registry, []).append(item)
        done.append(_act(session, row, text, hub))
    sessions.add_questions(connection, rows)
    recipients = file_items(connection, outgoing, now)
    acts.add(connection, done)
    leaves = [
        act_leaf(act, hub, [session.registry])
        for act, (session, _) in zip(done, asked, strict=True)
    ]
    after = replace(
        head,
        log_index=done[-1].log_index,
        compact_range=log.append(connection, head, leaves),
    )
    heads.advance(connection, head, after)
    return recipients


def _act(session: SessionRow, row: QuestionRow, text: bytes, hub: str) -> ActRow:
    detail: dict[str, Any] = {
        "session": row.session,
        "number": row.number,
        "registry": session.registry,
        "body_sha256": hashlib.sha256(text).hexdigest(),
    }
    return act_row(
        row.log_index,
        at=row.asked_at,
        kind=row.type,
        actor=hub,
        subject=row.session,
        reason=f"the books are compared ({session.trigger})",
        detail=detail,
    )
