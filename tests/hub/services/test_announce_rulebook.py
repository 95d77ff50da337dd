"""A newer rulebook is announced: to every active registry, in the log, once."""

import json
from concurrent.futures import ThreadPoolExecutor

from hub.services.administration.participants import change_state
from hub.services.administration.recorded_acts import ActReader
from hub.services.announce_rulebook import FIRST_RULEBOOK, announce
from hub.services.check_log import check_log
from hub.store import acts
from message_schemas.validation import schema_errors
from tests.hub.world import HUB, World, act, notices_to
from tests.integration.peers import now

EVERYBODY = ["CHE01", "GHA01", "THA01", "XMR01"]
NEXT, LATER = "2027-03-01", "2027-09-01"


def told(world: World, date: str) -> list[str]:
    """Announce a rulebook as a start does; return who has news of it."""
    return announce(world.database, hub=HUB, now=now(), current=date)


def heard(world: World, code: str) -> list[str]:
    """Return the dates of the rulebooks that a participant was told of."""
    bodies = [body for type_, body in notices_to(world, code) if type_ == "rulebook.published"]
    assert not any(schema_errors("rulebook.published", 1, body) for body in bodies)
    return [body["rulebook"] for body in bodies]


def test_a_newer_rulebook_is_told_to_every_active_registry_once(either_world: World) -> None:
    """Also at the next start, and at that of an older hub, nobody hears of it again."""
    assert sorted(told(either_world, NEXT)) == EVERYBODY
    for date in (NEXT, FIRST_RULEBOOK):
        assert told(either_world, date) == []
    assert sorted(told(either_world, LATER)) == EVERYBODY
    for code in EVERYBODY:
        assert heard(either_world, code) == [NEXT, LATER]
    either_world.prove()
    assert list(check_log(either_world.database)) == []


def test_the_first_rulebook_is_news_to_nobody(world: World) -> None:
    """A database that never announced one stands at the first."""
    assert told(world, FIRST_RULEBOOK) == []
    assert heard(world, "CHE01") == []


def test_who_is_not_active_is_not_told(world: World) -> None:
    """It reads the rulebook when it is let in."""
    world.administration.do(change_state("GHA01", "suspend"), act())
    assert sorted(told(world, NEXT)) == ["CHE01", "THA01", "XMR01"]
    assert heard(world, "GHA01") == []


def test_the_announcement_is_an_act_of_the_hub_that_holds(world: World) -> None:
    """Found in the log with its date, and in order without an administrator's signature."""
    told(world, NEXT)
    with world.database.reading() as connection:
        row = acts.newest_of_kind(connection, "rulebook.published")
        assert row is not None
        assert (row.actor, json.loads(row.detail)) == (HUB, {"rulebook": NEXT})
        assert list(ActReader(connection, HUB).faults()) == []


def test_processes_that_start_together_announce_it_once(either_world: World) -> None:
    """Whoever has the head's lock first tells; the others find it told."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: told(either_world, NEXT), range(4)))
    assert sorted(map(len, answers)) == [0, 0, 0, len(EVERYBODY)]
    assert heard(either_world, "CHE01") == [NEXT]
