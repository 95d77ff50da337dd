"""The log in the database: appended in any batches it is the tree that RFC 6962 defines."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection, func, select, text

from hub.store import head as heads
from hub.store import log
from hub.store.database import Database
from hub.store.log import LogDamagedError, PendingEntry
from hub.store.tables import log_tile
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.entries import decode
from hub.transparency_log.hashing import leaf_hash, node_hash
from tests.hub.store.samples import AT

SALT = bytes(range(16))


def delivery(index: int, *codes: str) -> PendingEntry:
    """Return a small leaf that some participants are told of."""
    return PendingEntry(
        index,
        "delivery",
        AT,
        "XHB01",
        codes[0] if codes else "CHE01",
        codes,
        SALT,
        {"delivery": b"x"},
    )


def grow(database: Database, sizes: Sequence[int], codes: Callable[[int], tuple[str, ...]]) -> None:
    """Append batches of these sizes, each in a transaction of its own."""
    for size in sizes:
        with database.writing() as connection:
            head = heads.lock(connection)
            first = head.log_index + 1
            leaves = [delivery(first + at, *codes(first + at)) for at in range(size)]
            edge = log.append(connection, head, leaves)
            after = replace(head, log_index=head.log_index + size, compact_range=edge)
            heads.advance(connection, head, after)


def nobody(_: int) -> tuple[str, ...]:
    """Return no parties."""
    return ()


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of leaf hashes as RFC 6962 §2.1 defines it, recursively."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_by_definition(leaves[:split]), root_by_definition(leaves[split:]))


def leaves_of(connection: Connection) -> list[bytes]:
    """Return the leaf hash of every stored entry."""
    count = heads.read(connection).log_index + 1
    return [leaf_hash(entry) for entry in log.entries(connection, 0, count)]


def test_any_batches_make_the_tree_that_the_standard_defines(
    database: Database, run_seed: int
) -> None:
    """Sizes around the width of a tile, one at a time and many: root and full tiles are right."""
    chosen = random.Random(run_seed)
    sizes = [1, 1, 252, 1, 1, 300, 255, 257, *(chosen.randint(1, 700) for _ in range(5))]
    grow(database, sizes, nobody)
    with database.reading() as connection:
        head = heads.read(connection)
        leaves = leaves_of(connection)
        edge = CompactRange.from_bytes(head.log_index + 1, head.compact_range)
        assert edge.root() == root_by_definition(leaves)
        full = len(leaves) // 256
        assert connection.execute(select(func.count()).select_from(log_tile)).scalar_one() == full
        for at in range(full):
            tile = log.read_tile(connection, 0, at, 256)
            assert tile == b"".join(leaves[at * 256 :][:256])
        last = len(leaves) % 256
        assert log.read_tile(connection, 0, full, last) == b"".join(leaves[full * 256 :])
        roots = [root_by_definition(leaves[at * 256 :][:256]) for at in range(full)]
        assert log.read_tile(connection, 1, 0, full) == b"".join(roots)


@pytest.mark.slow
def test_a_tile_of_the_next_level_is_stored_when_its_256_tiles_are_full(
    database: Database,
) -> None:
    """At 65,536 leaves: the tile of tiles is there, once, and is the roots of those below."""
    grow(database, [65_000, 535, 1, 300], nobody)
    with database.reading() as connection:
        leaves = leaves_of(connection)
        assert len(leaves) > 65_800
        roots = [root_by_definition(leaves[at * 256 :][:256]) for at in range(256)]
        assert log.read_tile(connection, 1, 0, 256) == b"".join(roots)
        next_tile = root_by_definition(leaves[65_536:][:256])
        assert log.read_tile(connection, 1, 1, 1) == next_tile
        assert log.read_tile(connection, 2, 0, 1) == root_by_definition(roots)
        head = heads.read(connection)
        edge = CompactRange.from_bytes(len(leaves), head.compact_range)
        assert edge.root() == root_by_definition(leaves)


def test_each_participant_counts_its_own_entries(database: Database, run_seed: int) -> None:
    """1, 2, 3 … with the index of the one before, over batches, whoever else is told."""
    chosen = random.Random(run_seed)
    names = ("CHE01", "GHA01", "THA01")
    told = {at: tuple(name for name in names if chosen.random() < 0.5) for at in range(1, 500)}
    with database.reading() as connection:
        begun = heads.read(connection).log_index
        before = {
            row.code: (row.entry_count, row.last_index)
            for row in connection.execute(text("SELECT * FROM log_party"))
        }
    grow(database, [1, 2, 3, 50, 1, 100], lambda index: told[index])
    last = dict(before)
    with database.reading() as connection:
        entries = log.entries(connection, begun + 1, 157)
    for index, raw in enumerate(entries, begun + 1):
        entry = decode(raw)
        assert entry.index == index
        assert tuple(step.code for step in entry.parties) == told[index]
        for step in entry.parties:
            count, previous = last.get(step.code, (0, None))
            assert (step.count, step.previous) == (count + 1, previous)
            last[step.code] = (step.count, index)
    assert last.keys() >= set(names)


def test_what_a_rolled_back_transaction_appended_was_never_there(database: Database) -> None:
    """Entries, tiles and counters go with the messages they are about."""

    def state(connection: Connection) -> list[str]:
        tables = ("head", "log_entry", "log_tile", "log_party")
        return [str(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in tables]

    with database.reading() as connection:
        before = state(connection)

    def append_and_fail() -> None:
        with database.writing() as connection:
            head = heads.lock(connection)
            first = head.log_index + 1
            log.append(connection, head, [delivery(first + at, "CHE01") for at in range(600)])
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        append_and_fail()
    with database.reading() as connection:
        assert state(connection) == before


def test_an_entry_out_of_order_is_our_own_defect(database: Database) -> None:
    """An index that leaves a gap cannot be appended."""
    with database.writing() as connection:
        head = heads.lock(connection)
        with pytest.raises(AssertionError, match="does not follow"):
            log.append(connection, head, [delivery(head.log_index + 2)])


def test_missing_rows_are_told_and_not_papered_over(database: Database) -> None:
    """A tile or an entry that is gone is damage, said with its place."""
    grow(database, [600], nobody)
    with database.writing() as connection:
        connection.execute(text("DELETE FROM log_tile WHERE tile_index = 1"))
        connection.execute(text("DELETE FROM log_entry WHERE log_index = 520"))
    with database.reading() as connection:
        with pytest.raises(LogDamagedError, match="tile 0/1 is not there"):
            log.read_tile(connection, 0, 1, 256)
        with pytest.raises(LogDamagedError, match="entries from 512"):
            log.read_tile(connection, 0, 2, 20)
        with pytest.raises(LogDamagedError, match="tile 1/0 lacks hashes"):
            log.read_tile(connection, 1, 0, 2)
        assert log.entry_at(connection, 520) is None


def test_the_genesis_entry_is_the_first_leaf(database: Database) -> None:
    """Index 0 says when the log began, and commits to nothing."""
    with database.reading() as connection:
        genesis = log.entry_at(connection, 0)
    assert genesis is not None
    assert json.loads(genesis)["kind"] == "genesis"
    assert decode(genesis).commitments == {}
