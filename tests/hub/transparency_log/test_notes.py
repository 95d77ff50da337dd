"""Signed notes: the published vectors verify, and there is one spelling of everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.notes import (
    SIGNATURE_COUNT_MAX,
    Note,
    NoteError,
    NoteSignature,
    SignatureType,
    VerifierKey,
    parse_signatures,
    sign_note,
)
from tests.hub.transparency_log.signers import LOG, LOG_PQ, W1, W2_PQ

# The example of Go's package golang.org/x/mod/sumdb/note.
NEUMANN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann \
x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
# The key of Go's checksum database, and one of its tree heads: the signature that stands in the
# examples of C2SP tlog-checkpoint, there under another text.
SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_NOTE = """go.sum database tree
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— sum.golang.org \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""
NOTE = Note("a text\n", (sign_note("a text\n", LOG.key, LOG.sign),))


@pytest.mark.parametrize(
    ("vkey", "text"), [(NEUMANN_KEY, NEUMANN_NOTE), (SUMDB_KEY, SUMDB_NOTE)], ids=["note", "sumdb"]
)
def test_published_notes_verify_with_their_published_keys(vkey: str, text: str) -> None:
    """Key id, text and signature are those of the Go implementation."""
    key = VerifierKey.parse(vkey)
    note = Note.parse(text.encode())
    [line] = note.signatures_of(key)
    assert key.vkey == vkey
    assert note.render() == text
    assert key.is_signed(line.signature, note.text.encode())
    assert not key.is_signed(line.signature, note.text.encode() + b" ")


@pytest.mark.parametrize("key", [LOG.key, W1.key, LOG_PQ.key], ids=lambda key: key.type.name)
def test_a_vkey_is_read_back(key: VerifierKey) -> None:
    """Each type of signature, with the id that follows from it."""
    assert VerifierKey.parse(key.vkey) == key
    assert len(key.key_id) == 4
    assert key.vkey.startswith(f"{key.name}+{key.key_id.hex()}+")


def test_one_key_has_another_id_under_each_type_and_name() -> None:
    """So a cosignature is never taken for a note's signature."""
    raw = LOG.key.public_key
    ids = {
        VerifierKey(name, kind, raw).key_id
        for name in ("a", "b")
        for kind in (SignatureType.ED25519, SignatureType.COSIGNATURE_ED25519)
    }
    assert len(ids) == 4


GOOD_VKEY = LOG.key.vkey


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        GOOD_VKEY + "A",
        GOOD_VKEY + "\n",
        " " + GOOD_VKEY,
        GOOD_VKEY.upper(),
        GOOD_VKEY.replace("one+", "two+"),
        GOOD_VKEY.replace(LOG.key.key_id.hex(), LOG.key.key_id.hex()[1:]),
        GOOD_VKEY.rstrip("=")[:-4],
        W1.key.vkey.replace("+B", "+C"),
        LOG.key.name + "+00000000+",
        LOG.key.name + "+00000000+AQ==",
    ],
)
def test_a_vkey_that_was_changed_is_refused(vkey: str) -> None:
    """The id vouches for name, type and key."""
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize("kind", [2, 3, 5, 255])
def test_other_signature_types_are_refused(kind: int) -> None:
    """Only Ed25519 and the two cosignatures."""
    with pytest.raises(NoteError, match="not supported"):
        VerifierKey("name", kind, bytes(32))  # type: ignore[arg-type] # what a file may say


@pytest.mark.parametrize("y", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, 2**256 - 1])
def test_a_weak_key_is_refused(y: int) -> None:
    """A point of small order would sign every text."""
    with pytest.raises(NoteError, match="small order"):
        VerifierKey("name", SignatureType.ED25519, y.to_bytes(32, "little"))


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "a\x00", "\ud800"]
)
def test_a_key_name_has_no_blank_plus_or_control_character(name: str) -> None:
    """Unicode's blanks too."""
    with pytest.raises(NoteError):
        VerifierKey(name, SignatureType.ED25519, LOG.key.public_key)
    with pytest.raises(NoteError):
        NoteSignature(name, b"1234", b"5")


lines_of_text = st.lists(
    st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), max_size=20), min_size=1
)


@given(lines=lines_of_text)
def test_every_text_is_signed_and_read_back(lines: list[str]) -> None:
    """Texts may hold empty lines: the last empty line parts them from the signatures."""
    text = "\n".join(lines) + "\n"
    note = Note(text, (sign_note(text, LOG.key, LOG.sign),))
    read = Note.parse(note.render().encode())
    assert read == note
    assert LOG.key.is_signed(read.signatures[0].signature, read.text.encode())


@given(bit=st.integers(0, 8 * len(NOTE.render().encode()) - 1))
def test_a_flipped_bit_anywhere_is_refused_or_verifies_no_more(bit: int) -> None:
    """Nothing in a note is there without being checked."""
    data = bytearray(NOTE.render().encode())
    data[bit // 8] ^= 1 << bit % 8
    try:
        note = Note.parse(bytes(data))
    except NoteError:
        return
    assert not any(
        LOG.key.is_signed(line.signature, note.text.encode())
        for line in note.signatures_of(LOG.key)
    )


LINE = NOTE.signatures[0].line
SPOILT = {
    "not UTF-8": b"text\n\xff\n\n" + LINE.encode(),
    "carriage return": NOTE.render().replace("\n", "\r\n").encode(),
    "tab": ("a\ttext\n\n" + LINE).encode(),
    "zero": ("a\0text\n\n" + LINE).encode(),
    "no signature": b"a text\n\n",
    "no empty line": ("a text\n" + LINE).encode(),
    "cut off": NOTE.render()[:-1].encode(),
    "a hyphen for the dash": NOTE.render().replace("—", "-").encode(),
    "two blanks": NOTE.render().replace("— ", "—  ").encode(),
    "no blank": NOTE.render().replace("— ", "—").encode(),
    "no padding": NOTE.render().replace("=", "").encode(),
    "a blank after": (NOTE.render()[:-1] + " \n").encode(),
    "url alphabet": "a text\n\n— name AAAAA_-A\n".encode(),
    "bits that are not used": "a text\n\n— name AAAAAAB=\n".encode(),
    "key id alone": "a text\n\n— name AAAAAA==\n".encode(),
    "nothing": b"",
}


@pytest.mark.parametrize("data", SPOILT.values(), ids=SPOILT)
def test_other_forms_are_no_notes(data: bytes) -> None:
    """One spelling, or none."""
    with pytest.raises(NoteError):
        Note.parse(data)


def test_the_number_and_size_of_signatures_have_a_limit() -> None:
    """Enough for 200 witnesses with two algorithms each, and no more than 512."""
    many = "".join(NoteSignature(f"w{at}", b"1234", bytes(2428)).line for at in range(402))
    assert len(Note.parse("text\n\n" + many).signatures) == 402
    with pytest.raises(NoteError, match=str(SIGNATURE_COUNT_MAX)):
        parse_signatures(LINE * (SIGNATURE_COUNT_MAX + 1))
    with pytest.raises(NoteError, match="bytes"):
        Note.parse("a" * 3_000_000 + "\n\n" + LINE)


def test_signatures_are_added_once() -> None:
    """Whether as lines or as values."""
    other = NoteSignature("w", b"1234", b"5")
    more = NOTE.with_signatures([other, other.line, LINE])
    assert more.signatures == (*NOTE.signatures, other)
    assert Note.parse(more.render()) == more


def test_only_the_right_signer_signs() -> None:
    """A key for cosignatures, another's private key and a text without its end are refused."""
    for text, key, sign in (
        ("text\n", W1.key, W1.sign),
        ("text\n", LOG.key, W1.sign),
        ("text", LOG.key, LOG.sign),
        ("te\rxt\n", LOG.key, LOG.sign),
    ):
        with pytest.raises(NoteError):
            sign_note(text, key, sign)


def test_signatures_of_other_lengths_are_invalid_and_no_crash() -> None:
    """Whatever stands in a line."""
    for key in (LOG.key, W2_PQ.key):
        assert not any(key.is_signed(bytes(length), b"data") for length in (0, 1, 63, 64, 65, 2420))


def test_a_note_without_signatures_is_not_rendered() -> None:
    """It would not be a note."""
    with pytest.raises(NoteError, match="at least one"):
        Note("text\n", ()).render()
