"""People: names given once, invitations that count once, and somebody left who looks after them."""

from collections.abc import Callable

import pytest

from hub.services.administration.deeds import AdministrationError
from hub.services.people import persons
from hub.services.people.invitations import InvitationOverError
from hub.services.people.limits import BlockedError
from hub.services.people.passwords import PasswordRefusedError
from hub.services.people.persons import PersonError
from hub.services.people.sessions import PASSWORD_AND_CODE
from hub.services.people.sign_in import SignInRefusedError
from hub.store.people import persons as store
from tests.hub.services.people.people_world import ORIGIN, PASSWORD, PeopleWorld


@pytest.mark.parametrize(
    "name",
    ["", "Ana", "ana moreau", "ana\r\nx", "ana\x00", "-ana", "äna", "a" * 101, "ana/../x", "<b>"],
)
def test_a_name_that_cannot_be_typed_everywhere_is_no_name(people: PeopleWorld, name: str) -> None:
    """Lower case, no white space, nothing that a header or a page could trip over."""
    with pytest.raises(PersonError, match="no name to sign in with"):
        people.add(name)
    with pytest.raises(PersonError, match="there is no person"):
        people.persons.find(name)


def test_a_name_is_given_once_and_never_again(people: PeopleWorld) -> None:
    """Not even after its person was disabled."""
    people.add("ana")
    with people.database.writing() as connection:
        persons.disable(connection, name="ana", at=people.now)
    with pytest.raises(PersonError, match="a name is given once"):
        people.add("ana", "viewer")
    assert issubclass(PersonError, AdministrationError)


@pytest.mark.parametrize("shown", ["", " Ana", "Ana\nMoreau", "x" * 101, "Ana\u202egro"])
def test_a_shown_name_is_one_plain_line(people: PeopleWorld, shown: str) -> None:
    """Nothing that turns a page around."""
    with pytest.raises(PersonError, match="one line"), people.database.writing() as connection:
        persons.add(connection, name="ana", display_name=shown, role="viewer", at=people.now)


def test_a_role_is_one_of_five(people: PeopleWorld) -> None:
    """And the sentence names them."""
    with pytest.raises(PersonError, match="viewer, officer, operator, administrator, auditor"):
        people.add("ana", "king")


def test_an_invitation_counts_once(people: PeopleWorld) -> None:
    """Then the link is worth nothing, also in a second browser at the same time."""
    people.add("ana", password=None)
    invitation = people.persons.invite("ana", people.now)
    assert invitation.link(ORIGIN) == f"{ORIGIN}/invitation/{invitation.token}"
    look = people.invitations.look(invitation.token, people.visitor(), people.now)
    assert (look.name, look.until) == ("ana", invitation.until)
    people.invitations.accept(invitation.token, PASSWORD, people.visitor(), people.now)
    for _ in range(2):
        with pytest.raises(InvitationOverError):
            people.invitations.accept(
                invitation.token, "x" + PASSWORD, people.visitor(), people.now
            )
    people.opened("ana")


def test_an_invitation_lapses_and_a_newer_one_replaces_it(people: PeopleWorld) -> None:
    """After three days, or when another one is made."""
    people.add("ana", password=None)
    first = people.persons.invite("ana", people.now).token
    second = people.persons.invite("ana", people.now).token
    with pytest.raises(InvitationOverError):
        people.invitations.look(first, people.visitor(), people.now)
    people.pass_time(days=3)
    with pytest.raises(InvitationOverError):
        people.invitations.look(second, people.visitor(), people.now)


def test_a_bad_first_password_leaves_the_invitation_open(people: PeopleWorld) -> None:
    """Nothing is used up by a refusal."""
    people.add("ana", password=None)
    token = people.persons.invite("ana", people.now).token
    with pytest.raises(PasswordRefusedError):
        people.invitations.accept(token, "short", people.visitor(), people.now)
    assert people.invitations.accept(token, PASSWORD, people.visitor(), people.now).is_confined


def test_whoever_can_sign_in_is_not_invited(people: PeopleWorld) -> None:
    """An invitation is no way into somebody's account."""
    people.add("ana")
    with pytest.raises(PersonError, match="Reset them first"):
        people.persons.invite("ana", people.now)
    with people.database.writing() as connection:
        persons.disable(connection, name="ana", at=people.now)
    with pytest.raises(PersonError, match="ana is disabled"):
        people.persons.invite("ana", people.now)


def test_guessing_links_of_invitations_is_stopped(people: PeopleWorld) -> None:
    """Each wrong one counts against its address."""
    for _ in range(40):
        with pytest.raises(InvitationOverError):
            people.invitations.look("guess", people.visitor(), people.now)
    with pytest.raises(BlockedError):
        people.invitations.look("guess", people.visitor(), people.now)


def test_a_reset_forgets_everything_and_invites_anew(people: PeopleWorld) -> None:
    """Password, codes and sessions; a disabled person is enabled first."""
    people.add("ana")
    people.set_up_codes("ana")
    with people.database.writing() as connection:
        persons.reset(connection, name="ana", at=people.now)
    found = people.persons.find("ana")
    assert (found.state, found.has_password, found.has_totp) == ("invited", False, False)
    with pytest.raises(SignInRefusedError):
        people.try_("ana")
    token = people.persons.invite("ana", people.now).token
    people.invitations.accept(token, "another password", people.visitor(), people.now)
    with people.database.writing() as connection:
        persons.disable(connection, name="ana", at=people.now)
    with (
        pytest.raises(PersonError, match="enable them first"),
        people.database.writing() as connection,
    ):
        persons.reset(connection, name="ana", at=people.now)


def test_the_last_administrator_stays_one(people: PeopleWorld) -> None:
    """Somebody must be left who looks after people; one who never signed in does not count."""
    people.add("ana", "administrator")
    people.add("ben", "administrator", password=None)
    last = "last administrator"
    with pytest.raises(PersonError, match=last), people.database.writing() as connection:
        persons.disable(connection, name="ana", at=people.now)
    with pytest.raises(PersonError, match=last), people.database.writing() as connection:
        persons.set_role(connection, name="ana", role="viewer", at=people.now)
    people.add("cleo", "administrator")
    with people.database.writing() as connection:
        persons.disable(connection, name="ana", at=people.now)
    assert people.persons.find("ana").state == "disabled"


def test_what_is_so_already_is_refused(people: PeopleWorld) -> None:
    """An act in the log changes something."""
    people.add("ana")
    with people.database.writing() as connection:
        with pytest.raises(PersonError, match="ana is officer already"):
            persons.set_role(connection, name="ana", role="officer", at=people.now)
        with pytest.raises(PersonError, match="ana is active, not disabled"):
            persons.enable(connection, name="ana", at=people.now)
        persons.disable(connection, name="ana", at=people.now)
        with pytest.raises(PersonError, match="disabled already"):
            persons.disable(connection, name="ana", at=people.now)


def test_people_are_listed_by_name_in_pages(people: PeopleWorld) -> None:
    """From the first name after the last one shown."""
    for name in ("cleo", "ana", "ben"):
        people.add(name, password=None)
    first = people.persons.page(limit=2)
    assert [one.name for one in first] == ["ana", "ben"]
    assert [one.name for one in people.persons.page(first[-1].name, 2)] == ["cleo"]


def test_a_link_from_before_counts_no_more_when_somebody_is_let_in_again(
    people: PeopleWorld,
) -> None:
    """Whoever is disabled, for a link in wrong hands, is invited anew afterwards."""
    people.add("ana", password=None)
    token = people.persons.invite("ana", people.now).token
    with people.database.writing() as connection:
        persons.disable(connection, name="ana", at=people.now)
        persons.enable(connection, name="ana", at=people.now)
    with pytest.raises(InvitationOverError):
        people.invitations.look(token, people.visitor(), people.now)


def test_a_reset_forgets_the_key_that_waits_to_be_registered(people: PeopleWorld) -> None:
    """It may be of whoever was signed in before."""
    person_id = people.add("ana")
    with people.database.writing() as connection:
        store.set_offered_key(connection, person_id, b"a key")
    assert people.persons.find("ana").has_offered_key
    with people.database.writing() as connection:
        persons.reset(connection, name="ana", at=people.now)
    assert not people.persons.find("ana").has_offered_key


@pytest.mark.parametrize("change", [persons.reset, persons.disable])
def test_a_sign_in_that_was_judged_before_a_reset_opens_nothing_after_it(
    people: PeopleWorld, change: Callable[..., None]
) -> None:
    """Not even when the person can sign in again."""
    people.add("ana")
    with people.database.reading() as connection:
        row = store.by_name(connection, "ana")
    assert row is not None
    with people.database.writing() as connection:
        change(connection, name="ana", at=people.now)
    with pytest.raises(SignInRefusedError):
        people.sign_in.open(row, PASSWORD_AND_CODE, people.visitor(), people.now)
    assert people.sessions.listed(row.person_id, people.now) == []
    assert people.events()[-1].detail == "shut out meanwhile"
