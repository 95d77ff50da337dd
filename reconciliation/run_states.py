"""One session with one registry: a state machine that is given answers and gives questions.

    cut sent -> explaining -> series asked -> narrowing -> done
                    |                                      ^
                    +--- equal, or one or two messages ----+

1. The cut goes out with the index N. The answer names M, up to where the registry has applied its
   messages: M > N, it has gone on trading; M < N, messages are still on their way to it.
2. The ledger's view as of M is compared with the digest. Equal: done, after one question.
3. The difference is explained if one or two messages make it. Otherwise: series, chunks, blocks.
4. Each answer may name a later M; it is compared with the ledger as of that M.
5. The outcome has the findings. What a registry that is behind N has not come to yet is listed as
   ``awaited``, of the kind timing, whatever else was found.

One question is out at a time. An answer to another question is passed over, so answers may come
twice or late; the machine is rebuilt after a restart by giving it the answers again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reconciliation.books import LedgerView, Window
from reconciliation.compare import LIMITS, Limits, Narrowing, predicted_runs
from reconciliation.digests import MASK, SERIES_SHIFT, Chunks
from reconciliation.discrepancies import PASSING, Finding, FindingKind, classified, explained
from reconciliation.explain import Explainer, Situation
from reconciliation.messages import (
    Answer,
    Blocks,
    BlocksAsked,
    Cut,
    CutAck,
    Digests,
    DigestsAsked,
    MessageError,
    Question,
    Refused,
    Windows,
)
from reconciliation.movements import Movement
from reconciliation.owned import OWNED, Series
from reconciliation.steps import StepError

WINDOWS_MAX: Final = 2_000
"""Windows in one question; what is too much for one answer, the registry leaves for the next."""

QUESTIONS_MAX: Final = 100_000
"""Questions in one session: pages enough for 10^9 blocks."""


class RunState(StrEnum):
    """Where a session stands."""

    NEW = "new"
    CUT = "cut"
    SERIES = "series"
    NARROWING = "narrowing"
    DONE = "done"
    REFUSED = "refused"


class Basis(StrEnum):
    """What the outcome rests on."""

    DIGESTS = "digests"
    EXPLANATION = "explanation"
    BLOCKS = "blocks"
    TOTALS = "totals"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended.

    ``session`` is the name in the cut, ``index`` its N, ``as_of`` the M of the last answer.
    ``agreed``: nothing differs but what is still on its way. ``awaited``: what lies between M and
    N, when M < N; it has to come through the channel, and is no finding at M. ``reason`` says why
    there is no comparison, if there is none. ``is_contradictory``: the registry's answers cannot
    all be true; run again. ``by_totals_alone``: series of which no blocks were seen, so that equal
    and opposite errors would show in none. ``compared``: the owned attributes that both sides told;
    a statement may speak of some alone. ``is_partial``: so something was not compared, and where
    nothing differs, nothing is proved clean.
    """

    session: str
    index: int
    as_of: int
    agreed: bool
    basis: Basis
    findings: tuple[Finding, ...]
    question_count: int
    awaited: tuple[Finding, ...] = ()
    reason: str | None = None
    is_contradictory: bool = False
    by_totals_alone: tuple[Series, ...] = ()
    compared: tuple[str, ...] = OWNED
    is_partial: bool = False


class Comparison:
    """The hub's side of a session.

    ``view_at`` gives the ledger's view as of an index from the last good cut to ``head``;
    ``explainer`` knows the movements since the last good cut, those after N too; ``pending`` gives
    the movements after an index up to N. ``acknowledged_to`` is the index up to where the registry
    acknowledged its messages, where that is not what it says of itself.
    """

    def __init__(
        self,
        cut: Cut,
        view_at: Callable[[int], LedgerView],
        head: int,
        explainer: Explainer,
        pending: Callable[[int], Sequence[Movement]],
        acknowledged_to: int | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.state = RunState.NEW
        self.outcome: Outcome | None = None
        self._cut, self._view_at, self._head = cut, view_at, head
        self._explainer, self._pending = explainer, pending
        self._acknowledged_to = acknowledged_to
        self._narrowing = Narrowing(explainer, limits)
        self._asked: Question = cut
        self._count = 0
        self._as_of = -1
        self._view: LedgerView | None = None

    def start(self) -> Question:
        """Return the cut, to be sent through the registry's ordered channel."""
        self.state, self._count = RunState.CUT, 1
        return self._cut

    def receive(self, answer: Answer) -> Question | None:
        """Take an answer and return the next question; None if there is none, or no need.

        Raises MessageError if the answer is not one to the question; the state stays as it was.
        """
        if self.outcome is not None or not self._is_awaited(answer):
            return None
        if isinstance(answer, Refused):
            self.state = RunState.REFUSED
            self._finish(Basis.DIGESTS, (), agreed=False, reason=answer.reason)
            return None
        view = self._view_as_of(answer.applied_to)
        match answer, self._asked:
            case CutAck(digest=digest), Cut():
                self._move_to(view)
                return self._compare_roots(view, digest)
            case Digests(chunks=chunks, more=more), DigestsAsked(after=after, windows=windows) if (
                not windows
            ):
                last = series_reached(chunks, after, more=more)
                self._move_to(view)
                self._narrowing.take_series(view, chunks, self._situation(), after, last)
                if last is not None:
                    return self._ask(self._series_asked(last))
                self.state = RunState.NARROWING
            case Digests(chunks=chunks, more=more), DigestsAsked(shift=shift, windows=windows):
                told, rest = answered(shift, windows, chunks) if more else (windows, {})
                self._move_to(view)
                self._narrowing.take_digests(view, shift, told, chunks)
                self._narrowing.ask_again(shift, rest)
            case Blocks(blocks=blocks, rest=rest), BlocksAsked(windows=windows):
                require_progress(windows, rest)
                self._move_to(view)
                self._narrowing.take_blocks(view, windows, blocks, rest)
            case _:
                raise MessageError(f"{type(answer).__name__} is no answer to the question asked")
        return self._next()

    # --- steps ---------------------------------------------------------------------------------

    def _is_awaited(self, answer: Answer) -> bool:
        asked = self._asked
        return (answer.session, answer.number) == (asked.session, asked.number)

    def _view_as_of(self, index: int) -> LedgerView:
        if index > self._head:
            raise MessageError(
                f"the log ends at {self._head}, so nothing can be applied to {index}"
            )
        if index < self._as_of:
            raise MessageError(f"applied to {index}, after it was {self._as_of}")
        if self._view is not None and self._view.index == index:
            return self._view
        try:
            return self._view_at(index)
        except ValueError as error:
            raise MessageError(f"applied to {index}: {error}") from None

    def _move_to(self, view: LedgerView) -> None:
        self._view, self._as_of = view, view.index

    def _situation(self) -> Situation:
        acknowledged = self._acknowledged_to
        return Situation(self._as_of, self._as_of if acknowledged is None else acknowledged)

    def _compare_roots(self, view: LedgerView, digest: int) -> Question | None:
        difference = digest - view.root & MASK
        if not difference:
            self._finish(Basis.DIGESTS, ())
            return None
        causes = self._explainer.of_all(difference, self._situation())
        if causes is not None:
            try:
                found = explained(predicted_runs(view, causes), causes)
            except StepError:
                found = []
            if found:
                self._finish(Basis.EXPLANATION, found)
                return None
        self.state = RunState.SERIES
        return self._ask(self._series_asked(None))

    def _series_asked(self, after: Series | None) -> DigestsAsked:
        return DigestsAsked(self._cut.session, self._number(), SERIES_SHIFT, after=after)

    def _next(self) -> Question | None:
        narrowing = self._narrowing
        if narrowing.digest_windows:
            shift = max(narrowing.digest_windows)
            windows = taken(narrowing.digest_windows[shift], WINDOWS_MAX)
            if not narrowing.digest_windows[shift]:
                del narrowing.digest_windows[shift]
            return self._ask(DigestsAsked(self._cut.session, self._number(), shift, windows))
        if narrowing.block_windows:
            windows = taken(narrowing.block_windows, WINDOWS_MAX)
            return self._ask(BlocksAsked(self._cut.session, self._number(), windows))
        assert self._view is not None, "an answer was received"
        differing = narrowing.differing(self._view)
        self._finish(Basis.BLOCKS, classified(differing, self._explainer, self._situation()))
        return None

    def _ask(self, question: Question) -> Question | None:
        if self._count >= QUESTIONS_MAX:
            self._finish(Basis.BLOCKS, (), agreed=False, reason="the answers come to no end")
            return None
        self._asked = question
        self._count += 1
        return question

    def _number(self) -> int:
        return self._asked.number + 1

    def _finish(
        self,
        basis: Basis,
        findings: Sequence[Finding],
        *,
        agreed: bool | None = None,
        reason: str | None = None,
    ) -> None:
        if reason is None:
            self.state = RunState.DONE
        self.outcome = Outcome(
            self._cut.session,
            self._cut.index,
            self._as_of,
            not any(finding.kind not in PASSING for finding in findings)
            if agreed is None
            else agreed,
            basis,
            tuple(findings),
            self._count,
            () if reason is not None else tuple(self._awaited()),
            reason,
            self._narrowing.is_contradictory,
        )

    def _awaited(self) -> Iterator[Finding]:
        """Yield what the registry has not come to yet: the ledger as of N, the registry as of M."""
        if self._as_of >= self._cut.index:
            return
        for movement in self._pending(self._as_of):
            for piece in movement.pieces:
                yield Finding(
                    FindingKind.TIMING,
                    piece.series,
                    piece.first,
                    piece.last,
                    () if piece.after is None else (piece.after,),
                    () if piece.before is None else (piece.before,),
                    cause_index=movement.log_index,
                    reference=movement.reference,
                )


def taken(windows: dict[Series, list[Window]], count: int) -> dict[Series, list[Window]]:
    """Take away at most so many windows, in order, and return them."""
    found: dict[Series, list[Window]] = {}
    for series in list(windows):
        if count <= 0:
            break
        found[series] = windows[series][:count]
        count -= len(found[series])
        del windows[series][: len(found[series])]
        if not windows[series]:
            del windows[series]
    return found


def series_reached(chunks: Chunks, after: Series | None, *, more: bool) -> Series | None:
    """Return the series behind which the answer goes on; None if it is whole.

    Raises MessageError for series that were not asked for, and where nothing is told.
    """
    if after is not None and any(series <= after for series in chunks):
        raise MessageError(f"series up to {after} were not asked for again")
    if more and not chunks:
        raise MessageError("nothing was answered, and there is said to be more")
    return max(chunks) if more else None


def answered(shift: int, asked: Windows, chunks: Chunks) -> tuple[Windows, Windows]:
    """Return which of the windows asked for an answer with ``more`` told, and which are left.

    It told everything up to the last chunk of the last series it names. MessageError if that is
    in no window.
    """
    told: dict[Series, list[Window]] = {}
    left: dict[Series, list[Window]] = {}
    last_series = next(reversed(chunks), None)
    last = max(chunks[last_series], default=-1) if last_series is not None else -1
    end = ((last + 1) << shift) - 1
    into = told
    for series, windows in asked.items():
        for low, high in windows:
            if series != last_series or not low >> shift <= last <= high >> shift:
                into.setdefault(series, []).append((low, high))
                continue
            told.setdefault(series, []).append((low, min(high, end)))
            if end < high:
                left.setdefault(series, []).append((end + 1, high))
            into = left
    if into is told:
        raise MessageError("there is said to be more, behind what was not asked for")
    return told, left


def require_progress(asked: Windows, rest: Windows) -> None:
    """Make sure that what is left ends windows asked for, one each; MessageError if not."""
    ends = {(series, high): low for series, windows in asked.items() for low, high in windows}
    left = 0
    for series, windows in rest.items():
        for low, high in windows:
            start = ends.pop((series, high), None)
            if start is None or low < start:
                raise MessageError(f"{series} {low} to {high} was not asked")
            left += high - low + 1
    if left >= sum(high - low + 1 for windows in asked.values() for low, high in windows):
        raise MessageError("nothing was answered: what is left is all that was asked")
