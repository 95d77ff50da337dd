"""A session while it goes on: the pure comparison, fed with answers as they come.

1. A comparison lives in memory between two answers, longer than any reading transaction. So what it
   holds of the ledger is ``CurrentBook``: whatever book is open while an answer is looked at.
2. After a restart, or on a new leader, it is made anew and given the stored answers again. The same
   answers give the same questions; should they not, the session has failed.
3. By totals, lists are of the moment of the totals: where units moved meanwhile, they are asked
   for once more.
4. A registry that knows no digests, or another key, says so to the cut. Then the same session goes
   on by totals, under the next number.
5. An answer that cannot be one to its question ends the session as failed, with the reason.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import Connection

from hub.services.reconciliation.cases.ending import Ending
from hub.services.reconciliation.ledger.books import SqlBook
from hub.services.reconciliation.ledger.current_book import CurrentBook
from hub.services.reconciliation.runs.questions import AnyQuestion, notice_of
from hub.store.reconciliation import cases, sessions
from hub.store.reconciliation.sessions import AnswerRow, QuestionRow, SessionRow
from message_schemas import json_codec
from message_schemas.messages.reconciliation import ReconciliationRecords
from reconciliation.digests import SERIES_SHIFT, EdgeHasher
from reconciliation.messages import (
    Answer,
    Blocks,
    Cut,
    CutAck,
    MessageError,
    Totals,
    TotalsAsked,
    answer_of,
)
from reconciliation.owned import POSITION_MAX, Series
from reconciliation.records import Records, RecordsAsked, RecordsComparison
from reconciliation.run_states import Basis, Comparison, Outcome
from reconciliation.totals import LISTED_ALL, TotalsComparison, listed_in_turn

REFUSED: Final = "reconciliation.refused"
TOTALS_ASKED: Final = "reconciliation.totals_asked"
RECORDS_ASKED: Final = "reconciliation.records_asked"
BEGUN_AGAIN_MAX: Final = 5
"""Times that a session by totals asks for them again because units moved meanwhile."""
LISTING_TURNS: Final = 7
"""In so many sessions by totals every series is listed once, so that no swap stays unseen."""
OTHER_DIGESTS: Final = (
    "the blocks are the same on both sides, and yet the digests are not: the registry has another "
    "link secret than the hub, or sums in another way"
)
FALLS_BACK: Final = frozenset({"key_unknown", "not_implemented"})
"""Why a registry may refuse a cut and is asked for its totals instead."""


class Dialogue(Protocol):
    """A pure comparison: it gives questions and is given answers until it has an outcome."""

    outcome: Outcome | None

    def start(self) -> Any:
        """Return the first question."""

    def receive(self, answer: Any) -> Any:
        """Take an answer and return the next question. Raises MessageError."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the hub knows of a registry beside its book, when a session is (again) made.

    ``acknowledged_to`` is up to where the registry worked through its items: to the cut at least,
    or it could not answer it. ``listed`` are the series of which a registry without digests lists
    its blocks in any case; None: all.
    ``records`` makes the comparison of transfers without units.
    """

    acknowledged_to: int
    listed: Collection[Series] | None
    records: Callable[[RecordsAsked], RecordsComparison]


@dataclass(frozen=True, slots=True)
class Step:
    """What a session does next: it asks, or it ends. ``mode`` is how it compares from here on."""

    mode: str
    question: AnyQuestion | None = None
    ending: Ending | None = None


class LiveSession:
    """A session in memory: how far it has read its answers, and what it asks next."""

    def __init__(
        self, row: SessionRow, first: QuestionRow, hasher: EdgeHasher | None, known: Known
    ) -> None:
        self._row, self._hasher, self._known = row, hasher, known
        self._current = CurrentBook()
        self._why_totals: str | None = None
        self.mode = row.mode
        self._dialogue: Dialogue = self._first(first)
        self._asked: AnyQuestion = self._dialogue.start()
        self._totals_as_of, self._begun_again = -1, 0
        self._cut_as_of = -1
        self.taken = 0

    def _first(self, first: QuestionRow) -> Dialogue:
        """Return the comparison that a stored first question begins."""
        row = self._row
        body = msgspec.json.decode(first.body)
        by = str(body["answer_by"])
        if first.type == RECORDS_ASKED:
            asked = RecordsAsked(row.session, first.number, row.log_index, body["after"], by)
            return self._known.records(asked)
        if first.type == TOTALS_ASKED:
            return self._by_totals(first.number, by)
        assert row.key_id is not None, "a cut names its key"
        self.mode = "digests"
        return Comparison(
            Cut(row.session, first.number, row.log_index, row.key_id, answer_by=by),
            self._current.view_at,
            POSITION_MAX,  # the book that is open says how far the log goes
            self._current.explainer,
            lambda after: self._current.pending(after, row.log_index),
        )

    def _by_totals(self, number: int, answer_by: str) -> TotalsComparison:
        assert self._hasher is not None, "units are compared with a book"
        return TotalsComparison(
            TotalsAsked(self._row.session, number, self._row.log_index, answer_by=answer_by),
            self._current.view_at,
            self._hasher,
            self._current.explainer,
            self._known.acknowledged_to,
            self._known.listed,
        )

    def take(
        self,
        book: SqlBook | None,
        answers: Collection[AnswerRow],
        asked: Mapping[int, QuestionRow],
    ) -> Step | None:
        """Take the answers not taken yet, in order; return what to do now, None if to wait.

        ``asked`` are the stored questions by number: what was asked before is not asked again.
        Records are compared without a book.
        """
        step: Step | None = None
        with nullcontext() if book is None else self._current.on(book):
            for answer in answers:
                if answer.number <= self.taken:
                    continue
                step = self._take(answer)
                self.taken = answer.number
                if step.question is None:
                    return step
                self._asked = step.question
                stored = asked.get(step.question.number)
                if stored is not None:
                    if not _is_same(stored, step.question):
                        return self._failed(
                            f"question {stored.number} would be another one now, since the hub "
                            "was started again"
                        )
                    step = None
        return step

    def _take(self, answer: AnswerRow) -> Step:
        body: dict[str, Any] = msgspec.json.decode(answer.body)
        if self._falls_back(answer, body):
            self._why_totals = f"by totals, for there are no digests: {body['reason']}"
            self.mode = "totals"
            self._dialogue = self._by_totals(answer.number + 1, "")
            return Step(self.mode, question=self._dialogue.start())
        try:
            said = read_answer(answer.type, body)
            if isinstance(said, Totals):
                self._totals_as_of = said.applied_to
            if isinstance(said, CutAck):
                self._cut_as_of = said.applied_to
            if isinstance(said, Blocks) and self.mode == "totals":
                if self._has_moved_on(said.applied_to):
                    return self._begin_again(answer.number + 1)
                said = replace(said, applied_to=self._totals_as_of)
            question = self._dialogue.receive(said)
        except MessageError as error:
            return self._failed(f"the answer to question {answer.number}: {error}")
        if question is not None:
            return Step(self.mode, question=question)
        outcome = self._dialogue.outcome
        if outcome is None:
            return self._failed(f"the answer to question {answer.number} is to another question")
        if outcome.reason is None:
            return Step(self.mode, ending=self._done(outcome))
        if answer.type == REFUSED:
            return Step(self.mode, ending=Ending("refused", outcome, reason=outcome.reason))
        return self._failed(outcome.reason)

    def _has_moved_on(self, applied_to: int) -> bool:
        """Tell whether anything moved at the registry since it answered with its totals.

        The index of an answer is that of its question's item, so it always goes on a little.
        """
        return bool(self._current.pending(self._totals_as_of, applied_to))

    def _begin_again(self, number: int) -> Step:
        """Ask for the totals once more: those of one moment are compared with lists of the same."""
        self._begun_again += 1
        if self._begun_again > BEGUN_AGAIN_MAX:
            return self._failed(
                f"units moved while they were listed, {self._begun_again} times in a row; compare "
                "at a quieter time, or by digests"
            )
        self._dialogue = self._by_totals(number, "")
        return Step(self.mode, question=self._dialogue.start())

    def _done(self, outcome: Outcome) -> Ending:
        if isinstance(self._dialogue, RecordsComparison):
            return Ending("done", outcome, tuple(self._dialogue.record_findings))
        root = self._current.view(outcome.as_of).root
        why = OTHER_DIGESTS if self._has_other_digests(outcome) else self._why_totals
        said = [one for one in (why, _not_reached(outcome)) if one is not None]
        return Ending("done", outcome, reason="; ".join(said) or None, digest=root)

    def _has_other_digests(self, outcome: Outcome) -> bool:
        """Tell whether the digests differed, and then no block did, though nothing had moved."""
        return (
            isinstance(self._dialogue, Comparison)
            and outcome.basis is Basis.BLOCKS
            and not outcome.findings
            and not outcome.is_contradictory
            and not self._current.pending(self._cut_as_of, outcome.as_of)
        )

    def _falls_back(self, answer: AnswerRow, body: Mapping[str, Any]) -> bool:
        return (
            isinstance(self._asked, Cut)
            and answer.type == REFUSED
            and body["code"] in FALLS_BACK
            and body["number"] == self._asked.number
        )

    def _failed(self, reason: str) -> Step:
        return Step(self.mode, ending=Ending("failed", None, reason=reason))


def _not_reached(outcome: Outcome) -> str | None:
    """Say that a registry had not come to the cut; one that never comes there must be seen."""
    if not outcome.awaited:
        return None
    count = len({one.cause_index for one in outcome.awaited})
    entries = "1 entry" if count == 1 else f"{count} entries"
    return (
        f"the registry had applied its items up to log index {outcome.as_of}; what moved its units "
        f"after that, up to the cut at {outcome.index}, is not compared yet ({entries})"
    )


def listed_series(
    connection: Connection, row: SessionRow, book: SqlBook
) -> Collection[Series] | None:
    """Return the series that are listed whatever their totals say; None: all of them.

    All are at the first comparison, and whenever somebody asks for one; otherwise those of open
    cases, and each other one in its turn.
    """
    if book.link.agreed_to is None or row.trigger in ("request", "case"):
        return LISTED_ALL
    case_ids = [case.case_id for case in cases.open_of(connection, row.registry)]
    ranges = cases.ranges(connection, case_ids).values()
    always = {range_.series for of_case in ranges for range_ in of_case}
    known = book.view_at(row.log_index).level(SERIES_SHIFT).keys()
    turn = sessions.count_by_totals(connection, row.registry)
    return listed_in_turn(known, turn, turns=LISTING_TURNS, always=always)


def read_answer(type_: str, body: dict[str, Any]) -> Answer | Records:
    """Return what an answer says; MessageError if it says what cannot be."""
    typed = json_codec.decode_body(type_, 1, body)
    if not isinstance(typed, ReconciliationRecords):
        return answer_of(typed)
    return Records(typed.session, typed.number, typed.applied_to, typed.transfers, more=typed.more)


def _is_same(stored: QuestionRow, question: AnyQuestion) -> bool:
    """Tell whether a question is the one that was asked, whenever it is to be answered."""
    type_, body = notice_of(question)
    before: dict[str, Any] = msgspec.json.decode(stored.body)
    now: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    before.pop("answer_by", None)
    now.pop("answer_by", None)
    return (stored.type, before) == (type_, now)
