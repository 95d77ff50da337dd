"""Proofs that the hub refuses hold up no others, and are asked for again."""

import pytest

from connectors.session.log import proving
from connectors.session.log.client import LogClient, Unserved
from connectors.session.log.pins import load_pin
from connectors.session.transport import TryLater
from hub.transparency_log.proof_files import ProofFile
from tests.connectors.session.conftest import World, alarms_of, until
from tests.connectors.session.ledger_handler import note
from tests.connectors.session.log_worlds import all_proven, quiet, standing_of


class Refusing:
    """Refuses the proofs of some entries, in the hub's own words."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused: set[int] = set()
        self.asked: list[int] = []
        honest = LogClient.proof

        async def proof(
            client: LogClient, index: int
        ) -> tuple[ProofFile, bytes] | Unserved | TryLater:
            self.asked.append(index)
            if index in self.refused:
                return Unserved(404, "there is no such entry")
            return await honest(client, index)

        monkeypatch.setattr(LogClient, "proof", proof)


async def test_a_refused_proof_holds_up_no_older_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest is refused: the rest is proven in the same round, it once it is served."""
    hub = Refusing(monkeypatch)
    session = await quiet(world)
    newest = len(world.hub.log.entries) + 2
    hub.refused = {newest}
    await session.submit("CHE01", [note(text=str(number)) for number in range(3)])
    await until(lambda: len(world.hub.log.entries) == newest + 1)

    async def only_one_waits() -> bool:
        await session.log_monitor.look()
        return (await standing_of(session)).claims["pending"] == 1

    await until(only_one_waits)
    hub.refused = set()
    await session.log_monitor.look()
    assert await all_proven(session)
    assert not await alarms_of(session)


async def test_a_pile_of_refused_proofs_is_passed_little_by_little(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round asks for few refused ones, and the next one for others first."""
    monkeypatch.setattr(proving, "REFUSALS_PER_ROUND_MAX", 2)
    hub = Refusing(monkeypatch)
    session = await quiet(world, log_proofs_per_round_max=2)
    first = len(world.hub.log.entries)
    hub.refused = set(range(first, first + 6))
    await session.submit("CHE01", [note(text=str(number)) for number in range(6)])
    await until(lambda: len(world.hub.log.entries) == first + 6)
    await session.log_monitor.look()
    pin = await session.database.read(load_pin)
    assert pin is not None
    hub.refused.discard(first)  # the oldest alone is served

    async def oldest_is_proven() -> bool:
        assert pin is not None
        await session.log_monitor._prover.prove_pending(pin)
        return (await standing_of(session)).claims["pending"] == 5

    hub.asked.clear()
    await until(oldest_is_proven)
    assert len(hub.asked) <= 8
    hub.refused = set()
    await until(session.log_monitor.look)

    async def look_and_tell() -> bool:
        await session.log_monitor.look()
        return await all_proven(session)

    await until(look_and_tell)
