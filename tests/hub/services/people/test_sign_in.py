"""Signing in with a password and a code, brute force, replays, and what is written down."""

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people import persons
from hub.services.people.flows import FlowOverError
from hub.services.people.limits import BlockedError
from hub.services.people.passwords import Passwords
from hub.services.people.sealing import SealBrokenError, Sealing
from hub.services.people.sessions import PASSWORD_AND_CODE
from hub.services.people.sign_in import FactorNeeded, Opened, SignInRefusedError
from tests.hub.services.people.people_world import PASSWORD, PeopleWorld


def needed(people: PeopleWorld, name: str = "ana") -> FactorNeeded:
    """Try the right password of somebody with a second factor."""
    found = people.try_(name)
    assert isinstance(found, FactorNeeded)
    return found


def test_a_password_alone_opens_a_confined_session(people: PeopleWorld) -> None:
    """One's own set-up and nothing else; with the setting `optional`, everything."""
    people.add("ana")
    opened = people.opened(" Ana ")
    assert opened.is_confined
    assert people.person(opened.token).is_confined
    relaxed = PeopleWorld(people.database, ConsolePolicy(second_factor="optional"))
    assert not relaxed.opened("ana").is_confined


def test_a_password_opens_a_step_and_the_code_the_session(people: PeopleWorld) -> None:
    """With an app set up, the password is half of it."""
    people.add("ana")
    app = people.set_up_codes("ana")
    people.pass_time(minutes=1)
    step = needed(people)
    assert (step.has_codes, step.has_passkey) == (True, False)
    opened = people.sign_in.with_code(step.flow, app.at(people.now), people.visitor(), people.now)
    assert people.person(opened.token).method == PASSWORD_AND_CODE
    assert not opened.is_confined
    assert people.sessions.find(step.flow, people.now) is None  # a step is no session


def test_a_code_counts_once(people: PeopleWorld) -> None:
    """Neither again nor after a later one; also the one that set the app up."""
    people.add("ana")
    app = people.set_up_codes("ana")
    setting_up = app.at(people.now)
    with pytest.raises(SignInRefusedError):
        people.sign_in.with_code(needed(people).flow, setting_up, people.visitor(), people.now)
    people.pass_time(minutes=1)
    earlier = app.at(people.now)
    people.pass_time(seconds=30)
    now = app.at(people.now)
    visitor = people.visitor()
    people.sign_in.with_code(needed(people).flow, now, visitor, people.now)
    for replayed in (now, earlier):
        with pytest.raises(SignInRefusedError):
            people.sign_in.with_code(needed(people).flow, replayed, visitor, people.now)


def test_a_step_is_used_once_lapses_and_is_bound_to_the_password(people: PeopleWorld) -> None:
    """A stolen step is worth nothing afterwards."""
    people.add("ana")
    app = people.set_up_codes("ana")
    people.pass_time(minutes=1)
    visitor, step = people.visitor(), needed(people)
    opened = people.sign_in.with_code(step.flow, app.at(people.now), visitor, people.now)
    people.pass_time(minutes=1)
    with pytest.raises(FlowOverError):
        people.sign_in.with_code(step.flow, app.at(people.now), visitor, people.now)
    late = needed(people)
    people.pass_time(minutes=5)
    with pytest.raises(FlowOverError):
        people.sign_in.with_code(late.flow, app.at(people.now), visitor, people.now)
    before = needed(people)
    people.account.change_password(
        people.person(opened.token),
        opened.token,
        PASSWORD,
        "another good password",
        visitor,
        people.now,
    )
    with pytest.raises(FlowOverError):
        people.sign_in.with_code(before.flow, app.at(people.now), visitor, people.now)


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "\x00"]
)
def test_what_is_no_code_is_refused(people: PeopleWorld, code: str) -> None:
    """Like a wrong one."""
    people.add("ana")
    people.set_up_codes("ana")
    with pytest.raises(SignInRefusedError):
        people.sign_in.with_code(needed(people).flow, code, people.visitor(), people.now)


def test_codes_are_not_guessed_even_with_the_password(people: PeopleWorld) -> None:
    """Five tries, whatever the address, and the right password does not open them again."""
    people.add("ana")
    app = people.set_up_codes("ana")
    people.pass_time(minutes=1)
    for number in range(5):
        wrong = f"{(int(app.at(people.now)) + 1 + number) % 10**6:06}"
        with pytest.raises(SignInRefusedError):
            people.sign_in.with_code(
                needed(people).flow, wrong, people.visitor(f"192.0.2.{number}"), people.now
            )
    with pytest.raises(BlockedError):
        people.sign_in.with_code(
            needed(people).flow, app.at(people.now), people.visitor("203.0.113.9"), people.now
        )


def test_a_refusal_does_not_tell_whether_the_name_exists(people: PeopleWorld) -> None:
    """Unknown, disabled, invited, wrong: the same exception, the same count, the same block."""
    people.add("ana")
    people.add("ben", password=None)
    people.add("cleo")
    with people.database.writing() as connection:
        persons.disable(connection, name="cleo", at=people.now)
    seen: dict[str, list[type[Exception]]] = {}
    for name in ("ana", "ben", "cleo", "nobody", "No Name!", "", "x" * 5_000, "\x00", "\ud800"):
        told = []
        for _ in range(7):
            with pytest.raises((SignInRefusedError, BlockedError)) as refused:
                people.try_(name, "wrong", f"2001:db8:{len(seen)}::1")
            told.append(refused.type)
        seen[name[:10]] = told
    expected = [SignInRefusedError] * 5 + [BlockedError] * 2
    assert all(told == expected for told in seen.values()), seen


def test_brute_force_is_stopped_and_the_right_password_does_not_pass_a_block(
    people: PeopleWorld,
) -> None:
    """After five wrong ones the right one waits too; then it opens, and all is forgotten."""
    people.add("ana")
    for _ in range(5):
        with pytest.raises(SignInRefusedError):
            people.try_("ana", "wrong")
    with pytest.raises(BlockedError):
        people.try_("ana")
    assert isinstance(people.try_("ana", address="198.51.100.7"), Opened)  # ana at home
    people.pass_time(minutes=1)
    assert isinstance(people.try_("ana"), Opened)
    for _ in range(4):
        with pytest.raises(SignInRefusedError):
            people.try_("ana", "wrong")
    assert isinstance(people.try_("ana"), Opened)


def test_a_blocked_try_costs_no_hashing(people: PeopleWorld) -> None:
    """Whoever floods a blocked name keeps no processor busy."""
    tried = []

    class Counted(Passwords):
        """Counts what is tried."""

        def matches(self, password_hash: str | None, password: str) -> bool:
            tried.append(password)
            return False

    world = PeopleWorld(people.database, passwords=Counted(people.passwords._hasher))
    for _ in range(30):
        with pytest.raises((SignInRefusedError, BlockedError)):
            world.try_("ana", "wrong")
    assert len(tried) == 5


def test_two_consoles_count_on_the_same_rows(people: PeopleWorld) -> None:
    """One more process gives nobody five more tries."""
    people.add("ana")
    other = PeopleWorld(people.database)
    for number in range(5):
        with pytest.raises(SignInRefusedError):
            (people, other)[number % 2].try_("ana", "wrong")
    for console in (people, other):
        with pytest.raises(BlockedError):
            console.try_("ana")


def test_everything_is_written_down_but_no_unknown_name(people: PeopleWorld) -> None:
    """Who, how, from where, why not; a block once. What nobody is called is not kept."""
    people.add("ana")
    begun = len(people.events())
    for name in ("ana", "my secret password"):
        with pytest.raises(SignInRefusedError):
            people.try_(name, "wrong", "198.51.100.7")
    for _ in range(9):
        with pytest.raises((SignInRefusedError, BlockedError)):
            people.try_("ana", "wrong", "198.51.100.8")
    opened = people.opened("ana")
    person = people.person(opened.token)
    people.sign_in.sign_out(opened.token, person, people.visitor(), people.now)
    events = people.events()[begun:]
    assert [(one.outcome, one.name, one.detail) for one in events] == [
        ("refused", "ana", "wrong password"),
        ("refused", "", "no such name"),
        *[("refused", "ana", "wrong password")] * 5,
        ("blocked", "ana", None),
        ("signed_in", "ana", None),
        ("signed_out", "ana", None),
    ]
    assert "secret" not in repr(events)
    assert people.sessions.find(opened.token, people.now) is None


def test_events_are_kept_for_a_year_and_a_bit(people: PeopleWorld) -> None:
    """Then they go."""
    people.add("ana")
    people.opened("ana")
    people.pass_time(days=401)
    people.opened("ana")
    assert [one.outcome for one in people.events()] == ["signed_in"]


def test_a_hash_of_older_parameters_is_made_anew(people: PeopleWorld) -> None:
    """When its person signs in, and the password stays the same."""
    people.add("ana")
    newer = PeopleWorld(
        people.database,
        passwords=Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)),
    )
    assert isinstance(newer.try_("ana"), Opened)
    with people.database.reading() as connection:
        kept = connection.execute(text("SELECT password_hash FROM person")).scalar_one()
    assert "m=16,t=2,p=1" in kept
    assert isinstance(newer.try_("ana"), Opened)


def test_with_another_secret_no_code_counts_and_the_operator_reads_why(
    people: PeopleWorld,
) -> None:
    """A console whose file was lost lets nobody in by accident."""
    people.add("ana")
    app = people.set_up_codes("ana")
    people.pass_time(minutes=1)
    other = PeopleWorld(people.database, sealing=Sealing.of(b"y" * 32), now=people.now)
    with pytest.raises(SignInRefusedError):
        other.sign_in.with_code(
            needed(other).flow, app.at(people.now), people.visitor(), people.now
        )
    assert "console.secret" in str(people.events()[-1].detail)


def test_the_secret_of_codes_is_sealed_for_its_person(people: PeopleWorld) -> None:
    """Under another secret, or moved to another row, it does not open."""
    people.add("ana")
    app = people.set_up_codes("ana")
    with people.database.reading() as connection:
        person_id, sealed = connection.execute(
            text("SELECT person_id, totp_secret FROM person")
        ).one()
    assert app.byte_secret() not in bytes(sealed)
    assert people.sealing.unseal(bytes(sealed), person_id) == app.byte_secret()
    for other, owner in ((people.sealing, "another"), (Sealing.of(b"x" * 32), person_id)):
        with pytest.raises(SealBrokenError):
            other.unseal(bytes(sealed), owner)
    for broken in (b"", sealed[:10], b"\x02" + sealed[1:], sealed[:-1]):
        with pytest.raises(SealBrokenError):
            people.sealing.unseal(bytes(broken), person_id)
