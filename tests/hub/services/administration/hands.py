"""Administrators with seeded keys, and the statements they sign."""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from uuid_utils import uuid7

from hub.services.administration.administrators import add_administrator
from hub.services.administration.authority import place_of
from hub.services.administration.deeds import Act, Deed
from hub.services.administration.statements import Says, Statement, sign_statement
from hub.store import administrators
from keys.local_signer import LocalSigner
from keys.public_keys import KeyRecord, PublicKey
from tests.hub.world import HUB, World
from tests.integration.peers import now, seeded_signer


def signer_of(name: str) -> LocalSigner:
    """Return an administrator's signer, always the same for a name."""
    return seeded_signer(HUB, name)


def key_of(name: str) -> KeyRecord:
    """Return the record of an administrator's key, as its possession proof gives it."""
    key = PublicKey.from_der(HUB, signer_of(name).public_key_der)
    return KeyRecord.of(key, now())


def act_by(name: str, reason: str = "a test", at: datetime | None = None) -> Act:
    """Return an act of an administrator, now."""
    return Act(name, reason, at or now())


def said(world: World, says: Says, deed: Deed, act: Act, **changes: Any) -> Statement:
    """Return what an administrator would sign; ``changes`` replace members."""
    with world.database.reading() as connection:
        place = place_of(connection, HUB)
    made = Statement(str(uuid7()), place, says, deed, act.reason, act.actor, act.at)
    return replace(made, **changes)


def signed(world: World, says: Says, deed: Deed, act: Act, **changes: Any) -> bytes:
    """Return an administrator's signed statement."""
    return sign_statement(said(world, says, deed, act, **changes), signer_of(act.actor))


def appoint(world: World, *names: str) -> None:
    """Register administrators: the first without signature, the others by the first one.

    From the second on it takes two: ``names`` beyond two are proposed and approved.
    """
    for position, name in enumerate(names):
        deed, act = add_administrator(name, key_of(name)), act_by(names[0], "appointed")
        if position == 0:
            world.administration.do(deed, act)
        elif position == 1:
            world.administration.do(deed, act, signed(world, Says.DO, deed, act))
        else:
            proposal_id = propose(world, deed, names[0])
            approve(world, proposal_id, names[1])


def appoint_as(world: World, role: str, name: str, *, by: tuple[str, ...] = ("alice",)) -> None:
    """Register somebody in another role: by one, or proposed and approved by two."""
    deed = add_administrator(name, key_of(name), role)
    if len(by) == 1:
        do(world, deed, by[0])
    else:
        approve(world, propose(world, deed, by[0]), by[1])


def do(world: World, deed: Deed, name: str) -> Any:
    """Do a deed at once, signed."""
    act = act_by(name)
    return world.administration.do(deed, act, signed(world, Says.DO, deed, act))


def propose(world: World, deed: Deed, name: str, at: datetime | None = None) -> str:
    """Propose a deed; return the proposal's id."""
    act = act_by(name, "proposed by a test", at)
    return world.administration.propose(deed, act, signed(world, Says.PROPOSE, deed, act))


def answer(
    world: World, proposal_id: str, name: str, says: Says = Says.APPROVE, **changes: Any
) -> tuple[Act, bytes]:
    """Return an act and the signed answer to a proposal as the database now has it."""
    act = act_by(name, f"{says.value} by a test")
    with world.database.reading() as connection:
        row = administrators.proposal(connection, proposal_id)
    assert row is not None
    deed = world.administration.proposal(proposal_id, act.at).deed
    changes = {"proposal": sha256(row.statement).hexdigest()} | changes
    return act, signed(world, says, deed, act, **changes)


def approve(world: World, proposal_id: str, name: str) -> Any:
    """Approve a proposal."""
    return world.administration.approve(proposal_id, *answer(world, proposal_id, name))
