"""Checkpoints: whose they are, and what a changed, foreign or doubled signature does to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.checkpoints import Checkpoint, CheckpointError, open_checkpoint
from hub.transparency_log.hashing import EMPTY_ROOT
from hub.transparency_log.notes import Note, NoteSignature, sign_note
from tests.hub.transparency_log.signers import LOG, LOG_PQ, ORIGIN, W1, SeededKey, seeded, signed
from tests.hub.transparency_log.trees import mth

HEAD = Checkpoint(ORIGIN, 7, mth(0, 7))
KEYS = (LOG.key, LOG_PQ.key)


def test_the_text_is_that_of_the_specification() -> None:
    """Origin, size and root, each on a line."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = Checkpoint.parse(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.text == text


@given(
    origin=st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1),
    size=st.integers(1, 2**63 - 1),
    root=st.binary(min_size=32, max_size=32),
    extensions=st.lists(st.text("abc xyz", min_size=1), max_size=3),
)
def test_every_checkpoint_is_read_back(
    origin: str, size: int, root: bytes, extensions: list[str]
) -> None:
    """An origin may hold blanks; extension lines stay as they are."""
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert Checkpoint.parse(checkpoint.text) == checkpoint


ROOT_LINE = HEAD.text.split("\n")[2]
SPOILT = [
    "",
    "\n7\n" + ROOT_LINE + "\n",
    "origin\n7\n",
    "origin\n7\n" + ROOT_LINE,
    "origin\n07\n" + ROOT_LINE + "\n",
    "origin\n+7\n" + ROOT_LINE + "\n",
    "origin\n7 \n" + ROOT_LINE + "\n",
    "origin\n-7\n" + ROOT_LINE + "\n",
    "origin\n\u0667\n" + ROOT_LINE + "\n",
    "origin\n9223372036854775808\n" + ROOT_LINE + "\n",
    "origin\n7\n" + ROOT_LINE + "\n\n",
    "origin\n7\n" + ROOT_LINE[:-1] + "\n",
    "origin\n7\n" + ROOT_LINE + "A\n",
    "origin\n7\nAAAA\n",
    "origin\n7\n" + "A" * 42 + "B=\n",
    "origin\n0\n" + ROOT_LINE + "\n",
    "ori\rgin\n7\n" + ROOT_LINE + "\n",
    "origin\n7\n" + ROOT_LINE + "\next\n\next\n",
]


@pytest.mark.parametrize("text", SPOILT)
def test_other_texts_are_no_checkpoints(text: str) -> None:
    """No leading zeros, signs, blanks or second spellings of the root."""
    with pytest.raises(CheckpointError):
        Checkpoint.parse(text)


def test_an_empty_tree_has_one_root() -> None:
    """The hash of nothing."""
    assert Checkpoint.parse(Checkpoint("origin", 0, EMPTY_ROOT).text).size == 0


@pytest.mark.parametrize("by", [LOG, LOG_PQ], ids=["Ed25519", "ML-DSA-44"])
def test_a_checkpoint_opens_with_a_key_of_its_log(by: SeededKey) -> None:
    """Either algorithm; lines of others are left alone, though they say nothing true."""
    stranger = NoteSignature("witness.example/w9", b"1234", b"5")
    lookalike = NoteSignature(ORIGIN, b"1234", bytes(64))
    opened = open_checkpoint(signed(HEAD, stranger, lookalike, by=by), KEYS)
    assert opened.checkpoint == HEAD
    assert opened.note.signatures[1:] == (stranger, lookalike)
    assert open_checkpoint(opened.note, KEYS) == opened


def test_a_checkpoint_of_nobody_trusted_is_refused() -> None:
    """Signed by another key of the same name, by a witness only, or of another log."""
    other = seeded(ORIGIN, LOG.key.type, "other")
    with pytest.raises(CheckpointError, match="no trusted key"):
        open_checkpoint(signed(HEAD), [other.key])
    with pytest.raises(CheckpointError, match="no trusted key"):
        open_checkpoint(Note(HEAD.text, (W1.cosign(HEAD),)), KEYS)
    with pytest.raises(CheckpointError, match=r"logs trusted are: log\.example/one"):
        open_checkpoint(signed(Checkpoint("log.example/two", 7, HEAD.root)), KEYS)
    with pytest.raises(CheckpointError, match="none"):
        open_checkpoint(signed(HEAD), [])
    with pytest.raises(CheckpointError, match="no log's key"):
        open_checkpoint(signed(HEAD), [seeded(ORIGIN, W1.key.type).key])


def test_a_false_signature_of_a_known_key_refuses_the_note() -> None:
    """Also beside a good one: somebody altered this note."""
    good = sign_note(HEAD.text, LOG.key, LOG.sign)
    wrong = NoteSignature(ORIGIN, LOG_PQ.key.key_id, LOG_PQ.cosign(HEAD).signature[:-1] + b"\0")
    for lines in ((good, wrong), (wrong,), (wrong, good)):
        with pytest.raises(CheckpointError, match="is not of this checkpoint"):
            open_checkpoint(Note(HEAD.text, lines), KEYS)


def test_two_lines_under_a_known_key_refuse_the_note() -> None:
    """Which of them was meant is not known; twice under an unknown key is nobody's business."""
    good = sign_note(HEAD.text, LOG.key, LOG.sign)
    with pytest.raises(CheckpointError, match="twice"):
        open_checkpoint(Note(HEAD.text, (good, good)), KEYS)
    with pytest.raises(CheckpointError, match="twice"):
        open_checkpoint(Note(HEAD.text, (LOG_PQ.cosign(HEAD, 1), LOG_PQ.cosign(HEAD, 2))), KEYS)
    stranger = W1.cosign(HEAD)
    assert open_checkpoint(Note(HEAD.text, (good, stranger, stranger)), KEYS).checkpoint == HEAD


def test_extension_lines_need_a_signature_that_covers_them() -> None:
    """ML-DSA-44 does not sign them, so alone it does not vouch for them."""
    extended = Checkpoint(ORIGIN, 7, HEAD.root, ("more",))
    assert open_checkpoint(signed(extended), KEYS).checkpoint.extensions == ("more",)
    both = signed(extended, LOG_PQ.cosign(extended))
    assert open_checkpoint(both, KEYS).checkpoint == extended
    with pytest.raises(CheckpointError, match="no signature covers"):
        open_checkpoint(signed(extended, by=LOG_PQ), KEYS)


NOTE = signed(HEAD).encode()


@given(bit=st.integers(0, 8 * len(NOTE) - 1))
def test_a_flipped_bit_anywhere_refuses_a_checkpoint(bit: int) -> None:
    """Origin, size, root, name, id and signature."""
    data = bytearray(NOTE)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CheckpointError):
        open_checkpoint(bytes(data), KEYS)
