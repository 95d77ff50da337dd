"""What a process does for its log: it asks before it opens, waits for proofs, stops when halted."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from hub.protocol.errors import UnavailableError
from hub.services import log_duties
from hub.services.collect_cosignatures import Policies, WitnessAnswer
from hub.services.log_duties import LogDuties, LogSurroundings
from hub.services.metrics import Metrics
from hub.services.serve_log import NotInLogError, NotPublishedYetError
from hub.store.database import Database
from hub.transparency_log.policies import Policy
from hub.transparency_log.proof_files import ProofFile, verify_proof
from hub.transparency_log.witnessing import WitnessState
from tests.hub.log_world import Witness, grow, log_keys, network, policy_text, publisher
from tests.integration.peers import now


@dataclass(slots=True)
class Process:
    """One process's log duties, with what surrounds them."""

    database: Database
    witnesses: tuple[Witness, ...] = ()
    leads: bool = True
    post: Callable[[str, bytes], Awaitable[WitnessAnswer]] | None = None
    metrics: Metrics = field(default_factory=Metrics)

    def duties(self) -> LogDuties:
        """Return the duties."""
        policy = Policy.parse(policy_text(*self.witnesses)) if self.witnesses else None
        around = LogSurroundings(
            is_leader=lambda: self.leads,
            run_blocking=self.run_blocking,
            clock=now,
            post=self.post or network(*self.witnesses),
            metrics=self.metrics,
            witness_seconds=10.0,
        )
        publishes = publisher(self.database)
        return LogDuties(self.database, log_keys(), Policies(policy), publishes, around)

    async def run_blocking(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Run a writer in a thread."""
        return await asyncio.to_thread(function, *arguments)

    def metric(self, name: str) -> float | None:
        """Return the value of a metric."""
        return self.metrics.registry.get_sample_value(f"itmo_hub_log_{name}")


async def test_a_new_hub_publishes_and_is_witnessed_before_it_opens(sqlite: Database) -> None:
    """Whoever gets its first receipt finds a cosigned checkpoint."""
    che = Witness("che.invalid/w")
    process = Process(sqlite, (che,))
    duties = process.duties()
    await duties.begin()
    assert che.name in await duties.checkpoint()
    duties.require_open()
    assert (process.metric("quorum_met"), process.metric("witnesses_behind")) == (1, 0)
    assert (process.metric("halted"), process.metric("size")) == (0, che.state and che.state.size)


async def test_a_hub_that_lost_its_tail_learns_it_before_it_opens(sqlite: Database) -> None:
    """No envelope is taken, no checkpoint published; another process of it sees that too."""
    grow(sqlite, 2)
    publisher(sqlite).publish(now())
    process = Process(sqlite, (Witness("che.invalid/w", state=WitnessState(99, b"r" * 32)),))
    duties = process.duties()
    await duties.begin()
    with pytest.raises(UnavailableError, match="halted"):
        duties.require_open()
    assert "99 entries" in (duties.standing.halted or "")
    assert process.metric("halted") == 1
    other = Process(sqlite, leads=False).duties()
    await other.publish()
    with pytest.raises(UnavailableError):
        other.require_open()
    before = await duties.checkpoint()
    grow(sqlite, 1)
    await duties.publish()
    assert await duties.checkpoint() == before


async def test_a_start_does_not_wait_long_for_witnesses(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs delays the start a little and stops nothing."""
    monkeypatch.setattr(log_duties, "START_WAIT_SECONDS_MAX", 0.2)

    async def hang(_url: str, _body: bytes) -> WitnessAnswer:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    duties = Process(sqlite, (Witness("che.invalid/w"),), post=hang).duties()
    async with asyncio.timeout(5):
        await duties.begin()
    duties.require_open()


async def test_a_proof_asked_for_too_early_is_there_at_once_from_the_leader(
    sqlite: Database,
) -> None:
    """The leader signs a checkpoint for it; the others wait until it did."""
    duties = Process(sqlite).duties()
    await duties.begin()
    newest = grow(sqlite, 1) - 1
    proof = ProofFile.parse(await duties.proof(str(newest)))
    assert proof.extra is not None
    verify_proof(proof, proof.extra, log_keys().verifiers)
    other = Process(sqlite, leads=False).duties()
    newest = grow(sqlite, 1) - 1

    async def publish_soon() -> None:
        await asyncio.sleep(0.3)
        await duties.publish()

    _, text_of = await asyncio.gather(publish_soon(), other.proof(str(newest)))
    assert ProofFile.parse(text_of).index == newest


async def test_a_proof_is_not_waited_for_longer_than_two_seconds(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody publishes: the asker is told to come again. What is not in the log is said at once."""
    monkeypatch.setattr(log_duties, "PROOF_WAIT_SECONDS_MAX", 0.2)
    duties = Process(sqlite, leads=False).duties()
    await duties.begin()
    newest = grow(sqlite, 1) - 1
    with pytest.raises(NotPublishedYetError):
        await duties.proof(str(newest))
    with pytest.raises(NotInLogError):
        await duties.proof(str(newest + 1))


async def test_a_log_that_contradicts_itself_halts_the_hub(sqlite: Database) -> None:
    """The alert says so; nothing is signed."""
    duties = Process(sqlite).duties()
    await duties.begin()
    grow(sqlite, 1)
    with sqlite.writing() as connection:
        connection.execute(text("UPDATE log_entry SET entry = x'00' WHERE log_index = 1"))
    await duties.publish()
    with pytest.raises(UnavailableError):
        duties.require_open()
    assert "log check" in (duties.standing.halted or "")


async def test_only_the_leader_publishes_and_asks(sqlite: Database) -> None:
    """The others look on."""
    che = Witness("che.invalid/w")
    await Process(sqlite, (che,)).duties().begin()
    asked = che.asked
    duties = Process(sqlite, (che,), leads=False).duties()
    before = await duties.checkpoint()
    grow(sqlite, 1)
    await duties.publish()
    await duties.collect()
    assert await duties.checkpoint() == before
    assert che.asked == asked


async def test_a_database_that_is_away_is_said_to_be_away(sqlite: Database) -> None:
    """To who asks, 503; the timed jobs go on."""
    duties = Process(sqlite).duties()
    await duties.begin()
    sqlite.dispose()
    broken = Database("postgresql://nobody@127.0.0.1:1/none")
    away = Process(broken).duties()
    await away.publish()
    await away.collect()
    body = "1\n— a AAAAAAA=\n".encode()
    for asking in (
        away.checkpoint(),
        away.tile("tile/0/000"),
        away.proof("0"),
        away.volunteer(body),
    ):
        with pytest.raises(UnavailableError):
            await asking
