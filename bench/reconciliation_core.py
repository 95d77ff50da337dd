"""Comparing two books in memory: what it costs to keep sums, to agree, and to find what differs.

    python -m bench.reconciliation_core [--blocks 1000000] [--json FILE]

Both sides run in this process, and everything between them is written as JSON and read again.
Times are of both sides together, without a network and without a database. Beside each figure
stands a plain full comparison of the same books: every block sent, read, and looked up among the
ledger's. The books: 400 series with gaps in between, blocks of 1 to 800 units in three lots.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path

from bench.reconciliation_talk import BY, Wire, all_blocks_of, talk
from bench.report import Report
from reconciliation.books import LedgerBook
from reconciliation.digests import DigestTable, EdgeHasher
from reconciliation.explain import Explainer, Situation
from reconciliation.messages import Cut
from reconciliation.movements import Movement, Piece, edge_deltas
from reconciliation.owned import OWNED, Block, Owned, Series
from reconciliation.responder import Responder, Sums
from reconciliation.run_states import Comparison, Outcome

KEY = bytes(range(64))
SERIES_COUNT = 400
MOVEMENT_COUNT = 20_000
EXPLAINED_AMONG = 100_000


def owned_of_lot(lot: int, status: str = "held") -> Owned:
    """Return owned values of about the length of real ones."""
    return (
        *(status, "yes", "CO2e", "emission-reduction", f"GHA-AUTH-2025-{lot:04}", "2"),
        *("Energy industries", "renewable", None, "AR5", "PUR01", f"PUR-{lot}-1", f"PUR-{lot}-9"),
    )


def make_blocks(count: int) -> list[Block]:
    """Return blocks in order; one in twenty is followed by a gap."""
    dice = random.Random(count)
    lots = [owned_of_lot(lot) for lot in range(12)]
    blocks: list[Block] = []
    names = [
        Series(f"CA{100 + n // 5:04}", f"GHA{n % 4:02}", "GHA", 2021 + n % 5)
        for n in range(SERIES_COUNT)
    ]
    for number, series in enumerate(sorted(names)):
        position = 1
        for _ in range(count // SERIES_COUNT):
            length = dice.randint(1, 800)
            owned = lots[(number + dice.randrange(3)) % len(lots)]
            blocks.append(Block(series, position, position + length - 1, owned))
            position += length + (100 if dice.random() < 0.05 else 0)
    return blocks


class RegistryBook:
    """A registry's blocks in memory, found by bisection; changed for a while and put back."""

    def __init__(self, blocks: list[Block], applied_to: int) -> None:
        self.applied_to = applied_to
        self.held: dict[Series, list[Block]] = {}
        for block in blocks:
            self.held.setdefault(block.series, []).append(block)
        self.firsts = {s: [block.first for block in found] for s, found in self.held.items()}

    def blocks(self, series: Series | None, low: int, high: int) -> Iterator[Block]:
        """Yield blocks with a serial in the window; all of them for None."""
        if series is None:
            for found in self.held.values():
                yield from found
            return
        firsts = self.firsts.get(series, [])
        start = max(0, bisect_right(firsts, low) - 1)
        for block in self.held.get(series, [])[start : bisect_right(firsts, high)]:
            if block.last >= low:
                yield block

    def change(self, changes: list[tuple[Block | None, Block | None]]) -> None:
        """Replace blocks: (old, None) removes, (None, new) adds."""
        for old, new in changes:
            series = (old or new).series  # type: ignore[union-attr]  # one of them is a block
            held, firsts = self.held[series], self.firsts[series]
            if old is not None:
                at = bisect_left(firsts, old.first)
                del held[at], firsts[at]
            if new is not None:
                at = bisect_left(firsts, new.first)
                held.insert(at, new)
                firsts.insert(at, new.first)


def differences(blocks: list[Block], count: int) -> list[tuple[Block | None, Block | None]]:
    """Return a third each of blocks changed, missing and extra (in a gap), all over the series."""
    dice = random.Random(count)
    places = sorted(dice.sample(range(1, len(blocks) - 1), 40 * count))
    dice.shuffle(places)
    changes: list[tuple[Block | None, Block | None]] = []
    chosen: set[int] = set()
    for place in places:
        block, following = blocks[place], blocks[place + 1]
        if len(changes) == count:
            break
        if not chosen.isdisjoint({place - 1, place, place + 1}):
            continue  # what touches and differs alike would be one finding
        chosen.add(place)
        if len(changes) % 3 == 0:
            ended = ("used" if block.owned[0] == "held" else "cancelled", *block.owned[1:])
            changes.append((block, block._replace(owned=ended)))
        elif len(changes) % 3 == 1:
            changes.append((block, None))
        elif block.series == following.series and block.last + 1 < following.first:
            gap = block._replace(first=block.last + 1, last=following.first - 1)
            changes.append((None, gap))
    assert len(changes) == count, "the books have gaps enough"
    return changes


def compare(
    ledger: LedgerBook, explainer: Explainer, side: Responder
) -> tuple[float, Wire, Outcome]:
    """Run one session; return its seconds, what was carried, and its outcome."""
    wire = Wire()
    started = time.perf_counter()
    cut = Cut("KEN01-1", 1, side.book.applied_to, side.key_id, BY)
    comparison = Comparison(cut, ledger.view, ledger.head, explainer, lambda _: ())
    outcome = talk(comparison, side, wire)
    return time.perf_counter() - started, wire, outcome


def compare_fully(blocks: list[Block], side: Responder) -> tuple[float, Wire, int]:
    """Send every block and take the sets apart; return seconds, traffic, and places that differ.

    This is the least that a comparison without digests can do. It takes a block that was cut
    differently for a difference, and knows no causes.
    """
    wire = Wire()
    started = time.perf_counter()
    ours, theirs = set(blocks), set()
    for series in sorted({block.series for block in blocks}):
        theirs |= all_blocks_of(side, series, "KEN01-1", wire)
    places = {(block.series, block.first) for block in ours ^ theirs}
    return time.perf_counter() - started, wire, len(places)


def measure_sums(report: Report, hasher: EdgeHasher, blocks: list[Block]) -> None:
    """First build on either side, and folding movements into a table with its journal."""
    rows = []
    for name, build in (
        ("ledger: first build", lambda: DigestTable.build(hasher, blocks)),
        ("registry: first reading", lambda: read(blocks)),
    ):
        started = time.perf_counter()
        build()
        rate = len(blocks) / (time.perf_counter() - started)
        rows.append({"what": name, "per second": round(rate), "of": "blocks"})
    movements = make_movements(blocks, 1)
    book = LedgerBook(hasher, blocks[: len(blocks) // 10], 0)
    started = time.perf_counter()
    for movement in movements:
        book.apply(movement)
    rate = MOVEMENT_COUNT / (time.perf_counter() - started)
    rows.append({"what": "fold, hashing included", "per second": round(rate), "of": "movements"})
    explainer = Explainer()
    started = time.perf_counter()
    for movement, deltas in zip(book.journal, book.deltas, strict=True):
        explainer.add(movement, deltas)
    rate = MOVEMENT_COUNT / (time.perf_counter() - started)
    rows.append({"what": "index for explanation", "per second": round(rate), "of": "movements"})
    report.table("Keeping sums", rows)


def make_movements(blocks: list[Block], first_index: int) -> list[Movement]:
    """Return movements, each of half a block of its own: uses and transfers away."""
    dice = random.Random(7)
    movements = []
    places = sorted(dice.sample(range(len(blocks)), MOVEMENT_COUNT))
    for index, place in enumerate(places, start=first_index):
        block = blocks[place]
        middle = (block.first + block.last) // 2
        after = ("used", *block.owned[1:]) if index % 2 else None
        piece = Piece(block.series, block.first, middle, block.owned, after)
        movements.append(Movement(index, f"T-{index}", (piece,)))
    return movements


def measure_ahead(report: Report, hasher: EdgeHasher, blocks: list[Block]) -> None:
    """Sessions as of a cut that the ledger has left behind by thousands of movements."""
    ledger, explainer = LedgerBook(hasher, blocks, 1), Explainer()
    for movement in make_movements(blocks, 2):
        explainer.add(movement, ledger.apply(movement))
    book, sums = RegistryBook(blocks, 1), read(blocks)
    side = Responder(KEY, "KEN01-2026", book, sums)
    rows = []
    for count in (0, 10, 1_000):
        changes = differences(blocks, count) if count else []
        damage(book, sums, changes)
        seconds, wire, outcome = compare(ledger, explainer, side)
        units = sum(block.last - block.first + 1 for pair in changes for block in touched(pair))
        assert sum(f.quantity for f in outcome.findings) == units, "the findings are the damage"
        damage(book, sums, [(new, old) for old, new in changes])
        ms, kilobytes = round(seconds * 1e3, 1), round(wire.bytes / 1e3, 1)
        rows.append({"differences": count, "ms": ms, "kB": kilobytes})
    report.table(f"The same while the ledger is {MOVEMENT_COUNT:,} movements further", rows)


def touched(pair: tuple[Block | None, Block | None]) -> list[Block]:
    """Return the one block that a change is about."""
    return [block for block in pair if block is not None][:1]


def read(blocks: list[Block]) -> Sums:
    """Return the registry's sums of its blocks, read once."""
    sums = Sums(KEY)
    for block in blocks:
        sums.add(*block)
    return sums


def measure_explanation(report: Report, hasher: EdgeHasher) -> None:
    """One message, or two, lost or doubled among many: how long the look-up takes."""
    explainer = Explainer()
    totals = []
    series = Series("CA0003", "GHA01", "GHA", 2023)
    for index in range(1, EXPLAINED_AMONG + 1):
        piece = Piece(series, 1000 * index, 1000 * index + 499, None, owned_of_lot(index % 12))
        deltas = edge_deltas(hasher, [piece])
        totals.append(sum(change for _, _, change in deltas))
        explainer.add(Movement(index, f"T-{index}", (piece,)), deltas)
    situation = Situation(EXPLAINED_AMONG, EXPLAINED_AMONG)
    dice = random.Random(3)
    rows = []
    for name, signs in (("one lost", (-1,)), ("one doubled", (1,)), ("two", (-1, 1)), ("none", ())):
        seconds = []
        for _ in range(5 if len(signs) != 1 else 200):
            chosen = dice.sample(range(EXPLAINED_AMONG), len(signs))
            difference = sum(s * totals[n] for s, n in zip(signs, chosen, strict=True)) % 2**128
            started = time.perf_counter()
            causes = explainer.of_all(difference or 12345, situation)
            seconds.append(time.perf_counter() - started)
            named = {cause.movement.log_index - 1 for cause in causes or ()}
            assert named == set(chosen), "the right ones are named"
        rows.append(
            {
                "cause": name,
                "median ms": round(statistics.median(seconds) * 1e3, 4),
                "worst ms": round(max(seconds) * 1e3, 4),
            }
        )
    report.table(f"Naming messages among {EXPLAINED_AMONG:,}, from the root alone", rows)


def measure_sessions(report: Report, hasher: EdgeHasher, blocks: list[Block]) -> None:
    """Sessions over equal books and damaged ones, beside the plain comparison of the same."""
    ledger, explainer = LedgerBook(hasher, blocks, 1), Explainer()
    book = RegistryBook(blocks, 1)
    sums = read(blocks)
    kept = Responder(KEY, "KEN01-2026", book, sums)
    rows = []
    for count in (0, 10, 1_000):
        changes = differences(blocks, count) if count else []
        damage(book, sums, changes)
        gc.collect()
        runs = [compare(ledger, explainer, kept) for _ in range(20 if not count else 3)]
        seconds = statistics.median(run[0] for run in runs)
        _, wire, outcome = runs[0]
        assert outcome.agreed == (not count), "the outcome is the damage"
        reading = Responder(KEY, "KEN01-2026", book)
        once, _, again = compare(ledger, explainer, reading)
        assert again.findings == outcome.findings, "kept or read, the findings are the same"
        plain, plain_wire, plain_count = compare_fully(blocks, kept)
        assert plain_count == len(outcome.findings), "the plain comparison finds the same"
        damage(book, sums, [(new, old) for old, new in changes])
        rows.append(
            {
                "differences": count,
                "findings": len(outcome.findings),
                "ms": round(seconds * 1e3, 2),
                "kB": round(wire.bytes / 1e3, 2),
                "questions": outcome.question_count,
                "ms, registry reads its book": round(once * 1e3),
                "plain: ms": round(plain * 1e3),
                "plain: kB": round(plain_wire.bytes / 1e3),
            }
        )
    report.table(f"Sessions over {len(blocks):,} blocks, both sides, JSON included", rows)


def damage(
    book: RegistryBook, sums: Sums, changes: list[tuple[Block | None, Block | None]]
) -> None:
    """Change the registry's book, and its kept sums with it."""
    book.change(changes)
    for old, new in changes:
        if old is not None:
            sums.add(*old, sign=-1)
        if new is not None:
            sums.add(*new)


def measure(report: Report, count: int) -> None:
    """Measure everything over so many blocks."""
    assert len(owned_of_lot(0)) == len(OWNED), "a lot has all owned values"
    hasher = EdgeHasher(KEY)
    blocks = make_blocks(count)
    gc.freeze()
    measure_sums(report, hasher, blocks)
    measure_explanation(report, hasher)
    measure_sessions(report, hasher, blocks)
    measure_ahead(report, hasher, blocks)


async def run(report: Report) -> None:
    """Measure a million blocks."""
    measure(report, 1_000_000)


def main() -> None:
    """Measure and print; with a file, write the figures too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = Report("reconciliation-core")
    measure(report, options.blocks)
    if options.json:
        options.json.write_text(json.dumps(report.document(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
