"""Sessions at a hub with a log, for the tests of what they see of it."""

import asyncio
from functools import partial
from typing import Any

from connectors.session.alarms import AlarmKind
from connectors.session.log.standing import LogStanding, list_evidence, read_standing
from connectors.session.session import Session
from tests.connectors.session.conftest import World, alarms_of, until
from tests.connectors.session.ledger_handler import note

MADE_UP = {"envelope": b"an envelope that nobody sent", "receipt": b"and its receipt"}
FAST: dict[str, Any] = {"log_seconds": 0.05, "log_nudge_seconds": 0.0, "log_audit_at": ""}


async def standing_of(session: Session) -> LogStanding:
    """Return how things stand with the log."""
    return await session.database.read(read_standing)


async def kinds_of(session: Session) -> set[str]:
    """Return the kinds of the open alarms."""
    return {alarm.kind for alarm in await alarms_of(session)}


async def all_proven(session: Session) -> bool:
    """Tell whether there is a claim, and none without its proof."""
    counts = (await standing_of(session)).claims
    return counts["proven"] > 0 and counts["pending"] == 0


async def exchange(world: World, count: int = 2, **settings: Any) -> tuple[Session, Session]:
    """Let THA01 tell CHE01 a few notes; return both once every promise is proven."""
    chosen = {**FAST, **settings}
    sender = await world.peer("THA01", messages_per_envelope_max=1, **chosen)
    taker = await world.peer("CHE01", delivery_mode="pull", **chosen)
    await sender.submit("CHE01", [note(text=str(number)) for number in range(count)])
    await until(lambda: world.hub.mailboxes["CHE01"].acknowledged == count)
    await until(partial(all_proven, sender))
    await until(partial(all_proven, taker))
    return sender, taker


async def found(session: Session, kind: AlarmKind) -> None:
    """Wait until there is an alarm of a kind."""

    async def is_found() -> bool:
        return kind.value in await kinds_of(session)

    await until(is_found)


async def expect_pause(world: World, session: Session, kind: AlarmKind) -> None:
    """The alarm is there with evidence, and nothing leaves any more, not even after a restart."""
    await found(session, kind)
    await until(lambda: session.context.pause is not None)
    assert (await session.database.read(list_evidence, 10))[0]["kind"] == kind.value
    code = session.settings.participant
    before = heard(world, code)
    await session.submit("CHE01", [note(text="held back")])
    await asyncio.sleep(0.2)
    assert heard(world, code) == before
    await session.stop()
    await session.start()
    assert session.context.pause is not None
    await asyncio.sleep(0.1)
    assert heard(world, code) == before


def heard(world: World, code: str) -> int:
    """Return how many envelopes the hub has of a participant."""
    return sum(one.envelope.sender == code for one in world.hub.seen)


async def quiet(world: World, **settings: Any) -> Session:
    """Start THA01, looking only after sending or when told to; three notes of it are proven."""
    chosen = {**FAST, "log_seconds": 3600.0, **settings}
    session = await world.peer("THA01", messages_per_envelope_max=1, **chosen)
    await until(lambda: session.context.trust.log)
    await session.submit("CHE01", [note(text=str(number)) for number in range(3)])
    await until(lambda: len(world.hub.log.entries) == 4)
    await session.log_monitor.look()
    await until(partial(all_proven, session))
    return session
