"""What administrators sign: one form for one meaning, and nothing else is read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.services.administration.deeds import AdministrationError, Deed
from hub.services.administration.statements import (
    TYP,
    Place,
    Says,
    Statement,
    read_statement,
    sign_statement,
)
from keys.jws import sign
from tests.hub.services.administration.hands import signer_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
DEEDS = st.builds(Deed, TEXTS, TEXTS, st.dictionaries(TEXTS, PLAIN, max_size=4))
EPOCH = datetime(2026, 11, 22, tzinfo=UTC)
STATEMENTS = st.builds(
    Statement,
    statement_id=st.uuids().map(str),
    place=st.builds(Place, TEXTS, TEXTS),
    says=st.sampled_from(Says),
    deed=DEEDS,
    reason=TEXTS,
    actor=TEXTS,
    at=st.integers(0, 10**9).map(lambda ms: EPOCH + timedelta(milliseconds=ms)),
    proposal=st.none() | TEXTS,
)
ALICE = signer_of("alice")


@given(STATEMENTS)
def test_what_was_signed_is_what_is_read(statement: Statement) -> None:
    """Every member comes back, the deed in its canonical form."""
    read = read_statement(sign_statement(statement, ALICE)).statement
    assert read == statement
    assert read.deed.canonical() == statement.deed.canonical()


@given(STATEMENTS, STATEMENTS)
def test_two_meanings_have_two_texts(one: Statement, other: Statement) -> None:
    """Statements that differ in anything differ in what is signed."""
    assert (one.payload() == other.payload()) == (repr(one) == repr(other))


@given(DEEDS, PLAIN, PLAIN)
def test_deeds_that_differ_in_a_parameter_differ(deed: Deed, one: Any, other: Any) -> None:
    """Also where Python takes two values for equal: 1 and true, 0 and false."""
    first = Deed(deed.kind, deed.subject, {**deed.parameters, "value": one})
    second = Deed(deed.kind, deed.subject, {**deed.parameters, "value": other})
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (first.canonical() == second.canonical()) == same


def sample() -> Statement:
    """Return a statement."""
    place = Place("XHB01", "0" * 64)
    return Statement("x", place, Says.DO, Deed("key.revoke", "a", {}), "why", "alice", EPOCH)


def respelled() -> list[tuple[str, bytes]]:
    """Return payloads that mean the same to a lenient reader, or nothing at all."""
    text = sample().payload()
    members = json.loads(text)
    shuffled = dict(reversed(members.items()))
    return [
        ("spaced", json.dumps(members, sort_keys=True).encode()),
        ("shuffled", json.dumps(shuffled, separators=(",", ":")).encode()),
        ("twice", text.replace(b'"actor":"alice"', b'"actor":"bob","actor":"alice"')),
        ("more", text.replace(b"{", b'{"aaa":1,', 1)),
        ("less", json.dumps({**members, "at": None}).encode()),
        ("other format", text.replace(b"statement/1", b"statement/2")),
        ("unknown word", text.replace(b'"do"', b'"undo"')),
        ("no time", text.replace(b"2026-11-22T", b"2026-11-32T")),
        ("escaped", text.replace(b"alice", b"\\u0061lice")),
        ("no JSON", b"please"),
        ("a list", b"[]"),
        ("deep", text.replace(b'"parameters":{}', b'"parameters":' + b"[" * 9000 + b"]" * 9000)),
    ]


@pytest.mark.parametrize(("name", "payload"), respelled(), ids=[n for n, _ in respelled()])
def test_any_other_spelling_is_refused(name: str, payload: bytes) -> None:
    """Two readers never see two things in what one administrator signed."""
    with pytest.raises(AdministrationError):
        read_statement(sign(payload, TYP, [ALICE]))


def test_a_signed_object_of_another_type_is_no_statement() -> None:
    """An envelope, or a key document, that an administrator's key signed."""
    for typ in ("itmo-envelope+jws", "itmo-key+jws"):
        with pytest.raises(AdministrationError, match="no signed statement"):
            read_statement(sign(sample().payload(), typ, [ALICE]))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_one_kind_of_error(raw: bytes) -> None:
    """Nothing else escapes."""
    with pytest.raises(AdministrationError):
        read_statement(raw)
