"""Which acts the signature of a role counts for, who the second one may be, and what is found."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from hub.services.administration.accounts import set_account_status
from hub.services.administration.administrators import (
    SIGNING_ROLES,
    add_administrator,
    remove_administrator,
)
from hub.services.administration.authority import Judge
from hub.services.administration.corrections import correct_ledger
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.kinds import KINDS
from hub.services.administration.participants import change_state
from hub.services.administration.recorded_acts import ActReader
from hub.services.administration.statements import Says
from hub.services.administration.suspensions import lift_suspension, place_suspension
from hub.services.people.roles import RIGHTS, Right, Role, may_sign, right_for
from hub.services.reconciliation.cases.case_acts import note
from hub.store import administrators
from tests.hub.services.administration.hands import (
    act_by,
    answer,
    appoint,
    appoint_as,
    approve,
    do,
    key_of,
    propose,
    signed,
)
from tests.hub.services.administration.test_administration import RANGE, head_of
from tests.hub.services.administration.test_authority import assert_refused, document_at
from tests.hub.services.administration.test_recorded_acts import read, rewrite, whole
from tests.hub.world import HUB, World

STOP = place_suspension("participant", "CHE01")
CLOSE = change_state("CHE01", "close")


def faults(world: World) -> list[str]:
    """Return what `act check` finds."""
    with world.database.reading() as connection:
        return list(ActReader(connection, HUB).faults())


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_act_is_signed_by_some_role_and_by_no_looking_one(kind: str) -> None:
    """No act is out of everybody's reach; viewers and auditors look."""
    able = {role for role in Role if may_sign(role, kind)}
    assert Role.ADMINISTRATOR in able
    assert able <= set(SIGNING_ROLES) == {Role.OFFICER, Role.OPERATOR, Role.ADMINISTRATOR}
    assert not may_sign("superuser", kind)


def test_a_deed_of_before_roles_is_of_an_administrator_and_keeps_its_text(world: World) -> None:
    """The role administrator stands nowhere, so what was signed before is made the same today."""
    key = key_of("alice")
    deed = add_administrator("alice", key)
    assert set(deed.parameters) == {"participant", "keys"}
    assert add_administrator("alice", key, "administrator").canonical() == deed.canonical()
    spelled = Deed(deed.kind, deed.subject, {**deed.parameters, "role": "administrator"})
    assert_refused(
        world,
        "are not those of this act",
        lambda: world.administration.do(spelled, act_by("root")),
    )
    world.administration.do(deed, act_by("root"))
    with world.database.reading() as connection:
        assert [row.role for row in administrators.active(connection)] == ["administrator"]


@pytest.mark.parametrize("role", ["viewer", "auditor", "superuser", ""])
def test_a_role_that_signs_nothing_is_none_of_an_administrator(role: str) -> None:
    """A key without use would only be a key to lose."""
    with pytest.raises(AdministrationError, match=r"signs no acts; .* officer, operator"):
        add_administrator("dora", key_of("dora"), role)


@pytest.mark.parametrize("role", ["officer", "operator"])
def test_the_first_administrator_has_the_role_administrator(world: World, role: str) -> None:
    """Or nobody could ever register another one."""
    deed = add_administrator("olga", key_of("olga"), role)
    assert_refused(
        world,
        "the first administrator has the role administrator",
        lambda: world.administration.do(deed, act_by("root")),
    )


def answer_of(attempt: Callable[[], object]) -> str:
    """Return why something was refused; an empty text if it was done."""
    try:
        attempt()
    except AdministrationError as error:
        return str(error)
    return ""


# That there is no such account or case is found after the signature.
DEEDS: list[Deed] = [
    STOP,
    set_account_status("XIR01", "XIR01-1", "closed"),
    note(["2026-11-22/1"], "looked at"),
    add_administrator("eve", key_of("eve")),
    remove_administrator("alice"),
    correct_ledger(RANGE, "THA01", "CHE01", None),
]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.kind)
@pytest.mark.parametrize("role", ["officer", "operator"])
def test_a_signature_counts_for_the_kinds_of_its_role_and_for_no_other(
    world: World, role: str, deed: Deed
) -> None:
    """To do and to propose; the refusal names role, kind, right and who could."""
    appoint(world, "alice", "bob")
    appoint_as(world, role, "olga", by=("alice", "bob"))
    kind = deed.kind
    refused = f"olga has the role {role}, whose signature does not count for {kind}"
    able = right_for(kind) in RIGHTS[Role(role)]
    by_olga = act_by("olga")
    for attempt in (
        lambda: world.administration.do(deed, by_olga, signed(world, Says.DO, deed, by_olga)),
        lambda: propose(world, deed, "olga"),
    ):
        said = answer_of(attempt)
        assert (refused in said) is not able, said


def test_who_has_not_the_right_neither_approves_nor_rejects(either_world: World) -> None:
    """An officer's key cannot be the second one of an operator's deed, nor be used to stop it."""
    world = either_world
    appoint(world, "alice", "bob")
    appoint_as(world, "officer", "olga", by=("alice", "bob"))
    appoint_as(world, "operator", "oskar", by=("alice", "bob"))
    proposal_id = propose(world, CLOSE, "alice")
    for says, decide in (
        (Says.APPROVE, world.administration.approve),
        (Says.REJECT, world.administration.reject),
    ):
        given = answer(world, proposal_id, "olga", says)
        assert_refused(
            world,
            r"role officer, whose signature does not count for participant.close: that takes the "
            r"right to operate \(operator, administrator\)",
            lambda d=decide, g=given: d(proposal_id, *g),
        )
    done = approve(world, proposal_id, "oskar")
    assert document_at(world, done.log_index)["eyes"] == 2
    assert faults(world) == []
    world.prove()


@pytest.mark.parametrize(
    ("proposer", "approver"),
    [("olga", "otto"), ("olga", "alice"), ("alice", "olga")],
    ids=["officers", "administrator approves", "officer approves"],
)
def test_a_correction_is_by_any_two_who_work_cases(
    world: World, proposer: str, approver: str
) -> None:
    """Two officers, or an officer and an administrator, never one person twice."""
    appoint(world, "alice")
    appoint_as(world, "officer", "olga")
    appoint_as(world, "officer", "otto")
    appoint_as(world, "operator", "oskar")
    world.begin()
    world.transfer("THA01-1", 1, 9)
    deed = correct_ledger(RANGE, "CHE01", "GHA01", None)
    proposal_id = propose(world, deed, proposer)
    assert_refused(
        world, "takes another administrator", lambda: approve(world, proposal_id, proposer)
    )
    assert_refused(world, "role operator", lambda: approve(world, proposal_id, "oskar"))
    done = approve(world, proposal_id, approver)
    assert document_at(world, done.log_index)["eyes"] == 2
    assert faults(world) == []


def test_two_are_needed_where_two_may_and_not_where_one_alone_may(world: World) -> None:
    """An officer is no second one for what an officer may not: the administrator acts alone."""
    appoint(world, "alice")
    appoint_as(world, "officer", "olga")
    assert_refused(world, "no second administrator", lambda: propose(world, CLOSE, "alice"))
    do(world, CLOSE, "alice")
    appoint_as(world, "operator", "oskar")
    close = change_state("GHA01", "close")
    assert_refused(world, "takes two administrators", lambda: do(world, close, "alice"))
    approve(world, propose(world, close, "oskar"), "alice")
    # Two of three who sign may not administer: the third still appoints alone.
    appoint_as(world, "administrator", "bob")
    carol = add_administrator("carol", key_of("carol"))
    assert_refused(world, "takes two administrators", lambda: do(world, carol, "alice"))
    approve(world, propose(world, carol, "bob"), "alice")
    assert faults(world) == []
    world.prove()


def test_the_last_one_who_administers_cannot_be_removed_however_many_others_sign(
    world: World,
) -> None:
    """Officers and operators could register nobody."""
    appoint(world, "alice")
    appoint_as(world, "officer", "olga")
    appoint_as(world, "operator", "oskar")
    last = remove_administrator("alice")
    assert_refused(world, "the last administrator with the role", lambda: do(world, last, "alice"))
    do(world, remove_administrator("olga"), "alice")
    appoint_as(world, "administrator", "bob")
    approve(world, propose(world, last, "bob"), "alice")
    assert faults(world) == []


def test_a_role_that_was_edited_in_the_database_is_found_before_and_after_it_was_used(
    either_world: World,
) -> None:
    """By `act check`: the log's act gave another one, and the statement was not of that role."""
    world = either_world
    appoint(world, "alice")
    appoint_as(world, "officer", "olga")
    assert_refused(world, "role officer", lambda: do(world, STOP, "olga"))
    assert faults(world) == []
    with world.database.writing() as connection:
        connection.execute(text("UPDATE administrator SET role = 'operator' WHERE name = 'olga'"))
    (table,) = faults(world)
    assert "olga was changed in the database" in table
    assert "the role officer; stored is" in table
    done = do(world, STOP, "olga")
    act, again = faults(world)
    assert act == (
        f"the act at log index {done.log_index}: WRONG: olga had the role officer, which does "
        "not sign suspension.place"
    )
    assert again == table


def test_a_proposal_of_a_role_that_was_taken_down_is_not_believed(world: World) -> None:
    """Both must have the right when it is done."""
    appoint(world, "alice", "bob")
    proposal_id = propose(world, CLOSE, "alice")
    given = answer(world, proposal_id, "bob")
    with world.database.writing() as connection:
        connection.execute(text("UPDATE administrator SET role = 'officer' WHERE name = 'alice'"))
    assert_refused(
        world,
        "cannot be believed: alice has the role officer",
        lambda: world.administration.approve(proposal_id, *given),
    )


def test_an_administrator_whom_no_act_added_or_whom_the_table_lost_is_found(world: World) -> None:
    """Somebody wrote a row, or took one away."""
    appoint(world, "alice", "bob")
    with world.database.writing() as connection:
        connection.execute(text("UPDATE administrator SET name = 'mallory' WHERE name = 'bob'"))
    lost, there = sorted(faults(world), key=lambda one: "mallory" in one)
    assert "added bob, whom the database does not have" in lost
    assert there == "mallory is an administrator in the database, and by no act in the log"


def test_a_role_in_the_database_that_is_none_signs_nothing(world: World) -> None:
    """Whatever stands there: no right comes of it."""
    appoint(world, "alice", "bob")
    with world.database.writing() as connection:
        connection.execute(text("UPDATE administrator SET role = 'root' WHERE name = 'bob'"))
    assert_refused(world, "bob has the role root", lambda: do(world, STOP, "bob"))


def test_a_forged_role_in_an_acts_document_is_another_deed(world: World) -> None:
    """The role is part of what was signed."""
    appoint(world, "alice")
    appoint_as(world, "officer", "olga")
    added = head_of(world).log_index
    detail: dict[str, Any] = whole(read(world, added))["detail"]
    assert detail["role"] == "officer"
    rewrite(world, added, detail={**detail, "role": "operator"})
    with world.database.writing() as connection:
        connection.execute(
            text("UPDATE act SET detail = :d WHERE log_index = :i"),
            {
                "d": msgspec.json.encode({**detail, "role": "operator"}, order="sorted").decode(),
                "i": added,
            },
        )
    assert "another deed" in read(world, added).verdict


def test_rights_are_counted_per_kind(world: World) -> None:
    """Who may is asked of each kind, not of the number of administrators."""
    appoint(world, "alice")
    appoint_as(world, "officer", "olga")
    appoint_as(world, "operator", "oskar")
    with world.database.reading() as connection:
        judge = Judge.of(connection, HUB, timedelta(seconds=300))
    able = {
        kind: [row.name for row in judge.who_may(kind)]
        for kind in ("ledger.correct", "key.add", "administrator.add", "suspension.lift")
    }
    assert able == {
        "ledger.correct": ["alice", "olga"],
        "key.add": ["alice", "oskar"],
        "administrator.add": ["alice"],
        "suspension.lift": ["alice", "oskar"],
    }
    assert right_for("suspension.lift") is Right.OPERATE
    assert lift_suspension("hub", "*").kind == "suspension.lift"
