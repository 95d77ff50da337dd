"""Which passwords are taken, what it costs to try one, and that a flood of tries stops itself."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any

import pytest
from argon2 import PasswordHasher, Type
from hypothesis import given
from hypothesis import strategies as st

from hub.services.people.passwords import (
    BusyError,
    PasswordRefusedError,
    Passwords,
    Rule,
    normal,
    require_good,
)
from tests.hub.services.people.people_world import CHEAP

NAMES = ("anabelle.moreau", "Anabelle Moreau")


@pytest.mark.parametrize(
    "password",
    [
        "seven quiet herons",
        "wetter 2026 ändert sich",
        "xK9!pQ2#vL5m",
        "五つの静かな鷺が川辺で眠る午後",
        "p" + "aQ" * 99,
    ],
    ids=["words", "letters of other tongues", "random", "another script", "long"],
)
def test_a_long_password_is_taken_whatever_it_is_made_of(password: str) -> None:
    """No demand for digits, signs or capitals."""
    if password.startswith("paQ"):
        password = password[:150] + "zero one two three four five"
    require_good(password, NAMES)


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("eleven char", Rule.LENGTH),
        ("a1b2c3d4e5" * 21, Rule.LENGTH),
        ("seven\x00quiet\x00herons", Rule.CHARACTERS),
        ("seven\nquiet herons", Rule.CHARACTERS),
        ("\ud800 seven quiet herons", Rule.CHARACTERS),
        ("password1234", Rule.COMMON),
        ("Password-1234!", Rule.COMMON),
        ("123456789012", Rule.COMMON),
        ("QWERTYUIOP12", Rule.COMMON),
        ("correct horse battery staple", Rule.COMMON),
        ("ITMO hub 2026!", Rule.COMMON),
        ("aaaaaaaaaaaaaa", Rule.REPEATED),
        ("abababababab", Rule.REPEATED),
        ("heronsheronsherons", Rule.REPEATED),
        ("anabelle.moreau", Rule.NAME),
        ("Anabelle2026!", Rule.NAME),
        ("moreaumoreau77", Rule.NAME),
    ],
)
def test_a_password_that_others_would_guess_is_refused(password: str, rule: Rule) -> None:
    """Each with the rule it breaks, and a sentence."""
    with pytest.raises(PasswordRefusedError) as refused:
        require_good(password, NAMES)
    assert refused.value.rule is rule
    assert str(refused.value)


@given(password=st.text(min_size=0, max_size=250))
def test_any_text_is_taken_or_refused_and_nothing_else(password: str) -> None:
    """Whatever is typed."""
    with suppress(PasswordRefusedError):
        require_good(password, NAMES)
    assert Passwords(CHEAP).matches(None, password) is False


def test_a_password_matches_its_hash_and_no_other() -> None:
    """However the keyboard composes its letters; and nobody's hash is nobody's password."""
    passwords = Passwords(CHEAP)
    kept = passwords.hash("se\u0301ptembre à Bonn")
    assert passwords.matches(kept, "s\u00e9ptembre à Bonn")
    assert not passwords.matches(kept, "septembre à Bonn")
    assert not passwords.matches(None, "a password that nobody has")
    assert not passwords.matches("no hash at all", "septembre à Bonn")


def test_a_very_long_text_costs_no_more_than_a_long_password() -> None:
    """It is cut before it is hashed, behind what a password may have."""
    assert len(normal("x" * 1_000_000)) <= 4 * 201


def test_hashes_are_argon2id_as_the_rfc_has_it_and_outdated_ones_are_known() -> None:
    """RFC 9106, second choice: 64 MiB, three passes, four lanes."""
    passwords = Passwords()
    kept = passwords.hash("seven quiet herons")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not passwords.is_outdated(kept)
    older = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
    assert passwords.is_outdated(older.hash("seven quiet herons"))


def test_to_try_a_name_that_nobody_has_takes_as_long() -> None:
    """The medians of a few tries differ by less than half."""
    passwords = Passwords()
    kept = passwords.hash("seven quiet herons")

    def seconds(password_hash: str | None) -> float:
        spent = []
        for _ in range(5):
            begin = time.process_time()
            passwords.matches(password_hash, "another password")
            spent.append(time.process_time() - begin)
        return statistics.median(spent)

    somebody, nobody = seconds(kept), seconds(None)
    assert 0.5 < nobody / somebody < 2, (somebody, nobody)


def test_a_flood_of_tries_is_sent_away_and_leaves_nothing_behind() -> None:
    """So many at once and so many waiting; then the next one is told to come back."""
    inside, go_on = Event(), Event()

    class Slow(PasswordHasher):
        """Hashes once it may."""

        def verify(self, *given: Any) -> Any:
            inside.set()
            assert go_on.wait(30)
            return super().verify(*given)

    passwords = Passwords(
        Slow(time_cost=1, memory_cost=8, parallelism=1), hashing_max=1, waiting_max=1
    )
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(passwords.matches, None, "x")
        assert inside.wait(30)
        second = threads.submit(passwords.matches, None, "y")
        while passwords.present < 2:
            time.sleep(0.001)
        with pytest.raises(BusyError):
            passwords.matches(None, "z")
        go_on.set()
        assert (first.result(), second.result()) == (False, False)
    assert passwords.present == 0
    assert passwords.matches(None, "z") is False
