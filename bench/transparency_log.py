"""The transparency log: alone, in a working hub, and what it costs the exchange."""

from bench import before, log_live, log_tree
from bench.report import Report
from bench.world import postgres


async def run(report: Report) -> None:
    """Run every table of this benchmark."""
    with postgres() as server:
        log_tree.measure_appends(report, server)
        log_live.measure_intake(report, server)
        log_tree.measure_proofs(report, server)
        log_tree.measure_restart(report, server)
        await log_live.measure_age(report, server)
    await log_live.measure_witnesses(report)
    before.measure_cost(report)
