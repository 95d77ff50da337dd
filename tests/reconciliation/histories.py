"""Random histories of a ledger and a registry, damaged or not, each compared and judged.

    python -m tests.reconciliation.histories --count 100000 --seed 1

1. Both sides begin equal, cut into different blocks. The log brings credits, debits, uses,
   cancellations and first transfers; the registry applies them, cuts and joins blocks meanwhile.
2. Somewhere a cut is made. The registry answers then, later or too early, and trading goes on
   between its answers.
3. None, one or several faults: a message lost, doubled, early, in another order; a transfer in
   flight already booked; blocks removed, added, held twice, ended, or one owned field changed, at
   the registry or at the ledger.
4. The findings must be the differences that the oracle counts, cell by cell: none false, none
   missed, the exact serials, both views, the kind and the cause.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from message_schemas import json_codec
from reconciliation import responder
from reconciliation.books import LedgerBook
from reconciliation.compare import Limits
from reconciliation.digests import EdgeHasher
from reconciliation.discrepancies import PASSING, Finding, FindingKind
from reconciliation.explain import Explainer
from reconciliation.messages import Cut, Question, TotalsAsked, series_name
from reconciliation.movements import edge_deltas
from reconciliation.owned import OWNED, Series
from reconciliation.run_states import Basis, Comparison, Outcome
from reconciliation.totals import LISTED_ALL, TotalsComparison, compare_statement, totals_of
from tests.reconciliation.faults import (
    IN_FLIGHT_INDEX,
    LEDGER_FAULTS,
    History,
    Registry,
    add_faults,
    begin,
    choose_faults,
    damage_ledger,
    start_flight,
    write_log,
)
from tests.reconciliation.oracle import (
    Oracle,
    differences,
    kinds_by_cell,
    pair_explains,
    plain_kind,
    single_cause,
)
from tests.reconciliation.sessions import BY, KEY, KEY_ID, SESSION, asked_of, carried, heard
from tests.reconciliation.worlds import (
    Cell,
    Message,
    RegistryBook,
    Truth,
    movement_of,
)

FALLBACK = "CHE02-2"


@dataclass
class Verdict:
    """What a history showed."""

    history: History
    outcome: Outcome
    differing_cells: int
    kinds: Counter[FindingKind]


def play(seed: int) -> Verdict:
    """Play one history; AssertionError, with the seed, where the findings are not what they are."""
    page = responder.PAGE
    try:
        return played(seed)
    finally:
        responder.PAGE = page


def played(seed: int) -> Verdict:
    """Play one history with pages of some length, which the caller puts right again."""
    history = begin(seed)
    dice = history.dice
    history.faults = choose_faults(dice)
    book = RegistryBook(
        history.grid, history.base_index, history.grid.blocks(history.truth.items())
    )
    for fault in history.faults:
        if fault in LEDGER_FAULTS:
            damage_ledger(history, fault)
    hasher = EdgeHasher(KEY)
    ledger_blocks = history.grid.blocks(history.truth.items())
    ledger = LedgerBook(hasher, ledger_blocks, history.base_index)
    oracle = write_log(history)
    explainer = Explainer()
    for movement in history.movements:
        explainer.add(movement, ledger.apply(movement))
    history.cut_index = dice.randint(history.base_index, ledger.head)
    applied = history.cut_index
    if dice.random() < 0.4:
        applied = dice.randint(history.base_index, ledger.head)
    if dice.random() < 0.5:
        history.sums = responder.Sums(KEY)
        for block in book.held:
            history.sums.add(*block)
    registry = Registry(history, book)
    add_faults(history, registry, oracle, applied)
    flight = start_flight(history, oracle, applied) if dice.random() < 0.3 else None
    advance_to_cut(history, registry, applied, flight)
    if flight is not None:
        movement = movement_of(history.grid, flight, plain(oracle.ledger(applied)))
        explainer.add(movement, edge_deltas(hasher, movement.pieces), in_flight=True)
    outcome = converse(history, registry, oracle, ledger, explainer)
    verdict = judge(history, registry, oracle, outcome)
    if seed % 3 == 0:
        fall_back(history, registry, oracle, ledger, explainer)
    return verdict


def fall_back(
    history: History,
    registry: Registry,
    oracle: Oracle,
    ledger: LedgerBook,
    explainer: Explainer,
) -> None:
    """Compare the same books as a statement, or by totals and blocks, and judge that as well."""
    book = registry.book
    view = ledger.view(book.applied_to)
    if history.dice.random() < 0.5:
        outcome = compare_statement(
            FALLBACK, history.cut_index, view, book.held, ledger.hasher, explainer, book.applied_to
        )
    else:
        fields = history.dice.choice([OWNED, ("status",), ()])
        outcome = ask_totals(history, registry, ledger, explainer, fields, LISTED_ALL)
    judge(history, registry, oracle, outcome)


def ask_totals(
    history: History,
    registry: Registry,
    ledger: LedgerBook,
    explainer: Explainer,
    fields: tuple[str, ...],
    listed: tuple[Series, ...] | None,
) -> Outcome:
    """Let the two sides talk by totals and blocks, in JSON; return the outcome."""
    book = registry.book
    comparison = TotalsComparison(
        TotalsAsked(FALLBACK, 1, history.cut_index, BY),
        ledger.view,
        ledger.hasher,
        explainer,
        book.applied_to,
        listed,
    )
    responder.PAGE = max(responder.PAGE, 40)  # totals come in one answer, or not at all
    side = responder.Responder(KEY, KEY_ID, book, history.sums)
    asked: Question | None = comparison.start()
    while asked is not None:
        if isinstance(asked, TotalsAsked) and fields != OWNED:
            kind = "reconciliation.totals"
            answer = carried(kind, totals_answer(asked, book, fields))
        else:
            kind, answer = asked_of(side, asked)
        asked = comparison.receive(heard(kind, answer))
    assert comparison.outcome is not None
    return comparison.outcome


def totals_answer(
    asked: TotalsAsked, book: RegistryBook, fields: tuple[str, ...]
) -> dict[str, Any]:
    """Return the totals of a registry that groups by some attributes alone."""
    rows: dict[Series, list[dict[str, Any]]] = {}
    for (series, cell), units in totals_of(book.held, fields).items():
        values = {n: v for n, v in zip(fields, cell, strict=True) if v is not None}
        rows.setdefault(series, []).append({"values": values, "quantity": units})
    return {
        "session": asked.session,
        "number": asked.number,
        "applied_to": book.applied_to,
        "fields": list(fields),
        "units": [
            {**json_codec.encode_body(series_name(series)), "totals": cells}
            for series, cells in rows.items()
        ],
    }


def plain(ledger: dict[Cell, Counter[tuple[str | None, ...]]]) -> Truth:
    """Return cells that are held once as what they are."""
    return {cell: next(iter(owned)) for cell, owned in ledger.items()}


def advance_to_cut(
    history: History, registry: Registry, applied: int, flight: Message | None
) -> None:
    """Let the registry apply its messages up to where it is when it is first asked."""
    count = sum(message.index <= applied for message in history.messages)
    early = "early" in history.faults and len(history.messages) > count
    for _ in range(count + early):
        registry.edit(registry.to_come.pop(0))
        registry.book.recut(history.dice)
    registry.book.applied_to = applied
    if flight is not None and "in_flight" in history.faults:
        before = Counter(registry.book.held)
        registry.book.apply(flight)
        registry.follow(before)


def converse(
    history: History,
    registry: Registry,
    oracle: Oracle,
    ledger: LedgerBook,
    explainer: Explainer,
) -> Outcome:
    """Let the two sides talk, in JSON, while trading goes on; return the outcome."""
    dice = history.dice
    limits = dice.choice([Limits(), Limits(1, 4, 3), Limits(2, 64, 1), Limits(0, 2, 5)])
    responder.PAGE = dice.choice([1, 3, 7, 10_000, 10_000])
    comparison = Comparison(
        Cut(SESSION, 1, history.cut_index, KEY_ID, BY),
        ledger.view,
        ledger.head,
        explainer,
        lambda index: [m for m in history.movements if index < m.log_index <= history.cut_index],
        limits=limits,
    )
    side = responder.Responder(KEY, KEY_ID, registry.book, history.sums)
    question = comparison.start()
    while True:
        following = comparison.receive(heard(*asked_of(side, question)))
        if following is None:
            break
        question = following
        trade_on(history, registry, oracle)
    assert comparison.outcome is not None
    return comparison.outcome


def trade_on(history: History, registry: Registry, oracle: Oracle) -> None:
    """Let the registry apply more messages, but for those about units that differ.

    A message about those would change the difference between two questions.
    """
    book = registry.book
    book.recut(history.dice)
    if "early" in history.faults or history.dice.random() < 0.5:
        return
    found = differences(oracle.ledger(book.applied_to), book.per_cell())
    reserved = oracle.in_flight.get(IN_FLIGHT_INDEX, {})
    while registry.to_come and history.dice.random() < 0.5:
        following = registry.to_come[0]
        if any(cell in found or cell in reserved for cell in following.cells):
            break
        registry.advance(following.index)


def judge(history: History, registry: Registry, oracle: Oracle, outcome: Outcome) -> Verdict:
    """Compare the findings with what the oracle counts."""
    what = f"seed {history.seed}, faults {history.faults}"
    found = differences(oracle.ledger(outcome.as_of), registry.book.per_cell())
    assert outcome.reason is None, what
    assert not outcome.is_contradictory, what
    assert outcome.as_of == registry.book.applied_to, what
    told: dict[Cell, Finding] = {}
    for finding in outcome.findings:
        first, last = history.grid.cell(finding.first), history.grid.cell(finding.last)
        assert history.grid.first(first) == finding.first, f"{what}: {finding} begins in a cell"
        assert history.grid.first(last + 1) - 1 == finding.last, f"{what}: {finding} ends in one"
        for number in range(first, last + 1):
            assert (finding.series, number) not in told, f"{what}: {finding} told twice"
            told[finding.series, number] = finding
    assert told.keys() == found.keys(), f"{what}: {sorted(told.keys() ^ found.keys())}"
    for cell, (ours, theirs) in found.items():
        views = (Counter(told[cell].ledger), Counter(told[cell].registry))
        assert views == (ours, theirs), f"{what}: {cell} {views}"
    judge_kinds(what, oracle, outcome, found, told)
    assert outcome.agreed == all(f.kind in PASSING for f in outcome.findings), what
    awaited = {finding.cause_index for finding in outcome.awaited}
    due = {m.log_index for m in history.movements if m.log_index <= history.cut_index and m.pieces}
    if not by_fallback(outcome):
        assert awaited == {index for index in due if index > outcome.as_of}, what
    kinds = Counter(finding.kind for finding in outcome.findings)
    return Verdict(history, outcome, len(found), kinds)


def by_fallback(outcome: Outcome) -> bool:
    """Tell whether the outcome is one without digests, which has all blocks at once."""
    return outcome.session != SESSION


def judge_kinds(
    what: str,
    oracle: Oracle,
    outcome: Outcome,
    found: dict[Cell, tuple[Counter[tuple[str | None, ...]], Counter[tuple[str | None, ...]]]],
    told: dict[Cell, Finding],
) -> None:
    """Compare kinds and causes with the published rule, as the oracle applies it."""
    single = single_cause(oracle, outcome.as_of, found) if found else None
    if single is not None and (outcome.question_count == 1 or by_fallback(outcome)):
        expected: dict[Cell, tuple[FindingKind, int | None]] = dict.fromkeys(found, single)
    elif outcome.basis is Basis.EXPLANATION:
        assert pair_explains(oracle, outcome.as_of, found), f"{what}: no two messages explain it"
        causes = {finding.cause_index for finding in outcome.findings} - {None}
        assert len(causes) <= 2, what
        return
    else:
        expected = kinds_by_cell(oracle, outcome.as_of, found)
    for cell, (kind, index) in expected.items():
        heard = (told[cell].kind, told[cell].cause_index)
        plain_one = plain_kind(*found[cell])
        assert heard == (kind, index), (
            f"{what}: {cell} is {kind} {index} ({plain_one}), not {heard}"
        )


def main() -> int:
    """Play histories from the command line and print what they held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    kinds: Counter[str] = Counter()
    bases: Counter[str] = Counter()
    differing = failures = 0
    for seed in range(options.seed, options.seed + options.count):
        try:
            verdict = play(seed)
        except Exception as error:  # noqa: BLE001 - each failure is told, and the rest goes on
            failures += 1
            print(f"seed {seed}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
            continue
        kinds.update({kind.value: count for kind, count in verdict.kinds.items()})
        bases[verdict.outcome.basis.value] += 1
        differing += verdict.differing_cells > 0
    seconds = time.perf_counter() - started
    print(f"{options.count} histories in {seconds:.1f} s, {differing} with a difference")
    print(f"ended by: {dict(bases)}")
    print(f"findings: {dict(kinds)}")
    print(f"false, missed or misplaced: {failures}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
