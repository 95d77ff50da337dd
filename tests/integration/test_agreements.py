"""What moves, and what ends a unit's life: each way through a real hub, with what both sides see.

Transfers between registries, into the international registry, notify-and-record; A6.4ERs with their
two shares; use and cancellation. The module's hub proves its ledger at the end.
"""

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import select

from hub.international_registry.accounts import Account, AccountStatus
from hub.services.administration.accounts import open_account
from hub.services.administration.deeds import Act, AdministrationError
from hub.store.database import Database
from hub.store.tables import unit_block
from message_schemas import timestamps
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Body, Peer, acceptance, now, proposal
from tests.integration.worlds import (
    codes,
    final_notices,
    fresh_block,
    fresh_id,
    last_sequence,
    mailbox,
    notices,
    outcomes,
    part_of,
    record_world,
    rejection,
)

ACCOUNTS = {
    "CHE-1": (100, "CHE"),
    "THA-1": (100, "THA"),
    "FUND-1": (100, "XAF"),
    "OMGE-1": (300, "XIR"),
}


def open_accounts(hub: HubUnderTest) -> None:
    """Open the accounts of the international registry that these tests name."""
    for account_id, (type_, party) in ACCOUNTS.items():
        account = Account(account_id, "XIR01", type_, party, None, None, "GHG", AccountStatus.OPEN)
        with suppress(AdministrationError):  # another test of this module opened it
            hub.administration().do(open_account(account), Act("tests", "opened", now()))


def held(hub: HubUnderTest, units: Body) -> list[tuple[Any, ...]]:
    """Return (registry, account, status, first transfer, quantity) of the ledger's blocks."""
    first, last = (int(units[name].split("-")[3]) for name in ("first_id", "last_id"))
    database = Database(hub.database_url)
    with database.reading() as connection:
        rows = connection.execute(
            select(
                unit_block.c.registry,
                unit_block.c.account,
                unit_block.c.status,
                unit_block.c.first_transfer,
                unit_block.c.last_serial - unit_block.c.first_serial + 1,
            )
            .where(unit_block.c.first_serial >= first, unit_block.c.last_serial <= last)
            .order_by(unit_block.c.first_serial)
        )
        found = [tuple(row) for row in rows]
    database.dispose()
    return found


async def acquired_by_switzerland(thailand: Peer, switzerland: Peer, quantity: int) -> Body:
    """Move fresh units to CHE01 and return their block."""
    await record_world(thailand)
    name, units = fresh_id("THA01"), fresh_block(quantity)
    receipt = await thailand.say("CHE01", proposal(name, units))
    accepted = await switzerland.say("THA01", acceptance(name, receipt["envelope_sha256"]))
    assert outcomes(accepted) == ["accepted"]
    return units


async def test_a_rejected_and_a_cancelled_transfer_leave_the_units_with_their_holder(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """Both ends are told once, with the reasons; the same units can be offered again."""
    await record_world(thailand)
    units = fresh_block(5)
    starts = [await last_sequence(peer) for peer in (thailand, switzerland)]
    rejected, cancelled = fresh_id("THA01"), fresh_id("THA01")
    first = await thailand.say("CHE01", proposal(rejected, units))
    await switzerland.say("THA01", rejection(rejected, first["envelope_sha256"]))
    second = await thailand.say("CHE01", proposal(cancelled, units))
    withdrawal = (
        "transfer.cancellation",
        {"transfer_id": cancelled, "previous_sha256": second["envelope_sha256"]},
    )
    assert outcomes(await thailand.say("CHE01", withdrawal)) == ["accepted"]
    assert outcomes(await thailand.say("CHE01", withdrawal)) == ["duplicate-of"]
    late = await switzerland.say("THA01", acceptance(cancelled, second["envelope_sha256"]))
    assert codes(late) == [4003]
    for peer, start in zip((thailand, switzerland), starts, strict=True):
        items = await mailbox(peer, start)
        assert final_notices(items) == {rejected: ["rejected"], cancelled: ["cancelled"]}
        (told,) = notices(items, "transfer.rejected")
        assert told["body"]["reasons"] == [{"text": "The account is closed."}]
    assert held(hub, units) == []


async def test_a_recognized_notification_is_recorded_and_its_units_cannot_be_sold_twice(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """Notify-and-record runs the same way; a plain acceptance does not fit it."""
    await record_world(thailand)
    name, units = fresh_id("THA01"), fresh_block(6)
    said = proposal(name, units)[1] | {"adjustment_method": "averaging"}
    receipt = await thailand.say("CHE01", ("transfer.notification", said))
    assert outcomes(receipt) == ["accepted"]
    digest = receipt["envelope_sha256"]
    assert codes(await switzerland.say("THA01", acceptance(name, digest))) == [4014]
    recognition = {
        "transfer_id": name,
        "decision": "recognize",
        "previous_sha256": digest,
        "recorded_reference": "CHE-BAFU-2026-77",
        "reasons": [],
    }
    recognized = await switzerland.say("THA01", ("transfer.recognition", recognition))
    assert recognized["outcomes"][0]["result"]["state"] == "completed"
    told = notices(await mailbox(switzerland), "transfer.completed")
    assert [one["body"]["mode"] for one in told if one["body"]["transfer_id"] == name] == [
        "notify_and_record"
    ]
    again = await thailand.say("GHA01", proposal(fresh_id("THA01"), part_of(units, 2, 3)))
    assert outcomes(again) == ["refused"]


async def test_a_transfer_to_the_international_registry_completes_at_once(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """Its account checks are the acceptance; an unknown account is refused."""
    await record_world(thailand)
    open_accounts(hub)
    name, units = fresh_id("THA01"), fresh_block(8)
    start = await last_sequence(thailand)
    unknown = await thailand.say("XIR01", proposal(name, units, acquiring_account="NO-1"))
    assert codes(unknown) == [5101]
    receipt = await thailand.say("XIR01", proposal(name, units, acquiring_account="CHE-1"))
    assert receipt["outcomes"][0]["result"]["state"] == "completed"
    assert held(hub, units) == [("XIR01", "CHE-1", "itmo", "international_transfer", 8)]
    assert final_notices(await mailbox(thailand, start)) == {name: ["completed"]}


def a64_block(units: Body, first: int, last: int) -> Body:
    """Return units first to last of a block, as A6.4ERs hosted by Thailand."""
    part = part_of(units, first, last, "XMR01")
    return part | {
        name: part[name].replace("-XMR01-XMR-", "-XMR01-THA-") for name in ("first_id", "last_id")
    }


async def test_an_issuance_comes_with_its_shares_before_the_rest_is_forwarded(
    hub: HubUnderTest, thailand: Peer, mechanism: Peer, switzerland: Peer
) -> None:
    """5 % for adaptation and 2 % for OMGE first, then the rest, never more than was issued."""
    await record_world(thailand)
    open_accounts(hub)
    issuance, units = fresh_id("XMR01"), fresh_block(100, "XMR01")
    notice = {
        "issuance_id": issuance,
        "activity_id": "A64-TH-0001",
        "host_party": "THA",
        "cooperative_approach": "CA0001",
        "vintage": 2022,
        "issued_quantity": 100,
        "authorized_quantity": 100,
        "sop_quantity": 5,
        "sop_exempt": False,
        "omge_quantity": 2,
        "issued_at": timestamps.render(now()),
    }
    meagre = await mechanism.say("XHB01", ("a64.issuance_notice", notice | {"sop_quantity": 4}))
    assert codes(meagre) == [7007]
    assert codes(await thailand.say("XHB01", ("a64.issuance_notice", notice)))[0] in {2005, 3009}
    assert codes(await mechanism.say("XHB01", ("a64.issuance_notice", notice))) == [0]

    async def push(kind: str, account: str, first: int, last: int, **changes: Any) -> int:
        body = {
            "first_transfer_id": fresh_id("XMR01"),
            "kind": kind,
            "issuance_id": issuance,
            "activity_id": "A64-TH-0001",
            "cooperative_approach": "CA0001",
            "acquiring_account": account,
            "authorization_status": "authorized",
            "quantity": last - first + 1,
            "blocks": [a64_block(units, first, last)],
        } | changes
        receipt = await mechanism.say("XHB01", ("a64.first_transfer", body))
        if codes(receipt) == [0]:
            again = await mechanism.say("XHB01", ("a64.first_transfer", body))
            assert again["outcomes"][0]["outcome"] == "duplicate-of"
            assert again["outcomes"][0]["result"] == receipt["outcomes"][0]["result"]
        return codes(receipt)[0]

    assert await push("forwarding", "CHE-1", 8, 100) == 7007
    assert await push("sop_adaptation", "CHE-1", 1, 5) == 5103
    assert await push("sop_adaptation", "FUND-1", 1, 5) == 0
    assert await push("omge", "OMGE-1", 6, 7) == 0
    assert await push("forwarding", "CHE-1", 8, 100, authorization_status="contribution") == 7006
    assert await push("forwarding", "CHE-1", 8, 50) == 0
    assert await push("forwarding", "CHE-1", 50, 60) != 0
    assert await push("forwarding", "CHE-1", 51, 100) == 0
    assert await push("forwarding", "CHE-1", 101, 101) == 7013
    shown = held(hub, units)
    assert sum(row[4] for row in shown) == 100
    assert {row[:4] for row in shown} == {
        ("XIR01", "FUND-1", "itmo", "adaptation_fund"),
        ("XIR01", "OMGE-1", "cancelled", "omge"),
        ("XIR01", "CHE-1", "itmo", "international_transfer"),
    }
    told = [one["body"] for one in notices(await mailbox(switzerland), "account.credited")]
    pushed = [one for one in told if one["first_transfer_id"].startswith("XMR01-")]
    assert sum(one["quantity"] for one in pushed) == 93
    told = notices(await mailbox(thailand), "first_transfer.notice")
    events = [one["body"]["event"] for one in told if one["body"]["registry"] == "XMR01"]
    assert set(events) == {"adaptation_fund", "omge", "international_transfer"}


async def test_used_units_are_used_everywhere_and_for_ever(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer, ghana: Peer
) -> None:
    """A use towards an NDC is recorded once; used units neither move nor are used again."""
    units = await acquired_by_switzerland(thailand, switzerland, 10)
    used = part_of(units, 1, 4)
    action = {
        "action_id": fresh_id("CHE01"),
        "cooperative_approach": "CA0001",
        "purpose": "NDC",
        "using_party": "CHE",
        "calendar_year": 2022,
        "quantity": 4,
        "blocks": [used],
    }
    receipt = await switzerland.say("XHB01", ("action.use", action))
    assert outcomes(receipt) == ["accepted"], receipt
    again = await switzerland.say("XHB01", ("action.use", action))
    assert again["outcomes"][0]["outcome"] == "duplicate-of"
    changed = await switzerland.say("XHB01", ("action.use", action | {"calendar_year": 2023}))
    assert outcomes(changed) == ["refused"]
    assert "calendar_year" in str(changed["outcomes"][0]["findings"])
    other = action | {"action_id": fresh_id("CHE01")}
    assert codes(await switzerland.say("XHB01", ("action.use", other))) == [5006]
    onward = proposal(fresh_id("CHE01"), part_of(units, 3, 6), action="transfer")
    assert codes(await switzerland.say("GHA01", onward)) == [5006]
    not_his = action | {"action_id": fresh_id("GHA01"), "using_party": "GHA"}
    assert codes(await ghana.say("XHB01", ("action.use", not_his)))[0] in {5002, 5006, 5007}
    assert [row[2:] for row in held(hub, units)] == [
        ("used", "international_transfer", 4),
        ("itmo", "international_transfer", 6),
    ]
    told = notices(await mailbox(switzerland), "action.recorded")
    assert [one["body"]["action_id"] for one in told].count(action["action_id"]) == 1


@pytest.mark.parametrize("kind", ["voluntary", "omge", "other"])
async def test_cancelled_units_are_gone(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer, kind: str
) -> None:
    """Any cancellation is final, split to the serial, and told to the canceller in order."""
    units = await acquired_by_switzerland(thailand, switzerland, 9)
    action = {
        "action_id": fresh_id("CHE01"),
        "cooperative_approach": "CA0001",
        "kind": kind,
        "cancelling_party": "CHE",
        "quantity": 3,
        "blocks": [part_of(units, 4, 6)],
    }
    receipt = await switzerland.say("XHB01", ("action.cancellation", action))
    assert outcomes(receipt) == ["accepted"], receipt
    assert [row[2::2] for row in held(hub, units)] == [
        ("itmo", 3),
        ("cancelled", 3),
        ("itmo", 3),
    ]
    again = action | {"action_id": fresh_id("CHE01"), "kind": "voluntary"}
    assert codes(await switzerland.say("XHB01", ("action.cancellation", again))) == [5006]


async def test_what_one_registry_sees_of_another_is_nothing(
    thailand: Peer, switzerland: Peer, ghana: Peer
) -> None:
    """Status, holdings and history are for those concerned."""
    units = await acquired_by_switzerland(thailand, switzerland, 2)
    range_ = {name: units[name] for name in ("first_id", "last_id")}
    ask = ("history.query", {"range": range_, "items_max": 100})
    mine = await switzerland.say("XHB01", ask)
    assert mine["outcomes"][0]["result"]["items"]
    theirs = await ghana.say("XHB01", ask)
    assert theirs["outcomes"][0]["result"]["items"] == []
    holdings = await ghana.say("XHB01", ("holdings.query", {"items_max": 1000}))
    seen = {item["registry"] for item in holdings["outcomes"][0]["result"]["items"]}
    assert "CHE01" not in seen


async def test_push_without_an_endpoint_is_refused_with_the_remedy(thailand: Peer) -> None:
    """A participant that asks for pushes nowhere would never hear of anything again."""
    hello = {
        "software": "test",
        "protocol_versions": ["itmo-exchange/1"],
        "binding": "json",
        "delivery_mode": "push",
    }
    receipt = await thailand.say("XHB01", ("participant.hello", hello))
    (outcome,) = receipt["outcomes"]
    assert (outcome["outcome"], outcome["code"]) == ("refused", 3011)
    assert "endpoint" in outcome["findings"][0]["text"]
