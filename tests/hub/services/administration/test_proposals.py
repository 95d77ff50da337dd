"""Acts that take two: proposed by one, approved by another, done exactly as they were proposed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from hub.services.administration.administrators import add_administrator, remove_administrator
from hub.services.administration.deeds import AdministrationError
from hub.services.administration.participants import add_key, change_state
from hub.services.administration.statements import Says
from hub.services.administration.suspensions import (
    hold_block,
    lift_suspension,
    place_suspension,
    release_block,
)
from hub.store import reference
from hub.store.database import Database
from keys import base64url
from message_schemas import timestamps
from tests.hub.services.administration.hands import (
    act_by,
    answer,
    appoint,
    approve,
    do,
    key_of,
    propose,
    signed,
)
from tests.hub.services.administration.test_administration import RANGE, head_of
from tests.hub.services.administration.test_administration import key_of as participants_key
from tests.hub.services.administration.test_authority import assert_refused, document_at
from tests.hub.world import World
from tests.integration.peers import now

CLOSE = change_state("CHE01", "close")


def state_of(world: World, code: str = "CHE01") -> str:
    """Return a participant's state."""
    with world.database.reading() as connection:
        return {row.code: row.state for row in reference.participants(connection)}[code]


def test_a_proposal_does_nothing_until_another_administrator_approves_it(
    either_world: World,
) -> None:
    """Then exactly it is done, and the document holds both statements."""
    appoint(either_world, "alice", "bob")
    proposal_id = propose(either_world, CLOSE, "alice")
    assert state_of(either_world) == "active"
    proposed = document_at(either_world, head_of(either_world).log_index)
    assert (proposed["kind"], proposed["subject"]) == ("act.propose", proposal_id)
    assert proposed["detail"] == {
        "kind": CLOSE.kind,
        "subject": "CHE01",
        "parameters": CLOSE.parameters,
    }
    done = approve(either_world, proposal_id, "bob")
    assert state_of(either_world) == "closed"
    document = document_at(either_world, done.log_index)
    assert (document["kind"], document["eyes"], done.eyes) == ("participant.close", 2, 2)
    assert (document["actor"], document["reason"]) == ("alice", "proposed by a test")
    assert document["statements"][0] == proposed["statements"][0]
    assert (document["kind"], document["subject"]) == (CLOSE.kind, CLOSE.subject)
    assert document["detail"] == CLOSE.parameters
    either_world.prove()


def test_a_proposal_on_the_ledger_is_approved_like_any_other(either_world: World) -> None:
    """Units are released by two, with their postings."""
    either_world.begin()
    either_world.transfer("THA01-1", 1, 9)
    appoint(either_world, "alice", "bob")
    do(either_world, hold_block(RANGE), "alice")
    proposal_id = propose(either_world, release_block(RANGE), "alice")
    either_world.prove()
    approve(either_world, proposal_id, "bob")
    with pytest.raises(AdministrationError, match="is not suspended"):
        propose(either_world, release_block(RANGE), "bob")
    either_world.prove()


def test_nobody_approves_their_own_proposal(world: World) -> None:
    """Not with the key it was proposed with, whatever else is said."""
    appoint(world, "alice", "bob")
    proposal_id = propose(world, CLOSE, "alice")
    assert_refused(
        world, "takes another administrator", lambda: approve(world, proposal_id, "alice")
    )
    assert state_of(world) == "active"


def test_one_approval_is_good_for_one_proposal(world: World) -> None:
    """An approval of another proposal, even of the very same deed, is not one of this."""
    appoint(world, "alice", "bob")
    first, second = propose(world, CLOSE, "alice"), propose(world, CLOSE, "alice")
    by_bob, raw = answer(world, first, "bob")
    assert_refused(
        world,
        "something else than what is to be done: proposal",
        lambda: world.administration.approve(second, by_bob, raw),
    )
    world.administration.approve(first, by_bob, raw)
    assert_refused(
        world,
        "was executed by bob already",
        lambda: world.administration.approve(first, by_bob, raw),
    )
    assert_refused(world, "cannot close from there", lambda: approve(world, second, "bob"))


def test_a_signed_deed_or_rejection_approves_nothing(world: World) -> None:
    """Each statement says what it is for."""
    appoint(world, "alice", "bob")
    proposal_id = propose(world, CLOSE, "alice")
    for says in (Says.DO, Says.PROPOSE, Says.REJECT):
        by_bob, raw = answer(world, proposal_id, "bob", says)
        assert_refused(
            world,
            "something else than what is to be done",
            lambda b=by_bob, r=raw: world.administration.approve(proposal_id, b, r),
        )


def test_a_rejected_proposal_is_never_done_and_its_proposer_may_withdraw_it(world: World) -> None:
    """Rejected by another or by its proposer: an act with its reason, and the end of it."""
    appoint(world, "alice", "bob")
    for name in ("alice", "bob"):
        proposal_id = propose(world, CLOSE, "alice")
        rejection = answer(world, proposal_id, name, Says.REJECT)
        approval = answer(world, proposal_id, "bob")
        done = world.administration.reject(proposal_id, *rejection)
        document = document_at(world, done.log_index)
        assert (document["kind"], document["actor"]) == ("act.reject", name)
        assert_refused(
            world,
            f"was rejected by {name}",
            lambda p=proposal_id, a=approval: world.administration.approve(p, *a),
        )
    assert state_of(world) == "active"
    world.prove()


def test_a_proposal_lapses_after_seven_days(world: World) -> None:
    """An approval in time does it, one after it does not."""
    appoint(world, "alice", "bob")
    early = propose(world, CLOSE, "alice", now() - timedelta(days=6))
    late = propose(world, CLOSE, "alice", now() - timedelta(days=7, seconds=1))
    assert_refused(world, "has lapsed", lambda: approve(world, late, "bob"))
    states = {row.proposal_id: state for row, state, _ in world.administration.proposals(now())}
    assert states == {early: "proposed", late: "lapsed"}
    approve(world, early, "bob")


def test_what_cannot_be_done_is_not_proposed_and_is_checked_again_on_approval(
    world: World,
) -> None:
    """Tried when proposed, without a trace; and again when approved, as things are by then."""
    appoint(world, "alice", "bob")
    nonsense = lift_suspension("hub", "*")
    assert_refused(world, "not suspended", lambda: propose(world, nonsense, "alice"))
    do(world, place_suspension("hub", "*"), "alice")
    first, second = propose(world, nonsense, "alice"), propose(world, nonsense, "bob")
    approve(world, first, "bob")
    assert_refused(world, "not suspended", lambda: approve(world, second, "alice"))


def test_a_proposer_who_was_removed_meanwhile_proposes_nothing(world: World) -> None:
    """Both must be administrators at the moment it is done."""
    appoint(world, "alice", "bob", "carol")
    proposal_id = propose(world, CLOSE, "carol")
    waiting = answer(world, proposal_id, "bob")
    approve(world, propose(world, remove_administrator("carol"), "alice"), "bob")
    assert_refused(
        world,
        "cannot be believed: .* not the key of an administrator",
        lambda: world.administration.approve(proposal_id, *waiting),
    )


def test_a_sole_administrator_proposes_nothing(world: World) -> None:
    """There is nobody who could approve it."""
    appoint(world, "alice")
    assert_refused(world, "no second administrator", lambda: propose(world, CLOSE, "alice"))


def tampered(statement: bytes, old: bytes, new: bytes) -> bytes:
    """Return a JWS with other text in its payload, the signature kept."""
    document = msgspec.json.decode(statement)
    payload = base64url.decode(document["payload"]).replace(old, new)
    document["payload"] = base64url.encode(payload)
    return msgspec.json.encode(document)


@pytest.mark.parametrize("what", ["statement", "kind", "subject", "proposed_by", "swapped"])
def test_a_proposal_that_was_changed_in_the_database_is_refused(
    either_world: World, what: str
) -> None:
    """Whoever edits the row cannot make the second administrator do something else."""
    world = either_world
    appoint(world, "alice", "bob")
    proposal_id = propose(world, CLOSE, "alice")
    other = propose(world, change_state("GHA01", "close"), "alice")
    approval = answer(world, proposal_id, "bob")
    with world.database.writing() as connection:
        rows = "SELECT proposal_id, statement FROM act_proposal"
        statements = {row[0]: bytes(row[1]) for row in connection.execute(text(rows))}
        value: Any = {
            "statement": tampered(statements[proposal_id], b"CHE01", b"GHA01"),
            "kind": "participant.suspend",
            "subject": "GHA01",
            "proposed_by": "bob",
            "swapped": statements[other],
        }[what]
        column = "statement" if what == "swapped" else what
        connection.execute(
            text(f"UPDATE act_proposal SET {column} = :v WHERE proposal_id = :p"),
            {"v": value, "p": proposal_id},
        )
    assert_refused(
        world,
        "cannot be believed|was changed in the database",
        lambda: world.administration.approve(proposal_id, *approval),
    )
    states = {row.proposal_id: state for row, state, _ in world.administration.proposals(now())}
    assert states[proposal_id] == "changed"
    assert (state_of(world), state_of(world, "GHA01")) == ("active", "active")


def test_of_two_approvals_at_once_exactly_one_does_it(either_world: World) -> None:
    """Two administrators press the key in the same moment: one act, one refusal."""
    appoint(either_world, "alice", "bob", "carol")
    key = participants_key("CHE01", "new")
    proposal_id = propose(either_world, add_key(key), "alice")
    before = head_of(either_world).log_index
    answers = [answer(either_world, proposal_id, name) for name in ("bob", "carol")]

    def attempt(given: Any) -> str:
        database = Database(str(either_world.database.url.render_as_string(hide_password=False)))
        try:
            World(database).administration.approve(proposal_id, *given)
        except AdministrationError as error:
            return str(error)
        finally:
            database.dispose()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(attempt, answers))
    assert results[1] == "done" or results[0] == "done"
    assert sum("was executed by" in result for result in results) == 1
    assert head_of(either_world).log_index == before + 1
    either_world.prove()


KILLED = """
import os, sys
from hub.store import administrators
from hub.store import head as heads
from hub.services.administration.deeds import Act
from message_schemas import timestamps
from hub.store.database import Database
from tests.hub.world import World
place, url, proposal_id, actor, reason, at = sys.argv[1:]
def die(*given, **named):
    os._exit(137)
module, name = {"begun": (administrators, "decide"), "written": (heads, "advance")}[place]
setattr(module, name, die)
act = Act(actor, reason, timestamps.parse(at))
World(Database(url)).administration.approve(proposal_id, act, sys.stdin.buffer.read())
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["begun", "written"])
def test_a_process_that_dies_while_approving_leaves_the_proposal_open(
    either_world: World, place: str
) -> None:
    """Killed in the middle of it, nothing happened; the same approval does it afterwards."""
    appoint(either_world, "alice", "bob")
    proposal_id = propose(either_world, CLOSE, "alice")
    before = head_of(either_world)
    act, raw = answer(either_world, proposal_id, "bob")
    url = either_world.database.url.render_as_string(hide_password=False)
    words = [place, url, proposal_id, act.actor, act.reason, timestamps.render(act.at)]
    root = Path(__file__).parents[4]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words], input=raw, cwd=root, check=False
    )
    assert killed.returncode == 137
    assert (head_of(either_world), state_of(either_world)) == (before, "active")
    either_world.administration.approve(proposal_id, act, raw)
    assert state_of(either_world) == "closed"
    either_world.prove()


def test_a_second_administrator_is_added_by_the_first_and_a_third_by_both(world: World) -> None:
    """From two on, who the administrators are takes two."""
    appoint(world, "alice", "bob")
    carol = add_administrator("carol", key_of("carol"))
    by_alice = act_by("alice")
    assert_refused(
        world,
        "takes two",
        lambda: world.administration.do(carol, by_alice, signed(world, Says.DO, carol, by_alice)),
    )
    approve(world, propose(world, carol, "bob"), "alice")
    do(world, place_suspension("hub", "*"), "carol")
