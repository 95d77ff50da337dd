"""A collector of cosignatures, its witnesses, and a clock that a test moves."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from hub.services import log_standing
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.log_losses import accept_loss
from hub.services.collect_cosignatures import CosignatureCollector, Policies, Round
from hub.services.serve_log import LogServer, with_cosignatures
from hub.store import alerts, log_checkpoints
from hub.store.database import Database
from hub.transparency_log.cosignatures import cosigners
from hub.transparency_log.notes import Note
from hub.transparency_log.policies import Policy
from tests.hub.log_world import ORIGIN, Witness, network, policy_text
from tests.integration.peers import now


async def at_once(function: Callable[[], None]) -> None:
    """Run what writes here and now."""
    function()


class Collecting:
    """A collector of a database, its witnesses, and a clock that moves between two rounds."""

    def __init__(
        self,
        database: Database,
        *witnesses: Witness,
        threshold: int = 1,
        halt_count: int | None = None,
    ) -> None:
        policy = Policy.parse(policy_text(*witnesses, threshold=threshold))
        policies = Policies(policy, halt_count=halt_count)
        self.database = database
        self.collector = CosignatureCollector(
            database, policies, LogServer(database, policy), network(*witnesses)
        )
        self.at = now()

    async def round(self, later: float = 10.0) -> Round | None:
        """Ask once, ``later`` seconds after the round before."""
        self.at += timedelta(seconds=later)
        run: Callable[[Callable[[], None]], Awaitable[None]] = at_once
        return await self.collector.collect(self.at, 10.0, run)

    def cosigners(self, size: int) -> set[str]:
        """Return who cosigned the checkpoint of a size, by signatures that verify."""
        with self.database.reading() as connection:
            checkpoint = log_checkpoints.at_size(connection, size)
            known = log_checkpoints.cosignatures(connection, size)
        assert checkpoint is not None
        note = Note.parse(with_cosignatures(checkpoint, known))
        return set(cosigners(note, self.collector._policies.keys))

    def halted(self) -> str | None:
        """Return why the log is halted, or None."""
        with self.database.reading() as connection:
            return log_standing.read(connection).halted

    def alerts(self) -> dict[str, str]:
        """Return who disagrees alone, and what it says."""
        with self.database.reading() as connection:
            found = alerts.newest(connection)
        return {one.subject: one.detail for one in found if one.kind == "witness-disagrees"}

    def accept(self, up_to: int) -> None:
        """Accept a loss, as the operator does."""
        act = Act(actor="operator", reason="the disk is gone", at=self.at)
        Administration(self.database).do(accept_loss(ORIGIN, up_to), act)
