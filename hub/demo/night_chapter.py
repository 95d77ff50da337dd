"""Chapters 12 to 14: the night, a damaged book, and how its cases are closed.

1. The three registries are compared with the central ledger; all agree.
2. Switzerland's book is damaged behind its back in four ways. The next comparison finds and names
   each, and freezes exactly the serials concerned: nobody trades those, and all others go on.
3. Switzerland puts its book right. A clean comparison closes the cases and thaws the serials.
"""

import contextlib
import io
import json
from typing import Any, Final

from rich.markup import escape

from connectors.party_registry import damage
from hub.demo.second_system import SecondSystem, offer_again
from hub.demo.stage import DemoError, Stage
from message_schemas.blocks import parse_identifier, render_identifier

AGREED: Final = 0
DIFFERS: Final = 1
LOTS: Final = {"lost": 100, "doubled": 80, "vintage": 60, "used": 40}
"""What Switzerland buys for this, in units, by what will happen to it."""
WRONG_VINTAGE: Final = 2021
BESIDE: Final = 20
UNTIL: Final = "WHAT CHE01 DOES"
"""How much of an explanation is shown: up to here."""
KINDS: Final = {
    "lost": "lost_message",
    "doubled": "doubled_message",
    "vintage": "attribute_differs",
    "used": "used_or_cancelled_on_one_side",
}


def compare_at_night(stage: Stage) -> None:
    """Chapter 12: every registry's book is compared with the ledger, by digests."""
    stage.say("Each registry has a secret with the hub, from which both make the key of the year's")
    stage.say("digests. The hub asks through the registry's own mailbox, as of a log index; nobody")
    stage.say("stops trading. A night does this by itself; here it is asked for:")
    stage.say("[bold]itmo-hub reconcile run[/]")
    status, rows = compare_with(stage)
    stage.require(status == AGREED, f"the books differ: {rows}")
    for row in rows:
        stage.say(f"{row['registry']} agrees as of log index {row['as_of']}.")
    stage.result["night"] = rows


def damage_a_book(stage: Stage) -> None:
    """Chapter 13: four faults in one book are found, named, and frozen to the serial."""
    lots = {name: buy(stage, quantity) for name, quantity in LOTS.items()}
    stage.result["lots"] = lots
    quantities = ", ".join(f"{quantity}" for quantity in LOTS.values())
    stage.say(f"Switzerland bought four more lots of {quantities} units. Then, behind its back:")
    damage_lots(stage, lots)
    status, rows = compare_with(stage, "--registry", "CHE01")
    stage.require(status == DIFFERS, f"the damage was not found: {rows}")
    stage.say("[bold]itmo-hub reconcile run[/] finds:")
    found = {case["kind"]: case for case in _cases(stage)}
    stage.require(set(found) == set(KINDS.values()), f"cases: {sorted(found)}")
    for case in found.values():
        stage.say(f"  [bold]{case['case_id']}[/] [yellow]{case['kind']}[/]: {case['summary']}")
    _require_exactly_frozen(stage, lots)
    stage.result["cases"] = {kind: case["case_id"] for kind, case in found.items()}
    stage.say(f"What to do about one of them (itmo-hub reconcile explain {_case(stage, 'lost')}):")
    _explain(stage, _case(stage, "lost"))
    _trade_meanwhile(stage, lots["doubled"])


def close_the_cases(stage: Stage) -> None:
    """Chapter 14: the book is put right; a clean comparison closes the cases, and nothing else."""
    desk = stage.desk("CHE01")
    sold = {case["case_id"]: case for case in _cases(stage)}
    because = ["--reason", "Found by the night's comparison."]
    lots = stage.result["lots"]
    correct = ["book", "correct"]
    desk.run(*correct, "completion", lots["lost"]["transfer_id"], *because, *_under(stage, "lost"))
    doubled, wrong = lots["doubled"]["units"], _of_vintage(lots["vintage"]["units"], WRONG_VINTAGE)
    desk.run(*correct, "doubled", "--block", doubled, *because, *_under(stage, "doubled"))
    to = ["--to", "2022", *because, *_under(stage, "vintage")]
    desk.run(*correct, "vintage", "--block", wrong, *to)
    stage.say(
        "Switzerland puts its book right: the completion takes effect, one of the two credits"
    )
    stage.say("goes, the vintage is set back; each with its reason, in the book's own journal.")
    used = ["--block", lots["used"]["units"], "--calendar-year", "2025", *because]
    desk.run("book", "report-use", *used, *_under(stage, "used"))
    stage.until("the hub records the use", stage.all_quiet)
    stage.say("The use the hub never heard of is sent now: the one message it lets through there.")
    status, rows = compare_with(stage, "--registry", "CHE01")
    stage.require(status == AGREED, f"still differs: {rows}")
    stage.require(not _cases(stage), "a case is still open")
    stage.require(not _frozen(stage), "serials are still frozen")
    stage.say(f"Compared again: agreed. {len(sold)} cases are closed, nothing is frozen any more.")
    status, rows = compare_with(stage)
    stage.require(status == AGREED, f"the books differ: {rows}")
    proof = stage.world.hub("db", "check").strip()
    stage.say(f"itmo-hub db check: {proof}")
    stage.result["closed"] = len(sold)


# --- buying and damaging -------------------------------------------------------------------------


def buy(stage: Stage, quantity: int) -> dict[str, str]:
    """Let Thailand sell Switzerland units; return the transfer's id and its units."""
    thailand, switzerland = stage.desk("THA01"), stage.desk("CHE01")
    sold = thailand.propose(switzerland, account="CH-FOEN-1", quantity=str(quantity))
    stage.until_arrived(sold, switzerland)
    switzerland.run("transfer", "accept", sold)
    stage.until_closed(sold, "completed")
    blocks = switzerland.transfers()[sold]["proposal"]["blocks"]
    return {"transfer_id": sold, "units": f"{blocks[0]['first_id']}..{blocks[-1]['last_id']}"}


def damage_lots(stage: Stage, lots: dict[str, dict[str, str]]) -> None:
    """Do to the running registry's book what crashes, defects and hands have done to others."""
    vintage = ["--to", str(WRONG_VINTAGE)]
    for name, text, kind, by, options in (
        ("lost", "a completion is lost", "lose-completion", "transfer_id", []),
        ("doubled", "a credit is doubled", "double-credit", "transfer_id", []),
        ("vintage", "a vintage is flipped", "flip-vintage", "units", vintage),
        ("used", "units are used in its book alone", "use-here", "units", []),
    ):
        if name not in lots:
            continue
        subject, config = lots[name][by], str(stage.desk("CHE01").config)
        with contextlib.redirect_stdout(io.StringIO()):
            done = damage.main([config, kind, subject, "--drill", *options])
        stage.require(done == 0, f"{kind} {subject} ended with {done}")
        stage.say(f"  {text}: {subject}")


def _of_vintage(units: str, vintage: int) -> str:
    """Return ``FIRST_ID..LAST_ID`` in the series of another vintage."""
    ends = (end.rpartition("-")[0] for end in units.split(".."))
    return "..".join(f"{end}-{vintage}" for end in ends)


# --- what the hub says ---------------------------------------------------------------------------


def compare_with(stage: Stage, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Compare registries with the ledger; return the exit status and a row for each."""
    world = stage.world
    status, out, notes = world.commands.outcome(
        "reconcile", "run", "--json", "--config", str(world.hub_config), *options
    )
    stage.require(bool(out), f"reconcile run: {notes}")
    rows: list[dict[str, Any]] = json.loads(out)
    return status, rows


def _cases(stage: Stage) -> list[dict[str, Any]]:
    """Return the cases that are not closed."""
    found: list[dict[str, Any]] = json.loads(stage.world.hub("reconcile", "case", "list", "--json"))
    return found


def _case(stage: Stage, name: str) -> str:
    return str(stage.result["cases"][KINDS[name]])


def _under(stage: Stage, name: str) -> list[str]:
    return ["--case", _case(stage, name)]


def _frozen(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stage.world.hub("reconcile", "frozen", "--json"))
    return found


def _require_exactly_frozen(stage: Stage, lots: dict[str, dict[str, str]]) -> None:
    """See that the four lots are frozen, the third in both vintages, and nothing else."""
    wanted = {lot["units"] for lot in lots.values()}
    wanted.add(_of_vintage(lots["vintage"]["units"], WRONG_VINTAGE))
    frozen = {row["units"] for row in _frozen(stage)}
    stage.require(frozen == wanted, f"frozen: {sorted(frozen)}, not {sorted(wanted)}")
    stage.say("Exactly these serials are frozen, the wrong vintage's too, and no others.")


def _explain(stage: Stage, case_id: str) -> None:
    """Show what the hub says of a case, in its own words."""
    said = stage.world.hub("reconcile", "explain", case_id)
    for line in said.partition(UNTIL)[0].rstrip().splitlines():
        stage.say(f"  [dim]{escape(line)}[/]" if line.strip() else "")
    stage.say("  [dim]… and what each side does, with the commands, and what closes the case.[/]")


def _trade_meanwhile(stage: Stage, frozen: dict[str, str]) -> None:
    """Offer frozen units, which the hub refuses, and others beside them, which go through."""
    world, switzerland, ghana = stage.world, stage.desk("CHE01"), stage.desk("GHA01")
    sold = switzerland.transfers()[stage.result["across_bindings"]]["proposal"]
    blocks = switzerland.transfers()[frozen["transfer_id"]]["proposal"]["blocks"]
    offer = offer_again(sold, account="GH-EPA-1", blocks=blocks) | {"quantity": LOTS["doubled"]}
    second = SecondSystem("CHE01", world.hub_url, world.key_uris["CHE01"], world.documents["XHB01"])
    outcome = second.say("GHA01", "transfer.proposal", offer)
    stage.require(outcome["outcome"] == "refused", f"frozen units: {outcome['outcome']}")
    finding = next(one for one in outcome["findings"] if one["name"] == "BLOCK_FROZEN")
    stage.say(f"A transfer of the doubled units: [bold red]{finding['rule']} {finding['name']}[/].")
    units = _units_beside(stage)
    beside = switzerland.propose(ghana, from_account="CH-FOEN-1", account="GH-EPA-1", block=units)
    stage.until_arrived(beside, ghana)
    ghana.run("transfer", "accept", beside)
    stage.until_closed(beside, "completed")
    stage.say(f"A transfer of {BESIDE} units that are not frozen: completed ({beside}).")
    stage.result["frozen"] = finding


def _units_beside(stage: Stage) -> str:
    """Return units that Switzerland holds and that no case is about."""
    frozen = {row["units"].partition("..")[0] for row in _frozen(stage)}
    for block in stage.desk("CHE01").blocks():
        if block["status"] == "itmo" and block["first_id"] not in frozen:
            first = parse_identifier(block["first_id"])
            last = first._replace(serial=first.serial + BESIDE - 1)
            return "..".join(render_identifier(*end) for end in (first, last))
    raise DemoError("Switzerland holds nothing but frozen units")
