"""Random lives of a ledger, written to a database entry by entry, and told in memory as well.

Every step is an operation of the real window, recorded as the exchange records it: rows, postings,
and the head. Beside it stands the plain account: which entry moved what, posting by posting.
"""

import random
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from hub.international_registry.ledger import LedgerInvariantError, LedgerWindow
from hub.international_registry.units import (
    Attributes,
    BlockStatus,
    FirstTransferEvent,
    LedgerBlock,
    Range,
    Series,
)
from hub.protocol.transfer_states import TransferState
from hub.store import head as heads
from hub.store import ledger, transfers
from hub.store.database import Database
from hub.store.interning import Interning
from reconciliation.books import LedgerBook
from reconciliation.digests import EdgeHasher
from reconciliation.movements import Movement, pieces_of
from tests.hub.store.samples import transfer

REGISTRIES: Final = ("THA01", "CHE01", "GHA01")
SERIES: Final = (
    Series("CA0001", "THA01", "THA", 2022),
    Series("CA0001", "THA01", "THA", 2023),
    Series("CA0002", "GHA01", "GHA", 2023),
)
ATTRIBUTES: Final = (
    Attributes("GHG", "Emission reductions", "TH-2022-001", 1, "Transportation"),
    Attributes("GHG", "Removals", "TH-2022-001", 2, "Forestry", "Planting", None, "AR5", "VCS"),
)
SCALES: Final = (1, 3, 700, 70_000, 2**21, 2**27)
CELLS: Final = 30


class Story:
    """A ledger in a database, and the movements that it made."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database, self.dice = database, random.Random(seed)
        self.interning = Interning()
        self.scale = self.dice.choice(SCALES)
        self.rows: list[LedgerBlock] = []
        self.movements: dict[str, list[Movement]] = {registry: [] for registry in REGISTRIES}
        self.in_flight: dict[str, tuple[str, str, int]] = {}
        self.count = 0
        with database.reading() as connection:
            self.first_index = heads.read(connection).log_index

    @property
    def head(self) -> int:
        """The log index of the last entry."""
        return self.first_index + self.count

    def go_on(self, entries: int) -> None:
        """Write so many entries, in a few transactions."""
        while entries > 0:
            part = min(entries, self.dice.randint(1, 6))
            with self.database.writing() as connection:
                for _ in range(part):
                    self._entry(connection)
            entries -= part

    def book(self, registry: str, hasher: EdgeHasher) -> LedgerBook:
        """Return the registry's book in memory, from nothing to the head."""
        book = LedgerBook(hasher, [], 0)
        for movement in self.movements[registry]:
            book.apply(movement)
        book.pass_to(self.head)
        return book

    def flights(self, registry: str) -> list[Movement]:
        """Return what completing each transfer in flight now would move at a registry."""
        movements: list[Movement] = []
        for name, (acquirer, action, index) in self.in_flight.items():
            window = LedgerWindow(self.rows, 10**9)
            if window.reserved_by(name):
                first = FirstTransferEvent.INTERNATIONAL_TRANSFER
                window.move(name, acquirer, None, first if action == "first_transfer" else None)
            made = [pieces_of(posting) for posting in window.changes().postings]
            pieces = tuple(one[registry] for one in made if registry in one)
            if pieces:
                movements.append(Movement(index, name, pieces))
        return sorted(movements)

    def _entry(self, connection: Connection) -> None:
        before = heads.lock(connection)
        index = before.log_index + 1
        window = LedgerWindow(self.rows, before.next_block_id)
        for _ in range(self.dice.choice([0, 1, 1, 1, 2, 3])):
            try:
                self._step(connection, window, index)
            except LedgerInvariantError:
                continue  # what a window refuses, it leaves as it was
        if self.dice.random() < 0.5:
            window.coalesce()
        changes = window.changes()
        ledger.record(connection, self.interning, changes, [index] * len(changes.postings))
        heads.advance(
            connection,
            before,
            replace(before, log_index=index, next_block_id=changes.next_block_id),
        )
        self.rows = list(window)
        self.count += 1
        by_registry: dict[str, Movement] = {}
        for posting in changes.postings:
            for registry, piece in pieces_of(posting).items():
                known = by_registry.get(registry, Movement(index, posting.reference, ()))
                by_registry[registry] = known._replace(pieces=(*known.pieces, piece))
        for registry, movement in by_registry.items():
            self.movements[registry].append(movement)

    def _range(self) -> Range:
        first = self.dice.randint(1, CELLS)
        last = min(CELLS, first + self.dice.choice([0, 1, 3, 8]))
        series = self.dice.choice(SERIES)
        return Range(series, first * self.scale, (last + 1) * self.scale - 1)

    def _step(self, connection: Connection, window: LedgerWindow, index: int) -> None:
        dice, range_, name = self.dice, self._range(), f"E-{index}-{self.dice.random()}"[:30]
        flag = FirstTransferEvent.INTERNATIONAL_TRANSFER if dice.random() < 0.6 else None
        match dice.choice(["issue", "issue", "propose", "propose", "end", "end", *"uscchk"]):
            case "issue":
                status = dice.choice([BlockStatus.ITMO, BlockStatus.ITMO, BlockStatus.USED])
                underlying = (f"U-{index}", f"V-{index}") if dice.random() < 0.3 else None
                for gap in window.gaps(range_):
                    window.introduce(
                        gap,
                        dice.choice(ATTRIBUTES),
                        dice.choice(REGISTRIES),
                        None,
                        status,
                        flag,
                        name,
                        underlying,
                    )
            case "propose":
                self._propose(connection, window, range_, name)
            case "end":
                self._answer(connection, window, flag)
            case "u":
                window.use([range_], name, flag)
            case "c":
                window.cancel([range_], name, flag)
            case "s":
                window.settle([range_], name, FirstTransferEvent.AUTHORIZATION)
            case "h":
                window.hold([range_], name)
                window.unhold(self._range())
            case "k":
                window.correct(range_, name, dice.choice(REGISTRIES), dice.choice(REGISTRIES), None)

    def _propose(
        self, connection: Connection, window: LedgerWindow, range_: Range, name: str
    ) -> None:
        dice = self.dice
        sender, acquirer = dice.sample(REGISTRIES, 2)
        for gap in window.gaps(range_):
            window.introduce(
                gap, ATTRIBUTES[0], sender, None, BlockStatus.AUTHORIZED, None, name, None
            )
        held = [
            part
            for block in window.overlapping(range_.series, range_.first, range_.last)
            if block.registry == sender and (part := block.range.intersect(range_)) is not None
        ]
        window.reserve(held, name)
        action = dice.choice(["first_transfer", "transfer"])
        row = transfer(
            name,
            initiator=sender,
            acquirer=acquirer,
            action=action,
            quantity=sum(part.quantity for part in held),
            proposed_log_index=self.head + 1,
        )
        transfers.add(connection, [row])
        self.in_flight[name] = (acquirer, action, self.head + 1)

    def _answer(
        self, connection: Connection, window: LedgerWindow, flag: FirstTransferEvent | None
    ) -> None:
        if not self.in_flight:
            return
        name = self.dice.choice(sorted(self.in_flight))
        acquirer, _, _ = self.in_flight[name]
        if window.reserved_by(name) and self.dice.random() < 0.7:
            window.move(name, acquirer, None, flag)
        else:
            window.withdraw(name)
            window.release(name)
        del self.in_flight[name]
        known = transfers.load(connection, [name])[name]
        transfers.close(
            connection, [replace(known, state=TransferState.COMPLETED, closed_log_index=self.head)]
        )
