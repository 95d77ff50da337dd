"""The sweep: every transfer past its deadline ends, once, and gives its units back."""

from datetime import timedelta

import pytest

from hub.protocol.response_codes import ResponseCode
from hub.services.expire_transfers import expire_due
from hub.store import transfers
from hub.store.database import Database
from message_schemas import timestamps
from tests.hub.world import World, codes_of
from tests.integration.peers import acceptance, now

DAY = timedelta(days=1)


def sweep(world: World, after: timedelta) -> tuple[int, list[str]]:
    """Sweep as of some time from now."""
    return expire_due(
        world.database, identity=world.identity, limits=world.limits, now=now() + after
    )


def states(database: Database, *ids: str) -> list[str]:
    """Return the state of each transfer."""
    with database.reading() as connection:
        found = transfers.load(connection, ids)
    return [str(found[one].state) for one in ids]


def test_nothing_is_swept_before_its_time(either_world: World) -> None:
    """A default of one day to answer; before it a sweep does nothing at all."""
    either_world.begin()
    either_world.propose("THA01-1", 1, 9)
    assert sweep(either_world, timedelta(hours=23)) == (0, [])
    assert states(either_world.database, "THA01-1") == ["proposed"]


def test_a_transfer_nobody_answered_expires_and_gives_back(either_world: World) -> None:
    """Its units leave the ledger again, both ends are told, a second sweep finds nothing."""
    either_world.begin()
    soon = timestamps.render(now() + timedelta(hours=1))
    either_world.propose("THA01-1", 1, 9, respond_by=soon)
    either_world.propose("THA01-2", 10, 19)
    either_world.transfer("THA01-3", 20, 29)
    assert sweep(either_world, timedelta(hours=2)) == (1, ["CHE01", "THA01"])
    assert states(either_world.database, "THA01-1", "THA01-2", "THA01-3") == [
        "expired",
        "proposed",
        "completed",
    ]
    assert [one[:3] for one in either_world.blocks()] == [(10, 19, "THA01"), (20, 29, "CHE01")]
    assert sweep(either_world, timedelta(hours=2)) == (0, [])
    either_world.prove()


def test_an_answer_after_the_sweep_is_late_and_changes_nothing(world: World) -> None:
    """The acquirer learns by its own code that it came too late."""
    world.begin()
    digest = world.propose("THA01-1", 1, 9)
    assert sweep(world, 2 * DAY)[0] == 1
    receipt = world.say("CHE01", "THA01", acceptance("THA01-1", digest))
    assert codes_of(receipt) == [ResponseCode.TRANSFER_EXPIRED]
    assert world.blocks() == []
    world.prove()


def test_one_sweep_takes_a_bounded_number_and_the_next_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of silent transfers do not make one endless transaction."""
    monkeypatch.setattr("hub.services.expire_transfers.SWEEP_TRANSFERS_MAX", 2)
    world.begin()
    for number in range(3):
        world.propose(f"THA01-{number}", 10 * number + 1, 10 * number + 5)
    assert sweep(world, 2 * DAY)[0] == 2
    assert sweep(world, 2 * DAY)[0] == 1
    world.prove()
