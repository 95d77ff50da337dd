"""Sessions with registries, and what was said in them: questions, answers.

A session is ``asking`` until it has a result. Its questions are numbered from 1; the newest one is
open until it has an answer. Nothing is changed afterwards: a session is rebuilt from its answers.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, insert, select, update

from hub.store.many_rows import Insert
from hub.store.pairs import PairLookup
from hub.store.parts import in_parts
from hub.store.reconciliation.tables import answer, question, session

ASKING: Final = "asking"


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One comparison with one registry; what it came to is None while it is ``asking``.

    ``log_index`` is the cut, ``as_of`` the index that was compared, ``answer_by`` until when the
    newest question may be answered.
    """

    session: str
    registry: str
    night: str | None
    request_id: int | None
    trigger: str
    mode: str
    log_index: int
    key_id: str | None
    state: str
    asked_at: datetime
    answer_by: datetime
    finished_at: datetime | None = None
    as_of: int | None = None
    agreed: bool | None = None
    basis: str | None = None
    question_count: int | None = None
    finding_count: int | None = None
    result_log_index: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question as it went out: the notice's type and body (JSON), and its entry of the log."""

    session: str
    number: int
    log_index: int
    type: str
    body: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An answer as it came: the message's type and body (JSON), and its entry of the log."""

    session: str
    number: int
    log_index: int
    type: str
    body: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """What the door knows of a question that an answer names.

    ``answered_by`` is the type and body of the answer it has, None while it is open.
    """

    registry: str
    state: str
    type: str
    answered_by: tuple[str, str] | None


_NAMES: Final = tuple(one.name for one in fields(SessionRow))
_RESULT_NAMES: Final = (
    *("state", "finished_at", "as_of", "agreed", "basis", "question_count"),
    *("finding_count", "result_log_index", "reason"),
)
_SESSIONS: Final = select(*(session.c[name] for name in _NAMES))
_ANSWER_NAMES: Final = tuple(one.name for one in fields(AnswerRow))
_ADD_ANSWERS: Final = Insert(answer, _ANSWER_NAMES)
_QUESTIONS: Final = select(*(question.c[one.name] for one in fields(QuestionRow)))
_ANSWERS: Final = select(*(answer.c[name] for name in _ANSWER_NAMES))
_ASKED: Final = PairLookup(
    (question.c.session, question.c.number, question.c.type), question.c.session, question.c.number
)
_GIVEN: Final = PairLookup(
    (answer.c.session, answer.c.number, answer.c.type, answer.c.body),
    answer.c.session,
    answer.c.number,
)
_STATES: Final = select(session.c.session, session.c.registry, session.c.state).where(
    session.c.session.in_(bindparam("names", expanding=True))
)
_later = question.alias("later")
_IS_NEWEST: Final = ~exists(
    select(_later.c.number).where(
        _later.c.session == question.c.session, _later.c.number > question.c.number
    )
)
_ANSWERED: Final = (
    _SESSIONS.join(question, question.c.session == session.c.session)
    .join(
        answer,
        and_(answer.c.session == question.c.session, answer.c.number == question.c.number),
    )
    .where(session.c.state == ASKING, _IS_NEWEST)
    .order_by(answer.c.log_index)
)


def _rows(connection: Connection, statement: Select[Any]) -> list[SessionRow]:
    return [SessionRow(*row) for row in connection.execute(statement)]


def add(connection: Connection, rows: Iterable[SessionRow]) -> None:
    """Insert sessions that begin."""
    connection.execute(insert(session), [asdict(row) for row in rows])


def load(connection: Connection, name: str) -> SessionRow | None:
    """Return a session by its name, or None."""
    found = _rows(connection, _SESSIONS.where(session.c.session == name))
    return found[0] if found else None


def open_sessions(connection: Connection) -> list[SessionRow]:
    """Return the sessions that are asking, oldest first."""
    asking = _SESSIONS.where(session.c.state == ASKING)
    return _rows(connection, asking.order_by(session.c.log_index))


def of_night(connection: Connection, night: str) -> list[SessionRow]:
    """Return the sessions of a night, by registry, then in the order in which they began."""
    found = _SESSIONS.where(session.c.night == night)
    return _rows(connection, found.order_by(session.c.registry, session.c.log_index))


def of_request(connection: Connection, request_id: int) -> list[SessionRow]:
    """Return the sessions of a request, by registry, then in the order in which they began."""
    found = _SESSIONS.where(session.c.request_id == request_id)
    return _rows(connection, found.order_by(session.c.registry, session.c.log_index))


def with_results(
    connection: Connection, registry: str, log_indices: Collection[int]
) -> list[SessionRow]:
    """Return the sessions of a registry whose results are these entries of the log."""
    found = _SESSIONS.where(
        session.c.registry == registry, session.c.result_log_index.in_(sorted(log_indices))
    )
    return _rows(connection, found.order_by(session.c.log_index))


def newest(
    connection: Connection, limit: int, *, registry: str | None = None, night: str | None = None
) -> list[SessionRow]:
    """Return the latest sessions, newest first."""
    found = _SESSIONS.order_by(session.c.asked_at.desc(), session.c.session).limit(limit)
    if registry is not None:
        found = found.where(session.c.registry == registry)
    if night is not None:
        found = found.where(session.c.night == night)
    return _rows(connection, found)


def last_cuts(connection: Connection) -> dict[str, int]:
    """Return the log index of the newest cut of each registry, of whatever came of it."""
    rows = connection.execute(
        select(session.c.registry, func.max(session.c.log_index))
        .where(session.c.mode.in_(("digests", "totals")))
        .group_by(session.c.registry)
    )
    return {row[0]: row[1] for row in rows}


def count_by_totals(connection: Connection, registry: str) -> int:
    """Return how many sessions by totals a registry has answered to the end."""
    found = (
        select(func.count())
        .select_from(session)
        .where(
            session.c.registry == registry, session.c.mode == "totals", session.c.state == "done"
        )
    )
    return int(connection.execute(found).scalar_one())


def last_agreed(connection: Connection, registry: str, mode: str) -> SessionRow | None:
    """Return the newest session of a registry, compared so, in which both sides agreed."""
    found = _SESSIONS.where(
        session.c.registry == registry,
        session.c.mode == mode,
        session.c.state == "done",
        session.c.agreed.is_(True),
    )
    rows = _rows(connection, found.order_by(session.c.log_index.desc()).limit(1))
    return rows[0] if rows else None


def answered(connection: Connection) -> list[SessionRow]:
    """Return the asking sessions whose newest question has an answer, by when it came."""
    return _rows(connection, _ANSWERED)


def overdue(connection: Connection, now: datetime) -> list[SessionRow]:
    """Return the asking sessions whose newest question was to be answered before ``now``.

    One that has an answer is not among them, however late it is read.
    """
    has_answer = exists(
        select(answer.c.number)
        .join(
            question,
            and_(answer.c.session == question.c.session, answer.c.number == question.c.number),
        )
        .where(question.c.session == session.c.session, _IS_NEWEST)
    )
    late = _SESSIONS.where(session.c.state == ASKING, session.c.answer_by < now, ~has_answer)
    return _rows(connection, late.order_by(session.c.log_index))


def finish(connection: Connection, ended: SessionRow) -> None:
    """Write what a session came to, from the row with all of it filled in.

    Exactly one was asking, or the caller is wrong. Mode and what was asked stay as they are.
    """
    result = connection.execute(
        update(session)
        .where(session.c.session == ended.session, session.c.state == ASKING)
        .values({name: getattr(ended, name) for name in _RESULT_NAMES})
    )
    assert result.rowcount == 1, f"session {ended.session} was not asking"


def go_on(connection: Connection, name: str, *, mode: str, answer_by: datetime) -> None:
    """Note that a session asks again: how it compares now, and until when it may be answered."""
    result = connection.execute(
        update(session)
        .where(session.c.session == name, session.c.state == ASKING)
        .values(mode=mode, answer_by=answer_by)
    )
    assert result.rowcount == 1, f"session {name} was not asking"


# --- questions and answers -----------------------------------------------------------------------


def add_questions(connection: Connection, rows: Iterable[QuestionRow]) -> None:
    """Record questions that go out."""
    connection.execute(insert(question), [asdict(row) for row in rows])


def add_answers(connection: Connection, rows: Iterable[AnswerRow]) -> None:
    """Record answers that came in."""
    _ADD_ANSWERS.run(connection, [asdict(row) for row in rows])


def questions(connection: Connection, name: str) -> list[QuestionRow]:
    """Return the questions of a session, in order."""
    of_session = _QUESTIONS.where(question.c.session == name).order_by(question.c.number)
    return [QuestionRow(*row) for row in connection.execute(of_session)]


def answers(connection: Connection, name: str, after: int = 0) -> list[AnswerRow]:
    """Return the answers of a session to questions behind the number ``after``, in order."""
    of_session = _ANSWERS.where(answer.c.session == name, answer.c.number > after)
    return [AnswerRow(*row) for row in connection.execute(of_session.order_by(answer.c.number))]


def asked(
    connection: Connection, keys: Collection[tuple[str, int]]
) -> dict[tuple[str, int], AskedQuestion]:
    """Return the questions among (session, number) that were asked, with the answers they have."""
    if not keys:
        return {}
    found = [(name, number, type_) for name, number, type_ in _ASKED.rows(connection, keys)]
    given = {
        (name, number): (type_, body) for name, number, type_, body in _GIVEN.rows(connection, keys)
    }
    states = {
        name: (registry, state)
        for part in in_parts({name for name, _, _ in found})
        for name, registry, state in connection.execute(_STATES, {"names": part})
    }
    return {
        (name, number): AskedQuestion(*states[name], type_, given.get((name, number)))
        for name, number, type_ in found
    }


def last_number(connection: Connection, name: str) -> int:
    """Return the number of a session's newest question; 0 without any."""
    found = select(func.max(question.c.number)).where(question.c.session == bindparam("name"))
    return connection.execute(found, {"name": name}).scalar_one() or 0


def is_answered(connection: Connection, name: str) -> bool:
    """Tell whether a session's newest question has its answer."""
    last = last_number(connection, name)
    found = select(answer.c.number).where(answer.c.session == name, answer.c.number == last)
    return connection.execute(found).one_or_none() is not None


def open_question_count(connection: Connection) -> int:
    """Return how many questions wait for their answer."""
    unanswered = ~exists(
        select(answer.c.number).where(
            answer.c.session == question.c.session, answer.c.number == question.c.number
        )
    )
    found = (
        select(func.count())
        .select_from(question)
        .join(session, session.c.session == question.c.session)
        .where(session.c.state == ASKING, unanswered)
    )
    return int(connection.execute(found).scalar_one())


def finished_counts(rows: Sequence[SessionRow]) -> dict[str, int]:
    """Return how many of the sessions ended how: agreed, differs, silent, refused, failed."""
    counts: dict[str, int] = {}
    for row in rows:
        if row.state != ASKING:
            result = result_of(row)
            counts[result] = counts.get(result, 0) + 1
    return counts


def result_of(row: SessionRow) -> str:
    """Return what a session came to, in one word: asking, agreed, differs, silent, refused, failed.

    What was compared agreed or differs; the other words say why nothing was compared.
    """
    if row.state == "done":
        return "agreed" if row.agreed else "differs"
    return row.state
