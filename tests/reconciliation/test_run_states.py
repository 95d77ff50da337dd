"""One session: what it asks, what it believes of an answer, and what it says at the end."""

from typing import Any

import pytest

from reconciliation import responder, run_states
from reconciliation.compare import Limits
from reconciliation.digests import SERIES_SHIFT, digest_text
from reconciliation.discrepancies import FindingKind
from reconciliation.messages import (
    Blocks,
    BlocksAsked,
    CutAck,
    Digests,
    DigestsAsked,
    MessageError,
    Question,
    Refused,
)
from reconciliation.movements import Piece
from reconciliation.owned import POSITION_MAX, Block
from reconciliation.responder import Responder
from reconciliation.run_states import Basis, Comparison, RunState
from tests.reconciliation.sessions import (
    KEY,
    KEY_ID,
    SESSION,
    USED,
    A,
    B,
    C,
    Sides,
    X,
    Y,
    asked_of,
    credit,
    heard,
    many,
    sides,
)

Told = tuple[FindingKind, str, int, int]


def told(found: Any) -> list[tuple[FindingKind, Any, int, int]]:
    """Return the findings without their views."""
    return [(finding.kind, finding.series, finding.first, finding.last) for finding in found]


def damaged() -> Sides:
    """Return sides of many blocks, of which one differs at the registry."""
    ledger = many(A, 500) + many(B, 500)
    registry = [block for block in ledger if block != ledger[250]]
    return sides(ledger, registry)


def test_equal_books_end_after_the_cut() -> None:
    """One question, no finding, whatever the cut of the blocks."""
    outcome = sides([Block(A, 1, 100, X)], [Block(A, 51, 100, X), Block(A, 1, 50, X)]).compare(0)
    assert (outcome.agreed, outcome.question_count, outcome.basis) == (True, 1, Basis.DIGESTS)


def test_a_lost_message_is_named_from_the_root_alone() -> None:
    """No drill-down: one question, the exact serials, both views and the log entry."""
    both = sides(many(A, 300), many(A, 300))
    both.move(7, credit(B, 11, 20), credit(C, 5, 5, Y))
    both.book.applied_to = 7
    outcome = both.compare(7)
    assert outcome.question_count == 1
    assert told(outcome.findings) == [
        (FindingKind.LOST_MESSAGE, B, 11, 20),
        (FindingKind.LOST_MESSAGE, C, 5, 5),
    ]
    assert {(f.cause_index, f.reference) for f in outcome.findings} == {(7, "T-7")}
    assert (outcome.findings[1].ledger, outcome.findings[1].registry) == ((Y,), ())


def test_two_lost_messages_are_named_from_the_root_alone() -> None:
    """A pair is looked for when no single message makes the difference."""
    both = sides([], [])
    for index in range(1, 50):
        both.move(index, credit(A, 100 * index, 100 * index + 9))
    both.book.held = [
        Block(A, 100 * index, 100 * index + 9, X) for index in range(1, 50) if index not in {8, 31}
    ]
    both.book.applied_to = 49
    outcome = both.compare(49)
    assert outcome.question_count == 1
    assert told(outcome.findings) == [
        (FindingKind.LOST_MESSAGE, A, 800, 809),
        (FindingKind.LOST_MESSAGE, A, 3100, 3109),
    ]


def test_half_a_message_missing_is_no_lost_message() -> None:
    """A message is applied as a whole; serials that went missing later are told as missing."""
    both = sides([], [])
    both.move(7, credit(A, 1, 100), credit(B, 1, 100))
    both.book.held = [Block(A, 1, 100, X)]
    both.book.applied_to = 7
    outcome = both.compare(7)
    assert told(outcome.findings) == [(FindingKind.MISSING_AT_REGISTRY, B, 1, 100)]
    assert outcome.findings[0].cause_index is None


def test_narrowing_asks_for_few_blocks_of_many() -> None:
    """One unit too few among a thousand blocks: the blocks of one chunk travel, no more."""
    both = damaged()
    outcome = both.compare(0)
    assert told(outcome.findings) == [(FindingKind.MISSING_AT_REGISTRY, A, 250_001, 250_500)]
    listed = [body for kind, body in both.answers if kind == "reconciliation.blocks"]
    assert sum(len(row["blocks"]) for body in listed for row in body["blocks"]) <= 66
    assert len(both.questions) <= 7


def test_a_series_in_ruins_is_asked_for_as_a_whole() -> None:
    """When most chunks differ, the blocks are streamed and no further digests are asked."""
    ledger = many(A, 2_000, step=2_000)
    both = sides(ledger, [block._replace(owned=USED) for block in ledger])
    outcome = both.compare(0)
    assert len(outcome.findings) == 2_000
    assert {finding.kind for finding in outcome.findings} == {FindingKind.ENDED_ON_ONE_SIDE}
    asked = [question for question in both.questions if isinstance(question, BlocksAsked)]
    assert asked[0].windows == {A: [(0, POSITION_MAX)]}
    digests = [question for question in both.questions if isinstance(question, DigestsAsked)]
    assert len(digests) == 2


def test_a_difference_across_many_equal_chunks_is_found_whole() -> None:
    """An extra block over a thousand others: edges differ at its ends alone, units all along."""
    ledger = many(A, 1_000)
    over = Block(A, 100_001, 900_000, Y)
    both = sides(ledger, [*ledger, over])
    outcome = both.compare(0, Limits(blocks=4))
    assert not outcome.is_contradictory
    assert sum(finding.quantity for finding in outcome.findings) == 800_000
    assert outcome.findings[0].first == 100_001
    assert outcome.findings[-1].last == 900_000
    twice = [f for f in outcome.findings if f.kind is FindingKind.HELD_TWICE]
    assert {finding.registry for finding in twice} == {tuple(sorted((X, Y), key=repr))}
    assert sum(finding.quantity for finding in twice) == 800 * 500
    listed = [body for kind, body in both.answers if kind == "reconciliation.blocks"]
    assert sum(len(row["blocks"]) for body in listed for row in body["blocks"]) < 200


def test_answers_that_cannot_all_be_true_are_told_as_such() -> None:
    """A block that goes on behind its chunk, though all digests behind are the ledger's."""
    ledger = many(A, 1_000)
    both = sides(ledger, [*ledger, Block(A, 100_001, 900_000, Y)])
    comparison = both.comparison(0, limits=Limits(blocks=4))
    side, view = Responder(KEY, KEY_ID, both.book), both.ledger.view(0)
    question: Question | None = comparison.start()
    while question is not None:
        kind, body = asked_of(side, question)
        if isinstance(question, DigestsAsked) and question.windows:
            end, shift = 900_001 >> question.shift, question.shift
            ours = view.digests(shift, A, (end << shift, ((end + 1) << shift) - 1)).get(end, 0)
            for row in body["chunks"]:
                named = [text.split(":") for text in row["digests"]]
                pairs = [(c, digest_text(ours) if int(c) == end else d) for c, d in named]
                row["digests"] = [f"{c}:{digest}" for c, digest in pairs]
        question = comparison.receive(heard(kind, body))
    assert comparison.outcome is not None
    assert comparison.outcome.is_contradictory
    assert not comparison.outcome.agreed


def test_a_question_has_no_more_windows_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is asked next, and nothing is asked twice or forgotten."""
    ledger = many(A, 400) + many(B, 400)
    registry = [block for number, block in enumerate(ledger) if number % 80 != 7]
    at_once = sides(ledger, registry).compare(0, Limits(blocks=2))
    monkeypatch.setattr(run_states, "WINDOWS_MAX", 3)
    both = sides(ledger, registry)
    outcome = both.compare(0, Limits(blocks=2))
    assert outcome.findings == at_once.findings
    assert len(outcome.findings) == 10
    sizes = [
        sum(len(windows) for windows in question.windows.values())
        for question in both.questions
        if isinstance(question, DigestsAsked | BlocksAsked)
    ]
    assert max(sizes) == 3
    assert outcome.question_count > at_once.question_count


def test_where_more_than_a_fifth_of_many_chunks_differ_their_blocks_are_asked_for() -> None:
    """No further digests: cutting again would cost more than it saves."""
    ledger = many(A, 4_000)
    registry = [block for number, block in enumerate(ledger) if number % 260 > 10]
    both = sides(ledger, registry)
    both.compare(0, Limits(blocks=4, many=4))
    asked = [question for question in both.questions if isinstance(question, DigestsAsked)]
    assert len(asked) == 2
    blocks = [question for question in both.questions if isinstance(question, BlocksAsked)]
    assert 4 <= len(blocks[0].windows[A]) <= 31


def test_a_registry_that_is_ahead_is_compared_as_of_where_it_is() -> None:
    """It went on trading after the cut: nothing differs, nothing is frozen."""
    both = sides([Block(A, 1, 100, X)], [Block(A, 1, 40, X), Block(A, 41, 100, USED)])
    both.move(5, credit(B, 1, 10))
    both.move(9, Piece(A, 41, 100, X, USED))
    both.book.held.append(Block(B, 1, 10, X))
    both.book.applied_to = 9
    outcome = both.compare(5)
    assert (outcome.agreed, outcome.index, outcome.as_of) == (True, 5, 9)


def test_what_a_registry_that_is_behind_still_awaits_is_listed() -> None:
    """It agrees as of where it is; what it has not come to is no discrepancy."""
    both = sides([Block(A, 1, 100, X)], [Block(A, 1, 100, X)])
    both.move(5, credit(B, 1, 10))
    outcome = both.compare(5)
    assert (outcome.agreed, outcome.as_of, outcome.findings) == (True, 0, ())
    assert told(outcome.awaited) == [(FindingKind.TIMING, B, 1, 10)]
    assert (outcome.awaited[0].ledger, outcome.awaited[0].registry) == ((X,), ())


def test_what_is_not_acknowledged_yet_is_timing_and_not_loss() -> None:
    """A registry without indices of its own is judged by what it acknowledged."""
    both = sides([], [])
    both.move(5, credit(B, 1, 10))
    comparison = both.comparison(5, acknowledged_to=4)
    comparison.start()
    assert comparison.receive(CutAck(SESSION, 1, 5, 0)) is None
    assert comparison.outcome is not None
    assert comparison.outcome.agreed
    assert told(comparison.outcome.findings) == [(FindingKind.TIMING, B, 1, 10)]


def test_a_registry_that_refuses_ends_the_session_with_its_reason() -> None:
    """Another key is no finding about units, and no agreement."""
    comparison = damaged().comparison(0)
    comparison.start()
    assert (
        comparison.receive(Refused(SESSION, 1, "key_unknown", "the key here is CHE02-2025")) is None
    )
    assert comparison.state is RunState.REFUSED
    assert comparison.outcome is not None
    assert not comparison.outcome.agreed
    assert comparison.outcome.reason == "the key here is CHE02-2025"


def started() -> Comparison:
    """Return a session whose registry has answered the cut with another digest."""
    comparison = damaged().comparison(0)
    comparison.start()
    question = comparison.receive(CutAck(SESSION, 1, 0, 12345))
    assert isinstance(question, DigestsAsked)
    return comparison


@pytest.mark.parametrize("page", [1, 5, 50])
def test_pages_find_what_one_long_answer_finds(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little a registry says at a time, series, chunks and blocks are all heard."""
    series = [A._replace(vintage=2000 + number) for number in range(20)]
    ledger = [block for one in series for block in many(one, 30)]
    registry = [block for number, block in enumerate(ledger) if number % 80 != 7]
    at_once = sides(ledger, registry).compare(0, Limits(blocks=2))
    monkeypatch.setattr(responder, "PAGE", page)
    in_pages = sides(ledger, registry).compare(0, Limits(blocks=2))
    assert in_pages.findings == at_once.findings
    assert len(in_pages.findings) == 8
    assert in_pages.question_count > at_once.question_count


def test_pages_that_say_nothing_or_go_back_are_refused() -> None:
    """A page names at least one digest, and none that was told before."""
    comparison = started()
    with pytest.raises(MessageError, match="nothing was answered"):
        comparison.receive(Digests(SESSION, 2, 0, {}, more=True))
    asked = comparison.receive(Digests(SESSION, 2, 0, {A: {0: 1}}, more=True))
    assert asked == DigestsAsked(SESSION, 3, SERIES_SHIFT, after=A)
    with pytest.raises(MessageError, match="not asked for again"):
        comparison.receive(Digests(SESSION, 3, 0, {A: {0: 1}}))
    following = comparison.receive(Digests(SESSION, 3, 0, {B: {0: 1}}))
    assert isinstance(following, DigestsAsked)
    assert following.windows.keys() == {A, B}
    with pytest.raises(MessageError, match="not asked for"):
        comparison.receive(Digests(SESSION, 4, 0, {C: {0: 1}}, more=True))
    assert comparison.receive(Digests(SESSION, 4, 0, {A: {0: 1}}, more=True)) is not None


def test_answers_that_come_twice_or_belong_elsewhere_are_passed_over() -> None:
    """Nothing is asked again, and the state stays."""
    comparison = started()
    assert comparison.receive(CutAck(SESSION, 1, 0, 12345)) is None
    assert comparison.receive(Digests("T", 2, 0, {})) is None
    assert comparison.state is RunState.SERIES
    assert comparison.receive(Digests(SESSION, 2, 0, {})) is not None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Digests(SESSION, 2, 9, {}), "the log ends at 0"),
        (Blocks(SESSION, 2, 0, [], {}), "no answer to the question"),
        (CutAck(SESSION, 2, 0, 1), "no answer to the question"),
    ],
)
def test_answers_that_cannot_be_are_refused_and_change_nothing(answer: Any, why: str) -> None:
    """A wrong answer is an error to be told, and a right one may still come."""
    comparison = started()
    with pytest.raises(MessageError, match=why):
        comparison.receive(answer)
    assert comparison.receive(Digests(SESSION, 2, 0, {})) is not None


def test_a_registry_does_not_go_back_in_the_log() -> None:
    """An answer as of an earlier index than the one before it would mix two moments."""
    both = sides(many(A, 3), [])
    both.move(5, credit(B, 1, 10))
    both.move(9, credit(B, 11, 20))
    comparison = both.comparison(5)
    comparison.start()
    assert comparison.receive(CutAck(SESSION, 1, 9, 12345)) is not None
    with pytest.raises(MessageError, match="applied to 5, after it was 9"):
        comparison.receive(Digests(SESSION, 2, 5, {}))
    assert comparison.receive(Digests(SESSION, 2, 9, {})) is not None


def test_a_refused_answer_moves_nothing() -> None:
    """A wrong answer as of a later index leaves the session where it was."""
    both = sides(many(A, 3), [])
    both.move(5, credit(B, 1, 10))
    both.move(9, credit(B, 11, 20))
    comparison = both.comparison(5)
    comparison.start()
    assert comparison.receive(CutAck(SESSION, 1, 5, 12345)) is not None
    with pytest.raises(MessageError, match="no answer to the question"):
        comparison.receive(Blocks(SESSION, 2, 9, [], {}))
    assert comparison.receive(Digests(SESSION, 2, 5, {})) is not None


def test_blocks_that_never_end_are_refused() -> None:
    """What is left must be less than what was asked, and part of it."""
    both = sides([Block(A, 1, 10, X)], [])
    comparison = both.comparison(0)
    comparison.start()
    comparison.receive(CutAck(SESSION, 1, 0, 12345))
    asked = comparison.receive(Digests(SESSION, 2, 0, {}))
    assert isinstance(asked, BlocksAsked)
    with pytest.raises(MessageError, match="nothing was answered"):
        comparison.receive(Blocks(SESSION, 3, 0, [], asked.windows))
    with pytest.raises(MessageError, match="was not asked"):
        comparison.receive(Blocks(SESSION, 3, 0, [], {B: [(0, 5)]}))
    assert comparison.receive(Blocks(SESSION, 3, 0, [], {})) is None
    assert comparison.outcome is not None
    assert told(comparison.outcome.findings) == [(FindingKind.MISSING_AT_REGISTRY, A, 1, 10)]


def test_a_session_is_rebuilt_from_its_answers() -> None:
    """After a restart the same answers lead to the same question and the same outcome."""
    both = damaged()
    first = both.compare(0)
    again = both.comparison(0)
    again.start()
    for answer in both.answers:
        again.receive(heard(*answer))
    assert again.outcome == first
