"""The narrowing down: from series whose digests differ to the serials that differ.

1. A series that differs is first explained: if one known movement makes the difference, then what
   the registry has is known without asking.
2. Otherwise its positions are cut into chunks, at the finest shift that gives no more than 64 of
   them, and only chunks that differ are cut again. Few blocks are asked for at once.
3. When more than a fifth of many chunks differ, their blocks are asked for without cutting again;
   when more than half do, those of the whole window: the cost is then that of a plain list.
4. The registry's blocks of the windows are laid beside the ledger's. Between windows the edges are
   equal, so what differs at the end of one window differs on, by the same, up to the next.

What the two sides have is always compared as of one index, the one the registry's answer names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from reconciliation.books import LedgerView, Window
from reconciliation.digests import FINEST_SHIFT, KEPT_SHIFTS, MASK, SERIES_SHIFT, Chunks
from reconciliation.explain import Cause, Explainer, Situation
from reconciliation.messages import Windows
from reconciliation.movements import Countable, countables
from reconciliation.owned import POSITION_MAX, Block, Series
from reconciliation.steps import Run, StepError, clipped, differing, runs

WHOLE: Final[Window] = (0, POSITION_MAX)
_SHIFTS: Final = (*(shift for shift in KEPT_SHIFTS if shift < SERIES_SHIFT), FINEST_SHIFT)


class Limits(NamedTuple):
    """When to stop cutting: by the bytes they save, any limits find the same.

    ``blocks``: few enough to be asked for at once. ``chunks``: what a window is cut into at most.
    ``many``: chunks that differ, from which on their share decides.
    """

    blocks: int = 64
    chunks: int = 64
    many: int = 32


LIMITS: Final = Limits()


@dataclass
class _Listed:
    """What is known of a series' windows: where asked, and what each side has there."""

    windows: list[Window] = field(default_factory=list)
    ledger: list[Countable] = field(default_factory=list)
    registry: list[Countable] = field(default_factory=list)


class Narrowing:
    """What is still to be asked, and what has been found, in one session.

    ``digest_windows`` (by shift) and ``block_windows`` are the questions to ask next; whoever asks
    takes them away. ``is_contradictory`` is set when the answers cannot all be true together.
    """

    def __init__(self, explainer: Explainer, limits: Limits = LIMITS) -> None:
        self._explainer, self._limits = explainer, limits
        self._listed: dict[Series, _Listed] = {}
        self._predicted: dict[Series, list[Run]] = {}
        self.digest_windows: dict[int, dict[Series, list[Window]]] = {}
        self.block_windows: dict[Series, list[Window]] = {}
        self.is_contradictory = False

    def take_series(
        self,
        view: LedgerView,
        chunks: Chunks,
        situation: Situation,
        after: Series | None = None,
        up_to: Series | None = None,
    ) -> None:
        """Compare the digests of whole series; explain, or plan to look closer, where they differ.

        Series that the registry names and the ledger does not know, and the other way round, count;
        of a page those behind ``after`` and up to ``up_to``.
        """
        known = view.level(SERIES_SHIFT)
        for series in sorted(known.keys() | chunks.keys()):
            if (after is not None and series <= after) or (up_to is not None and series > up_to):
                continue
            theirs, ours = chunks.get(series, {}).get(0, 0), known.get(series, {}).get(0, 0)
            if theirs == ours:
                continue
            cause = self._explainer.of_series(series, theirs - ours & MASK, situation)
            if cause is None or not self._predict(view, series, cause):
                self._look_into(view, series, WHOLE, SERIES_SHIFT)

    def _predict(self, view: LedgerView, series: Series, cause: Cause) -> bool:
        try:
            found = predicted_runs(view, [cause], [series])
        except StepError:
            return False
        self._predicted.update(found)
        return True

    def take_digests(self, view: LedgerView, shift: int, asked: Windows, chunks: Chunks) -> None:
        """Compare the digests of windows that were asked for, and plan the next step."""
        for series, windows in asked.items():
            of_series = chunks.get(series, {})
            for window in windows:
                low, high = window[0] >> shift, window[1] >> shift
                theirs = {c: value for c, value in of_series.items() if low <= c <= high}
                ours = view.digests(shift, series, window)
                found = sorted(
                    chunk
                    for chunk in theirs.keys() | ours.keys()
                    if theirs.get(chunk, 0) != ours.get(chunk, 0)
                )
                self._plan(view, series, window, shift, found, len(theirs.keys() | ours.keys()))

    def ask_again(self, shift: int, windows: Windows) -> None:
        """Plan to ask for windows first of which the last answer told nothing."""
        following = self.digest_windows.pop(shift, {})
        before = {series: list(its) for series, its in windows.items()}
        for series, its in following.items():
            before.setdefault(series, []).extend(its)
        if before:
            self.digest_windows[shift] = before

    def _plan(
        self,
        view: LedgerView,
        series: Series,
        window: Window,
        shift: int,
        found: Sequence[int],
        chunk_count: int,
    ) -> None:
        many = len(found) >= self._limits.many
        if many and 2 * len(found) > chunk_count:
            self._ask_blocks(series, window)
            return
        for chunk in found:
            inner = (chunk << shift, min(POSITION_MAX, ((chunk + 1) << shift) - 1))
            if many and 5 * len(found) > chunk_count:
                self._ask_blocks(series, inner)
            else:
                self._look_into(view, series, inner, shift)

    def _look_into(self, view: LedgerView, series: Series, window: Window, above: int) -> None:
        """Ask for digests at a finer shift than ``above``, or for the blocks if they are few."""
        if view.block_count(series, window) <= self._limits.blocks:
            self._ask_blocks(series, window)
            return
        low, high = view.span(series) or window
        low, high = max(low, window[0]), min(high, window[1])
        finer = [shift for shift in _SHIFTS if shift < above]
        fitting = [
            shift for shift in finer if (high >> shift) - (low >> shift) < self._limits.chunks
        ]
        if not finer:
            self._ask_blocks(series, window)
        else:
            shift = min(fitting) if fitting else max(finer)
            by_series = self.digest_windows.setdefault(shift, {})
            by_series.setdefault(series, []).append(window)

    def _ask_blocks(self, series: Series, window: Window) -> None:
        windows = self.block_windows.setdefault(series, [])
        if windows and windows[-1][1] + 1 == window[0]:
            windows[-1] = (windows[-1][0], window[1])
        else:
            windows.append(window)

    def take_blocks(
        self, view: LedgerView, asked: Windows, blocks: Iterable[Block], rest: Windows
    ) -> None:
        """Lay the blocks of windows beside the ledger's; ``rest`` has not been answered yet."""
        by_series: dict[Series, list[Countable]] = {}
        for series, first, last, owned in blocks:
            by_series.setdefault(series, []).append(Countable(first, last, owned, 1))
        for series, windows in asked.items():
            listed = self._listed.setdefault(series, _Listed())
            open_windows = rest.get(series, ())
            for low, high in windows:
                start = min(
                    (first for first, last in open_windows if low <= last <= high), default=high + 1
                )
                if start <= low:
                    continue
                window = (low, start - 1)
                listed.windows.append(window)
                listed.ledger += view.items(series, window)
                listed.registry += clipped(by_series.get(series, ()), *window)
        for series, open_windows in rest.items():
            for window in open_windows:
                self._ask_blocks(series, window)

    def differing(self, view: LedgerView) -> dict[Series, list[Run]]:
        """Return, by series, the runs on which the sides differ, when nothing is left to ask."""
        found = dict(self._predicted)
        for series, listed in self._listed.items():
            ledger, registry = self._bridged(view, series, listed)
            different = differing(ledger, registry)
            if different:
                found[series] = different
        return found

    def _bridged(
        self, view: LedgerView, series: Series, listed: _Listed
    ) -> tuple[list[Countable], list[Countable]]:
        """Return both sides with the gaps between windows filled where a difference goes on."""
        ledger, registry = list(listed.ledger), list(listed.registry)
        windows = sorted(listed.windows)
        ends = [window[1] for window in windows]
        at_end: dict[int, Run] = {}
        position = 0
        for run in runs(listed.ledger, listed.registry):
            while position < len(ends) and ends[position] < run.first:
                position += 1
            for end in ends[position:]:
                if end > run.last:
                    break
                at_end[end] = run
        for number, (_, end) in enumerate(windows):
            after = windows[number + 1][0] if number + 1 < len(windows) else POSITION_MAX + 1
            last = at_end.get(end)
            if last is None or last.ledger == last.registry or after == end + 1:
                continue
            if number + 1 == len(windows):
                self.is_contradictory = True
                continue
            between = (end + 1, after - 1)
            ours = view.items(series, between)
            ledger += ours
            registry += ours
            for side, sign in ((last.registry, 1), (last.ledger, -1)):
                registry += [Countable(*between, owned, sign) for owned in side]
        return ledger, registry


def predicted_runs(
    view: LedgerView, causes: Sequence[Cause], only: Iterable[Series] | None = None
) -> dict[Series, list[Run]]:
    """Return the runs on which the sides differ if the causes are all there is.

    Raises StepError if the registry would have less than nothing of a unit.
    """
    touched: dict[Series, list[Countable]] = {}
    for cause in causes:
        for piece in cause.movement.pieces:
            touched.setdefault(piece.series, []).extend(countables([piece], cause.sign))
    wanted = touched.keys() if only is None else touched.keys() & set(only)
    found: dict[Series, list[Run]] = {}
    for series in wanted:
        changes = touched[series]
        low, high = min(c.first for c in changes), max(c.last for c in changes)
        ledger = view.items(series, (low, high))
        different = differing(ledger, ledger + changes)
        if different:
            found[series] = different
    return found
