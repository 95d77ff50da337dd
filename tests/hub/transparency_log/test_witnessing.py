"""Witnessing: the request of C2SP tlog-witness, and every answer a witness may give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.checkpoints import Checkpoint
from hub.transparency_log.hashing import EMPTY_ROOT
from hub.transparency_log.notes import Note
from hub.transparency_log.proofs import consistency_proof
from hub.transparency_log.witnessing import AddCheckpoint, WitnessRefusal, WitnessState, decide
from tests.hub.transparency_log.signers import LOG, LOG_PQ, ORIGIN, W1, seeded, signed
from tests.hub.transparency_log.trees import leaf, mth, tiles

KEYS = (LOG.key, LOG_PQ.key)
TREE = tiles(300)
# The request body of the specification's example.
EXAMPLE = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa \
opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""


def head(size: int) -> Checkpoint:
    """Return the checkpoint of the example tree at a size."""
    return Checkpoint(ORIGIN, size, mth(0, size))


def request(old: int, size: int) -> AddCheckpoint:
    """Return a right request from one size to another."""
    proof = tuple(consistency_proof(old, size, TREE.read)) if old <= size else ()
    return AddCheckpoint(old, proof, signed(head(size)))


def refusal(state: WitnessState | None, asked: AddCheckpoint) -> WitnessRefusal:
    """Return the refusal that a request gets."""
    with pytest.raises(WitnessRefusal) as caught:
        decide(state, asked, KEYS)
    return caught.value


def test_the_request_of_the_specification_is_read_back() -> None:
    """Old size, four hashes, and the checkpoint verbatim."""
    asked = AddCheckpoint.parse(EXAMPLE.encode())
    assert (asked.old_size, len(asked.proof)) == (20852014, 4)
    assert Note.parse(asked.note).text.startswith("example.com/behind-the-sofa\n20852163\n")
    assert asked.render() == EXAMPLE
    assert refusal(None, asked).status == 404


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=6).map(sorted))
def test_a_log_that_only_grows_is_cosigned_all_the_way(sizes: list[int]) -> None:
    """Each request from where the witness stands, the same size again included."""
    state: WitnessState | None = None
    for size in sizes:
        asked = request(state.size if state else 0, size)
        assert AddCheckpoint.parse(asked.render()) == asked
        state = decide(state, asked, KEYS)
        assert state == WitnessState(size, mth(0, size))


def test_an_unknown_log_is_404_and_a_signature_of_nobody_trusted_403() -> None:
    """Which of both is told by the origin."""
    foreign = signed(Checkpoint("log.example/two", 7, mth(0, 7)))
    assert refusal(None, AddCheckpoint(0, (), foreign)).status == 404
    stranger = seeded(ORIGIN, LOG.key.type, "other")
    assert refusal(None, AddCheckpoint(0, (), signed(head(7), by=stranger))).status == 403
    witness_only = Note(head(7).text, (W1.cosign(head(7)),)).render()
    assert refusal(None, AddCheckpoint(0, (), witness_only)).status == 403


def test_an_old_size_that_is_not_the_last_is_409_with_the_last() -> None:
    """So the log asks again from there; a witness that never cosigned says 0."""
    state = WitnessState(5, mth(0, 5))
    for asked in (request(0, 7), request(4, 7), request(6, 7), request(3, 4)):
        answer = refusal(state, asked)
        assert (answer.status, answer.body, answer.is_fork) == (409, "5\n", False)
        assert answer.content_type == "text/x.tlog.size"
    assert refusal(None, request(4, 7)).body == "0\n"


def test_an_old_size_beyond_the_checkpoint_is_400() -> None:
    """Whatever the witness remembers."""
    asked = AddCheckpoint(8, (), signed(head(7)))
    for state in (None, WitnessState(8, mth(0, 8)), WitnessState(5, mth(0, 5))):
        assert refusal(state, asked).status == 400


def test_a_fork_at_one_size_is_409_and_is_evidence() -> None:
    """Two roots, both signed by the log, for one size."""
    answer = refusal(WitnessState(7, mth(1, 8)), request(7, 7))
    assert (answer.status, answer.body, answer.is_fork) == (409, "7\n", True)
    assert refusal(WitnessState(0, leaf(0)), AddCheckpoint(0, (), signed(head(0)))).is_fork


def test_a_proof_that_does_not_hold_is_422() -> None:
    """Missing, altered, too long, not empty from 0, or from a tree the log has dropped."""
    state = WitnessState(5, mth(0, 5))
    good = request(5, 7)
    for proof in ((), good.proof[:-1], (*good.proof, leaf(0)), (leaf(9), *good.proof[1:])):
        assert refusal(state, AddCheckpoint(5, proof, good.note)).status == 422
    assert refusal(None, AddCheckpoint(0, (leaf(0),), good.note)).status == 422
    assert refusal(state, AddCheckpoint(5, (leaf(0),), signed(head(5)))).status == 422
    assert refusal(WitnessState(5, mth(1, 6)), good).status == 422


def test_the_empty_tree_is_cosigned() -> None:
    """A log may begin with it."""
    assert decide(None, request(0, 0), KEYS) == WitnessState(0, EMPTY_ROOT)


FIRST, _, REST = EXAMPLE.partition("\n")
SPOILT = {
    "nothing": "",
    "no old": REST,
    "leading zero": "old 020852014\n" + REST,
    "sign": "old +20852014\n" + REST,
    "two blanks": "old  20852014\n" + REST,
    "too large": "old 9223372036854775808\n" + REST,
    "short hash": FIRST + "\nAAAA\n" + REST,
    "no base64": FIRST + "\n!\n" + REST,
    "64 lines": FIRST + "\n" + ("A" * 43 + "=\n") * 60 + REST,
    "carriage returns": EXAMPLE.replace("\n", "\r\n"),
    "no empty line": EXAMPLE.replace("\n\n", "\n"),
}


@pytest.mark.parametrize("text", SPOILT.values(), ids=SPOILT)
def test_another_body_is_400(text: str) -> None:
    """Strictly the form of the specification."""
    with pytest.raises(WitnessRefusal) as caught:
        AddCheckpoint.parse(text)
    assert caught.value.status == 400


@pytest.mark.parametrize("note", ["", "text\n", "text\n\n— name AAAAAAA=\n", signed(head(7))[:-1]])
def test_a_body_without_a_checkpoint_is_400(note: str) -> None:
    """No note, or a note with another text."""
    assert refusal(None, AddCheckpoint.parse("old 0\n\n" + note)).status == 400


def test_63_lines_are_read() -> None:
    """The most that the specification allows."""
    body = FIRST + "\n" + ("A" * 43 + "=\n") * 59 + REST
    assert len(AddCheckpoint.parse(body).proof) == 63
