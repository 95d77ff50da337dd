"""Versioned records: recorded once, told to the other registries of the approach."""

import pytest

from hub.protocol.response_codes import ResponseCode
from hub.services import reference_data
from hub.store import head as heads
from tests.hub.world import HUB, World, accepted, codes_of, notices_to
from tests.integration.peers import Said, approach, authorization


def test_a_record_is_told_to_the_other_parties_of_its_approach(world: World) -> None:
    """To each registry of a participating Party but the one that said it."""
    accepted(world.say("THA01", HUB, approach(parties=("CHE", "THA")), authorization()))
    told = [type_ for type_, _ in notices_to(world, "CHE01")]
    assert told == ["cooperative_approach.recorded", "authorization.recorded"]
    assert notices_to(world, "THA01") == []
    assert notices_to(world, "GHA01") == []


@pytest.mark.parametrize("said", [approach(), authorization()], ids=["approach", "authorization"])
def test_a_version_said_again_is_a_duplicate_and_another_one_is_refused(
    world: World, said: Said
) -> None:
    """The same version with other words never replaces the first; a gap in versions neither."""
    world.begin()
    type_, body = said
    (again,) = world.say("THA01", HUB, said)["outcomes"]
    assert again["outcome"] == "duplicate-of"
    field = "title" if type_ == "cooperative_approach.record" else "terms"
    other = world.say("THA01", HUB, (type_, body | {field: "Something else"}))
    assert codes_of(other) == [ResponseCode.RECORD_EXISTS_WITH_DIFFERENT_FIELD]
    gap = world.say("THA01", HUB, (type_, body | {"version": 3}))
    assert codes_of(gap) == [ResponseCode.RECORD_VERSION_NOT_NEXT]
    accepted(world.say("THA01", HUB, (type_, body | {"version": 2})))
    world.prove()


def test_an_entity_is_recorded_under_its_approach(world: World) -> None:
    """Authorized by the Party that sends it."""
    world.begin()
    entity = {
        "entity_id": "ENT-1",
        "version": 1,
        "authorizing_party": "THA",
        "cooperative_approach": "CA0001",
        "name": "E-Bus Company",
        "country_of_incorporation": "THA",
        "authorized_on": "2022-10-01",
        "status": "in_force",
    }
    accepted(world.say("THA01", HUB, ("entity_authorization.record", entity)))
    with world.database.reading() as connection:
        data = reference_data.load(connection, heads.read(connection))
    assert data.entities["CA0001", "ENT-1"].name == "E-Bus Company"
    foreign = entity | {"entity_id": "ENT-2"}
    refused = world.say("CHE01", HUB, ("entity_authorization.record", foreign))
    assert codes_of(refused) == [ResponseCode.AUTHORIZING_PARTY_NOT_SENDER]
