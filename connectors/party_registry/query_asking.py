"""Questions to the mechanism registry: asked through the outbox, answered through the inbox.

1. `ask` submits the query and notes it, in one transaction.
2. An answer counts when it comes from whom was asked, names our message and the digest of the exact
   envelope that carried it, and none came before. Another one changes nothing and raises an alarm.
3. The answer is kept with the digest of its own envelope and its place in the hub's log, so that
   who said it, and when it was recorded, can be shown later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from connectors.party_registry.arrivals import Arrival
from connectors.party_registry.query_tables import asked_question
from connectors.session.alarms import AlarmKind
from connectors.session.handler import Transaction
from connectors.session.tables import outbox_envelope, outbox_message

__all__ = ["ANSWERS", "QUESTIONS", "Question", "ask", "fetch", "list_questions", "note_refusal"]

QUESTIONS: Final = frozenset({"holdings.query", "history.query"})
ANSWERS: Final = {"holdings.answer": "holdings.query", "history.answer": "history.query"}
"""By type of answer: the type of question it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of ours, and its answer once there is one."""

    message_id: str
    recipient: str
    type: str
    body: dict[str, Any]
    state: str
    asked_at: str
    reason: str | None
    answer: dict[str, Any] | None
    answered_at: str | None
    answer_log_index: int | None
    answer_envelope_sha256: str | None


def ask(transaction: Transaction, recipient: str, type_: str, body: object, plain: Any) -> str:
    """Submit a question and return its message id; `plain` is its body as JSON.

    Raises MessageInvalidError.
    """
    (message_id,) = transaction.submit(recipient, [(type_, body, "question")])
    values = {
        "message_id": message_id,
        "recipient": recipient,
        "type": type_,
        "body": msgspec.json.encode(plain),
        "state": "waiting",
        "asked_at": transaction.at,
    }
    transaction.connection.execute(insert(asked_question), values)
    return message_id


def note_refusal(transaction: Transaction, message_id: str, reason: str) -> None:
    """Note that the hub did not hand a question on."""
    transaction.connection.execute(
        update(asked_question)
        .where(asked_question.c.message_id == message_id, asked_question.c.state == "waiting")
        .values(state="refused", reason=reason[:2000])
    )


def take_answer(transaction: Transaction, arrival: Arrival) -> None:
    """Keep an answer that belongs to a question of ours."""
    body = arrival.body
    fault = _fault(transaction.connection, arrival)
    if fault is not None:
        transaction.alarm(
            AlarmKind.ANSWER_UNEXPECTED,
            f"{arrival.type} {body.query_message_id}",
            f"from {arrival.sender}: {fault}",
        )
        return
    transaction.connection.execute(
        update(asked_question)
        .where(asked_question.c.message_id == body.query_message_id)
        .values(
            state="answered",
            answer=msgspec.json.encode(arrival.plain),
            answered_at=transaction.at,
            answer_log_index=arrival.log_index,
            answer_envelope_sha256=arrival.envelope_sha256,
        )
    )


def _fault(connection: Connection, arrival: Arrival) -> str | None:
    """Return why an answer is not the one that a question of ours waits for, or nothing."""
    question = fetch(connection, arrival.body.query_message_id)
    if question is None:
        return "nothing was asked under this id"
    if (question.recipient, question.type) != (arrival.sender, ANSWERS[arrival.type]):
        return f"{question.type} was asked of {question.recipient}"
    if question.state == "answered":
        return "it was answered before"
    asked_in = connection.execute(
        select(outbox_envelope.c.sha256)
        .join(outbox_message, outbox_message.c.envelope_id == outbox_envelope.c.envelope_id)
        .where(outbox_message.c.message_id == question.message_id)
    ).scalar_one_or_none()
    if asked_in != arrival.body.previous_sha256:
        return "it answers another envelope than the one that asked"
    return None


def fetch(connection: Connection, message_id: str) -> Question | None:
    """Return a question, or nothing."""
    row = connection.execute(
        select(asked_question).where(asked_question.c.message_id == message_id)
    )
    found = row.mappings().first()
    return None if found is None else _question(found)


def list_questions(connection: Connection, limit: int) -> list[Question]:
    """Return up to `limit` questions, the newest first."""
    rows = connection.execute(
        select(asked_question).order_by(asked_question.c.asked_at.desc()).limit(limit)
    )
    return [_question(row) for row in rows.mappings()]


def _question(row: Any) -> Question:
    answer = None if row["answer"] is None else msgspec.json.decode(row["answer"])
    return Question(**{**row, "body": msgspec.json.decode(row["body"]), "answer": answer})
