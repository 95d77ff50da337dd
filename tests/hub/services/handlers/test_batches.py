"""What the second message of a batch sees of the first: limits, arrivals, underlying units."""

from hub.checks.facts import Policy
from hub.protocol.response_codes import ResponseCode
from hub.store.database import Database
from tests.hub.services.handlers.test_transfers import rejection
from tests.hub.world import World, accepted, codes_of
from tests.integration.peers import acceptance, block, proposal


def test_the_day_limit_holds_within_a_batch_and_counts_what_came_back(world: World) -> None:
    """Two proposals that fit alone do not fit together; a rejected one leaves room again."""
    limited = World(Database(str(world.database.url)), policy=Policy(quantity_per_day_max=10))
    limited.begin()
    first, second = proposal("THA01-1", block(1, 6)), proposal("THA01-2", block(7, 12))
    receipt = limited.say("THA01", "CHE01", first, second)
    assert codes_of(receipt) == [0, ResponseCode.VELOCITY_LIMIT_EXCEEDED]
    reject = limited.envelope("CHE01", "THA01", rejection("THA01-1", receipt["envelope_sha256"]))
    again = limited.envelope("THA01", "CHE01", second, proposal("THA01-3", block(13, 17)))
    answers = limited.record(reject, again)
    assert len(answers.answers) == 2
    assert limited.blocks() == [(7, 12, "THA01", "authorized")]
    limited.database.dispose()


def test_the_onward_delay_holds_within_a_batch(world: World) -> None:
    """Units that arrive by one envelope of a batch do not leave by the next."""
    delayed = World(Database(str(world.database.url)), policy=Policy(onward_delay_seconds=3600))
    delayed.begin()
    digest = delayed.propose("THA01-1", 1, 9)
    accept = delayed.envelope("CHE01", "THA01", acceptance("THA01-1", digest))
    onward = proposal("CHE01-1", block(3, 5), action="transfer")
    delayed.record(accept, delayed.envelope("CHE01", "GHA01", onward))
    assert delayed.blocks() == [(1, 9, "CHE01", "itmo")]
    refused = delayed.say("CHE01", "GHA01", onward)
    assert codes_of(refused) == [ResponseCode.ONWARD_TRANSFER_DELAY]
    delayed.database.dispose()


def test_underlying_units_that_left_with_a_rejection_are_free_again(world: World) -> None:
    """In one batch: proposed, refused while reserved, rejected, proposed under other serials."""
    world.begin()
    unit = {"registry": "T-VER", "first_unit_id": "TV-1", "last_unit_id": "TV-9"}
    first = proposal("THA01-1", block(1, 9, underlying_unit=unit))
    second = proposal("THA01-2", block(11, 19, underlying_unit=unit | {"first_unit_id": "TV-9"}))
    receipt = world.say("THA01", "CHE01", first, second)
    assert codes_of(receipt) == [0, ResponseCode.UNDERLYING_UNIT_ALREADY_REGISTERED]
    reject = world.envelope("CHE01", "THA01", rejection("THA01-1", receipt["envelope_sha256"]))
    world.record(reject, world.envelope("THA01", "CHE01", second))
    assert [one[:2] for one in world.blocks()] == [(11, 19)]
    accepted(world.say("THA01", "CHE01", proposal("THA01-3", block(21, 29))))
    world.prove()


def test_underlying_units_of_an_earlier_batch_clash_by_their_numbers(either_world: World) -> None:
    """Whatever ids a part of them is named by; also when the block was split since."""
    either_world.begin()
    unit = {"registry": "T-VER", "first_unit_id": "TV-5", "last_unit_id": "TV-120"}
    first = proposal("THA01-1", block(1, 100, underlying_unit=unit))
    digest = accepted(either_world.say("THA01", "CHE01", first))["envelope_sha256"]
    accepted(either_world.say("CHE01", "THA01", acceptance("THA01-1", digest)))
    onward = proposal("CHE01-1", block(41, 50, underlying_unit=unit), action="transfer")
    accepted(either_world.say("CHE01", "GHA01", onward))
    for number, (low, high) in enumerate(((9, 12), (120, 200), (1, 5), (1, 999))):
        part = {"registry": "T-VER", "first_unit_id": f"TV-{low}", "last_unit_id": f"TV-{high}"}
        again = proposal(f"THA01-{10 + number}", block(201, 209, underlying_unit=part))
        receipt = either_world.say("THA01", "CHE01", again)
        assert codes_of(receipt) == [ResponseCode.UNDERLYING_UNIT_ALREADY_REGISTERED], part
    for number, (low, high) in enumerate(((1, 4), (121, 200))):
        rest = {"registry": "T-VER", "first_unit_id": f"TV-{low}", "last_unit_id": f"TV-{high}"}
        blocks = block(301 + 10 * number, 309 + 10 * number, underlying_unit=rest)
        accepted(either_world.say("THA01", "CHE01", proposal(f"THA01-{20 + number}", blocks)))
    either_world.prove()
