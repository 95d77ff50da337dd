"""``itmo-hub people …``: people are added by acts, invited by links, and shown without secrets."""

import re
from datetime import UTC, datetime

from hub.protocol.console_policy import ConsolePolicy
from hub.services.people.sessions import PASSWORD, Sessions
from hub.store.database import Database
from hub.store.people import persons
from tests.hub.commands.runner import done, refused


def test_a_person_is_added_by_an_act_and_invited_by_a_link_that_is_nowhere_else(
    sqlite: Database, sqlite_url: str
) -> None:
    """The log has who and why; the link is printed once."""
    at = ("--database", sqlite_url)
    reason = ("--reason", "Works on reconciliation.")
    added = done("people", "add", "ana", "officer", "--display-name", "Ana Moreau", *reason, *at)
    ((name, until, link),) = added.lines
    assert name == "ana"
    assert until.startswith("invited until 20")
    token = re.fullmatch(r"http://localhost:8480/invitation/([A-Za-z0-9_-]{43})", link)
    assert token is not None
    acts = done("act", "list", "--limit", "1", *at)
    assert [line[2:6] for line in acts.lines[1:]] == [
        ["person.add", "ana", acts.lines[1][4], "Works on reconciliation."]
    ]
    shown = done("people", "show", "ana", *at).document
    assert (shown["role"], shown["state"], shown["password"]) == ("officer", "invited", False)
    again = done("people", "invite", "ana", *at).lines[0][2]
    for told in (done("people", "list", *at), done("act", "show", acts.lines[1][0], *at)):
        assert token[1] not in told.out
        assert again.rpartition("/")[2] not in told.out
    del sqlite


def test_a_role_is_changed_and_a_person_is_disabled_enabled_and_reset(
    sqlite: Database, sqlite_url: str
) -> None:
    """Each an act with a reason; what is so already is refused in one line."""
    at = ("--reason", "Because.", "--database", sqlite_url)
    done("people", "add", "ana", "officer", *at)
    done("people", "role", "ana", "auditor", *at)
    assert "ana is auditor already" in refused("people", "role", "ana", "auditor", *at)
    assert "is not one of viewer" in refused("people", "role", "ana", "king", *at)
    done("people", "disable", "ana", *at)
    assert "only who has no way to sign in is invited" in refused(
        "people", "invite", "ana", "--database", sqlite_url
    )
    done("people", "enable", "ana", *at)
    reset = done("people", "reset", "ana", *at)
    assert "/invitation/" in reset.lines[0][2]
    assert "there is no person 'nobody'" in refused("people", "disable", "nobody", *at)
    assert "a name is given once" in refused("people", "add", "ana", "viewer", *at)
    (row,) = done("people", "list", "--database", sqlite_url, "--json").document
    assert (row["name"], row["role"], row["state"]) == ("ana", "auditor", "invited")
    del sqlite


def test_sessions_are_listed_and_ended_and_both_are_written_down(
    sqlite: Database, sqlite_url: str
) -> None:
    """From the command line too."""
    at = ("--database", sqlite_url)
    done("people", "add", "ana", "officer", "--reason", "Because.", *at)
    made, now = Sessions(sqlite, ConsolePolicy()), datetime.now(UTC)
    with sqlite.writing() as connection:
        person = persons.by_name(connection, "ana")
        assert person is not None
        persons.set_state(connection, person.person_id, persons.ACTIVE, now)
    for _ in range(2):
        made.begin(person.person_id, PASSWORD, "192.0.2.1", "a browser", now)
    made.close()
    assert len(done("people", "sessions", "ana", *at, "--json").document) == 2
    assert done("people", "end-sessions", "ana", *at).lines == [["ana", "ended", "2"]]
    assert done("people", "sessions", "ana", *at, "--json").document == []
    (event,) = done("people", "sign-ins", "--name", "ana", *at, "--json").document
    assert (event["outcome"], event["method"]) == ("ended", "command line")
