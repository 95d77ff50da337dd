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
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from reconciliation import responder
from reconciliation.books import LedgerBook
from reconciliation.compare import Limits
from reconciliation.digests import EdgeHasher
from reconciliation.discrepancies import PASSING, Finding, FindingKind
from reconciliation.explain import Explainer
from reconciliation.messages import Cut, answer_from_json
from reconciliation.movements import Movement, edge_deltas
from reconciliation.owned import OWNED, POSITION_MAX, Block
from reconciliation.run_states import Basis, Comparison, Outcome
from tests.reconciliation.oracle import (
    Oracle,
    differences,
    kinds_by_cell,
    pair_explains,
    plain_kind,
    single_cause,
)
from tests.reconciliation.worlds import (
    CELLS,
    SCALES,
    SERIES,
    Cell,
    Grid,
    Message,
    RegistryBook,
    Truth,
    movement_of,
    values,
    with_field,
)

KEY = bytes(range(64))
KEY_ID = "CHE02-2026"
MESSAGE_FAULTS = ("lost", "doubled", "early", "in_flight", "reordered")
BOOK_FAULTS = ("removed", "added", "held_twice", "ended", "field")
LEDGER_FAULTS = ("ledger_removed", "ledger_added", "ledger_field")
IN_FLIGHT_INDEX = 10**9


@dataclass
class History:
    """One history: what was done, and what came of it."""

    seed: int
    dice: random.Random
    grid: Grid
    base_index: int
    truth: Truth = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    cut_index: int = 0
    sums: responder.Sums | None = None

    def runs(self, count: int = 2) -> list[Cell]:
        """Return the cells of one to `count` runs, anywhere."""
        cells: list[Cell] = []
        for _ in range(self.dice.randint(1, count)):
            series, start = self.dice.choice(SERIES), self.dice.randrange(CELLS)
            end = min(CELLS, start + self.dice.randint(1, 8))
            cells += [(series, number) for number in range(start, end)]
        return sorted(set(cells))


def begin(seed: int) -> History:
    """Return a history with units and no messages yet."""
    dice = random.Random(seed)
    scale = dice.choice(SCALES)
    length = scale * CELLS
    origins = [1, 2, 2**16 - length // 2, 2**26 - length // 2, POSITION_MAX - length, 10**9]
    grid = Grid(scale, dice.choice([origin for origin in origins if origin > 0]))
    history = History(seed, dice, grid, dice.randrange(1000))
    for _ in range(dice.randint(0, 12)):
        status = dice.choice(["held", "held", "held", "used", "cancelled"])
        owned = values(dice.randrange(4), status, dice.choice(["yes", "yes", "no"]))
        history.truth.update(dict.fromkeys(history.runs(1), owned))
    return history


def write_log(history: History) -> Oracle:
    """Write the log from what the ledger has; return what it did to each cell."""
    dice, truth = history.dice, history.truth
    oracle = Oracle(dict(truth))
    index = history.base_index
    left: Truth = {}
    for _ in range(dice.randint(0, 12)):
        index += dice.randint(1, 3)
        message = next_message(history, index, left)
        if message is None:
            continue
        before = {cell: truth.get(cell) for cell in message.cells}
        history.movements.append(movement_of(history.grid, message, truth))
        oracle.effects[index] = {cell: (before[cell], truth.get(cell)) for cell in message.cells}
        history.messages.append(message)
        left.update({c: o for c, o in before.items() if o is not None and c not in truth})
    return oracle


def next_message(history: History, index: int, left: Truth) -> Message | None:
    """Return a message that the ledger can follow, None if the dice found none."""
    dice, truth = history.dice, history.truth
    act = dice.choice(["credit", "credit", "debit", "use", "cancel", "first", "return"])
    cells = history.runs(3)
    if act == "return":  # units come back as they went
        gone = sorted(cell for cell in left if cell not in truth)
        value = left[dice.choice(gone)] if gone else None
        cells = [cell for cell in gone if left[cell] == value]
        return Message(index, "credit", tuple(cells), value) if cells else None
    if act == "credit":
        cells = [cell for cell in cells if cell not in truth]
        value = values(dice.randrange(4))
        return Message(index, "credit", tuple(cells), value) if cells else None
    field_, text = {"use": ("status", "used"), "cancel": ("status", "cancelled")}.get(
        act, ("first_transferred", "yes")
    )
    place = OWNED.index(field_)
    needed = "no" if act == "first" else "held"
    cells = [c for c in cells if c in truth and truth[c][place if act == "first" else 0] == needed]
    if not cells:
        return None
    if act == "debit":
        return Message(index, "debit", tuple(cells))
    return Message(index, "change", tuple(cells), None, field_, text)


def damage_ledger(history: History, fault: str) -> None:
    """Make the ledger's book wrong at its base, before anything else happens."""
    truth, dice = history.truth, history.dice
    cells = history.runs(1)
    if fault == "ledger_added":
        owned = values(dice.randrange(4))
        truth.update({cell: owned for cell in cells if cell not in truth})
    elif fault == "ledger_removed":
        for cell in cells:
            truth.pop(cell, None)
    else:
        name = dice.choice(OWNED)
        for cell in cells:
            if cell in truth:
                truth[cell] = with_field(truth[cell], name, other_value(history, name))


def other_value(history: History, name: str) -> str | None:
    """Return a value that no unit of these histories begins with, or another status."""
    if name == "status":
        return history.dice.choice(["held", "used", "cancelled"])
    if name == "first_transferred":
        return history.dice.choice(["no", "yes"])
    return history.dice.choice(["", "other", "ünïcode", "5:Other", None])


def damage_registry(history: History, book: RegistryBook, fault: str) -> None:
    """Do one thing to the registry's book that no message said."""
    cells = history.runs(1)
    there = book.per_cell()
    held = [cell for cell in cells if cell in there]
    if fault == "added":
        free = [cell for cell in cells if cell not in there]
        book.add(free, values(history.dice.randrange(4)))
    elif fault == "held_twice":
        for cell in held:
            book.add([cell], next(iter(there[cell])))
    elif fault == "removed":
        book.change(held, lambda _: None)
    else:
        name = "status" if fault == "ended" else history.dice.choice(OWNED)
        ended = history.dice.choice(["used", "cancelled"])
        value = ended if fault == "ended" else other_value(history, name)
        book.change(held, lambda owned: with_field(owned, name, value))


class Registry:
    """The registry's side: applies the messages in order, with the faults it was given."""

    def __init__(self, history: History, book: RegistryBook) -> None:
        self.history, self.book = history, book
        self.to_come = list(history.messages)
        self.lost: set[int] = set()
        self.doubled: set[int] = set()
        self.damages: dict[int, list[str]] = {}

    def advance(self, to: int) -> None:
        """Apply messages up to an index."""
        while self.to_come and self.to_come[0].index <= to:
            message = self.to_come.pop(0)
            self.edit(message)
            self.book.recut(self.history.dice)
        self.book.applied_to = max(self.book.applied_to, to)

    def edit(self, message: Message) -> None:
        """Apply one message, and what goes wrong with it; the kept sums follow."""
        before = Counter(self.book.held)
        if message.index not in self.lost:
            self.book.apply(message)
        if message.index in self.doubled:
            self.book.apply(message)
        for fault in self.damages.get(message.index, ()):
            damage_registry(self.history, self.book, fault)
        self.follow(before)

    def follow(self, before: Counter[Block]) -> None:
        """Bring the kept sums up to what the book has become."""
        if self.history.sums is not None:
            after = Counter(self.book.held)
            for block in (before - after).elements():
                self.history.sums.add(*block, sign=-1)
            for block in (after - before).elements():
                self.history.sums.add(*block)


def add_faults(history: History, registry: Registry, oracle: Oracle, applied: int) -> None:
    """Choose what goes wrong on the registry's side before it is asked."""
    dice = history.dice
    before = [message for message in history.messages if message.index <= applied]
    after = [message for message in history.messages if message.index > applied]
    for fault in history.faults:
        if fault == "lost" and before:
            registry.lost.add(dice.choice(before).index)
        elif fault == "doubled" and any(message.act == "credit" for message in before):
            credited = [message.index for message in before if message.act == "credit"]
            registry.doubled.add(dice.choice(credited))
        elif fault == "early" and after:
            early = dice.choice(after)
            registry.to_come.remove(early)
            registry.to_come.insert(len(before), early)
        elif fault == "reordered" and len(before) > 1:
            place = dice.randrange(len(before) - 1)
            to_come = registry.to_come
            to_come[place], to_come[place + 1] = to_come[place + 1], to_come[place]
        elif fault in BOOK_FAULTS:
            at = dice.choice(before).index if before and dice.random() < 0.5 else None
            if at is None:
                held = Counter(registry.book.held)
                damage_registry(history, registry.book, fault)
                registry.follow(held)
            else:
                registry.damages.setdefault(at, []).append(fault)


def start_flight(history: History, oracle: Oracle, applied: int) -> Message | None:
    """Return a transfer that is only reserved at the index, and note what it would do."""
    ledger = oracle.ledger(applied)
    cells = [c for c in history.runs(1) if c in ledger and next(iter(ledger[c]))[0] == "held"]
    if not cells:
        return None
    message = Message(IN_FLIGHT_INDEX, "debit", tuple(cells))
    oracle.in_flight[IN_FLIGHT_INDEX] = {cell: (next(iter(ledger[cell])), None) for cell in cells}
    return message


def choose_faults(dice: random.Random) -> list[str]:
    """Return none, one or several faults."""
    every = MESSAGE_FAULTS + BOOK_FAULTS + LEDGER_FAULTS
    roll = dice.random()
    count = 0 if roll < 0.25 else 1 if roll < 0.7 else dice.randint(2, 3)
    return [dice.choice(every) for _ in range(count)]


@dataclass
class Verdict:
    """What a history showed."""

    history: History
    outcome: Outcome
    differing_cells: int
    kinds: Counter[FindingKind]


def play(seed: int) -> Verdict:
    """Play one history; AssertionError, with the seed, where the findings are not what they are."""
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
    return judge(history, registry, oracle, outcome)


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
    responder.PAGE = dice.choice([1, 2, 7, 10_000])
    comparison = Comparison(
        Cut("S1", 1, history.cut_index, KEY_ID),
        ledger.view,
        ledger.head,
        explainer,
        lambda index: [m for m in history.movements if index < m.log_index <= history.cut_index],
        limits=limits,
    )
    side = responder.Responder(KEY, KEY_ID, registry.book, history.sums)
    question = comparison.start()
    while True:
        said = json.loads(json.dumps(question.as_json()))
        answer = json.loads(json.dumps(side.answer(said)))
        following = comparison.receive(answer_from_json(answer))
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
    assert outcome.as_of <= registry.book.applied_to, what
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
    assert awaited == {index for index in due if index > outcome.as_of}, what
    kinds = Counter(finding.kind for finding in outcome.findings)
    return Verdict(history, outcome, len(found), kinds)


def judge_kinds(
    what: str,
    oracle: Oracle,
    outcome: Outcome,
    found: dict[Cell, tuple[Counter[tuple[str | None, ...]], Counter[tuple[str | None, ...]]]],
    told: dict[Cell, Finding],
) -> None:
    """Compare kinds and causes with the published rule, as the oracle applies it."""
    single = single_cause(oracle, outcome.as_of, found) if found else None
    if single is not None and outcome.question_count == 1:
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
