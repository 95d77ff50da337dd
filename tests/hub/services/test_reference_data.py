"""Reference data in memory: a snapshot of one head, loaded again when the head moved."""

from hub.international_registry.authorizations import AuthorizationStatus
from hub.services import reference_data
from hub.services.administration.suspensions import place_suspension
from hub.store import head as heads
from tests.hub.world import HUB, World, accepted, act
from tests.integration.peers import authorization


def snapshot(world: World) -> reference_data.ReferenceData:
    """Return what is in the database now."""
    with world.database.reading() as connection:
        return reference_data.load(connection, heads.read(connection))


def test_the_latest_version_of_a_record_is_the_one_in_force(either_world: World) -> None:
    """Older versions stay known by their number."""
    either_world.begin()
    type_, body = authorization()
    second = body | {"version": 2, "status": "revoked"}
    accepted(either_world.say("THA01", HUB, (type_, second)))
    data = snapshot(either_world)
    assert set(data.approaches) == {"CA0001"}
    assert data.authorizations["THA", "TH-2022-001"].status is AuthorizationStatus.REVOKED
    versions = data.authorization_versions
    assert versions["THA", "TH-2022-001", 1].status is AuthorizationStatus.IN_FORCE
    assert ("authorization", "THA", "TH-2022-001", 2) in data.records


def test_a_snapshot_knows_whether_it_is_current(world: World) -> None:
    """Keys and reference data each have their version; a transfer moves neither."""
    world.begin()
    data = snapshot(world)
    world.propose("THA01-1", 1, 9)
    with world.database.reading() as connection:
        assert data.is_current(heads.read(connection))
    world.administration.do(place_suspension("hub", "*"), act())
    with world.database.reading() as connection:
        assert not data.is_current(heads.read(connection))


def test_the_registries_of_a_party_are_its_own_and_no_central_ones(world: World) -> None:
    """Notices to a Party go to its Party registries."""
    data = snapshot(world)
    assert data.registries_of("CHE") == ["CHE01"]
    assert data.registries_of("XMR") == []
    assert data.registries_of("PER") == []
