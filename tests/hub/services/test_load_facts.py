"""What a batch needs: gathered from its messages, loaded in a handful of statements."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, event

from hub.checks.facts import Policy
from hub.protocol.envelopes import OpenEnvelope
from hub.protocol.limits import Limits
from hub.services.batch_work import BatchWork
from hub.services.load_facts import load_work, needs_of
from hub.store import head as heads
from hub.store.interning import Interning
from tests.hub.world import HUB, World
from tests.integration.peers import (
    Said,
    acceptance,
    approach,
    authorization,
    block,
    now,
    proposal,
)


def opened(world: World, sender: str, recipient: str, *said: Said) -> OpenEnvelope:
    """Return an envelope as the door opens it."""
    raw = world.envelope(sender, recipient, *said)
    (item,) = world.receiver.open_batch([raw], world.receiver.data.trust, now())
    assert isinstance(item, OpenEnvelope)
    return item


def loaded(world: World, *items: OpenEnvelope) -> BatchWork:
    """Return the working state of a batch."""
    with world.database.reading() as connection:
        head = heads.read(connection)
        return load_work(
            connection,
            Interning(),
            list(items),
            head,
            world.receiver.refresh(connection, head),
            identity=world.identity,
            limits=world.limits,
            now=now(),
        )


def test_a_batch_needs_what_its_messages_name(world: World) -> None:
    """Transfers, ranges, authorizations, natural ids, records, deliveries; nothing else."""
    reversed_block = block(1, 9) | {"first_id": "CA0001-THA01-THA-20-2022"}
    needs = needs_of(
        [
            opened(world, "THA01", "CHE01", proposal("THA01-1", block(1, 9), reversed_block)),
            opened(world, "CHE01", "THA01", acceptance("THA01-7", "0" * 64)),
            opened(world, "THA01", HUB, approach(), authorization(), ("non.sense", {})),
            opened(
                world,
                "CHE01",
                HUB,
                (
                    "delivery.acknowledgement",
                    {"up_to_sequence": 4, "delivery_sha256": "0" * 64},
                ),
            ),
        ]
    )
    assert needs.transfer_ids == {"THA01-1", "THA01-7"}
    assert needs.proposed_ids == {"THA01-1"}
    assert {(one.first, one.last) for one in needs.ranges} == {(1, 9)}
    assert needs.usages == {("THA", "TH-2022-001")}
    assert needs.records == {
        ("cooperative_approach", "", "CA0001", 1),
        ("authorization", "THA", "TH-2022-001", 1),
    }
    assert needs.acknowledgements == {("CHE01", 4)}
    assert (needs.mailboxes, needs.initiators) == ({"CHE01"}, {"THA01"})
    assert (needs.action_ids, needs.issuance_ids, needs.underlying) == (set(), set(), set())


def test_the_facts_hold_the_blocks_asked_for_and_those_reserved_by_transfers_named(
    either_world: World,
) -> None:
    """An answer names only its transfer, and still finds the units; others stay unloaded."""
    either_world.begin()
    either_world.propose("THA01-1", 1, 9)
    either_world.propose("THA01-2", 20, 29)
    either_world.propose("THA01-3", 40, 49)
    work = loaded(
        either_world,
        opened(either_world, "CHE01", "THA01", acceptance("THA01-1", "0" * 64)),
        opened(either_world, "THA01", "CHE01", proposal("THA01-4", block(25, 35))),
    )
    assert [(one.first, one.last) for one in work.facts.window] == [(1, 9), (20, 29)]
    assert set(work.facts.transfers) == {"THA01-1"}
    assert work.facts.usage["THA", "TH-2022-001"].reserved == 29


def test_what_was_accepted_before_is_there_to_compare_with(either_world: World) -> None:
    """A proposal and a record said again find their first bodies, whatever the envelope."""
    either_world.begin()
    either_world.propose("THA01-1", 1, 9)
    work = loaded(
        either_world,
        opened(either_world, "THA01", "CHE01", proposal("THA01-1", block(1, 8))),
        opened(either_world, "THA01", HUB, approach(), authorization(quantity_max=5)),
    )
    bodies: list[Any] = list(work.facts.earlier.values())
    assert {getattr(one, "quantity", None) for one in bodies} == {9, None}
    assert {getattr(one, "quantity_max", None) for one in bodies} == {10**9, None}
    assert len(bodies) == 3


def test_crowded_ranges_are_told_to_the_checks(world: World) -> None:
    """A range over more blocks than the limit is named instead of loaded."""
    world.begin()
    for number in range(1, 5):
        world.propose(f"THA01-{number}", 10 * number, 10 * number + 3)
    narrow = World(world.database, limits=Limits(ledger_blocks_per_range_max=3))
    work = loaded(narrow, opened(narrow, "THA01", "CHE01", proposal("THA01-9", block(1, 99))))
    assert {(one.first, one.last) for one in work.facts.crowded} == {(1, 99)}
    assert list(work.facts.window) == []


def test_a_policy_that_looks_back_loads_what_it_looks_at(world: World) -> None:
    """Daily quantities and arrivals are loaded only where a limit is set."""
    world.begin()
    world.transfer("THA01-1", 1, 9)
    item = opened(world, "THA01", "CHE01", proposal("THA01-2", block(20, 29)))
    assert loaded(world, item).facts.quantity_today == {}
    policy = Policy(quantity_per_day_max=100, onward_delay_seconds=3600)
    careful = World(world.database, policy=policy)
    assert loaded(careful, item).facts.quantity_today == {"THA01": 9}
    onward = opened(world, "CHE01", "GHA01", proposal("CHE01-1", block(1, 9)))
    (arrival,) = loaded(careful, onward).facts.arrivals
    assert (arrival.registry, arrival.range.first, arrival.range.last) == ("CHE01", 1, 9)
    assert now() - arrival.at < timedelta(minutes=1)


def test_the_number_of_statements_does_not_grow_with_the_batch(world: World) -> None:
    """A hundred proposals are loaded with as many statements as one."""
    world.begin()

    def count(items: list[OpenEnvelope]) -> int:
        seen: list[str] = []

        def note(*arguments: Any) -> None:
            seen.append(arguments[2])

        event.listen(Engine, "before_cursor_execute", note)
        loaded(world, *items)
        event.remove(Engine, "before_cursor_execute", note)
        return len(seen)

    proposals = [
        opened(world, "THA01", "CHE01", proposal(f"THA01-{n}", block(10 * n, 10 * n + 5)))
        for n in range(1, 101)
    ]
    loaded(world, proposals[0])  # the reference data, which changed, is read again here
    assert count(proposals) == count(proposals[:1])
