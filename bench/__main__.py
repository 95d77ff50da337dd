"""Run the benchmarks named on the command line, or all of them."""

import asyncio
import json
import sys
from pathlib import Path

from bench import (
    bindings,
    console,
    exchange,
    mechanism_feeds,
    reconciliation,
    reconciliation_core,
    transparency_log,
    xml_codec,
)
from bench.report import Report

BENCHMARKS = {
    "bindings": bindings.run,
    "console": console.run,
    "exchange": exchange.run,
    "mechanism-feeds": mechanism_feeds.run,
    "reconciliation": reconciliation.run,
    "reconciliation-core": reconciliation_core.run,
    "transparency-log": transparency_log.run,
    "xml-codec": xml_codec.run,
}
RESULTS = Path("build/bench")


def main() -> int:
    """Run, print, write; exit status 2 for an unknown name."""
    wanted = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in wanted if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        report = Report(name)
        asyncio.run(BENCHMARKS[name](report))
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps(report.document(), indent=2) + "\n", encoding="utf-8")
        print(f"\nwritten: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
