"""Sessions: whose they are, when they end, and that a token once replaced opens nothing."""

import sqlite3
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people import persons
from hub.services.people.roles import Role
from hub.services.people.sessions import PASSWORD, PASSWORD_AND_CODE, Sessions
from tests.hub.services.people.people_world import BEGIN, PeopleWorld

HOUR = timedelta(hours=1)


def begin(people: PeopleWorld, person_id: str, method: str = PASSWORD_AND_CODE) -> str:
    """Begin a session."""
    return people.sessions.begin(person_id, method, "192.0.2.1", "a browser", people.now)


def test_a_session_says_who_it_is(people: PeopleWorld) -> None:
    """Name, role, how they signed in; and a token of nobody says nothing."""
    token = begin(people, people.add("ana"))
    person = people.person(token)
    assert (person.name, person.display_name, person.role) == ("ana", "Ana", Role.OFFICER)
    assert (person.method, person.since, person.is_confined) == (PASSWORD_AND_CODE, BEGIN, False)
    for other in ("", "x", token[:-1], token + "=", "\ud800", "ü" * 43):
        assert people.sessions.find(other, people.now) is None


def test_the_database_has_no_token_that_opens_anything(people: PeopleWorld) -> None:
    """Neither the token nor a part of it."""
    token = begin(people, people.add("ana"))
    with people.database.reading() as connection:
        rows = connection.execute(text("SELECT * FROM person_session")).all()
    assert token[:12] not in repr(rows)
    assert len(rows) == 1


def test_a_session_ends_when_it_is_left_alone_and_not_while_it_is_used(
    people: PeopleWorld,
) -> None:
    """An hour without use ends it; used every half hour it lives."""
    token = begin(people, people.add("ana"))
    for _ in range(4):
        people.pass_time(minutes=30)
        assert people.sessions.find(token, people.now) is not None
        people.sessions.settle()
    people.pass_time(minutes=60)
    assert people.sessions.find(token, people.now) is None


def test_a_page_that_refreshes_itself_does_not_keep_a_session_open(people: PeopleWorld) -> None:
    """What a page asks by itself is no use."""
    token = begin(people, people.add("ana"))
    people.pass_time(minutes=59)
    assert people.sessions.find(token, people.now, by_itself=True) is not None
    people.sessions.settle()
    people.pass_time(minutes=1)
    assert people.sessions.find(token, people.now) is None


def test_a_session_ends_after_twelve_hours_however_it_is_used(people: PeopleWorld) -> None:
    """And is deleted when the next one begins."""
    person_id = people.add("ana")
    token = begin(people, person_id)
    for _ in range(47):
        people.pass_time(minutes=15)
        assert people.sessions.find(token, people.now) is not None
        people.sessions.settle()
    people.pass_time(minutes=15)
    assert people.sessions.find(token, people.now) is None
    begin(people, person_id)
    with people.database.reading() as connection:
        count = connection.execute(text("SELECT count(*) FROM person_session")).scalar_one()
    assert count == 1


def test_when_it_was_used_is_written_once_a_minute(people: PeopleWorld) -> None:
    """Not for every page."""
    person_id = people.add("ana")
    token = begin(people, person_id)
    seen = []
    for _ in range(4):
        people.pass_time(seconds=31)
        people.sessions.find(token, people.now)
        people.sessions.settle()
        (listed,) = people.sessions.listed(person_id, people.now)
        seen.append((listed.seen_at - BEGIN).total_seconds())
    assert seen == [0, 62, 62, 124]


def test_a_page_is_not_late_because_another_process_writes(sqlite_people: PeopleWorld) -> None:
    """While the database is locked, a session is found at once; its use is written later or not."""
    people = sqlite_people
    person_id = people.add("ana")
    token = begin(people, person_id)
    people.pass_time(minutes=5)
    path = people.database.url.database
    assert path is not None
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert people.sessions.find(token, people.now) is not None
    assert people.sessions.find(token, people.now) is not None
    assert time.monotonic() - began < 1
    other.execute("ROLLBACK")
    other.close()
    people.sessions.settle()
    (listed,) = people.sessions.listed(person_id, people.now)
    assert listed.seen_at == people.now


def test_a_replaced_token_opens_nothing_and_the_end_stays(people: PeopleWorld) -> None:
    """Whoever knew the old one has lost it; the session lives no longer for it."""
    person_id = people.add("ana")
    before = begin(people, person_id, PASSWORD)
    ends_at = people.sessions.listed(person_id, people.now)[0].ends_at
    people.pass_time(minutes=10)
    after = people.sessions.replace(before, PASSWORD_AND_CODE, people.now)
    assert after is not None
    assert after != before
    assert people.sessions.find(before, people.now) is None
    assert people.person(after).method == PASSWORD_AND_CODE
    assert people.sessions.listed(person_id, people.now)[0].ends_at == ends_at
    assert people.sessions.replace(before, PASSWORD_AND_CODE, people.now) is None


def test_a_password_alone_is_confined_where_a_second_factor_is_required(
    people: PeopleWorld,
) -> None:
    """As the setting is now, not as it was when the session began."""
    token = begin(people, people.add("ana"), PASSWORD)
    assert people.person(token).is_confined
    relaxed = Sessions(people.database, replace(ConsolePolicy(), second_factor="optional"))
    found = relaxed.find(token, people.now)
    assert found is not None
    assert not found.is_confined


def test_sessions_are_ended_one_by_one_or_all_but_one(people: PeopleWorld) -> None:
    """By their ids, and nobody ends another's."""
    ana, ben = people.add("ana"), people.add("ben")
    tokens = [begin(people, ana) for _ in range(3)]
    ids = {token: people.person(token).session_id for token in tokens}
    others = begin(people, ben)
    assert not people.sessions.end_one(ben, ids[tokens[0]])
    assert people.sessions.end_one(ana, ids[tokens[0]])
    assert people.sessions.find(tokens[0], people.now) is None
    assert people.sessions.end_all(ana, but=ids[tokens[1]]) == 1
    assert people.sessions.find(tokens[1], people.now) is not None
    assert people.sessions.end(tokens[1])
    assert not people.sessions.end(tokens[1])
    assert people.sessions.find(others, people.now) is not None


@pytest.mark.parametrize("change", ["role", "disabled", "reset"])
def test_whoever_loses_a_right_loses_it_at_once(people: PeopleWorld, change: str) -> None:
    """Open sessions end with the change, and do not come back with the next one."""
    token = begin(people, people.add("ana"))
    with people.database.writing() as connection:
        if change == "role":
            persons.set_role(connection, name="ana", role="viewer", at=people.now)
        elif change == "disabled":
            persons.disable(connection, name="ana", at=people.now)
        else:
            persons.reset(connection, name="ana", at=people.now)
    assert people.sessions.find(token, people.now) is None
    if change == "disabled":
        with people.database.writing() as connection:
            persons.enable(connection, name="ana", at=people.now)
        assert people.sessions.find(token, people.now) is None


def test_what_a_browser_says_of_itself_is_kept_short_and_printable(people: PeopleWorld) -> None:
    """Whatever it is."""
    person_id = people.add("ana")
    agent = "evil\r\nSet-Cookie: a=b\x1b[2J\x00" + "x" * 500
    people.sessions.begin(person_id, PASSWORD, "192.0.2.1" * 20, agent, people.now)
    (listed,) = people.sessions.listed(person_id, people.now)
    assert listed.agent.isprintable()
    assert len(listed.agent) == 200
    assert len(listed.address) == 64
