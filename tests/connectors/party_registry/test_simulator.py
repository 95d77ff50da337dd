"""The misbehaving registry: its forgeries are refused, and everything converges all the same."""

from functools import partial
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.party_registry.simulator import SimulatedConnector
from connectors.party_registry.simulator_faults import (
    PUSH_FAULTS,
    SEND_FAULTS,
    Fault,
    FaultPlan,
)
from tests.connectors.party_registry.conftest import (
    Registry,
    Trade,
    bindings,
    make_config,
    proposal,
)
from tests.connectors.session.conftest import until

TRANSFER_COUNT = 6
ACCOUNT = {"account": "CH-100-1"}


async def simulate(trade: Trade, plan: FaultPlan, **changes: Any) -> Registry:
    """Start CHE01 as a misbehaving registry that accepts everything."""
    config = make_config(trade.folder, trade.hub, "CHE01", auto_accept=True, **changes)
    connector = await trade.stack.enter_async_context(
        SimulatedConnector(config, plan, clock=trade.hub.clock)
    )
    client = await trade.stack.enter_async_context(aiohttp.ClientSession())
    registry = Registry(connector, client)
    await registry.call("POST", "/v1/accounts", ACCOUNT)
    return registry


async def all_completed(registry: Registry, count: int) -> bool:
    """Tell whether this many transfers are completed."""
    found = await registry.call("GET", "/v1/transfers?state=completed")
    return len(found["transfers"]) == count


async def trade_with(trade: Trade, buyer: Registry) -> Registry:
    """Let six transfers go to the buyer and wait until both books have them."""
    seller = await trade.seller()
    for _ in range(TRANSFER_COUNT):
        await seller.call("POST", "/v1/transfers", proposal(quantity=10))
    await until(partial(all_completed, buyer, TRANSFER_COUNT))
    await until(partial(all_completed, seller, TRANSFER_COUNT))
    return seller


@bindings("json", "xml")
async def test_all_sending_faults_together_converge(trade: Trade, run_seed: int) -> None:
    """Receipts forgotten, bytes repeated, envelopes forged: six transfers, sound books."""
    print(f"seed: {run_seed}")
    plan = FaultPlan(run_seed, dict.fromkeys(SEND_FAULTS, 0.09))
    buyer = await simulate(trade, plan)
    seller = await trade_with(trade, buyer)
    held = await buyer.holds("CH-100-1")
    assert held[0][0] == "CA0001-THA01-THA-1-2022"
    assert await seller.check() == await buyer.check() == []


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (Fault.WRONG_KEY, "1005 KEY_UNKNOWN"),
        (Fault.OTHERS_NAME, "1009 KEY_OF_ANOTHER_PARTICIPANT"),
        (Fault.SAME_ID, "1012 ENVELOPE_ID_REUSED"),
        (Fault.REPEAT, "same"),
        (Fault.FORGET_RECEIPT, "receipt"),
        (Fault.ALTERED, "1004 SIGNATURE_INVALID"),
    ],
)
@bindings("json", "xml")
async def test_each_fault_gets_the_answer_it_deserves(
    trade: Trade, fault: Fault, answer: str
) -> None:
    """A forgery is refused with its own code; a repetition gets the same receipt."""
    chance = 0.5 if fault is Fault.FORGET_RECEIPT else 1.0
    plan = FaultPlan(7, {fault: chance})
    buyer = await simulate(trade, plan, push=True)
    trade.hub.push_to("CHE01", buyer.connector.push_url or "")
    await trade_with(trade, buyer)
    assert plan.incidents
    assert {incident.answer for incident in plan.incidents} == {answer}


@bindings("json", "xml")
async def test_push_faults_together_converge(trade: Trade, run_seed: int) -> None:
    """500, HTML, lost and wrong acknowledgements: the hub pushes again, each item counts once."""
    print(f"seed: {run_seed}")
    faults = [fault for fault in PUSH_FAULTS if fault is not Fault.PUSH_HANG]
    plan = FaultPlan(run_seed, dict.fromkeys(faults, 0.1))
    buyer = await simulate(trade, plan, push=True)
    trade.hub.push_to("CHE01", buyer.connector.push_url or "")
    seller = await trade_with(trade, buyer)
    assert await seller.check() == await buyer.check() == []


@bindings("xml")
async def test_a_wrapped_signature_is_refused_for_its_form(trade: Trade) -> None:
    """Our signed envelope inside another, with the signature once more: read by nobody."""
    plan = FaultPlan(7, {Fault.WRAPPED: 1.0})
    await trade_with(trade, await simulate(trade, plan))
    assert {incident.answer for incident in plan.incidents} == {"1001 ENVELOPE_MALFORMED"}


@bindings("json")
async def test_json_has_no_place_for_a_wrapped_signature(trade: Trade) -> None:
    """The fault is drawn, and nothing wrong is sent."""
    plan = FaultPlan(7, {Fault.WRAPPED: 1.0})
    await trade_with(trade, await simulate(trade, plan))
    assert not plan.incidents


@given(seed=st.integers(0, 2**32), chance=st.floats(0, 0.09))
def test_a_seed_repeats_its_faults(seed: int, chance: float) -> None:
    """The same seed draws the same faults at the same moments."""
    first, second = (FaultPlan(seed, dict.fromkeys(SEND_FAULTS, chance)) for _ in range(2))
    drawn = [first.draw(SEND_FAULTS) for _ in range(50)]
    assert drawn == [second.draw(SEND_FAULTS) for _ in range(50)]


def test_chances_that_cannot_be_are_refused() -> None:
    """More than certain, or less than never, is a misuse."""
    for chances in ({Fault.REPEAT: 0.7, Fault.DELAY: 0.7}, {Fault.REPEAT: -0.1}):
        with pytest.raises(ValueError, match="add up"):
            FaultPlan(1, chances)
