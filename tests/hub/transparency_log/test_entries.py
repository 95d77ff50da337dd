"""Entries: small, exact, and silent about what they commit to."""

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.entries import (
    COMMITMENTS,
    Entry,
    EntryError,
    PartyStep,
    commitment,
    decode,
    decode_salt,
    encode,
    encode_salt,
)
from hub.transparency_log.tiles import MAX_ENTRY_BYTES

AT = "2026-11-22T10:00:00.000Z"
DIGEST = "0123456789abcdef" * 4
EXAMPLE = Entry(
    7,
    "envelope",
    AT,
    "THA01",
    "CHE01",
    (PartyStep("THA01", 3, 2), PartyStep("CHE01", 1, None)),
    {"envelope": DIGEST, "receipt": DIGEST},
)

codes = st.from_regex(r"[A-Z]{3}[0-9]{2}", fullmatch=True)
steps = st.builds(
    lambda code, count, before: PartyStep(code, count, before if count > 1 else None),
    codes,
    st.integers(1, 2**40),
    st.integers(0, 2**40),
)


@st.composite
def written(draw: st.DrawFn) -> Entry:
    """Draw an entry of any kind with any parties."""
    kind = draw(st.sampled_from(sorted(COMMITMENTS)))
    digests = {
        name: sha256(draw(st.binary(max_size=4))).hexdigest() for name in sorted(COMMITMENTS[kind])
    }
    parties = draw(st.lists(steps, max_size=4, unique_by=lambda step: step.code))
    index = draw(st.integers(0, 2**62))
    return Entry(index, kind, AT, draw(codes), draw(codes), tuple(parties), digests)


@given(entry=written())
def test_every_entry_is_read_back(entry: Entry) -> None:
    """What was written is what is read."""
    assert decode(encode(entry)) == entry


def test_the_bytes_are_fixed() -> None:
    """Members in one order, no blanks: the bytes are the leaf."""
    assert encode(EXAMPLE) == (
        b'{"v":1,"index":7,"kind":"envelope","at":"2026-11-22T10:00:00.000Z","sender":"THA01",'
        b'"recipient":"CHE01","parties":[["THA01",3,2],["CHE01",1,null]],"commitments":{"envelope":"'
        + DIGEST.encode()
        + b'","receipt":"'
        + DIGEST.encode()
        + b'"}}'
    )


def test_a_party_finds_its_own_step() -> None:
    """And none where it was not told."""
    assert EXAMPLE.step_of("THA01") == PartyStep("THA01", 3, 2)
    assert EXAMPLE.step_of("BRA01") is None


def test_an_entry_that_no_bundle_holds_is_not_written() -> None:
    """65,535 bytes at most."""
    many = tuple(PartyStep(f"P{number}", 1, None) for number in range(10_000))
    with pytest.raises(EntryError, match=str(MAX_ENTRY_BYTES)):
        encode(Entry(1, "genesis", AT, "XHB01", "XHB01", many))


def changed(**members: object) -> bytes:
    """Return the example's bytes with members changed."""
    return json.dumps({**json.loads(encode(EXAMPLE)), **members}).encode()


SPOILT = {
    "nothing": b"",
    "no object": b"[]",
    "not UTF-8": b'{"v":1,"kind":"\xff"}',
    "another version": changed(v=2),
    "another kind": changed(kind="rumour"),
    "a member more": changed(type="CancellationNotification"),
    "a member less": encode(EXAMPLE).replace(b'"sender":"THA01",', b""),
    "index as text": changed(index="7"),
    "commitment missing": changed(commitments={"envelope": DIGEST}),
    "commitment too many": changed(commitments={"envelope": DIGEST, "receipt": "", "act": ""}),
    "upper hex": changed(commitments={"envelope": DIGEST.upper(), "receipt": DIGEST}),
    "short digest": changed(commitments={"envelope": DIGEST[1:], "receipt": DIGEST}),
    "count from zero": changed(parties=[["THA01", 0, None]]),
    "first with one before": changed(parties=[["THA01", 1, 3]]),
    "second with none before": changed(parties=[["THA01", 2, None]]),
    "party twice": changed(parties=[["THA01", 2, 1], ["THA01", 3, 2]]),
}


@pytest.mark.parametrize("data", SPOILT.values(), ids=SPOILT)
def test_other_bytes_are_no_entry(data: bytes) -> None:
    """Exactly the members, each of its form."""
    with pytest.raises(EntryError):
        decode(data)


@given(salt=st.binary(min_size=16, max_size=16), content=st.binary(max_size=50))
def test_a_commitment_is_the_digest_of_salt_and_content(salt: bytes, content: bytes) -> None:
    """SHA-256(salt || content), lower hex; the salt travels as 22 characters."""
    assert commitment(salt, content) == sha256(salt + content).hexdigest()
    assert len(encode_salt(salt)) == 22
    assert decode_salt(encode_salt(salt)) == salt


@pytest.mark.parametrize(
    "text", ["", "A" * 21, "A" * 23, "A" * 22 + "==", "A" * 21 + "B", "+" * 22, "é" * 22, " " * 22]
)
def test_a_salt_has_one_spelling(text: str) -> None:
    """No padding, no other alphabet, no bits that are not used."""
    with pytest.raises(EntryError):
        decode_salt(text)
