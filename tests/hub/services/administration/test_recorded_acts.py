"""Acts read back from the log: what holds is said to hold, and what was changed is found."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from hub.services.administration.administrators import remove_administrator
from hub.services.administration.deeds import AdministrationError, canonical
from hub.services.administration.participants import change_state
from hub.services.administration.recorded_acts import ActReader, RecordedAct, tenures
from hub.services.administration.statements import Says, read_statement, sign_statement
from hub.services.administration.suspensions import lift_suspension, place_suspension
from hub.transparency_log.entries import commitment
from message_schemas import timestamps
from tests.hub.services.administration.hands import (
    act_by,
    answer,
    appoint,
    approve,
    do,
    propose,
    signed,
    signer_of,
)
from tests.hub.services.administration.test_administration import head_of
from tests.hub.world import HUB, World, act
from tests.integration.peers import now

STOP = place_suspension("participant", "CHE01")
CLOSE = change_state("CHE01", "close")


def read(world: World, log_index: int) -> RecordedAct:
    """Return an act as it is read back."""
    with world.database.reading() as connection:
        return ActReader(connection, HUB).at(log_index)


def test_every_act_of_a_day_holds(either_world: World) -> None:
    """Before the first administrator, by one, proposed, approved, rejected, after a removal."""
    world = either_world
    appoint(world, "alice", "bob", "carol")
    do(world, STOP, "carol")
    approve(world, propose(world, CLOSE, "alice"), "bob")
    given_up = propose(world, change_state("GHA01", "close"), "bob")
    world.administration.reject(given_up, *answer(world, given_up, "bob", Says.REJECT))
    approve(world, propose(world, remove_administrator("alice"), "alice"), "carol")
    with world.database.reading() as connection:
        reader = ActReader(connection, HUB)
        acts = {one.row.log_index: one for one in reader.newest(1000)}
        terms = {one.name: (one.after, one.until) for one in tenures(connection)}
    assert not [one for one in acts.values() if one.verdict.startswith("WRONG")]
    newest = acts[head_of(world).log_index]
    assert (newest.row.kind, newest.verdict) == ("administrator.remove", "signed by 2")
    assert [(one.says, one.actor) for one in newest.statements] == [
        ("propose", "alice"),
        ("approve", "carol"),
    ]
    assert terms["alice"][1] == newest.row.log_index
    assert terms["bob"][1] is None
    kinds = {one.row.kind: one.verdict for one in acts.values()}
    assert kinds["participant.activate"] == "unsigned"
    assert kinds["suspension.place"] == "signed by 1"
    assert kinds["act.reject"] == "signed by 1"


def whole(found: RecordedAct) -> dict[str, Any]:
    """Return the members of an act's document."""
    assert found.document is not None
    members: dict[str, Any] = msgspec.to_builtins(found.document)
    return members


def rewrite(world: World, log_index: int, /, **members: object) -> None:
    """Rewrite an act in the database, row and document alike, and its entry in the log."""
    found = read(world, log_index)
    document = {**whole(found), **members}
    raw = msgspec.json.encode(document)
    with world.database.writing() as connection:
        entry = msgspec.json.decode(
            bytes(
                connection.execute(
                    text("SELECT entry FROM log_entry WHERE log_index = :i"), {"i": log_index}
                ).scalar_one()
            )
        )
        entry["commitments"]["act"] = commitment(found.row.salt, raw)
        connection.execute(
            text("UPDATE log_entry SET entry = :e WHERE log_index = :i"),
            {"e": msgspec.json.encode(entry), "i": log_index},
        )
        connection.execute(
            text(
                "UPDATE act SET document = :d, actor = :a, reason = :r, subject = :s "
                "WHERE log_index = :i"
            ),
            {
                "d": raw,
                "a": document["actor"],
                "r": document["reason"],
                "s": document["subject"],
                "i": log_index,
            },
        )


def test_a_forged_act_is_found_even_where_its_entry_was_forged_too(world: World) -> None:
    """Another subject, reason or actor than was signed; no signature; another's approval."""
    appoint(world, "alice", "bob")
    done = do(world, STOP, "alice").log_index
    other = do(world, place_suspension("hub", "*"), "bob").log_index
    genuine = whole(read(world, done))
    others = whole(read(world, other))["statements"]
    for members, fault in (
        ({"detail": {"level": "participant", "subject": "GHA01"}}, "another deed"),
        ({"subject": "participant:GHA01"}, "another deed"),
        ({"reason": "no reason"}, "who or why differ"),
        ({"actor": "bob"}, "who or why differ"),
        ({"statements": [], "eyes": 0}, "nobody signed it"),
        ({"statements": [], "eyes": 0, "actor": HUB}, "nobody signed it"),
        ({"statements": others}, "another deed"),
        ({"statements": ["nonsense"]}, "no signed statement"),
        ({"statements": [*genuine["statements"], *others]}, "'propose'"),
    ):
        rewrite(world, done, **members)
        assert fault in read(world, done).verdict, members
        rewrite(world, done, **genuine)
        assert read(world, done).verdict == "signed by 1"


def test_one_administrator_cannot_be_written_down_as_two(world: World) -> None:
    """A proposal and an approval by one key, or an approval of something else, are found."""
    appoint(world, "alice", "bob")
    first = propose(world, CLOSE, "alice")
    second = propose(world, CLOSE, "alice")
    _, own = answer(world, first, "alice")
    _, strange = answer(world, second, "bob")
    done = approve(world, first, "bob").log_index
    genuine = whole(read(world, done))
    proposal = genuine["statements"][0]
    for approval, fault in (
        (own.decode(), "one key both proposed and approved"),
        (strange.decode(), "approves another proposal"),
    ):
        rewrite(world, done, statements=[proposal, approval])
        assert fault in read(world, done).verdict
    rewrite(world, done, **genuine)
    assert read(world, done).verdict == "signed by 2"


def test_what_takes_two_is_not_in_order_with_one(world: World) -> None:
    """One administrator who writes the act himself, past the commands, is found by the reading."""
    appoint(world, "alice", "bob")
    done = approve(world, propose(world, CLOSE, "alice"), "bob").log_index
    by_alice = act_by("alice", "alone")
    raw = signed(world, Says.DO, CLOSE, by_alice)
    rewrite(world, done, statements=[raw.decode()], eyes=1, reason="alone")
    assert "takes two administrators, and one signed" in read(world, done).verdict


@pytest.mark.parametrize("apart", [timedelta(seconds=-301), timedelta(seconds=301)], ids=str)
def test_a_statement_that_was_signed_long_before_or_after_its_act_is_found(
    world: World, apart: timedelta
) -> None:
    """Signed and never used, it lies ready for whoever can write; the reading tells."""
    appoint(world, "alice", "bob")
    done = do(world, STOP, "alice").log_index
    at = timestamps.parse(whole(read(world, done))["at"])
    for near in (apart / 2, apart):
        raw = signed(world, Says.DO, STOP, act_by("alice", at=at + near))
        rewrite(world, done, statements=[raw.decode()])
        verdict = read(world, done).verdict
        assert ("from the act" in verdict) is (near == apart), verdict


def test_an_old_proposal_is_in_order_and_an_old_approval_or_rejection_is_not(world: World) -> None:
    """A proposal may wait for days; its answer is signed when it is given."""
    appoint(world, "alice", "bob")
    early = now() - timedelta(days=6)
    done = approve(world, propose(world, CLOSE, "alice", early), "bob").log_index
    assert read(world, done).verdict == "signed by 2"
    given_up = propose(world, change_state("GHA01", "close"), "alice")
    rejected = world.administration.reject(
        given_up, *answer(world, given_up, "bob", Says.REJECT)
    ).log_index
    for log_index in (done, rejected):
        statements = whole(read(world, log_index))["statements"]
        kept = read_statement(statements[-1].encode()).statement
        old = sign_statement(replace(kept, at=early), signer_of("bob"))
        rewrite(world, log_index, statements=[*statements[:-1], old.decode()])
        assert "more than 300 s from the act" in read(world, log_index).verdict


def test_a_statement_serves_one_act(world: World) -> None:
    """What an administrator signed once, and the hub shows again later, is found."""
    appoint(world, "alice")
    once = do(world, STOP, "alice").log_index
    do(world, lift_suspension("participant", "CHE01"), "alice")
    again = do(world, STOP, "alice").log_index
    rewrite(world, again, statements=whole(read(world, once))["statements"])
    with world.database.reading() as connection:
        (fault,) = ActReader(connection, HUB).faults()
    assert f"the act at log index {again}: its statement" in fault
    assert f"was used for the one at {once} already" in fault


@pytest.mark.parametrize("kind", ["hub", "international_registry"])
def test_a_party_is_not_registered_as_the_hubs_own(world: World, kind: str) -> None:
    """Unsigned, in the hub's name, with a key: only the hub itself begins like that."""
    appoint(world, "alice")
    done = do(world, STOP, "alice").log_index
    detail = {"kind": kind, "keys": [{"key_id": "FRA01-0000000000000000"}]}
    members = {"kind": "participant.add", "subject": "FRA01", "detail": detail, "actor": HUB}
    rewrite(world, done, statements=[], eyes=0, **members)
    with world.database.writing() as connection:
        connection.execute(
            text("UPDATE act SET kind = :k, detail = :d WHERE log_index = :i"),
            {"k": "participant.add", "d": canonical(detail).decode(), "i": done},
        )
    assert "nobody signed it" in read(world, done).verdict


def test_an_administrator_signs_nothing_before_their_time(world: World) -> None:
    """An act dated before the first administrator cannot be given a signature afterwards."""
    early = world.administration.do(STOP, act()).log_index
    appoint(world, "alice")
    by_alice = act_by("alice")
    raw = signed(world, Says.DO, STOP, by_alice)
    rewrite(world, early, statements=[raw.decode()], actor="alice", reason=by_alice.reason)
    assert "not the key of an administrator then" in read(world, early).verdict


def test_a_document_that_the_log_does_not_commit_to_is_found(world: World) -> None:
    """The entry is public and witnessed; the row is not."""
    done = world.administration.do(STOP, act("why")).log_index
    with world.database.writing() as connection:
        connection.execute(text("UPDATE act SET reason = 'because'"))
    assert "differs from its document" in read(world, done).verdict
    with world.database.writing() as connection:
        document = {**whole(read(world, done)), "reason": "because"}
        connection.execute(
            text("UPDATE act SET document = :d WHERE log_index = :i"),
            {"d": msgspec.json.encode(document), "i": done},
        )
    assert "commits to another document" in read(world, done).verdict


@pytest.mark.parametrize("document", [b"", b"{}", b"[1]", b"\xff", b'{"format":"itmo-act/2"}'])
def test_a_document_that_cannot_be_read_is_a_fault_and_no_crash(
    world: World, document: bytes
) -> None:
    """Even where it appointed an administrator: then nobody signed as one."""
    appoint(world, "alice")
    appointed = head_of(world).log_index
    done = do(world, STOP, "alice").log_index
    with world.database.writing() as connection:
        connection.execute(
            text("UPDATE act SET document = :d WHERE log_index = :i"),
            {"d": document, "i": appointed},
        )
    assert read(world, appointed).verdict == "WRONG: its document cannot be read"
    with world.database.reading() as connection:
        *faults, table = ActReader(connection, HUB).faults()
    places = [fault.partition(":")[0].split()[-1] for fault in faults]
    assert places == [str(appointed), str(done)]
    assert table == "alice is an administrator in the database, and by no act in the log"


def test_the_number_of_eyes_is_that_of_the_statements(world: World) -> None:
    """Two pairs of eyes are two signatures, not a number."""
    appoint(world, "alice")
    done = do(world, STOP, "alice").log_index
    rewrite(world, done, eyes=2)
    assert "number of its statements" in read(world, done).verdict


def test_an_entry_that_is_no_act_is_refused(world: World) -> None:
    """The genesis entry, an envelope, or nothing at all."""
    world.begin()
    for log_index in (0, head_of(world).log_index, 10**9):
        with pytest.raises(AdministrationError, match="there is no act"):
            read(world, log_index)
