"""A registry that answers anything: refused in words, or compared; never a fault of ours."""

import copy
import json
import random
from typing import Any

import pytest

from reconciliation import run_states
from reconciliation.compare import Limits
from reconciliation.messages import MessageError, Question, answer_from_json
from reconciliation.owned import POSITION_MAX, Block
from reconciliation.responder import Responder
from tests.reconciliation.sessions import KEY, KEY_ID, A, B, X, Y, credit, many, sides

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


@pytest.mark.parametrize("start", range(0, 600, 200))
def test_spoiled_answers_are_refused_in_words_or_end_in_an_outcome(start: int) -> None:
    """Whatever one value of an answer becomes, the session goes on or ends, and says why."""
    refusals: list[str] = []
    for seed in range(start, start + 200):
        dice = random.Random(seed)
        both = sides(many(A, 80) + many(B, 80), many(A, 79) + many(B, 80, Y))
        both.move(4, credit(A, 500_001, 500_010))
        both.book.applied_to = 4
        comparison = both.comparison(4, limits=Limits(4, 16, 3))
        side = Responder(KEY, KEY_ID, both.book)
        question: Question | None = comparison.start()
        for _ in range(60):
            assert question is not None
            honest = json.loads(json.dumps(side.answer(question.as_json())))
            said = spoiled(honest, dice) if dice.random() < 0.6 else honest
            try:
                following = comparison.receive(answer_from_json(said))
            except MessageError as error:
                refusals.append(str(error))
                continue
            if comparison.outcome is not None:
                break
            question = following or question
        assert comparison.outcome is not None
    assert len(refusals) > 200
    assert all(refusals)


def test_answers_that_come_to_no_end_end_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that gives one serial a page is stopped, and the outcome says so."""
    monkeypatch.setattr(run_states, "QUESTIONS_MAX", 50)
    comparison = sides([Block(A, 1, 10, X)], []).comparison(0)
    question: Question | None = comparison.start()
    head = {"session": "S", "applied_to": 0}
    answer: dict[str, Any] = {"kind": "cut-ack", "digest": "1".zfill(32)}
    while question is not None:
        said = question.as_json()
        if said["kind"] == "digests-asked":
            answer = {"kind": "digests", "chunks": []}
        elif said["kind"] == "blocks-asked":
            ((series, ((low, high),)),) = said["windows"]
            answer = {"kind": "blocks", "owned": [], "blocks": []}
            answer["rest"] = [[series, [[low + 1, high]]]]
        question = comparison.receive(
            answer_from_json({**head, "number": said["number"], **answer})
        )
    assert comparison.outcome is not None
    assert comparison.outcome.reason == "the answers come to no end"
    assert not comparison.outcome.agreed
