"""Comparing a registry with the ledger in PostgreSQL: to keep sums, to agree, to find what differs.

    python -m bench.reconciliation [--blocks 1000000] [--registries 1] [--json FILE]

The hub's side is the real one: digests kept in the database, a book read from one snapshot. The
registry's side is the real responder over a book in memory, with sums it keeps itself. All that
they say is written as the exchange's JSON, read again, and looked at by its schema. Times are of
both sides together in one process, beside the database, without a network; CPU is that of this
process. Beside each session stands a plain full comparison of the same books in the same run:
every block read from the database, every block sent, sets taken apart.

With several registries, the blocks are shared out among them, and a whole night is run: what was
moved since is folded, every registry asked, two of them differ.
"""

import argparse
import gc
import json
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.reconciliation_core import RegistryBook, damage, differences, touched
from bench.reconciliation_night import measure_night
from bench.reconciliation_talk import Timed, Wire, all_blocks_of
from bench.reconciliation_world import (
    Planted,
    changes_of,
    compare,
    link_key,
    make_books,
    make_movements,
    planted,
)
from bench.report import Report
from bench.world import postgres
from hub.services.reconciliation.ledger.books import SqlBook, open_book
from hub.services.reconciliation.ledger.folding import bring_up_to_date
from hub.store.reconciliation import links
from hub.store.reconciliation.links import LinkRow
from reconciliation.compare import WHOLE
from reconciliation.explain import Situation
from reconciliation.movements import Movement, edge_deltas
from reconciliation.owned import Block, Series
from reconciliation.responder import Responder, Sums

REGISTRY = "KEN01"
KEY = link_key(REGISTRY)
SERIES_COUNT = 400
MOVEMENT_COUNT = 100_000


def compare_fully(world: Planted, all_series: Sequence[Series], side: Responder) -> dict[str, Any]:
    """Read every block, send every block and take the sets apart, series by series.

    It takes a block that was cut differently for a difference, and knows no causes.
    """
    wire, timed, places = Wire(), Timed(), 0
    with world.database.reading() as connection:
        book = open_book(connection, world.interning, LinkRow(REGISTRY), KEY)
        view = book.view_at(book.head)
        for series in all_series:
            items = view.items(series, WHOLE)
            ours = {Block(series, first, last, owned) for first, last, owned, _ in items}
            theirs = all_blocks_of(side, series, f"{REGISTRY}-{book.head}", wire)
            places += len({block.first for block in ours ^ theirs})
    seconds, _ = timed.stop()
    return {
        "plain: s": round(seconds, 2),
        "plain: MB": round(wire.bytes / 1e6, 1),
        "plain: places": places,
    }


def rate_row(what: str, of: str, count: int, work: Callable[[], object]) -> dict[str, Any]:
    """Do a piece of work and return how much of it goes in a second."""
    timed = Timed()
    work()
    seconds, cpu = timed.stop()
    return {
        "what": what,
        "of": of,
        "count": count,
        "seconds": round(seconds, 2),
        "per second": round(count / seconds),
        "per CPU second": round(count / cpu),
    }


def measure_sessions(
    report: Report, world: Planted, blocks: list[Block], book: RegistryBook, sums: Sums
) -> None:
    """Sessions over equal books and damaged ones, beside the plain comparison of the same."""
    side = Responder(KEY.secret, KEY.key_id, book, sums)
    all_series = sorted(book.held)
    compare(world, KEY, side)  # the first one opens the connection
    rows = []
    for count in (0, 10, 1_000):
        report.progress(f"sessions with {count:,} differences")
        changes = differences(blocks, count) if count else []
        damage(book, sums, changes)
        runs = [compare(world, KEY, side) for _ in range(3 if count else 20)]
        _, _, wire, outcome = runs[0]
        units = sum(block.last - block.first + 1 for pair in changes for block in touched(pair))
        assert sum(f.quantity for f in outcome.findings) == units, "the findings are the damage"
        plain = compare_fully(world, all_series, side)
        assert plain["plain: places"] == len(outcome.findings), "the plain one finds the same"
        damage(book, sums, [(new, old) for old, new in changes])
        rows.append(
            {
                "differences": count,
                "questions": outcome.question_count,
                "ms": round(statistics.median(run[0] for run in runs) * 1e3, 1),
                "CPU ms": round(statistics.median(run[1] for run in runs) * 1e3, 1),
                "kB": round(wire.bytes / 1e3, 2),
                **plain,
            }
        )
    report.table(f"Sessions over {len(blocks):,} blocks, both sides, JSON included", rows)


def measure_messages(
    report: Report,
    world: Planted,
    moved: list[tuple[Block, Movement]],
    book: RegistryBook,
    sums: Sums,
) -> None:
    """A message lost, or doubled, or none, among all since the last good cut."""
    side = Responder(KEY.secret, KEY.key_id, book, sums)
    rows = []
    report.progress(f"the registry applies {len(moved):,} messages, but for one")
    lost = len(moved) // 3
    for number, (block, movement) in enumerate(moved):
        if number != lost:
            damage(book, sums, changes_of(block, movement))
    book.applied_to = world.head
    for name in ("one message lost", "none lost"):
        if name == "none lost":
            damage(book, sums, changes_of(*moved[lost]))
        runs = [compare(world, KEY, side) for _ in range(10)]
        outcome = runs[0][3]
        causes = {finding.cause_index for finding in outcome.findings}
        assert causes == ({moved[lost][1].log_index} if name != "none lost" else set())
        rows.append(
            {
                "what": f"session, {name}",
                "questions": outcome.question_count,
                "median ms": round(statistics.median(run[0] for run in runs) * 1e3, 2),
                "kB": round(runs[0][2].bytes / 1e3, 2),
            }
        )
    rows.append(_look_up(world, moved))
    report.table(f"One lost message among {len(moved):,}", rows)


def _look_up(world: Planted, moved: list[tuple[Block, Movement]]) -> dict[str, Any]:
    """Name lost messages from the root alone, each in a snapshot of its own."""
    seconds = []
    for _, movement in moved[:: len(moved) // 100]:
        with world.database.reading() as connection:
            book: SqlBook = open_book(connection, world.interning, LinkRow(REGISTRY), KEY)
            deltas = edge_deltas(book.hasher, movement.pieces)
            difference = -sum(change for _, _, change in deltas) % 2**128
            timed = Timed()
            causes = book.explainer.of_all(difference, Situation(book.head, book.head))
            seconds.append(timed.stop()[0])
        assert causes is not None, "one message explains it"
        assert causes[0].movement == movement, "it is the right one"
    return {
        "what": "look-up alone, with the message's pieces",
        "median ms": round(statistics.median(seconds) * 1e3, 2),
    }


def measure_one(report: Report, count: int) -> None:
    """One registry with all blocks: build, sessions, fold, a lost message."""
    keys = {REGISTRY: KEY}
    with postgres() as server, planted(server, [REGISTRY]) as world:
        report.progress(f"planting {count:,} blocks")
        blocks = make_books(REGISTRY, count, SERIES_COUNT, count)
        with world.database.writing() as connection:
            world.plant(connection, REGISTRY, blocks)
        world.analyze()
        book = RegistryBook(blocks, world.head)
        gc.collect()
        gc.freeze()
        rows = [
            rate_row(
                "ledger: first build",
                "blocks",
                count,
                lambda: bring_up_to_date(world.database, keys),
            )
        ]
        sums = read_sums(rows, blocks)
        measure_sessions(report, world, blocks, book, sums)
        moved = make_movements(blocks, min(MOVEMENT_COUNT, count // 4), world.head + 1, 3)
        with world.database.writing() as connection:
            links.set_agreed(connection, REGISTRY, world.head, datetime.now(UTC))
            world.move(connection, REGISTRY, moved)
        world.analyze()
        rows.append(
            rate_row(
                "ledger: fold, written and committed",
                "movements",
                len(moved),
                lambda: bring_up_to_date(world.database, keys),
            )
        )
        report.table("Keeping sums", rows)
        measure_messages(report, world, moved, book, sums)


def read_sums(rows: list[dict[str, Any]], blocks: list[Block]) -> Sums:
    """Return the registry's sums of its blocks, read once and timed."""
    kept: list[Sums] = []

    def build() -> None:
        sums = Sums(KEY.secret)
        for block in blocks:
            sums.add(*block)
        kept.append(sums)

    rows.append(rate_row("registry: first reading", "blocks", len(blocks), build))
    return kept[0]


async def run(report: Report) -> None:
    """Measure a million blocks of one registry, then the same shared out among twenty."""
    measure_one(report, 1_000_000)
    measure_night(report, 1_000_000, 20)


def main() -> None:
    """Measure and print; with a file, write the figures too."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=1_000_000, help="blocks in all")
    parser.add_argument("--registries", type=int, default=1, help="from 2 on: a whole night")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    report = Report("reconciliation")
    if options.registries > 1:
        measure_night(report, options.blocks, options.registries)
    else:
        measure_one(report, options.blocks)
    if options.json:
        options.json.write_text(json.dumps(report.document(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
