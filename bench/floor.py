"""What this machine can do at best, now: signatures, durable commits, raw HTTP left aside."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from keys.algorithms import Algorithm
from keys.jws import open_signed, sign, verify
from keys.local_signer import LocalSigner, generate_key
from keys.public_keys import KeyRecord, PublicKey
from keys.trust import TrustStore
from tests.integration.peers import now

PAYLOAD_BYTES = 2_000


def rate(work: Callable[[], object], seconds: float = 0.5) -> float:
    """Return how often a second ``work`` runs, by CPU time of this process."""
    count, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        work()
        count += 1
    return count / (time.process_time() - started)


def signatures() -> dict[str, float]:
    """Return sign and verify rates per CPU second, a signed object of 2 kB each."""
    signer = LocalSigner(generate_key(Algorithm.ED25519), "THA01")
    key = PublicKey.from_der("THA01", signer.public_key_der)
    at = now()
    trust = TrustStore([KeyRecord.of(key, at)])
    payload = b"x" * PAYLOAD_BYTES
    raw = sign(payload, "itmo-envelope+jws", [signer])
    return {
        "sign_per_cpu_second": rate(lambda: sign(payload, "itmo-envelope+jws", [signer])),
        "verify_per_cpu_second": rate(
            lambda: verify(open_signed(raw, "itmo-envelope+jws"), trust, "THA01", at)
        ),
    }


def _commit_rate(commit: Callable[[], None], seconds: float = 1.0) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        commit()
        count += 1
    return count / (time.perf_counter() - started)


def sqlite_commits(folder: Path) -> float:
    """Return durable one-row commits a second on SQLite (WAL, synchronous=FULL)."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (x INTEGER)")

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("COMMIT")

    found = _commit_rate(commit)
    connection.close()
    return found


def postgres_commits(url: str) -> float:
    """Return durable one-row commits a second on PostgreSQL, one connection."""
    with psycopg.connect(url, autocommit=False) as connection:
        connection.execute("CREATE TABLE floor_t (x INTEGER)")
        connection.commit()

        def commit() -> None:
            connection.execute("INSERT INTO floor_t VALUES (1)")
            connection.commit()

        return _commit_rate(commit)
