"""A whole night of many registries: what was moved is folded, everybody asked, two differ."""

import gc
from string import ascii_uppercase
from typing import Any

import psutil

from bench.reconciliation_core import RegistryBook, damage, differences, touched
from bench.reconciliation_talk import Timed
from bench.reconciliation_world import (
    Planted,
    changes_of,
    compare,
    link_key,
    make_books,
    make_movements,
    planted,
    shown,
)
from bench.report import Report
from bench.world import postgres
from hub.services.reconciliation.ledger.folding import bring_up_to_date
from reconciliation.responder import Responder, Sums

SERIES_COUNT = 20
MOVEMENT_COUNT = 100_000
DIFFERING = 2
DIFFERENCES = 10


class _Registry:
    """One registry: its sums, and for those that are to differ its blocks."""

    def __init__(self, code: str, count: int, number: int) -> None:
        self.key = link_key(code)
        self.blocks = make_books(code, count, SERIES_COUNT, number)
        self.sums = Sums(self.key.secret)
        for block in self.blocks:
            self.sums.add(*block)
        self.book = RegistryBook(self.blocks if number < DIFFERING else [], 0)
        self.units_differing = 0

    def move(self, world: Planted, count: int, number: int) -> None:
        """Use or transfer away units, at the ledger and here; keep blocks where they are needed."""
        moved = make_movements(self.blocks, count, world.head + 1, number)
        with world.database.writing() as connection:
            world.move(connection, self.key.registry, moved)
        for block, movement in moved:
            changes = changes_of(block, movement)
            if number < DIFFERING:
                damage(self.book, self.sums, changes)
            else:
                for old, new in changes:
                    if old is not None:
                        self.sums.add(*old, sign=-1)
                    if new is not None:
                        self.sums.add(*new)
        self.blocks = [block for held in self.book.held.values() for block in held]

    def damage(self) -> None:
        """Change, remove and add blocks here alone."""
        changes = differences(self.blocks, DIFFERENCES)
        damage(self.book, self.sums, changes)
        every = [block for pair in changes for block in touched(pair)]
        self.units_differing = sum(block.last - block.first + 1 for block in every)


def codes(count: int) -> list[str]:
    """Return the codes of so many registries."""
    letters = [a + b for a in ascii_uppercase for b in ascii_uppercase]
    return [f"{pair}Q01" for pair in letters[:count]]


def measure_night(report: Report, blocks: int, count: int) -> None:
    """Share the blocks out, build once, then run a night."""
    names = codes(count)
    keys = {code: link_key(code) for code in names}
    with postgres() as server, planted(server, names) as world:
        registries = _planted_registries(world, names, blocks // count)
        gc.collect()
        gc.freeze()
        rows: list[dict[str, Any]] = []
        server_process = psutil.Process(server.get_pid())
        step = _Step(rows, server_process)
        bring_up_to_date(world.database, keys)
        step.done(f"first build of {blocks:,} blocks, once")
        moves = min(MOVEMENT_COUNT, blocks // 4) // count
        for number, registry in enumerate(shown(registries, "trading")):
            registry.move(world, moves, number)
        world.analyze()
        for registry in registries[:DIFFERING]:
            registry.damage()
        step = _Step(rows, server_process)
        bring_up_to_date(world.database, keys)
        step.done(f"fold {moves * count:,} movements of the day")
        sent = _sessions(world, registries)
        step.done(f"ask {count} registries, {DIFFERING} differ in {DIFFERENCES} places")
        night = {name: round(rows[1][name] + rows[2][name], 2) for name in list(rows[1])[1:]}
        rows.append({"what": f"the whole night, {sent / 1e3:,.0f} kB sent", **night})
        report.table(f"A night of {count} registries with {blocks:,} blocks", rows)


def _planted_registries(world: Planted, names: list[str], count: int) -> list[_Registry]:
    registries = []
    for number, code in enumerate(shown(names, "planting")):
        registry = _Registry(code, count, number)
        with world.database.writing() as connection:
            world.plant(connection, code, registry.blocks)
        registries.append(registry)
    world.analyze()
    return registries


def _sessions(world: Planted, registries: list[_Registry]) -> int:
    """Ask each registry; return the bytes sent."""
    sent = 0
    for number, registry in enumerate(registries):
        registry.book.applied_to = world.head
        side = Responder(registry.key.secret, registry.key.key_id, registry.book, registry.sums)
        _, _, wire, outcome = compare(world, registry.key, side)
        assert outcome.agreed == (number >= DIFFERING), "two differ"
        assert sum(finding.quantity for finding in outcome.findings) == registry.units_differing
        sent += wire.bytes
    return sent


class _Step:
    """Seconds, CPU of this process and of the database, from one ``done`` to the next."""

    def __init__(self, rows: list[dict[str, Any]], server: psutil.Process) -> None:
        self._rows, self._server = rows, server
        self._timed, self._spent = Timed(), self._server_cpu()

    def done(self, what: str) -> None:
        """Add a row for what was done since."""
        seconds, cpu = self._timed.stop()
        spent = self._server_cpu()
        self._rows.append(
            {
                "what": what,
                "seconds": round(seconds, 2),
                "CPU s": round(cpu, 2),
                "database CPU s": round(spent - self._spent, 2),
            }
        )
        self._timed, self._spent = Timed(), spent

    def _server_cpu(self) -> float:
        every = [self._server, *self._server.children(recursive=True)]
        return sum(times.user + times.system for times in (one.cpu_times() for one in every))
