"""A registry that answers anything: refused in words, or compared; never a fault of ours."""

import copy
import random
from typing import Any

import pytest

from message_schemas.validation import schema_errors
from reconciliation import run_states
from reconciliation.compare import Limits
from reconciliation.messages import (
    Answer,
    Blocks,
    BlocksAsked,
    CutAck,
    Digests,
    DigestsAsked,
    MessageError,
    Question,
)
from reconciliation.owned import POSITION_MAX, Block
from reconciliation.responder import Responder
from tests.reconciliation.sessions import (
    KEY,
    KEY_ID,
    SESSION,
    A,
    B,
    X,
    Y,
    asked_of,
    credit,
    heard,
    many,
    sides,
)

ODD: list[Any] = [
    None,
    -1,
    0,
    1,
    2**63,
    POSITION_MAX,
    "",
    "0" * 32,
    "f" * 32,
    "0:" + "f" * 32,
    f"{POSITION_MAX}:" + "1" * 32,
    f"{POSITION_MAX + 1}:" + "1" * 32,
    "1-1:0",
    "7-3:0",
    "1-9:99999",
    f"1-{POSITION_MAX}:0",
    f"0-{POSITION_MAX}",
    "9-5",
    "CA9999",
    [],
    [[]],
    {},
    True,
    1.5,
]


def spoiled(answer: Any, dice: random.Random) -> Any:
    """Return an answer with one value somewhere replaced, removed or said twice."""
    answer = copy.deepcopy(answer)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            places.append((value, key))
            if isinstance(value[key], dict | list):
                walk(value[key])

    walk(answer)
    holder, key = dice.choice(places)
    act = dice.randrange(3)
    if act == 0:
        holder[key] = dice.choice(ODD)
    elif act == 1:
        del holder[key]
    elif isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[key] = [holder[key], holder[key]]
    return answer


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_spoiled_answers_are_refused_in_words_or_end_in_an_outcome(start: int) -> None:
    """Whatever one value of an answer becomes, the session goes on or ends, and says why."""
    refusals: list[str] = []
    for seed in range(start, start + 100):
        dice = random.Random(seed)
        both = sides(many(A, 80) + many(B, 80), many(A, 79) + many(B, 80, Y))
        both.move(4, credit(A, 500_001, 500_010))
        both.book.applied_to = 4
        comparison = both.comparison(4, limits=Limits(4, 16, 3))
        side = Responder(KEY, KEY_ID, both.book)
        question: Question | None = comparison.start()
        for _ in range(200):
            assert question is not None
            kind, said = asked_of(side, question)
            if dice.random() < 0.5:
                said = spoiled(said, dice)
            if schema_errors(kind, 1, said):
                continue  # refused at the door
            try:
                following = comparison.receive(heard(kind, said))
            except MessageError as error:
                refusals.append(str(error))
                continue
            if comparison.outcome is not None:
                break
            question = following or question
        assert comparison.outcome is not None
    assert len(refusals) > 30
    assert all(refusals)


def test_answers_that_come_to_no_end_end_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that gives one serial a page is stopped, and the outcome says so."""
    monkeypatch.setattr(run_states, "QUESTIONS_MAX", 50)
    comparison = sides([Block(A, 1, 10, X)], []).comparison(0)
    question: Question | None = comparison.start()
    while question is not None:
        answer: Answer = CutAck(SESSION, question.number, 0, 1)
        if isinstance(question, DigestsAsked):
            answer = Digests(SESSION, question.number, 0, {})
        elif isinstance(question, BlocksAsked):
            ((series, ((low, high),)),) = question.windows.items()
            answer = Blocks(SESSION, question.number, 0, [], {series: [(low + 1, high)]})
        question = comparison.receive(answer)
    assert comparison.outcome is not None
    assert comparison.outcome.reason == "the answers come to no end"
    assert not comparison.outcome.agreed


def test_pages_that_come_to_no_end_end_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that names series after series is stopped as well."""
    monkeypatch.setattr(run_states, "QUESTIONS_MAX", 50)
    comparison = sides([Block(A, 1, 10, X)], []).comparison(0)
    comparison.start()
    question = comparison.receive(CutAck(SESSION, 1, 0, 1))
    while question is not None:
        series = A._replace(vintage=A.vintage + question.number)
        answer = Digests(SESSION, question.number, 0, {series: {0: 1}}, more=True)
        question = comparison.receive(answer)
    assert comparison.outcome is not None
    assert comparison.outcome.reason == "the answers come to no end"
