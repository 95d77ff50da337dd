"""Chapters 12 to 14: the night, a damaged book, and how its cases are closed.

1. The three registries are compared with the central ledger; all agree.
2. Switzerland's book is damaged behind its back in four ways. The next comparison finds them, names
   each, and freezes exactly the serials concerned.
3. A transfer over a frozen serial is refused, one beside it goes through. Switzerland puts its book
   right, and a clean comparison closes the cases.
"""

import json
from typing import Any, Final

from hub.demo.stage import Stage

AGREED: Final = 0
DIFFERS: Final = 1


def compare_at_night(stage: Stage) -> None:
    """Chapter 12: every registry's book is compared with the ledger, by digests."""
    stage.say("Each registry has a secret with the hub, from which both make the key of the year's")
    stage.say("digests. The hub asks through the registry's own mailbox, as of a log index; nobody")
    stage.say("stops trading. A night does this by itself; here it is asked for:")
    stage.say("[bold]itmo-hub reconcile run[/]")
    status, rows = _compare(stage)
    stage.require(status == AGREED, f"the books differ: {rows}")
    for row in rows:
        stage.say(f"{row['registry']} agrees as of log index {row['as_of']}.")
    stage.result["night"] = rows


def _compare(stage: Stage, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Compare registries with the ledger; return the exit status and a row for each."""
    world = stage.world
    status, out, notes = world.commands.outcome(
        "reconcile", "run", "--json", "--config", str(world.hub_config), *options
    )
    stage.require(bool(out), f"reconcile run: {notes}")
    rows: list[dict[str, Any]] = json.loads(out)
    return status, rows
