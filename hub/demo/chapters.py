"""The story: the first ITMOs used towards an NDC, told again with the real programs.

Modelled on Thailand and Switzerland, the Bangkok E-Bus Programme, vintage 2022. All quantities and
accounts are illustrative, and so is what Ghana and the mechanism registry do in it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from hub import bootstrap
from hub.demo.command_line import CommandRefusedError
from hub.demo.console_chapter import open_console
from hub.demo.evidence_chapter import show_evidence
from hub.demo.mechanism_chapter import push_blocks
from hub.demo.night_chapter import close_the_cases, compare_at_night, damage_a_book
from hub.demo.records import AUTHORIZATION, agreements, authorizations, hello
from hub.demo.second_system import SecondSystem, offer_again
from hub.demo.settling import check_books
from hub.demo.stage import DemoError, Stage
from hub.demo.world import MECHANISM, PULLS, binding_of
from hub.demo.xml_chapter import trade_across_bindings
from message_schemas import timestamps

ISSUED: Final = 5_000
FIRST_TRANSFER: Final = 1_900
REJECTED: Final = 500
EXPIRING: Final = 250
USED: Final = 1_500
CALENDAR_YEAR: Final = 2025
RESPOND_SECONDS: Final = 3


def connect(stage: Stage) -> None:
    """Chapter 1: everybody has a key, is registered, runs, and says hello."""
    world = stage.world
    world.make_keys()
    stage.say("Each participant made its own key; the files are encrypted (PKCS#8).")
    world.write_registries()
    world.start_hub()
    stage.say(f"The hub [bold]XHB01[/] listens at {world.hub_url}, its database made just now.")
    world.start_registries()
    for desk in world.desks.values():
        delivery, binding = "pull" if desk.code == PULLS else "push", binding_of(desk.code)
        desk.submit("participant.hello", hello(delivery, binding))
        how = "fetches its deliveries" if delivery == "pull" else "has its deliveries pushed"
        stage.say(
            f"[bold]{desk.code}[/], {desk.place}'s registry, is connected, writes "
            f"{binding.upper()} and {how}."
        )
    stage.until("the hub answers each hello", stage.all_quiet)
    stage.say(f"[bold]{MECHANISM}[/], the mechanism registry, is registered and will push later.")
    stage.say("Each registry also watches the hub's log and confirms it with a key of its own; two")
    stage.say("of the three must, before the hub calls anything proved.")


def agree(stage: Stage) -> None:
    """Chapter 2: the cooperative approach and the authorizations are on record."""
    thailand = stage.desk("THA01")
    for type_, bodies in (
        ("cooperative_approach.record", agreements()),
        ("authorization.record", authorizations()),
    ):
        for body in bodies:
            thailand.submit(type_, body)
            # An authorization names its approach, which must be on record before it.
            stage.until("the hub records what Thailand submitted", stage.all_quiet)
    records = thailand.api.get("/v1/records")
    states = [entry["state"] for entries in records.values() for entry in entries]
    stage.require(states == ["active", "active", "in_force", "in_force"], f"records: {states}")
    stage.say("CA0001, Bangkok E-Bus Programme, is on record: Thailand, Switzerland (and Ghana,")
    stage.say("added so that somebody can be offered units twice, and buy some later).")
    stage.say(f"Thailand authorized its outcomes for use towards NDCs: {AUTHORIZATION}.")


def transfer_first(stage: Stage) -> None:
    """Chapter 3: issued, proposed, accepted, completed."""
    thailand, switzerland = stage.desk("THA01"), stage.desk("CHE01")
    for desk, account in (("THA01", "TH-GOV-1"), ("CHE01", "CH-FOEN-1"), ("GHA01", "GH-EPA-1")):
        stage.desk(desk).run("account", "open", account)
    issued = ["--account", "TH-GOV-1", "--authorization", AUTHORIZATION, "--vintage", "2022"]
    thailand.run("issue", *issued, "--quantity", str(ISSUED), "--activity-type", "Transport")
    stage.say(f"Thailand issued {ISSUED:,} mitigation outcomes of vintage 2022 in its own book.")
    sold = thailand.propose(switzerland, account="CH-FOEN-1", quantity=str(FIRST_TRANSFER))
    stage.say(f"It reserves {FIRST_TRANSFER:,} of them and proposes their first transfer: {sold}.")
    stage.until_arrived(sold, switzerland)
    switzerland.run("transfer", "accept", sold)
    stage.until_closed(sold, "completed")
    stage.say("Switzerland accepted. One commit at the hub moved the units; both books followed.")
    stage.result["first_transfer"] = sold


def sell_twice(stage: Stage) -> None:
    """Chapter 4: the same units are offered to Ghana, and the hub says why not."""
    world, thailand, ghana = stage.world, stage.desk("THA01"), stage.desk("GHA01")
    sold = thailand.transfers()[stage.result["first_transfer"]]["proposal"]
    serials = f"{sold['blocks'][0]['first_id']}..{sold['blocks'][-1]['last_id']}"
    try:
        thailand.propose(ghana, account="GH-EPA-1", block=serials)
    except CommandRefusedError as error:
        stage.say(f"Thailand's own book refuses to sell them again: {error.text}.")
    else:
        raise DemoError("Thailand's book sold the same units twice")
    stage.say("A second system of Thailand's has not heard of the sale. It signs an offer to Ghana")
    stage.say("with the right key and posts it. The hub answers with a signed receipt:")
    second = SecondSystem("THA01", world.hub_url, world.key_uris["THA01"], world.documents["XHB01"])
    offer = offer_again(sold, account="GH-EPA-1", blocks=sold["blocks"])
    outcome = second.say("GHA01", "transfer.proposal", offer)
    stage.require(outcome["outcome"] == "refused", f"the double sale was {outcome['outcome']}")
    finding = outcome["findings"][0]
    stage.result["double_sale"] = finding
    blocks = ", ".join(f"{one['first_id']} to {one['last_id']}" for one in finding["blocks"])
    stage.screen.facts(
        [
            ("rule", f"[bold red]{finding['rule']} {finding['name']}[/]"),
            ("text", finding["text"]),
            ("blocks", blocks),
            ("hub's view", finding.get("hub_view", "-")),
            ("remedy", finding["remedy"]),
            ("paragraph", finding["paragraph"]),
        ]
    )
    stage.require(offer["transfer_id"] not in ghana.transfers(), "the offer reached Ghana")
    stage.say("Ghana was never told: nothing happened, and nothing is reserved.")


def reject(stage: Stage) -> None:
    """Chapter 6: Ghana says no, with a reason, and the units are free again."""
    thailand, ghana = stage.desk("THA01"), stage.desk("GHA01")
    before = thailand.free_units("TH-GOV-1")
    offered = thailand.propose(ghana, account="GH-EPA-1", quantity=str(REJECTED))
    during = thailand.free_units("TH-GOV-1")
    stage.until_arrived(offered, ghana)
    reason = "The purchase budget of this year is spent."
    ghana.run("transfer", "reject", offered, "--reason", reason)
    stage.until_closed(offered, "rejected")
    after = thailand.free_units("TH-GOV-1")
    timeline = thailand.api.get(f"/v1/transfers/{offered}")["timeline"]
    told = any(reason in line["detail"] for line in timeline)
    stage.require(told, "Thailand was not told the reason")
    stage.say(f'Ghana rejects {offered}; Thailand reads why: "{reason}"')
    stage.say(f"Thailand's free units: {before:,} before, {during:,} meanwhile, {after:,} after.")
    stage.require(before == after == during + REJECTED, "the reservation was not released")


def expire(stage: Stage) -> None:
    """Chapter 7: nobody answers, and the proposal ends by itself."""
    thailand, switzerland = stage.desk("THA01"), stage.desk("CHE01")
    before = thailand.free_units("TH-GOV-1")
    deadline = timestamps.render(bootstrap.clock() + timedelta(seconds=RESPOND_SECONDS))
    offered = thailand.propose(
        switzerland, account="CH-FOEN-1", quantity=str(EXPIRING), respond_by=deadline
    )
    stage.say(f"Thailand asks for an answer within {RESPOND_SECONDS} seconds; nobody looks.")
    stage.until_closed(offered, "expired")
    stage.say("The hub ended it at the deadline and told both; the units are free again.")
    after = thailand.free_units("TH-GOV-1")
    stage.require(before == after, "the reservation was not released")


def use(stage: Stage) -> None:
    """Chapter 9: Switzerland uses its ITMOs, once and for all."""
    switzerland = stage.desk("CHE01")
    options = ["--account", "CH-FOEN-1", "--approach", "CA0001", "--quantity", str(USED)]
    options += ["--purpose", "NDC", "--calendar-year", str(CALENDAR_YEAR)]
    action = switzerland.run("use", *options)["action_id"]

    def recorded() -> bool:
        actions = switzerland.api.get("/v1/actions")["actions"]
        return any(one["action_id"] == action and one["state"] == "recorded" for one in actions)

    stage.until("the use is recorded", recorded)
    stage.say(f"Switzerland uses {USED:,} ITMOs towards its NDC for {CALENDAR_YEAR} ({action}).")
    stage.say("They can never move, be used or be cancelled again; the ledger knows it too.")
    try:
        switzerland.run("use", *options)
    except CommandRefusedError as error:
        stage.say(f"Using them a second time is refused at once: {error.text}.")
    else:
        raise DemoError("Switzerland could use the same units twice")


CHAPTERS: Final[tuple[tuple[str, Callable[[Stage], None]], ...]] = (
    ("Keys and connections", connect),
    ("The agreement and the authorization", agree),
    ("A first transfer", transfer_first),
    ("A double sale is refused", sell_twice),
    ("Ghana writes XML, Switzerland JSON", trade_across_bindings),
    ("A proposal is rejected", reject),
    ("A proposal expires", expire),
    ("The mechanism registry pushes A6.4ERs", push_blocks),
    ("Use towards the NDC", use),
    ("The books agree", check_books),
    ("The evidence of the first transfer", show_evidence),
    ("The night: the books are compared", compare_at_night),
    ("A damaged book is found out", damage_a_book),
    ("The cases are closed", close_the_cases),
    ("The console", open_console),
)
