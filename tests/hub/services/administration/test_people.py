"""Deeds about people: done like every act, and those that give power by two."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.services.administration import people as deeds
from hub.services.administration.administrators import add_administrator, remove_administrator
from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.recorded_acts import ActReader
from hub.services.people.roles import Role
from hub.store.people import persons
from hub.store.people.persons import PersonRow
from tests.hub.services.administration.hands import (
    act_by,
    appoint,
    appoint_as,
    approve,
    do,
    key_of,
    propose,
)
from tests.hub.services.administration.test_administration import head_of
from tests.hub.services.administration.test_authority import assert_refused, document_at
from tests.hub.world import HUB, World
from tests.integration.peers import now


def person(world: World, name: str) -> PersonRow:
    """Return a person."""
    with world.database.reading() as connection:
        row = persons.by_name(connection, name)
    assert row is not None
    return row


def offer(world: World, name: str, whose: str | None = None) -> None:
    """Keep a key as a person's browser offers it."""
    with world.database.writing() as connection:
        key = key_of(whose or name).public_key_der
        persons.set_offered_key(connection, person(world, name).person_id, key)


def activate(world: World, name: str) -> None:
    """Let a person be somebody who signs in."""
    with world.database.writing() as connection:
        persons.set_state(connection, person(world, name).person_id, "active", now())


def test_a_person_is_added_given_a_role_disabled_enabled_and_reset(either_world: World) -> None:
    """Each an act in the log, with who and why, and nothing secret in it."""
    world = either_world
    for deed, expected in (
        (deeds.add_person("olga", "Olga O.", "viewer"), ("viewer", "invited")),
        (deeds.set_role("olga", "officer"), ("officer", "invited")),
        (deeds.disable_person("olga"), ("officer", "disabled")),
        (deeds.enable_person("olga"), ("officer", "invited")),
        (deeds.reset_person("olga"), ("officer", "invited")),
    ):
        done = world.administration.do(deed, act_by("root", "joined"))
        document = document_at(world, done.log_index)
        assert (document["kind"], document["subject"]) == (deed.kind, "olga")
        row = person(world, "olga")
        assert (row.role, row.state) == expected
    world.prove()


REFUSED: list[tuple[str, Callable[[], Deed]]] = [
    ("is no name to sign in with", lambda: deeds.add_person("Olga", "Olga", "viewer")),
    ("is no name to sign in with", lambda: deeds.add_person("", "Olga", "viewer")),
    ("one line of 1 to 100", lambda: deeds.add_person("olga", "O\nlga", "viewer")),
    ("not one of", lambda: deeds.add_person("olga", "Olga", "root")),
    ("not one of", lambda: deeds.set_role("bea", "root")),
]


@pytest.mark.parametrize(
    ("match", "make"), REFUSED, ids=[f"{number}" for number in range(len(REFUSED))]
)
def test_nonsense_makes_no_deed(match: str, make: Callable[[], Deed]) -> None:
    """Before anything is signed."""
    with pytest.raises(AdministrationError, match=match):
        make()


@pytest.mark.parametrize(
    ("match", "deed"),
    [
        ("there is or was a person bea", deeds.add_person("bea", "Bea", "viewer")),
        ("there is no person", deeds.set_role("nobody", "viewer")),
        ("is viewer already", deeds.set_role("bea", "viewer")),
        ("not disabled", deeds.enable_person("bea")),
        ("there is no person", deeds.reset_person("nobody")),
        ("is no administrator", deeds.link_administrator("bea", "alice")),
        ("other parameters", Deed(deeds.ADD, "x", {"name": "x"})),
        (
            "are not those of this act",
            Deed(deeds.ADD, "x", {"display_name": "X", "role": "viewer", "password": "s"}),
        ),
        ("are not those of this act", Deed(deeds.DISABLE, "bea", {"name": "olga"})),
    ],
    ids=lambda value: value.kind if isinstance(value, Deed) else "",
)
def test_what_is_not_so_is_refused(world: World, match: str, deed: Deed) -> None:
    """With nothing done."""
    world.administration.do(deeds.add_person("bea", "Bea", "viewer"), act_by("root"))
    assert_refused(world, match, lambda: world.administration.do(deed, act_by("root")))


POWER: list[tuple[bool, Deed]] = [
    (False, deeds.add_person("carl", "Carl", "operator")),
    (True, deeds.add_person("carl", "Carl", "administrator")),
    (False, deeds.set_role("bea", "officer")),
    (True, deeds.set_role("bea", "administrator")),
    (True, deeds.link_administrator("bea", "alice")),
    (False, deeds.link_administrator("bea", None)),
    (False, deeds.disable_person("bea")),
    (False, deeds.reset_person("bea")),
]


@pytest.mark.parametrize(
    ("takes_two", "deed"), POWER, ids=[f"{deed.kind}-{two}" for two, deed in POWER]
)
def test_what_makes_somebody_an_administrator_takes_two(
    world: World, takes_two: bool, deed: Deed
) -> None:
    """The role, and the link to a name that signs; what takes away takes one."""
    world.administration.do(deeds.add_person("bea", "Bea", "viewer"), act_by("root"))
    appoint(world, "alice", "bob")
    if takes_two:
        assert_refused(world, "takes two administrators", lambda: do(world, deed, "alice"))
        approve(world, propose(world, deed, "alice"), "bob")
    else:
        do(world, deed, "alice")
    world.prove()


@pytest.mark.parametrize("role", ["officer", "operator"])
def test_who_may_not_administer_does_nothing_about_people(world: World, role: str) -> None:
    """Not even to disable somebody."""
    world.administration.do(deeds.add_person("bea", "Bea", "viewer"), act_by("root"))
    appoint(world, "alice")
    appoint_as(world, role, "olga")
    assert_refused(
        world,
        r"takes the right to administer \(administrator\)",
        lambda: do(world, deeds.disable_person("bea"), "olga"),
    )


def test_a_key_that_a_person_offers_is_registered_and_theirs_in_one_act(
    either_world: World,
) -> None:
    """From then on they act under its name; the offer is used up; the log holds."""
    world = either_world
    world.administration.do(deeds.add_person("olga", "Olga", "officer"), act_by("root"))
    appoint(world, "alice", "bob")
    deed = add_administrator("olga", key_of("olga"), Role.OFFICER, "olga")
    assert_refused(world, "did not offer this key", lambda: propose(world, deed, "alice"))
    offer(world, "olga", "somebody else")
    assert_refused(world, "did not offer this key", lambda: propose(world, deed, "alice"))
    offer(world, "olga")
    approve(world, propose(world, deed, "alice"), "bob")
    row = person(world, "olga")
    assert (row.administrator, row.offered_key) == ("olga", None)
    with world.database.reading() as connection:
        assert list(ActReader(connection, HUB).faults()) == []
    world.prove()


def test_the_first_key_of_all_is_registered_by_the_one_who_offers_it(world: World) -> None:
    """At a hub without administrators: unsigned; afterwards everything is signed."""
    world.administration.do(deeds.add_person("ada", "Ada", "administrator"), act_by("root"))
    offer(world, "ada")
    deed = add_administrator("ada", key_of("ada"), person="ada")
    world.administration.do(deed, act_by("ada"))
    assert person(world, "ada").administrator == "ada"
    assert_refused(
        world,
        "every act is signed",
        lambda: world.administration.do(deeds.disable_person("ada"), act_by("ada")),
    )


def test_nobody_is_two_pairs_of_eyes_and_no_name_is_two_people(world: World) -> None:
    """A second name takes the end of the first; a name that is somebody's is nobody else's."""
    for name in ("olga", "otto"):
        world.administration.do(deeds.add_person(name, name, "officer"), act_by("root"))
    appoint(world, "alice", "bob")
    appoint_as(world, "officer", "olga", by=("alice", "bob"))
    appoint_as(world, "officer", "olga2", by=("alice", "bob"))
    approve(world, propose(world, deeds.link_administrator("olga", "olga"), "alice"), "bob")
    again = deeds.link_administrator("olga", "olga2")
    assert_refused(world, "two pairs of eyes", lambda: propose(world, again, "alice"))
    other = deeds.link_administrator("otto", "olga")
    assert_refused(world, "is olga already", lambda: propose(world, other, "alice"))
    offer(world, "olga", "olga3")
    third = add_administrator("olga3", key_of("olga3"), Role.OFFICER, "olga")
    assert_refused(world, "two pairs of eyes", lambda: propose(world, third, "alice"))
    approve(world, propose(world, remove_administrator("olga"), "alice"), "bob")
    approve(world, propose(world, again, "alice"), "bob")
    assert person(world, "olga").administrator == "olga2"


def test_the_last_administrator_who_signs_in_is_neither_disabled_nor_given_less(
    world: World,
) -> None:
    """Or nobody could let anybody in."""
    world.administration.do(deeds.add_person("ada", "Ada", "administrator"), act_by("root"))
    activate(world, "ada")
    for deed in (deeds.disable_person("ada"), deeds.set_role("ada", "viewer")):
        assert_refused(
            world,
            "the last administrator who can sign in",
            lambda d=deed: world.administration.do(d, act_by("root")),
        )


def test_a_deed_is_tried_out_without_a_trace(either_world: World) -> None:
    """What would refuse it is heard; nothing is written, whatever the deed."""
    world = either_world
    before = head_of(world)
    world.administration.try_out(deeds.add_person("olga", "Olga", "viewer"), act_by("root"))
    with pytest.raises(AdministrationError, match="there is no person"):
        world.administration.try_out(deeds.disable_person("olga"), act_by("root"))
    assert head_of(world) == before
    with world.database.reading() as connection:
        assert persons.by_name(connection, "olga") is None
    world.prove()


def test_a_form_counts_once(either_world: World) -> None:
    """The same id a second time does nothing, as a statement would; an id is a UUID."""
    once = "01890000-0000-7000-8000-000000000001"
    deed = deeds.add_person("olga", "Olga", "viewer")
    either_world.administration.do(deed, act_by("root"), once=once)
    other = deeds.add_person("otto", "Otto", "viewer")
    assert_refused(
        either_world,
        "used already",
        lambda: either_world.administration.do(
            other, act_by("root", at=now() + timedelta(seconds=1)), once=once
        ),
    )
    assert_refused(
        either_world,
        "is a UUID",
        lambda: either_world.administration.do(other, act_by("root"), once="again"),
    )
