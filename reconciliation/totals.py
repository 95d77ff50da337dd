"""The comparison with a registry that has no digests: totals, then blocks, the same findings.

    totals asked -> blocks of the series whose totals differ -> done

1. The registry answers with its units by series and by the owned attributes it can group by: all
   of them, or the status alone. Where a total differs, the blocks of that series are asked for.
2. Equal totals hide equal and opposite errors. So the caller names series to be listed whatever
   their totals say, ``LISTED_ALL`` for every one; the outcome names those seen by totals alone.
3. With the blocks in hand we sum their edges ourselves: the difference is explained by one or two
   messages, or drilled down to, exactly as in a session with digests.

A holdings statement that was uploaded is the same with every block at once (``compare_statement``).
A statement does not change: all answers of a session speak of one index. A registry that knows no
log index is compared as of the cut, and what it has not acknowledged by then is timing, not loss.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Final

from reconciliation.books import LedgerView
from reconciliation.compare import WHOLE, Narrowing, predicted_runs
from reconciliation.digests import MASK, SERIES_SHIFT, EdgeHasher, total_of
from reconciliation.discrepancies import PASSING, Finding, classified, explained
from reconciliation.explain import Explainer, Situation
from reconciliation.messages import (
    Answer,
    Blocks,
    BlocksAsked,
    MessageError,
    Question,
    Refused,
    Totals,
    TotalsAsked,
)
from reconciliation.owned import OWNED, Block, Owned, Series
from reconciliation.run_states import (
    QUESTIONS_MAX,
    WINDOWS_MAX,
    Basis,
    Outcome,
    require_progress,
    taken,
)
from reconciliation.steps import StepError, runs

LISTED_ALL: Final = None

Units = dict[tuple[Series, Owned], int]


def totals_of(blocks: Iterable[Block], fields: tuple[str, ...] = OWNED) -> Units:
    """Return the units of blocks by series and by the values of some owned attributes."""
    places = tuple(OWNED.index(name) for name in fields)
    units: Units = {}
    for series, first, last, owned in blocks:
        cell = (series, tuple(owned[place] for place in places))
        units[cell] = units.get(cell, 0) + last - first + 1
    return units


def blocks_of_view(view: LedgerView, series: Series) -> list[Block]:
    """Return the ledger's units of a series as of the view, in the longest blocks."""
    return [
        Block(series, run.first, run.last, owned)
        for run in runs(view.items(series, WHOLE), ())
        for owned in run.ledger
    ]


class TotalsComparison:
    """The hub's side of a session with a registry that has totals and blocks alone.

    ``view_at`` and ``explainer`` as for ``Comparison``. ``acknowledged_to`` is the index up to
    where the registry acknowledged its messages. ``listed`` names the series to be listed whatever
    their totals say.
    """

    def __init__(
        self,
        asked: TotalsAsked,
        view_at: Callable[[int], LedgerView],
        hasher: EdgeHasher,
        explainer: Explainer,
        acknowledged_to: int,
        listed: Collection[Series] | None = (),
    ) -> None:
        self.outcome: Outcome | None = None
        self._start = asked
        self._question: Question = asked
        self._view_at, self._hasher, self._explainer = view_at, hasher, explainer
        self._acknowledged_to, self._listed = acknowledged_to, listed
        self._narrowing = Narrowing(explainer)
        self._view: LedgerView | None = None
        self._blocks: list[Block] = []
        self._seen: frozenset[Series] = frozenset()
        self._unseen: tuple[Series, ...] = ()
        self._count = 1

    def start(self) -> Question:
        """Return the question for totals."""
        return self._start

    def receive(self, answer: Answer) -> Question | None:
        """Take an answer and return the next question; None if there is none, or no need.

        Raises MessageError if the answer is not one to the question; nothing is changed then.
        """
        question = self._question
        awaited = (answer.session, answer.number) == (question.session, question.number)
        if self.outcome is not None or not awaited:
            return None
        match answer, question:
            case Refused(reason=reason), _:
                self._finish(Basis.TOTALS, (), reason)
                return None
            case Totals(), TotalsAsked():
                return self._compare_totals(answer)
            case Blocks(), BlocksAsked(windows=windows):
                view = self._view
                assert view is not None, "blocks are asked for after the totals"
                if answer.applied_to != view.index:
                    raise MessageError(f"blocks as of {answer.applied_to}, totals of {view.index}")
                require_progress(windows, answer.rest)
                self._narrowing.take_blocks(view, windows, answer.blocks, answer.rest)
                self._blocks += [block for block in answer.blocks if block.series in windows]
                return self._next(view)
        raise MessageError(f"{type(answer).__name__} is no answer to the question asked")

    def _compare_totals(self, totals: Totals) -> Question | None:
        try:
            view = self._view_at(totals.applied_to)
        except ValueError as error:
            raise MessageError(f"applied to {totals.applied_to}: {error}") from None
        self._view = view
        ours: Units = {}
        known = view.level(SERIES_SHIFT).keys()
        for series in known:
            ours.update(totals_of(blocks_of_view(view, series), totals.fields))
        cells = ours.keys() | totals.units.keys()
        differing = {c[0] for c in cells if ours.get(c, 0) != totals.units.get(c, 0)}
        every = known | {series for series, _ in totals.units}
        self._seen = frozenset(
            every if self._listed is None else differing | (every & set(self._listed))
        )
        self._unseen = tuple(sorted(every - self._seen))
        for series in sorted(self._seen):
            self._narrowing.block_windows[series] = [WHOLE]
        return self._next(view)

    def _next(self, view: LedgerView) -> Question | None:
        windows = self._narrowing.block_windows
        if windows and self._count >= QUESTIONS_MAX:
            self._finish(Basis.BLOCKS, (), "the answers come to no end")
            return None
        if windows:
            some = taken(windows, WINDOWS_MAX)
            number = self._question.number + 1
            self._question = BlocksAsked(self._start.session, number, some)
            self._count += 1
            return self._question
        situation = Situation(view.index, self._acknowledged_to)
        found = found_in(
            view,
            self._seen,
            self._blocks,
            self._hasher,
            self._narrowing,
            self._explainer,
            situation,
        )
        self._finish(*found)
        return None

    def _finish(self, basis: Basis, findings: Iterable[Finding], reason: str | None = None) -> None:
        told = tuple(findings)
        self.outcome = Outcome(
            self._start.session,
            self._start.index,
            self._start.index if self._view is None else self._view.index,
            reason is None and all(finding.kind in PASSING for finding in told),
            Basis.TOTALS if self._unseen else basis,
            told,
            self._count,
            reason=reason,
            by_totals_alone=self._unseen,
        )


def found_in(
    view: LedgerView,
    seen: Collection[Series],
    blocks: Iterable[Block],
    hasher: EdgeHasher,
    narrowing: Narrowing,
    explainer: Explainer,
    situation: Situation,
) -> tuple[Basis, list[Finding]]:
    """Return the findings in the series of which all blocks were seen, and what they rest on."""
    theirs = total_of(hasher.chunks_of(blocks, SERIES_SHIFT))
    level = view.level(SERIES_SHIFT)
    ours = sum(level.get(series, {}).get(0, 0) for series in seen)
    difference = theirs - ours & MASK
    if not difference:
        return Basis.BLOCKS, []
    causes = explainer.of_all(difference, situation)
    if causes is not None:
        try:
            predicted = predicted_runs(view, causes)
        except StepError:
            predicted = {}
        if predicted:
            return Basis.EXPLANATION, explained(predicted, causes)
    return Basis.BLOCKS, classified(narrowing.differing(view), explainer, situation)


def compare_statement(
    session: str,
    index: int,
    view: LedgerView,
    blocks: Collection[Block],
    hasher: EdgeHasher,
    explainer: Explainer,
    acknowledged_to: int,
) -> Outcome:
    """Return the outcome of comparing an uploaded statement of all holdings with the ledger.

    ``session`` names the comparison, ``index`` is the cut it was asked for, ``view`` the ledger as
    of the moment it speaks of. Series whose digests are equal are not looked into.
    """
    theirs, ours = hasher.chunks_of(blocks, SERIES_SHIFT), view.level(SERIES_SHIFT)
    seen = {
        series for series in theirs.keys() | ours.keys() if theirs.get(series) != ours.get(series)
    }
    differing = [block for block in blocks if block.series in seen]
    narrowing = Narrowing(explainer)
    narrowing.take_blocks(view, {series: [WHOLE] for series in sorted(seen)}, differing, {})
    situation = Situation(view.index, acknowledged_to)
    basis, findings = found_in(view, seen, differing, hasher, narrowing, explainer, situation)
    agreed = all(finding.kind in PASSING for finding in findings)
    return Outcome(session, index, view.index, agreed, basis, tuple(findings), 0)


def listed_in_turn(
    known: Iterable[Series],
    turn: int,
    *,
    turns: int,
    always: Iterable[Series] = (),
) -> frozenset[Series]:
    """Return the series of ``known`` to be listed whatever their totals say.

    A share of one in ``turns``, so that after as many sessions every series was listed, and equal
    and opposite errors were seen; and those of ``always``, such as the series of open cases, also
    where they are not known. A series has its turn by its name: which others there are, and in
    which order they came, changes nothing. ``turn`` counts the registry's sessions by totals that
    were answered, so that one that was refused, or a night that was missed, skips nobody. For
    everything there is ``LISTED_ALL``. Raises ValueError unless there is at least one turn.
    """
    if turns < 1:
        raise ValueError(f"{turns} turns; every series needs one")
    return frozenset(always) | {one for one in known if _place_in(one, turns) == turn % turns}


def _place_in(series: Series, turns: int) -> int:
    digest = hashlib.sha256(str(series).encode()).digest()
    return int.from_bytes(digest[:8], "big") % turns
