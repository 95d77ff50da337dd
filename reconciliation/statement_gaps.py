"""A statement that does not speak of everything, made comparable with the ledger.

1. An attribute without a column is not compared. A block gets it from the ledger where the rest
   agrees; where it does not, from the latest movement whose values before or after agree, so that
   a lost or doubled message is still recognised; else from the ledger, with what the statement says
   put in its place.
2. A statement without statuses lists held units. Units that the ledger has used or cancelled and
   the statement does not list are taken as agreed; a listed one is held at the registry.
3. In the findings only what was compared is shown, of both sides: nothing that was filled in is
   ever told as the registry's word.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from reconciliation.books import LedgerView
from reconciliation.compare import WHOLE
from reconciliation.digests import SERIES_SHIFT
from reconciliation.discrepancies import Finding
from reconciliation.explain import Explainer
from reconciliation.movements import Countable, Moved
from reconciliation.owned import HELD, OWNED, Block, Owned, Series
from reconciliation.run_states import Outcome
from reconciliation.statements import Statement
from reconciliation.steps import View, runs

_STATUS: Final = OWNED.index("status")


def is_partial(statement: Statement) -> bool:
    """Tell whether a statement leaves something open that both sides own."""
    return statement.held_alone or statement.compared != OWNED


def completed(statement: Statement, view: LedgerView, explainer: Explainer) -> list[Block]:
    """Return the statement's blocks with every owned attribute; the same if none is missing."""
    if not is_partial(statement):
        return statement.blocks
    by_series: dict[Series, list[Countable]] = {}
    for series, first, last, owned in statement.blocks:
        by_series.setdefault(series, []).append(Countable(first, last, owned, 1))
    known = view.level(SERIES_SHIFT).keys() | by_series.keys()
    filler = _Filler(statement, explainer)
    return [
        block
        for series in sorted(known)
        for block in filler.blocks(series, view.items(series, WHOLE), by_series.get(series, ()))
    ]


class _Filler:
    """Fills in what one statement does not speak of."""

    def __init__(self, statement: Statement, explainer: Explainer) -> None:
        self._held_alone, self._explainer = statement.held_alone, explainer
        self._compared = tuple(OWNED.index(name) for name in statement.compared)

    def blocks(
        self, series: Series, ledger: Iterable[Countable], registry: Iterable[Countable]
    ) -> Iterator[Block]:
        """Yield the blocks of a series, cut where the ledger's are."""
        for first, last, ours, theirs in runs(ledger, registry):
            if self._held_alone and not theirs:
                for owned in ours:
                    if owned[_STATUS] != HELD:
                        yield Block(series, first, last, owned)
            for owned in theirs:
                yield from self._filled(series, first, last, ours, owned)

    def _filled(
        self, series: Series, first: int, last: int, ours: View, said: Owned
    ) -> Iterator[Block]:
        now = ours[0] if ours else None
        if now is not None and self._agrees(now, said):
            yield Block(series, first, last, now)
            return
        over = self._explainer.pieces_over(series, first, last)
        cuts = {first, last + 1}
        for _, piece, _ in over:
            cuts |= {max(first, piece.first), min(last, piece.last) + 1}
        for low, after in pairwise(sorted(cuts)):
            here = [moved for moved in over if moved.piece.first <= low <= moved.piece.last]
            yield Block(series, low, after - 1, self._best(now, said, here))

    def _best(self, now: Owned | None, said: Owned, over: Iterable[Moved]) -> Owned:
        latest = sorted(over, key=lambda moved: (moved.in_flight, -moved.movement.log_index))
        for _, piece, _ in latest:
            for owned in (piece.before, piece.after):
                if owned is not None and self._agrees(owned, said):
                    return owned
        if now is None:
            return said
        return tuple(said[n] if n in self._compared else now[n] for n in range(len(OWNED)))

    def _agrees(self, owned: Owned, said: Owned) -> bool:
        return all(owned[place] == said[place] for place in self._compared)


def shown(outcome: Outcome, statement: Statement) -> Outcome:
    """Return an outcome in which the findings show what the statement speaks of alone."""
    if not is_partial(statement):
        return outcome
    compared = statement.compared
    hidden = _hiding(compared)
    findings: list[Finding] = []
    for finding in outcome.findings:
        found = replace(
            finding,
            ledger=hidden(finding.ledger),
            registry=hidden(finding.registry),
            fields=tuple(name for name in finding.fields if name in compared),
        )
        if findings and _is_continued(findings[-1], found):
            found = replace(found, first=findings.pop().first)
        findings.append(found)
    return replace(outcome, findings=tuple(findings), compared=compared, is_partial=True)


def _hiding(compared: Sequence[str]) -> Callable[[View], View]:
    def hidden(view: View) -> View:
        return tuple(
            tuple(
                value if name in compared else None
                for name, value in zip(OWNED, owned, strict=True)
            )
            for owned in view
        )

    return hidden


def _is_continued(left: Finding, right: Finding) -> bool:
    return right == replace(left, first=right.first, last=right.last) and (
        left.last + 1 == right.first
    )
