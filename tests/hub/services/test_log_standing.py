"""Whether the log may go on is told by what came first in the log, never by a clock."""

from datetime import timedelta

from hub.services import log_standing
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.log_losses import accept_loss
from hub.services.log_standing import BEHIND_WITNESS, FORKED, Standing
from hub.store.database import Database
from tests.hub.log_world import ORIGIN, grow
from tests.integration.peers import now


def halt(database: Database, kind: str = FORKED, days: int = 0, size: int | None = None) -> None:
    """Halt the log by a process whose clock is some days ahead."""
    at = now() + timedelta(days=days)
    with database.writing() as connection:
        log_standing.halt(
            connection, kind=kind, subject="who", detail="it differs", at=at, size=size
        )


def accept(database: Database, up_to: int = 10, days: int = 0) -> None:
    """Accept a loss by an administrator whose clock is some days ahead."""
    act = Act(actor="operator", reason="it is gone", at=now() + timedelta(days=days))
    Administration(database).do(accept_loss(ORIGIN, up_to), act)


def standing(database: Database) -> Standing:
    """Return how the log stands."""
    with database.reading() as connection:
        return log_standing.read(connection)


def test_an_acceptance_of_the_future_hides_no_later_fork(either: Database) -> None:
    """Its clock was a year ahead: what comes after it in the log halts the log."""
    halt(either)
    accept(either, days=365)
    assert standing(either).halted is None
    halt(either)
    assert "it differs" in (standing(either).halted or "")
    grow(either, 1)
    assert standing(either).halted


def test_a_cause_of_the_future_is_accepted_by_a_later_act(either: Database) -> None:
    """The process that raised it had a clock a year ahead."""
    halt(either, days=365)
    assert standing(either).halted
    accept(either)
    assert standing(either) == Standing(None, 10)


def test_the_size_a_witness_claimed_is_accepted_of_it_alone(either: Database) -> None:
    """Up to what it claimed, by an act that came after the claim and names no less."""
    halt(either, BEHIND_WITNESS, size=8)
    accept(either)
    assert standing(either) == Standing(None, 10, {"who": 8})
    halt(either, BEHIND_WITNESS, size=9)
    assert standing(either).accepted == {}
    accept(either, up_to=7)
    assert standing(either) == Standing(None, 10, {})
