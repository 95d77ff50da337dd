"""Deliveries by pull: the long poll, the acknowledgement through the door, and bad weather."""

from functools import partial

from connectors.session.session import Session
from tests.connectors.session.conftest import World, alarms_of, in_each_binding, until
from tests.connectors.session.ledger_handler import LedgerHandler, effects, note


def _acknowledged(world: World, count: int) -> bool:
    return world.hub.mailboxes["CHE01"].acknowledged == count


async def items(session: Session) -> list[str]:
    """Return what was applied, in order."""
    return await session.database.read(effects, "item")


@in_each_binding
async def test_what_is_sent_arrives_by_itself(world: World) -> None:
    """A waiting fetch is answered when an item comes, and acknowledged before the next fetch."""
    peer = await world.peer("CHE01", handler=LedgerHandler(), delivery_mode="pull")
    sender = await world.peer("THA01")
    for number in (1, 2, 3):
        await sender.submit("CHE01", [note(text=str(number))])
        await until(partial(_acknowledged, world, number))
    assert await items(peer) == ["1", "2", "3"]
    assert not await alarms_of(peer)


async def test_a_lost_acknowledgement_is_repeated_without_a_second_effect(world: World) -> None:
    """The fetch is answered, the answer to the acknowledgement is lost: the hub has it anyway."""
    sender = await world.peer("THA01")
    await sender.submit("CHE01", [note()])
    await until(lambda: world.hub.mailboxes["CHE01"].items)
    world.hub.faults.extend(["", "drop"])
    peer = await world.peer("CHE01", handler=LedgerHandler(), delivery_mode="pull")
    await until(lambda: world.hub.mailboxes["CHE01"].acknowledged == 1)
    await sender.submit("CHE01", [note()])
    await until(lambda: world.hub.mailboxes["CHE01"].acknowledged == 2)
    assert await items(peer) == ["1", "2"]


async def test_an_acknowledgement_the_hub_never_saw_is_given_again(world: World) -> None:
    """The hub hands out the same bytes again; they are acknowledged again."""
    sender = await world.peer("THA01")
    await sender.submit("CHE01", [note()])
    await until(lambda: world.hub.mailboxes["CHE01"].items)
    world.hub.faults.extend(["", "500", "500"])
    peer = await world.peer("CHE01", handler=LedgerHandler(), delivery_mode="pull")
    await until(lambda: world.hub.mailboxes["CHE01"].acknowledged == 1)
    assert await items(peer) == ["1"]


async def test_a_forged_answer_to_a_fetch_applies_nothing(world: World) -> None:
    """The receipt of a fetch is verified like any other; afterwards the real one is taken."""
    sender = await world.peer("THA01")
    await sender.submit("CHE01", [note()])
    await until(lambda: world.hub.mailboxes["CHE01"].items)
    world.hub.faults.extend(["receipt-other-key", "receipt-no-digest", "html-200", "503"])
    peer = await world.peer("CHE01", handler=LedgerHandler(), delivery_mode="pull")
    await until(lambda: world.hub.mailboxes["CHE01"].acknowledged == 1)
    assert await items(peer) == ["1"]


async def test_more_than_a_page_comes_page_by_page(world: World) -> None:
    """More than one fetch can carry arrives in order, page by page."""
    peer = await world.peer(
        "CHE01", handler=LedgerHandler(), delivery_mode="pull", fetch_items_max=100
    )
    sender = await world.peer("THA01", messages_per_envelope_max=1)
    await sender.submit("CHE01", [note(text=str(number)) for number in range(250)])
    await until(lambda: world.hub.mailboxes["CHE01"].acknowledged == 250)
    assert await items(peer) == [str(number) for number in range(1, 251)]
