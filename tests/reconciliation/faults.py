"""What goes on in a history, and what goes wrong: the log, and a registry that follows it or not.

1. The log is written from what the ledger has: credits, debits, uses, cancellations, first
   transfers, and units that come back as they went.
2. A fault of a message is one of its way to the registry: lost, doubled, early, in another order,
   or a transfer in flight that the registry booked already.
3. A fault of a book is a thing that no message said, at either side.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from reconciliation import responder
from reconciliation.movements import Movement
from reconciliation.owned import OWNED, POSITION_MAX, Block
from tests.reconciliation.oracle import Oracle
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
