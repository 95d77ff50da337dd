"""One's own account: fresh proof before a change, a new token after, a factor that stays."""

import pyotp
import pytest

from hub.services.people.flows import FlowOverError
from hub.services.people.limits import BlockedError
from hub.services.people.own_account import AccountError, NotFreshError
from hub.services.people.passkeys import PasskeyRefusedError
from hub.services.people.passwords import PasswordRefusedError
from hub.services.people.sessions import PASSWORD as PASSWORD_ALONE
from hub.services.people.sessions import PASSWORD_AND_CODE
from hub.services.people.sign_in import FactorNeeded, SignInRefusedError, Visitor
from tests.hub.services.people.people_world import ORIGIN, PASSWORD, PeopleWorld


def test_a_second_factor_opens_the_session_under_a_new_token(people: PeopleWorld) -> None:
    """The confined token is worth nothing any more: no fixation over the gain."""
    people.add("ana")
    opened = people.opened("ana")
    flow, codes = people.account.new_codes(people.person(opened.token), people.now)
    assert codes.uri.startswith("otpauth://totp/ITMO%20Hub%20XHB01:ana?secret=")
    assert codes.picture.startswith("data:image/svg+xml")
    app_code = people_app(codes.typed).at(people.now)
    token = people.account.keep_codes(
        people.person(opened.token), opened.token, flow, app_code, people.visitor(), people.now
    )
    assert people.sessions.find(opened.token, people.now) is None
    person = people.person(token)
    assert (person.method, person.is_confined) == (PASSWORD_AND_CODE, False)
    with pytest.raises(FlowOverError):  # the step was used
        people.account.codes_in(person, flow, people.now)


def people_app(typed: str) -> pyotp.TOTP:
    """Return the app that has a typed key."""
    return pyotp.TOTP(typed.replace(" ", ""))


def test_a_wrong_code_sets_nothing_up_and_tries_are_counted(people: PeopleWorld) -> None:
    """The app shows first that it has the secret."""
    people.add("ana")
    opened = people.opened("ana")
    person = people.person(opened.token)
    flow, codes = people.account.new_codes(person, people.now)
    wrong = f"{(int(people_app(codes.typed).at(people.now)) + 1) % 10**6:06}"
    for _ in range(5):
        with pytest.raises(SignInRefusedError):
            people.account.keep_codes(
                person, opened.token, flow, wrong, people.visitor(), people.now
            )
    with pytest.raises(BlockedError):
        people.account.keep_codes(person, opened.token, flow, wrong, people.visitor(), people.now)
    assert not people.persons.find("ana").has_totp


def test_a_step_of_somebody_else_is_none(people: PeopleWorld) -> None:
    """Nobody keeps a secret that another one has seen."""
    for name in ("ana", "ben"):
        people.add(name)
    ana, ben = (people.opened(name) for name in ("ana", "ben"))
    flow, codes = people.account.new_codes(people.person(ana.token), people.now)
    code = people_app(codes.typed).at(people.now)
    with pytest.raises(FlowOverError):
        people.account.keep_codes(
            people.person(ben.token), ben.token, flow, code, people.visitor(), people.now
        )


def test_who_signed_in_a_while_ago_proves_it_again(people: PeopleWorld) -> None:
    """Then with a new token; a wrong password counts like any other."""
    people.add("ana")
    opened = people.opened("ana")
    people.pass_time(minutes=16)
    person, visitor = people.person(opened.token), people.visitor()
    with pytest.raises(NotFreshError):
        people.account.new_codes(person, people.now)
    with pytest.raises(NotFreshError):
        people.account.passkey_question(person, visitor, people.now)
    with pytest.raises(SignInRefusedError):
        people.account.confirm(person, opened.token, "wrong", visitor, people.now)
    token = people.account.confirm(person, opened.token, PASSWORD, visitor, people.now)
    assert people.sessions.find(opened.token, people.now) is None
    assert people.account.new_codes(people.person(token), people.now)
    for _ in range(5):
        with pytest.raises(SignInRefusedError):
            people.account.confirm(person, token, "wrong", visitor, people.now)
    with pytest.raises(BlockedError):
        people.account.confirm(person, token, PASSWORD, visitor, people.now)


def test_a_changed_password_ends_every_other_session(people: PeopleWorld) -> None:
    """And this one goes on under a new token."""
    people.add("ana")
    other, opened = people.opened("ana"), people.opened("ana")
    person, visitor = people.person(opened.token), people.visitor()
    for current, new, error in (
        ("wrong", "a quite new password", SignInRefusedError),
        (PASSWORD, "short", PasswordRefusedError),
        (PASSWORD, "ana ana ana ana", PasswordRefusedError),
    ):
        with pytest.raises(error):
            people.account.change_password(person, opened.token, current, new, visitor, people.now)
    token = people.account.change_password(
        person, opened.token, PASSWORD, "a quite new password", visitor, people.now
    )
    assert people.sessions.find(other.token, people.now) is None
    assert people.sessions.find(opened.token, people.now) is None
    assert people.person(token).name == "ana"
    with pytest.raises(SignInRefusedError):
        people.try_("ana")
    people.try_("ana", "a quite new password")


def test_the_last_second_factor_stays_where_one_is_required(people: PeopleWorld) -> None:
    """It can be exchanged, not removed."""
    people.add("ana")
    app = people.set_up_codes("ana")
    people.pass_time(minutes=1)
    step = people.try_("ana")
    assert isinstance(step, FactorNeeded)
    opened = people.sign_in.with_code(step.flow, app.at(people.now), people.visitor(), people.now)
    person = people.person(opened.token)
    assert not people.account.account(person, people.visitor()).can_drop
    with pytest.raises(AccountError, match="last second factor"):
        people.account.drop_codes(person, people.visitor(), people.now)
    with pytest.raises(AccountError, match="last second factor"):
        people.account.drop_passkey(person, "AAAA", people.visitor(), people.now)


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "{}",
        "[]",
        "null",
        "1",
        '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
        '{"rawId": 1, "response": {}}',
        "[" * 20_000,
        '{"rawId":"AA","response":{"userHandle":"AA"}}',
    ],
    ids=lambda value: value[:12] or "empty",
)
def test_what_is_no_answer_of_a_device_is_refused(people: PeopleWorld, credential: str) -> None:
    """Neither made nor signed in with; the step is used up all the same."""
    people.add("ana")
    opened = people.opened("ana")
    person, visitor = people.person(opened.token), people.visitor()
    flow, options = people.account.passkey_question(person, visitor, people.now)
    assert options["rp"]["id"] == "localhost"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    with pytest.raises(PasskeyRefusedError):
        people.account.keep_passkey(
            person, opened.token, flow, credential, "phone", visitor, people.now
        )
    with pytest.raises(FlowOverError):
        people.account.keep_passkey(
            person, opened.token, flow, credential, "phone", visitor, people.now
        )
    flow, options = people.sign_in.passkey_question(visitor, people.now)
    assert options["userVerification"] == "required"
    with pytest.raises(SignInRefusedError):
        people.sign_in.with_passkey(flow, credential, visitor, people.now)
    with pytest.raises(FlowOverError):
        people.sign_in.with_passkey(flow, credential, visitor, people.now)


def test_no_passkey_is_made_for_an_address_in_numbers(people: PeopleWorld) -> None:
    """The sentence says by which name to come."""
    people.add("ana")
    person = people.person(people.opened("ana").token)
    for origin in ("http://127.0.0.1:8480", "http://[::1]:8480"):
        visitor = Visitor("192.0.2.1", "a browser", origin)
        assert not people.account.account(person, visitor).passkeys_possible
        with pytest.raises(AccountError, match="reach the console by a name"):
            people.account.passkey_question(person, visitor, people.now)
    assert Visitor("192.0.2.1", "", ORIGIN).party.is_possible


def test_questions_to_devices_are_counted_too(people: PeopleWorld) -> None:
    """Whoever asks without end is kept out; the table of steps does not grow."""
    for _ in range(100):
        people.sign_in.passkey_question(people.visitor(), people.now)
    with pytest.raises(BlockedError):
        people.sign_in.passkey_question(people.visitor(), people.now)
    people.sign_in.passkey_question(people.visitor("198.51.100.1"), people.now)


def test_a_password_alone_changes_nothing_of_who_has_a_second_factor(people: PeopleWorld) -> None:
    """Whoever knew the password before the factor was set up does not get round it afterwards."""
    people.add("ana")
    early, late = people.opened("ana"), people.opened("ana")
    person, visitor = people.person(early.token), people.visitor()
    flow, codes = people.account.new_codes(person, people.now)
    code = people_app(codes.typed).at(people.now)
    people.account.keep_codes(
        people.person(late.token),
        late.token,
        *_own_codes(people, late.token),
        visitor,
        people.now,
    )
    assert people.sessions.find(early.token, people.now) is None
    # A sign-in that was judged before, and ended after: its session is there, and is not enough.
    token = people.sessions.begin(person.person_id, PASSWORD_ALONE, "", "", people.now)
    person = people.person(token)
    for forbidden in (
        lambda: people.account.new_codes(person, people.now),
        lambda: people.account.keep_codes(person, token, flow, code, visitor, people.now),
        lambda: people.account.passkey_question(person, visitor, people.now),
        lambda: people.account.drop_codes(person, visitor, people.now),
        lambda: people.account.change_password(
            person, token, PASSWORD, "a quite new password", visitor, people.now
        ),
    ):
        with pytest.raises(AccountError, match="before you had a second factor"):
            forbidden()
    assert people.person(token).is_confined


def test_a_second_factor_leaves_sessions_with_one_as_they_are(people: PeopleWorld) -> None:
    """Only what was begun with less ends."""
    person_id = people.add("ana")
    kept = people.sessions.begin(person_id, PASSWORD_AND_CODE, "", "", people.now)
    people.set_up_codes("ana")
    assert people.person(kept).name == "ana"


def _own_codes(people: PeopleWorld, token: str) -> tuple[str, str]:
    """Return a step of setting up an app, and the app's first code."""
    flow, codes = people.account.new_codes(people.person(token), people.now)
    return flow, people_app(codes.typed).at(people.now)
