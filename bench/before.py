"""The exchange before the transparency log and with it, in one run: what the log costs.

A checkout of the commit before the log is put beside this one and both run the same load, in turns,
each with its own code and the same libraries. Without that commit (a shallow clone) the table is
left out, and says so.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.report import Report

BEFORE = "bac5003"
ROOT = Path(__file__).parent.parent
ROUNDS = 3
LOADS = (
    ("sqlite", 100, 6_000),
    ("postgresql", 100, 6_000),
    ("sqlite", 1, 900),
    ("postgresql", 1, 900),
)
_SCRIPT = """
import asyncio, json, os, sys
sys.path.insert(0, os.getcwd())
from bench.exchange import throughput
from bench.world import postgres
async def main():
    with postgres() as server:
        for kind, per_envelope, count in json.loads(sys.argv[1]):
            print(json.dumps(await throughput(kind, server, per_envelope, count)), flush=True)
asyncio.run(main())
"""


@contextmanager
def checkout(commit: str) -> Iterator[Path | None]:
    """Put the files of a commit into a folder of their own; None when the clone lacks it."""
    with tempfile.TemporaryDirectory(prefix="before") as name:
        archive = Path(name) / "before.tar"
        made = subprocess.run(
            ["git", "-C", str(ROOT), "archive", "--output", str(archive), commit],
            capture_output=True,
            check=False,
        )
        if made.returncode != 0:
            yield None
            return
        folder = Path(name) / "files"
        folder.mkdir()
        subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
        yield folder


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Run the loads with the code of a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(LOADS)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure_cost(report: Report) -> None:
    """Medians of the rounds, before and with the log, and what is kept."""
    with checkout(BEFORE) as folder:
        if folder is None:
            report.progress(f"this clone has no commit {BEFORE}: before and after is left out")
            return
        before: list[list[dict[str, Any]]] = []
        after: list[list[dict[str, Any]]] = []
        for number in range(ROUNDS):
            report.progress(f"round {number + 1} of {ROUNDS}: before, then with the log")
            before.append(rows_of(folder))
            after.append(rows_of(ROOT))
    rows = []
    for at, (kind, per_envelope, _) in enumerate(LOADS):
        old, new = [one[at] for one in before], [one[at] for one in after]
        row: dict[str, Any] = {"database": kind, "messages/envelope": per_envelope}
        for name, key in (("transfers/s", "transfers/s"), ("hub ms", "hub ms/transfer")):
            was = statistics.median(one[key] for one in old)
            now = statistics.median(one[key] for one in new)
            row |= {f"{name} before": was, f"{name} with": now}
        row["kept"] = row["transfers/s with"] / row["transfers/s before"]
        rows.append(row)
    report.table(
        f"the exchange before the log ({BEFORE}) and with it, medians of {ROUNDS} rounds in turns",
        rows,
        "aim: >= 0.95 of the throughput kept",
    )
