"""Chapter 8: first-transferred A6.4ERs are pushed into accounts of the international registry.

1. The mechanism registry exports a feed in XML.
2. Its connector pushes it, and is killed half-way, as a power cut would.
3. Started again, it goes on where it stopped: every block arrives once.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from hub.demo.books import account_totals
from hub.demo.processes import Child
from hub.demo.records import APPROACH_A64, AUTHORIZATION_A64
from hub.demo.stage import Stage
from hub.demo.world import MECHANISM

SEED: Final = 2022
CENTRAL_REGISTRY: Final = "XIR01"


def push_blocks(stage: Stage) -> None:
    """Make a feed, push it with the mechanism registry's connector, and look at the accounts."""
    world = stage.world
    world.open_central_accounts(APPROACH_A64)
    world.write_mechanism_settings()
    feed = world.mechanism_config.with_name("feed.xml")
    world.commands.run(
        *[
            "mechanism",
            "feed",
            "example",
            "-n",
            str(stage.feed_blocks),
            "-o",
            str(feed),
            "--seed",
            str(SEED),
        ],
        *["--set", f"cooperative_approach={APPROACH_A64}", "--format", "xml"],
        *["--set", f"authorization_id={AUTHORIZATION_A64}"],
    )
    megabytes = feed.stat().st_size / 1e6
    stage.say(f"A feed of {stage.feed_blocks:,} made-up blocks, {megabytes:.0f} MB of XML: of each")
    stage.say("issuance 5 % for adaptation and 2 % for overall mitigation in global emissions go")
    stage.say("first, then the forwarding.")
    _push_until_killed(stage, str(feed))
    report = _push(stage, str(feed))
    stage.result["push"] = report
    by_kind = report["quantity_by_kind"]
    stage.say(
        f"{report['accepted']:,} messages accepted, none refused. t CO2 eq for adaptation "
        f"{by_kind['sop_adaptation']:,}, OMGE {by_kind['omge']:,}, forwarded "
        f"{by_kind['forwarding']:,}."
    )
    held = _held(stage)
    for account, quantity in sorted(held.items()):
        stage.say(f"{CENTRAL_REGISTRY}/{account} holds {quantity:,}")
    stage.require(
        held == report["quantity_by_account"],
        f"the accounts hold {held}, the feed gave {report['quantity_by_account']}",
    )


def _held(stage: Stage) -> dict[str, int]:
    """Return what the accounts of the international registry hold, in t CO2 eq."""
    with stage.database.reading() as connection:
        return account_totals(connection, CENTRAL_REGISTRY)


def _accepted(stage: Stage) -> int:
    """Return how many messages of the feed the connector knows to be accepted."""
    config = str(stage.world.mechanism_config)
    found = stage.world.commands.run_json("mechanism", "status", "--config", config)["feeds"]
    return sum(int(one["accepted"]) for one in found)


def _push_until_killed(stage: Stage, feed: str) -> None:
    """Run the push and kill it when half of the feed has been accepted."""
    child = _run(stage, feed, lambda child: _kill_half_way(stage, child))
    stage.require(child.process.returncode != 0, "the push was not killed")
    before = _held(stage)
    stage.say(
        f"[yellow]Killed half-way[/] (kill -9), {_accepted(stage):,} messages known to be accepted,"
        f" {sum(before.values()):,} t CO2 eq in the accounts. Started again:"
    )
    stage.result["killed_at"] = sum(before.values())


def _kill_half_way(stage: Stage, child: Child) -> None:
    def half() -> bool:
        return child.process.poll() is not None or _accepted(stage) >= stage.feed_blocks // 2

    stage.world.processes.kill_when(child, half)


def _push(stage: Stage, feed: str) -> dict[str, Any]:
    """Push what is left, to the end; return the report."""
    child = _run(stage, feed, stage.world.processes.finish)
    for line in child.last_lines():
        if line.startswith(("surveyed:", "pushed:")):
            stage.say(line)
    status = child.process.returncode
    stage.require(status == 0, f"mechanism push ended with exit status {status}")
    report: dict[str, Any] = json.loads(child.out.read_text(encoding="utf-8"))
    return report


def _run(stage: Stage, feed: str, wait: Callable[[Child], object]) -> Child:
    """Run the push; on a terminal its progress bar is the viewer's."""
    world, console = stage.world, stage.screen.console
    notes = console.file if console.is_terminal else None
    options = ["--config", str(world.mechanism_config), "--json"]
    with stage.screen.given_away():
        child = world.processes.start(MECHANISM, "mechanism", "push", feed, *options, notes=notes)
        wait(child)
    return child
