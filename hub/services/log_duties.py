"""All a hub process does for its log: publish, have it witnessed, serve it, and stop when it must.

1. Before the door opens: if there are witnesses, ask them, so that a hub that lost its tail learns
   it before anybody gets a receipt that contradicts an earlier one.
2. The leading process publishes and collects. Every process looks each time how the log stands,
   serves it, and takes nothing while it is halted.
3. A proof that is asked for before a checkpoint covers its entry waits for one, two seconds at
   most. The leader signs one at once, one for all who wait, and at most five a second.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import structlog

from hub.protocol.errors import UnavailableError
from hub.protocol.response_codes import ResponseCode
from hub.services import log_standing
from hub.services.collect_cosignatures import CosignatureCollector, Policies, PostToWitness
from hub.services.log_keys import LogKeys
from hub.services.log_standing import Standing
from hub.services.metrics import Metrics
from hub.services.publish_log import LogForkedError, LogPublisher
from hub.services.serve_log import LogServer, NotPublishedYetError, TileAnswer
from hub.store import log_checkpoints
from hub.store.database import Database, DatabaseUnavailableError
from hub.store.log import LogDamagedError
from hub.store.log_checkpoints import StoredCheckpoint
from hub.transparency_log.policies import NONE, Policy
from keys.errors import SignerError

log = structlog.get_logger(__name__)

PROOF_WAIT_SECONDS_MAX: Final = 2.0
START_WAIT_SECONDS_MAX: Final = 5.0
SIGNED_APART_SECONDS: Final = 0.2
"""Between two checkpoints that are signed because somebody asked for a proof."""
_POLL_SECONDS: Final = 0.05

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class LogSurroundings:
    """What the log's duties need of the process: who leads, the writing thread, the time."""

    is_leader: Callable[[], bool]
    run_blocking: Callable[..., Awaitable[Any]]
    clock: Callable[[], datetime]
    post: PostToWitness
    metrics: Metrics
    witness_seconds: float


class LogDuties:
    """The log of one hub process."""

    def __init__(
        self,
        database: Database,
        keys: LogKeys,
        policies: Policies,
        publisher: LogPublisher,
        around: LogSurroundings,
    ) -> None:
        self._database = database
        self._keys = keys
        self._policies = policies
        self._publisher = publisher
        self._around = around
        self._server = LogServer(database, policies.prompt)
        self._collector = CosignatureCollector(database, policies, self._server, around.post)
        self._signing = asyncio.Lock()
        self._asked: asyncio.Task[None] | None = None
        self._answered_at = -SIGNED_APART_SECONDS
        self.standing = Standing()

    # --- while the process runs ------------------------------------------------------------------

    async def begin(self) -> None:
        """Ask the witnesses once, for a short time, and see how the log stands."""
        newest = await asyncio.to_thread(self._look)
        if newest is None:
            await self.publish_now()
        try:
            async with asyncio.timeout(START_WAIT_SECONDS_MAX):
                await self.collect_now()
        except TimeoutError:
            log.warning("witnesses did not answer in time at the start")
        await asyncio.to_thread(self._look)

    async def publish(self) -> None:
        """Publish if this process leads; see how the log stands. For the timed job."""
        try:
            if self._around.is_leader():
                await self.publish_now()
            await asyncio.to_thread(self._look)
        except DatabaseUnavailableError as error:
            log.warning("database unavailable", detail=str(error))

    async def publish_now(self) -> None:
        """Sign and store a checkpoint of the head if it has grown. Raises DatabaseUnavailableError.

        A contradiction halts the log; a key that cannot be used now is logged.
        """
        async with self._signing:
            now = self._around.clock()
            try:
                signed = await asyncio.to_thread(self._publisher.sign, now)
                if signed is not None:
                    await self._around.run_blocking(self._publisher.store, signed, now)
            except (LogForkedError, LogDamagedError) as error:
                log.error("the log contradicts itself; nothing is signed", detail=str(error))
                await self._around.run_blocking(self._publisher.halt, str(error), now)
                await asyncio.to_thread(self._look)
            except SignerError as error:
                log.error("the log's key cannot be used now", detail=str(error))

    async def collect(self) -> None:
        """Ask the witnesses if this process leads. For the timed job."""
        if not self._around.is_leader():
            return
        try:
            await self.collect_now()
        except DatabaseUnavailableError as error:
            log.warning("database unavailable", detail=str(error))

    async def collect_now(self) -> None:
        """Ask the witnesses whose time has come. Raises DatabaseUnavailableError."""
        around = self._around
        done = await self._collector.collect(
            around.clock(), around.witness_seconds, around.run_blocking
        )
        if done is not None:
            around.metrics.witnesses_behind.set(done.behind)
            around.metrics.witnesses_disagreeing.set(done.disagreeing)
            around.metrics.quorum_met.set(done.quorum_met)
        await asyncio.to_thread(self._look)

    def require_open(self) -> None:
        """Raise UnavailableError while the log is halted: no envelope is taken."""
        if self.standing.halted is not None:
            raise UnavailableError(
                ResponseCode.HUB_UNAVAILABLE,
                "the log is halted until the hub's operator has decided",
                retry_after_seconds=60,
            )

    def _look(self) -> StoredCheckpoint | None:
        """See how the log stands and how old its newest checkpoint is."""
        with self._database.reading() as connection:
            standing = log_standing.read(connection)
            newest = log_checkpoints.newest(connection)
        if standing.halted is not None and self.standing.halted is None:
            log.error("the log is halted", detail=standing.halted)
        self.standing = standing
        metrics = self._around.metrics
        metrics.log_halted.set(standing.halted is not None)
        if newest is not None:
            metrics.log_size.set(newest.size)
            metrics.checkpoint_age.set((self._around.clock() - newest.at).total_seconds())
        return newest

    # --- for whoever asks ------------------------------------------------------------------------

    async def checkpoint(self) -> str:
        """Return the newest checkpoint. Raises NotPublishedYetError, UnavailableError."""
        return await _answered(self._server.checkpoint)

    async def tile(self, path: str) -> TileAnswer:
        """Return a tile or bundle. Raises LogRequestError, NotInLogError, UnavailableError."""
        return await _answered(self._server.tile, path)

    async def proof(self, index: str, *, settlement: bool = False) -> str:
        """Return the tlog-proof of an entry; with ``settlement`` under a settlement's quorum.

        Raises LogRequestError, NotInLogError, UnavailableError; NotPublishedYetError after two
        seconds (a settlement is not waited for).
        """
        policy = self._settlement_policy() if settlement else None
        loop = asyncio.get_running_loop()
        last = loop.time() + (0.0 if settlement else PROOF_WAIT_SECONDS_MAX)
        while True:
            try:
                return await _answered(self._server.proof, index, policy)
            except NotPublishedYetError:
                if loop.time() >= last:
                    raise
            if self._around.is_leader():
                await self._publish_for_all()
            else:
                await asyncio.sleep(_POLL_SECONDS)

    async def _publish_for_all(self) -> None:
        """Wait for a checkpoint that is signed after now, together with everybody who waits."""
        if self._asked is None:
            self._asked = asyncio.create_task(self._publish_when_due())
        await asyncio.shield(self._asked)

    async def _publish_when_due(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._answered_at + SIGNED_APART_SECONDS - loop.time()))
        self._asked = None  # who comes from now on waits for the next one
        self._answered_at = loop.time()
        await self.publish()

    async def consistency(self, first: str, second: str) -> tuple[int, int, list[bytes]]:
        """Return a consistency proof. Raises LogRequestError, NotInLogError, UnavailableError."""
        return await _answered(self._server.consistency, first, second)

    async def volunteer(self, body: bytes) -> int:
        """Store cosignatures that were brought. Raises LogRequestError, NotInLogError."""
        around = self._around
        try:
            return await self._collector.volunteer(body, around.clock(), around.run_blocking)
        except DatabaseUnavailableError as error:
            raise _unavailable(error) from error

    def policy(self, *, settlement: bool = False) -> bytes:
        """Return the policy to verify with, as a C2SP tlog-policy file."""
        return policy_file(self._keys, self._settlement_policy() if settlement else self._prompt)

    def document(self) -> dict[str, Any]:
        """Return the log's name and keys, for the signed list of participants."""
        return {"origin": self._keys.origin, "vkeys": self._keys.vkeys}

    @property
    def _prompt(self) -> Policy | None:
        return self._policies.prompt

    def _settlement_policy(self) -> Policy | None:
        return self._policies.settlement or self._policies.prompt


async def _answered(function: Callable[..., Answer], *arguments: object) -> Answer:
    """Run a reader in a thread. Raises UnavailableError when the database is away."""
    try:
        return await asyncio.to_thread(function, *arguments)
    except DatabaseUnavailableError as error:
        raise _unavailable(error) from error


def _unavailable(error: DatabaseUnavailableError) -> UnavailableError:
    log.warning("database unavailable", detail=str(error))
    return UnavailableError(
        ResponseCode.HUB_UNAVAILABLE, "the log cannot be read now", retry_after_seconds=2
    )


class LogVerifiers(Protocol):
    """The public keys of a log."""

    @property
    def vkeys(self) -> list[str]:
        """The keys as text."""
        ...


def policy_file(keys: LogVerifiers, policy: Policy | None) -> bytes:
    """Return a tlog-policy file with the log's keys and a quorum; witnesses without URLs."""
    lines = [f"log {vkey}" for vkey in keys.vkeys]
    if policy is None:
        lines.append(f"quorum {NONE}")
    else:
        lines += [f"witness {name} {pair.key.vkey}" for name, pair in policy.witnesses.items()]
        lines += [
            f"group {name} {group.threshold} {' '.join(group.members)}"
            for name, group in policy.groups.items()
        ]
        lines.append(f"quorum {policy.quorum}")
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
