"""Answers to the hub's questions at the door: taken once, from whom was asked, while it is open."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.store.reconciliation import cases, nights, sessions
from hub.store.reconciliation.sessions import AnswerRow, QuestionRow, SessionRow
from tests.hub.services.reconciliation.case_worlds import compared, finding
from tests.hub.world import HUB, World, accepted, codes_of
from tests.integration.peers import Said, now

SESSION = "CHE01-7"


def asked(world: World, state: str = "asking") -> None:
    """Let the hub have asked CHE01 its first question."""
    at = now()
    row = SessionRow(
        *(SESSION, "CHE01", None, None, "request", "digests", 7, "CHE01-2026", "asking", at),
        answer_by=at + timedelta(hours=1),
    )
    question = QuestionRow(SESSION, 1, 7, "reconciliation.cut", "{}", at)
    with world.database.writing() as connection:
        sessions.add(connection, [row])
        sessions.add_questions(connection, [question])
        if state != "asking":
            ended = replace(row, state=state, finished_at=at, agreed=False, basis="none")
            sessions.finish(connection, ended)


def cut_ack(number: int = 1, digest: str = "0" * 32, session: str = SESSION) -> Said:
    """Return an answer to a cut."""
    body = {"session": session, "number": number, "applied_to": 7, "digest": digest}
    return "reconciliation.cut_ack", body


def taken(world: World) -> list[AnswerRow]:
    """Return the answers on record."""
    with world.database.reading() as connection:
        return sessions.answers(connection, SESSION)


def outcomes_of(receipt: Any) -> list[str]:
    """Return the outcome of each message."""
    return [one["outcome"] for one in receipt["outcomes"]]


def test_an_answer_is_taken_once_and_a_repetition_is_a_duplicate(either_world: World) -> None:
    """Also within one batch; what is stored is the body as it came, under the envelope's index."""
    world = either_world
    asked(world)
    first = accepted(world.say("CHE01", HUB, cut_ack()))
    assert first["outcomes"][0]["result"] == {"session": SESSION, "number": 1}
    again = world.say("CHE01", HUB, cut_ack(), cut_ack())
    assert outcomes_of(again) == ["duplicate-of", "duplicate-of"]
    (row,) = taken(world)
    assert (row.type, row.log_index) == ("reconciliation.cut_ack", first["log_index"])
    assert json.loads(row.body) == cut_ack()[1]


def test_two_answers_in_one_envelope_are_one_answer_and_one_refusal(world: World) -> None:
    """The first stands; the other one is told that it comes too late."""
    asked(world)
    receipt = world.say("CHE01", HUB, cut_ack(), cut_ack(digest="f" * 32))
    assert codes_of(receipt) == [0, 4018]
    assert codes_of(world.say("CHE01", HUB, cut_ack(digest="e" * 32))) == [4018]
    assert len(taken(world)) == 1


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("THA01", cut_ack()),
        ("CHE01", cut_ack(number=2)),
        ("CHE01", cut_ack(session="CHE01-8")),
    ],
    ids=["of another registry", "to a number never asked", "to a session never begun"],
)
def test_an_answer_to_no_question_of_the_sender_is_refused(
    world: World, sender: str, said: Said
) -> None:
    """And leaves no trace: the question stays open for whom was asked."""
    asked(world)
    receipt = world.say(sender, HUB, said)
    assert codes_of(receipt) == [4017]
    assert "was asked no question" in receipt["outcomes"][0]["findings"][0]["text"]
    assert taken(world) == []
    accepted(world.say("CHE01", HUB, cut_ack()))


def test_an_answer_after_the_end_of_its_session_is_refused(world: World) -> None:
    """The registry learns that the session ended, and how."""
    asked(world, "silent")
    receipt = world.say("CHE01", HUB, cut_ack())
    assert codes_of(receipt) == [4017]
    assert "it is silent" in receipt["outcomes"][0]["findings"][0]["text"]


def explanation(case_id: str, *, corrected: bool) -> Said:
    """Return what a registry says of a case."""
    body = {"case_id": case_id, "text": "a message was lost", "corrected": corrected}
    return "reconciliation.explanation", body


def test_an_explanation_is_kept_with_the_case_and_asks_for_a_comparison(
    either_world: World,
) -> None:
    """Only of the sender's own case; ``corrected`` is a request for its registry."""
    world = either_world
    world.begin()
    world.transfer("THA01-1", 1, 99)
    case_id = compared(world, finding(1, 9)).opened[0]
    for sender, named in (("THA01", case_id), ("CHE01", "2020-01-01/1")):
        assert codes_of(world.say(sender, HUB, explanation(named, corrected=True))) == [4016]
    accepted(world.say("CHE01", HUB, explanation(case_id, corrected=False)))
    receipt = accepted(world.say("CHE01", HUB, explanation(case_id, corrected=True)))
    with world.database.reading() as connection:
        said = [row for row in cases.events(connection, case_id) if row.actor == "CHE01"]
        (request,) = nights.open_requests(connection)
    assert [row.kind for row in said] == ["explain", "explain", "ask_rerun"]
    assert said[-1].log_index == receipt["log_index"]
    assert (request.registry, request.case_id) == ("CHE01", case_id)
