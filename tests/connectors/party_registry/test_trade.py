"""Whole transfers between two registries: both books, both timelines, every ending."""

from functools import partial

import pytest

from hub.protocol.response_codes import ResponseCode
from tests.connectors.party_registry.conftest import Registry, Trade, bindings, proposal
from tests.connectors.session.conftest import until

FIRST = ("CA0001-THA01-THA-1-2022", "CA0001-THA01-THA-100-2022")
REST = ("CA0001-THA01-THA-101-2022", "CA0001-THA01-THA-1000-2022")


async def is_state(registry: Registry, transfer_id: str, state: str) -> bool:
    """Tell whether a registry sees a transfer in a state."""
    return await registry.state_of(transfer_id) == state


async def propose(seller: Registry, **changes: object) -> str:
    """Propose a transfer and return its id once the hub has it."""
    made = await seller.call("POST", "/v1/transfers", proposal(**changes))
    await until(partial(_has_left, seller, made["transfer_id"]))
    return str(made["transfer_id"])


async def _has_left(seller: Registry, transfer_id: str) -> bool:
    return await seller.state_of(transfer_id) not in {None, "submitted"}


@bindings("json", "xml", "xml-buyer", "xml-seller")
@pytest.mark.parametrize("push", [True, False])
async def test_an_accepted_transfer_moves_the_units(trade: Trade, push: bool) -> None:
    """Debited here, credited there, as ITMOs, split where it had to be; both books are sound."""
    seller, buyer = await trade.seller(), await trade.buyer(auto_accept=True, push=push)
    if push:
        trade.hub.push_to("CHE01", buyer.connector.push_url or "")
    transfer_id = await propose(seller)
    await until(partial(is_state, seller, transfer_id, "completed"))
    await until(partial(is_state, buyer, transfer_id, "completed"))
    assert await seller.holds("TH-100-1") == [(*REST, "authorized", None)]
    assert await buyer.holds("CH-100-1") == [(*FIRST, "itmo", None)]
    assert await seller.check() == await buyer.check() == []
    assert await seller.alarms() == await buyer.alarms() == []


async def test_units_are_reserved_until_the_other_side_answers(trade: Trade) -> None:
    """What is offered cannot be offered, used or cancelled a second time."""
    seller, _ = await trade.seller(), await trade.buyer()
    transfer_id = await propose(seller)
    assert await seller.holds("TH-100-1") == [
        (*FIRST, "authorized", transfer_id),
        (*REST, "authorized", None),
    ]
    ranges = [{"first_id": FIRST[0], "last_id": FIRST[1]}]
    again = proposal(ranges=ranges)
    answer = await seller.call("POST", "/v1/transfers", again, status=409)
    assert transfer_id in answer["detail"]
    too_many = await seller.call("POST", "/v1/transfers", proposal(quantity=901), status=409)
    assert "900 free units" in too_many["detail"]


async def test_an_operator_accepts(trade: Trade) -> None:
    """Without automatic acceptance the transfer waits for a person, then completes."""
    seller, buyer = await trade.seller(), await trade.buyer()
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "proposed"))
    shown = await buyer.call("GET", f"/v1/transfers/{transfer_id}")
    assert shown["awaited"] == "us"
    await buyer.call("POST", f"/v1/transfers/{transfer_id}/accept")
    await until(partial(is_state, seller, transfer_id, "completed"))
    await until(partial(is_state, buyer, transfer_id, "completed"))
    shown = await buyer.call("GET", f"/v1/transfers/{transfer_id}")
    events = [line["event"] for line in shown["timeline"]]
    assert events == ["proposed", "operator asked", "we answer: accept", "completed"]
    await buyer.call("POST", f"/v1/transfers/{transfer_id}/accept", status=409)


async def test_a_rejected_transfer_gives_the_units_back(trade: Trade) -> None:
    """Rejected with a reason: released here, nothing there, the reason in our timeline."""
    seller, buyer = await trade.seller(), await trade.buyer()
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "proposed"))
    await buyer.call("POST", f"/v1/transfers/{transfer_id}/reject", status=409)
    reasons = {"reasons": ["The price is not agreed."]}
    await buyer.call("POST", f"/v1/transfers/{transfer_id}/reject", reasons)
    await until(partial(is_state, seller, transfer_id, "rejected"))
    shown = await seller.call("GET", f"/v1/transfers/{transfer_id}")
    assert shown["awaited"] is None
    assert all(reserved is None for *_, reserved in await seller.holds("TH-100-1"))
    assert await buyer.holds("CH-100-1") == []
    assert await seller.check() == await buyer.check() == []


async def test_an_unknown_account_is_rejected_by_the_policy(trade: Trade) -> None:
    """No operator could accept into an account that is not there: rejected at once, and why."""
    seller, _ = await trade.seller(), await trade.buyer(auto_accept=True)
    transfer_id = await propose(seller, to_account="CH-100-9")
    await until(partial(is_state, seller, transfer_id, "rejected"))
    assert all(reserved is None for *_, reserved in await seller.holds("TH-100-1"))


async def test_a_cancelled_transfer_gives_the_units_back(trade: Trade) -> None:
    """Withdrawn before it was answered: released, and both ends know."""
    seller, buyer = await trade.seller(), await trade.buyer()
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "proposed"))
    reason = {"reason": "wrong account"}
    await seller.call("POST", f"/v1/transfers/{transfer_id}/cancel", reason)
    await until(partial(is_state, seller, transfer_id, "cancelled"))
    await until(partial(is_state, buyer, transfer_id, "cancelled"))
    assert all(reserved is None for *_, reserved in await seller.holds("TH-100-1"))
    await buyer.call("POST", f"/v1/transfers/{transfer_id}/accept", status=409)


async def test_an_expired_transfer_gives_the_units_back(trade: Trade) -> None:
    """Nobody answered in time: the hub says so, and the units are free again."""
    seller, buyer = await trade.seller(), await trade.buyer()
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "proposed"))
    trade.hub.expire(transfer_id)
    await until(partial(is_state, seller, transfer_id, "expired"))
    await until(partial(is_state, buyer, transfer_id, "expired"))
    assert all(reserved is None for *_, reserved in await seller.holds("TH-100-1"))


async def test_a_refused_proposal_gives_the_units_back(trade: Trade) -> None:
    """The hub's receipt says no: released, and the finding is in the timeline."""
    seller = await trade.seller()
    refusal = (ResponseCode.PURPOSE_NOT_AUTHORIZED, "not for this purpose")
    trade.hub.refusals["transfer.proposal"] = refusal
    transfer_id = await propose(seller)
    assert await seller.state_of(transfer_id) == "refused"
    assert all(reserved is None for *_, reserved in await seller.holds("TH-100-1"))
    shown = await seller.call("GET", f"/v1/transfers/{transfer_id}")
    assert "not for this purpose" in shown["timeline"][-1]["detail"]
    assert await seller.alarms() == ["message-refused"]


async def test_a_disputed_id_keeps_the_units_reserved(trade: Trade) -> None:
    """The hub knows this id with other content: something is in effect, so nothing is released."""
    seller = await trade.seller()
    refusal = (ResponseCode.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD, "quantity differs")
    trade.hub.refusals["transfer.proposal"] = refusal
    transfer_id = await propose(seller)
    assert await seller.state_of(transfer_id) == "disputed"
    assert (*FIRST, "authorized", transfer_id) in await seller.holds("TH-100-1")


async def test_used_units_are_final(trade: Trade) -> None:
    """After the hub recorded the use, the units can go nowhere (2/CMA.3 annex para 21(e))."""
    seller, buyer = await trade.seller(), await trade.buyer(auto_accept=True)
    transfer_id = await propose(seller)
    await until(partial(is_state, buyer, transfer_id, "completed"))
    use = {
        "account": "CH-100-1",
        "cooperative_approach": "CA0001",
        "quantity": 40,
        "calendar_year": 2024,
    }
    await buyer.call("POST", "/v1/uses", use)
    await until(partial(_has_status, buyer, "used"))
    cancel = {"account": "CH-100-1", "cooperative_approach": "CA0001", "quantity": 60}
    await buyer.call("POST", "/v1/cancellations", cancel)
    await until(partial(_has_status, buyer, "cancelled"))
    assert [status for _, _, status, _ in await buyer.holds("CH-100-1")] == ["used", "cancelled"]
    named = [{"first_id": FIRST[0], "last_id": FIRST[0]}]
    del use["quantity"]
    answer = await buyer.call("POST", "/v1/uses", {**use, "ranges": named}, status=409)
    assert "final" in answer["detail"]
    assert await buyer.check() == []


async def _has_status(registry: Registry, wanted: str) -> bool:
    return any(status == wanted for _, _, status, _ in await registry.holds("CH-100-1"))


async def test_a_refused_use_gives_the_units_back(trade: Trade) -> None:
    """The hub says no to a use: the units are free again."""
    seller = await trade.seller()
    trade.hub.refusals["action.use"] = (ResponseCode.OUTSIDE_NDC_PERIOD, "too late")
    use = {
        "account": "TH-100-1",
        "cooperative_approach": "CA0001",
        "quantity": 40,
        "calendar_year": 2024,
    }
    await seller.call("POST", "/v1/uses", use)
    await until(partial(_has_alarm, seller, "message-refused"))
    assert all(reserved is None for *_, reserved in await seller.holds("TH-100-1"))
    assert await seller.check() == []


async def _has_alarm(registry: Registry, kind: str) -> bool:
    return kind in await registry.alarms()


async def test_a_notification_is_recorded_and_moves_nothing(trade: Trade) -> None:
    """Notify-and-record: both ends know of it, and no book changes."""
    seller, buyer = await trade.seller(), await trade.buyer()
    transfer_id = await propose(seller, adjustment_method="averaging")
    await until(partial(is_state, buyer, transfer_id, "proposed"))
    body = {"recorded_reference": "CH-LEDGER-7"}
    await buyer.call("POST", f"/v1/transfers/{transfer_id}/accept", body)
    await until(partial(is_state, seller, transfer_id, "completed"))
    whole = (FIRST[0], REST[1])
    held = await seller.holds("TH-100-1")
    assert (held[0][0], held[-1][1]) == whole
    assert await buyer.holds("CH-100-1") == []
    assert await seller.check() == []


async def test_units_come_back_and_go_on(trade: Trade) -> None:
    """There and back again: the same serials, sound books, first transferred only once."""
    seller, buyer = await trade.seller(auto_accept=True), await trade.buyer(auto_accept=True)
    there = await propose(seller)
    await until(partial(is_state, buyer, there, "completed"))
    back = await buyer.call(
        "POST",
        "/v1/transfers",
        {
            "recipient": "THA01",
            "cooperative_approach": "CA0001",
            "from_account": "CH-100-1",
            "to_account": "TH-100-1",
            "quantity": 100,
        },
    )
    assert back["proposal"]["action"] == "transfer"
    await until(partial(is_state, seller, back["transfer_id"], "completed"))
    assert await seller.holds("TH-100-1") == [
        (*FIRST, "itmo", None),
        (*REST, "authorized", None),
    ]
    mixed = await seller.call("POST", "/v1/transfers", proposal(quantity=1000), status=409)
    assert "split them" in mixed["detail"]
    assert await seller.check() == await buyer.check() == []


async def test_hello_is_said_once_and_again_when_the_mode_changes(trade: Trade) -> None:
    """A restart is no news for the hub; another way of delivery is."""
    for push in (False, False, True):
        registry = await trade.start("THA01", push=push)
        config = registry.connector.config
        mode = "push" if push else "pull"
        delivery = config.delivery.model_copy(update={"mode": mode, "listen": "127.0.0.1:0"})
        await registry.connector.stop()
        registry = await trade.start("THA01", delivery=delivery)
        await until(partial(_idle, registry))
        await registry.connector.stop()
    said = [
        message.message.body["delivery_mode"]
        for envelope in trade.hub.seen
        for message in envelope.messages
        if message.message.type == "participant.hello"
    ]
    assert said == ["pull", "push"]


async def _idle(registry: Registry) -> bool:
    return not any((await registry.call("GET", "/v1/outbox"))["counts"].values())
