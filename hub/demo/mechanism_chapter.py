"""Chapter 7: first-transferred A6.4ERs are pushed into accounts of the international registry."""

import json
from typing import Any, Final

from hub.demo.books import account_totals
from hub.demo.records import APPROACH_A64, AUTHORIZATION_A64
from hub.demo.stage import Stage
from hub.demo.world import MECHANISM

BLOCKS: Final = 5_000
SEED: Final = 2022
CENTRAL_REGISTRY: Final = "XIR01"


def push_blocks(stage: Stage) -> None:
    """Make a feed, push it with the mechanism registry's connector, and look at the accounts."""
    world = stage.world
    world.open_central_accounts(APPROACH_A64)
    world.write_mechanism_settings()
    feed = world.mechanism_config.with_name("feed.jsonl")
    world.commands.run(
        *["mechanism", "feed", "example", "-n", str(BLOCKS), "-o", str(feed), "--seed", str(SEED)],
        *["--set", f"cooperative_approach={APPROACH_A64}"],
        *["--set", f"authorization_id={AUTHORIZATION_A64}"],
    )
    stage.say(f"A feed of {BLOCKS:,} made-up blocks: of each issuance 5 % for adaptation and 2 %")
    stage.say("for overall mitigation in global emissions go first, then the forwarding.")
    report = _push(stage, str(feed))
    stage.result["push"] = report
    by_kind = report["quantity_by_kind"]
    stage.say(
        f"{report['accepted']:,} messages accepted, none refused. t CO2 eq for adaptation "
        f"{by_kind['sop_adaptation']:,}, OMGE {by_kind['omge']:,}, forwarded "
        f"{by_kind['forwarding']:,}."
    )
    with stage.database.reading() as connection:
        held = account_totals(connection, CENTRAL_REGISTRY)
    for account, quantity in sorted(held.items()):
        stage.say(f"{CENTRAL_REGISTRY}/{account} holds {quantity:,}")
    stage.require(
        held == report["quantity_by_account"],
        f"the accounts hold {held}, the feed gave {report['quantity_by_account']}",
    )


def _push(stage: Stage, feed: str) -> dict[str, Any]:
    """Run the push; on a terminal its progress bar is the viewer's."""
    world, console = stage.world, stage.screen.console
    notes = console.file if console.is_terminal else None
    options = ["--config", str(world.mechanism_config), "--json"]
    with stage.screen.given_away():
        child = world.processes.start(MECHANISM, "mechanism", "push", feed, *options, notes=notes)
        status = world.processes.finish(child)
    for line in child.last_lines():
        if line.startswith(("surveyed:", "pushed:")):
            stage.say(line)
    stage.require(status == 0, f"mechanism push ended with exit status {status}")
    report: dict[str, Any] = json.loads(child.out.read_text(encoding="utf-8"))
    return report
