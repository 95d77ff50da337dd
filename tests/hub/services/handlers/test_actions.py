"""Use and cancellation: final, told in order to who acted and to who must adjust."""

from typing import Any

import pytest

from hub.protocol.response_codes import ResponseCode
from tests.hub.world import HUB, World, accepted, codes_of, notices_to
from tests.integration.peers import Said, block, proposal


def use(action_id: str, *blocks: Any, **changes: Any) -> Said:
    """Return a use towards Switzerland's NDC."""
    body = {
        "action_id": action_id,
        "cooperative_approach": "CA0001",
        "purpose": "NDC",
        "using_party": "CHE",
        "calendar_year": 2025,
        "quantity": sum(one["quantity"] for one in blocks),
        "blocks": list(blocks),
    }
    return "action.use", body | changes


def cancellation(action_id: str, *blocks: Any, kind: str = "voluntary") -> Said:
    """Return a cancellation by Switzerland."""
    body = {
        "action_id": action_id,
        "cooperative_approach": "CA0001",
        "kind": kind,
        "cancelling_party": "CHE",
        "quantity": sum(one["quantity"] for one in blocks),
        "blocks": list(blocks),
    }
    return "action.cancellation", body


@pytest.fixture
def swiss_world(world: World) -> World:
    """Return a world in which Switzerland holds nine units."""
    world.begin()
    world.transfer("THA01-1", 1, 9)
    return world


@pytest.mark.parametrize(
    ("said", "status"),
    [(use("CHE01-7", block(1, 4)), "used"), (cancellation("CHE01-7", block(1, 4)), "cancelled")],
    ids=["use", "cancellation"],
)
def test_ended_units_stay_where_they_are_for_ever(
    swiss_world: World, said: Said, status: str
) -> None:
    """Only the units named end; the sender is told in its own channel; the rest stays free."""
    receipt = accepted(swiss_world.say("CHE01", HUB, said))
    assert receipt["outcomes"][0]["result"]["action_id"] == "CHE01-7"
    assert swiss_world.blocks() == [(1, 4, "CHE01", status), (5, 9, "CHE01", "itmo")]
    type_, told = notices_to(swiss_world, "CHE01")[-1]
    assert (type_, told["quantity"]) == ("action.recorded", 4)
    again = proposal("CHE01-8", block(4, 5), action="transfer")
    refused = swiss_world.say("CHE01", "GHA01", again)
    assert codes_of(refused) == [ResponseCode.BLOCK_TERMINAL]
    swiss_world.prove()


def test_an_act_said_again_is_answered_by_its_first_result(swiss_world: World) -> None:
    """Under the same id the same content is a duplicate; other content is refused."""
    said = use("CHE01-7", block(1, 4))
    first = accepted(swiss_world.say("CHE01", HUB, said))["outcomes"][0]
    (again,) = swiss_world.say("CHE01", HUB, said)["outcomes"]
    assert (again["outcome"], again["result"]) == ("duplicate-of", first["result"])
    other = swiss_world.say("CHE01", HUB, use("CHE01-7", block(1, 5)))
    assert codes_of(other)[0] in {
        ResponseCode.TRANSFER_EXISTS_WITH_DIFFERENT_FIELD,
        ResponseCode.RECORD_EXISTS_WITH_DIFFERENT_FIELD,
    }
    assert len(swiss_world.blocks()) == 2
    swiss_world.prove()


def test_a_registry_ends_only_what_it_holds(swiss_world: World) -> None:
    """Thailand gave the units away; Ghana never had them."""
    for sender, party in (("THA01", "THA"), ("GHA01", "GHA")):
        said = use(f"{sender}-7", block(1, 4), using_party=party)
        refused = swiss_world.say(sender, HUB, said)
        assert codes_of(refused)[0] in {
            ResponseCode.BLOCK_NOT_HELD,
            ResponseCode.BLOCK_HELD_ELSEWHERE,
        }
    assert swiss_world.blocks() == [(1, 9, "CHE01", "itmo")]
