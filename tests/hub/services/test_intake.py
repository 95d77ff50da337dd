"""The queue at the door: batches, order, a bound, and no envelope that harms its neighbours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hub import bootstrap
from hub.protocol.envelopes import OpenEnvelope
from hub.protocol.errors import PeerError, UnavailableError
from hub.protocol.response_codes import ResponseCode
from hub.services.intake import Intake, IntakeLimits
from hub.services.receive_envelopes import Handler
from hub.store import head as heads
from hub.store.database import DatabaseUnavailableError
from tests.hub.world import HUB, World, accepted, codes_of, receipt_of
from tests.integration.peers import Said, approach, now, proposal
from tests.integration.peers import block as wire_block

NOTE: Said = ("administrator.note", {"subject": "a", "text": "b"})
LIMITS = IntakeLimits(
    batch_envelopes_max=50,
    batch_bytes_max=16_000_000,
    queue_envelopes_max=100,
    queue_bytes_max=16_000_000,
)


class Told:
    """Who was told of news, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[Collection[str]] = []

    def __call__(self, recipients: Collection[str]) -> None:
        """Take note of one call."""
        self.batches.append(recipients)


async def no_question(_: OpenEnvelope) -> bytes:
    """Answer nothing: these tests only record."""
    raise AssertionError("nobody asked")


@asynccontextmanager
async def door(
    world: World,
    told: Told | None = None,
    limits: IntakeLimits = LIMITS,
    question: Callable[[OpenEnvelope], Awaitable[bytes]] = no_question,
    heard: Told | None = None,
) -> AsyncIterator[Intake]:
    """Run an intake before the world's receiver."""
    intake = Intake(
        world.receiver,
        limits,
        clock=now,
        on_recorded=told or Told(),
        on_heard=heard or Told(),
        answer_question=question,
    )
    intake.start()
    yield intake
    await intake.close()


async def test_what_arrives_together_shares_commits_and_keeps_its_order(world: World) -> None:
    """Forty envelopes: forty receipts in the order of the log, in far fewer batches."""
    told = Told()
    raws = [world.envelope("THA01", HUB, approach(f"CA{1000 + n}")) for n in range(40)]
    async with door(world, told) as intake:
        answers = await asyncio.gather(*map(intake.submit, raws))
    receipts = [accepted(receipt_of(answer)) for answer in answers]
    indices = [receipt["log_index"] for receipt in receipts]
    assert indices == list(range(indices[0], indices[0] + 40))
    assert len(told.batches) < 10
    world.prove()


async def test_a_poisonous_envelope_does_not_take_its_neighbours_with_it(world: World) -> None:
    """A handler that fails costs its own envelope an answer to retry, and nobody else's."""

    def fail(*_: object) -> Any:
        raise ZeroDivisionError("a poisonous envelope")

    poisoned: dict[str, Handler] = {**bootstrap.HANDLERS, "administrator.note": fail}
    hub = World(world.database, handlers=poisoned)
    hub.begin()
    raws = [
        hub.envelope("THA01", "CHE01", proposal("THA01-1", wire_block(1, 9))),
        hub.envelope("CHE01", HUB, NOTE),
        hub.envelope("THA01", "CHE01", proposal("THA01-2", wire_block(10, 19))),
    ]
    async with door(hub) as intake:
        first, bad, third = await asyncio.gather(*map(intake.submit, raws), return_exceptions=True)
    assert isinstance(first, bytes)
    assert isinstance(third, bytes)
    accepted(receipt_of(first))
    accepted(receipt_of(third))
    assert isinstance(bad, UnavailableError)
    assert bad.code is ResponseCode.HUB_UNAVAILABLE
    assert "ZeroDivision" not in bad.detail
    assert [one[:2] for one in hub.blocks()] == [(1, 9), (10, 19)]
    hub.prove()


async def test_a_full_queue_refuses_before_any_work(world: World) -> None:
    """Beyond the bound in envelopes or in bytes the answer is to come back in a moment."""
    raw = world.envelope("THA01", HUB, approach())
    for narrow in (
        IntakeLimits(50, 16_000_000, 1, 16_000_000),
        IntakeLimits(50, 16_000_000, 100, len(raw) + 10),
    ):
        async with door(world, limits=narrow) as intake:
            waiting = asyncio.create_task(intake.submit(raw))
            await asyncio.sleep(0)
            assert intake.waiting_count == 1
            with pytest.raises(UnavailableError) as refused:
                await intake.submit(raw)
            assert refused.value.code is ResponseCode.HUB_OVERLOADED
            accepted(receipt_of(await waiting))


async def test_an_envelope_at_the_door_learns_its_fault_at_once(world: World) -> None:
    """A problem is raised to the one who posted it."""
    async with door(world) as intake:
        with pytest.raises(PeerError, match="ENVELOPE_MALFORMED"):
            await intake.submit(b"nonsense")


async def test_a_peer_that_goes_away_still_has_its_envelope_recorded(world: World) -> None:
    """The connection may end at any time; what was taken is decided and kept."""
    raw = world.envelope("THA01", HUB, approach())
    async with door(world) as intake:
        posting = asyncio.create_task(intake.submit(raw))
        await asyncio.sleep(0)
        posting.cancel()
    with world.database.reading() as connection:
        index = heads.read(connection).log_index
    assert receipt_of(world.post(raw))["log_index"] == index


async def test_a_closing_door_finishes_what_it_took_and_takes_no_more(world: World) -> None:
    """Nobody who was let in goes without an answer; who comes later is sent away."""
    raws = [world.envelope("THA01", HUB, approach(f"CA{1000 + n}")) for n in range(10)]
    async with door(world) as intake:
        posting = [asyncio.create_task(intake.submit(raw)) for raw in raws]
        await asyncio.sleep(0)
        await intake.close()
        for answer in await asyncio.gather(*posting):
            accepted(receipt_of(answer))
        with pytest.raises(UnavailableError):
            await intake.submit(raws[0])


async def test_questions_are_answered_beside_the_batch(world: World) -> None:
    """A read-only envelope is not recorded; a database that is away is nobody's fault."""
    asks = world.envelope("THA01", HUB, ("holdings.query", {"items_max": 1}))
    told = Told()

    async def answer(item: OpenEnvelope) -> bytes:
        return item.envelope.sender.encode()

    async with door(world, told, question=answer) as intake:
        assert await intake.submit(asks) == b"THA01"
    assert told.batches == []

    async def away(_: OpenEnvelope) -> bytes:
        raise DatabaseUnavailableError("secret host name")

    async with door(world, question=away) as intake:
        with pytest.raises(UnavailableError) as refused:
            await intake.submit(asks)
    assert "secret" not in refused.value.detail

    async def broken(_: OpenEnvelope) -> bytes:
        raise ZeroDivisionError

    async with door(world, question=broken) as intake:
        with pytest.raises(UnavailableError, match="HUB_UNAVAILABLE"):
            await intake.submit(asks)


async def test_other_writers_work_between_two_batches(world: World) -> None:
    """A function handed over runs in the recording thread and returns its result."""
    async with door(world) as intake:
        assert await intake.run_blocking(sum, [1, 2, 3]) == 6


async def test_a_batch_is_cut_at_its_size(world: World) -> None:
    """Envelopes beyond the bytes or the number of one batch wait for the next one."""
    raws = [world.envelope("THA01", HUB, approach(f"CA{1000 + n}")) for n in range(6)]
    for limits in (
        IntakeLimits(2, 16_000_000, 100, 16_000_000),
        IntakeLimits(50, len(raws[0]) + 10, 100, 16_000_000),
    ):
        told = Told()
        async with door(world, told, limits) as intake:
            answers = await asyncio.gather(*map(intake.submit, raws))
        assert {tuple(codes_of(receipt_of(answer))) for answer in answers} == {(0,)}
        assert len(told.batches) >= 3
