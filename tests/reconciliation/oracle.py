"""What a session must find, worked out cell by cell from plain dictionaries and counters.

It shares nothing with the code under test but the words: no edges, sums, runs or lookups. It knows
what the ledger has as of an index and what the registry really has, so the differences are certain.
Which cause is named follows the published rule: one movement that explains everything, a loss
before a repetition, the latest first; else, movement by movement, where all that nothing later
touched differs accordingly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reconciliation.discrepancies import FindingKind
from reconciliation.owned import HELD, Owned
from tests.reconciliation.worlds import Cell, Multiset, Truth

Effect = dict[Cell, tuple[Owned | None, Owned | None]]


@dataclass
class Oracle:
    """The ledger's history by cell: the base, and what each entry changed."""

    base: Truth
    effects: dict[int, Effect] = field(default_factory=dict)
    in_flight: dict[int, Effect] = field(default_factory=dict)

    def ledger(self, index: int) -> dict[Cell, Multiset]:
        """Return what the ledger has as of an index."""
        truth = dict(self.base)
        for at, effect in self.effects.items():
            if at <= index:
                for cell, (_, after) in effect.items():
                    if after is None:
                        truth.pop(cell, None)
                    else:
                        truth[cell] = after
        return {cell: Counter([owned]) for cell, owned in truth.items()}


def differences(
    ledger: Mapping[Cell, Multiset], registry: Mapping[Cell, Multiset]
) -> dict[Cell, tuple[Multiset, Multiset]]:
    """Return the cells that differ, with what both sides have."""
    nothing: Multiset = Counter()
    return {
        cell: (ledger.get(cell, nothing), registry.get(cell, nothing))
        for cell in ledger.keys() | registry.keys()
        if ledger.get(cell, nothing) != registry.get(cell, nothing)
    }


def plain_kind(ours: Multiset, theirs: Multiset) -> FindingKind:
    """Return the kind of a difference that no message explains."""
    if ours.total() > 1 or theirs.total() > 1:
        return FindingKind.HELD_TWICE
    if not theirs:
        return FindingKind.MISSING_AT_REGISTRY
    if not ours:
        return FindingKind.MISSING_AT_LEDGER
    (one,), (other,) = ours, theirs
    ended = [status in {"used", "cancelled"} for status in (one[0], other[0])]
    if ended.count(True) == 1 and HELD in {one[0], other[0]}:
        return FindingKind.ENDED_ON_ONE_SIDE
    return FindingKind.ATTRIBUTE_DIFFERS


def _changed(start: Multiset, change: tuple[Owned | None, Owned | None], sign: int) -> Multiset:
    """Return a cell with a change made once more or once less; counts may become negative."""
    result = Counter(start)
    before, after = change
    if before is not None:
        result[before] -= sign
    if after is not None:
        result[after] += sign
    return Counter({owned: count for owned, count in result.items() if count})


def _causes(oracle: Oracle, index: int) -> Iterator[tuple[FindingKind, int, Effect, int]]:
    """Yield all possible causes, the better ones first: kind, entry, effect, sign."""
    latest = sorted(oracle.effects.items(), reverse=True)
    for at, effect in latest:
        if at <= index:
            yield FindingKind.LOST_MESSAGE, at, effect, -1
    for at, effect in latest:
        kind = FindingKind.DOUBLED_MESSAGE if at <= index else FindingKind.TIMING
        yield kind, at, effect, 1
    for at, effect in oracle.in_flight.items():
        yield FindingKind.IN_FLIGHT, at, effect, 1


def _real(effect: Effect) -> Effect:
    return {cell: change for cell, change in effect.items() if change[0] != change[1]}


def single_cause(
    oracle: Oracle, index: int, found: Mapping[Cell, tuple[Multiset, Multiset]]
) -> tuple[FindingKind, int] | None:
    """Return the best single movement that explains all that differs."""
    for kind, at, effect, sign in _causes(oracle, index):
        real = _real(effect)
        if real.keys() == found.keys() and all(
            _changed(found[cell][0], change, sign) == found[cell][1]
            for cell, change in real.items()
        ):
            return kind, at
    return None


def pair_explains(
    oracle: Oracle, index: int, found: Mapping[Cell, tuple[Multiset, Multiset]]
) -> bool:
    """Tell whether two movements together explain all that differs."""
    causes = [(_real(effect), sign) for _, _, effect, sign in _causes(oracle, index)]
    ledger = oracle.ledger(index)
    for place, (one, sign) in enumerate(causes):
        for other, other_sign in causes[place:]:
            result: dict[Cell, Multiset] = {}
            for cell in one.keys() | other.keys():
                start = ledger.get(cell, Counter())
                now = _changed(start, one.get(cell, (None, None)), sign)
                now = _changed(now, other.get(cell, (None, None)), other_sign)
                if now != start:
                    result[cell] = now
            if result == {cell: theirs for cell, (_, theirs) in found.items()}:
                return True
    return False


def kinds_by_cell(
    oracle: Oracle, index: int, found: Mapping[Cell, tuple[Multiset, Multiset]]
) -> dict[Cell, tuple[FindingKind, int | None]]:
    """Return kind and cause of each cell that was drilled down to."""
    kinds: dict[Cell, tuple[FindingKind, int | None]] = {}
    for kind, at, effect, sign in sorted(
        _causes(oracle, index), key=lambda cause: (-cause[1], cause[3])
    ):
        later: set[Cell] = set()
        if at in oracle.effects:
            for other, touched in oracle.effects.items():
                if at < other <= index:
                    later |= _real(touched).keys()
        live = {cell: change for cell, change in _real(effect).items() if cell not in later}
        if live and all(
            cell in found and _changed(found[cell][0], change, sign) == found[cell][1]
            for cell, change in live.items()
        ):
            for cell in live:
                kinds.setdefault(cell, (kind, at))
    for cell, (ours, theirs) in found.items():
        kinds.setdefault(cell, (plain_kind(ours, theirs), None))
    return kinds
