"""Anchors, tree heads and inclusion: the verifier's own reading agrees with the log's."""

import base64
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.evidence.anchors import Anchor, NoteKey, Tree, check_inclusion, read_proof
from hub.evidence.archives import RefutedError, UnusableError
from hub.transparency_log.compact_range import CompactRange
from hub.transparency_log.hashing import leaf_hash
from hub.transparency_log.policies import Policy
from hub.transparency_log.proof_files import ProofFile
from hub.transparency_log.proofs import inclusion_proof
from tests.hub.evidence.made_trust import ORIGIN, Trusted

TRUSTED = Trusted()
NAMES = ("w1", "w2", "w3")


@st.composite
def policies(draw: st.DrawFn) -> str:
    """Return the lines of a policy over three witnesses, with groups of groups."""
    lines, known, free = [], list(NAMES), list(NAMES)
    for number in range(draw(st.integers(0, 3))):
        if not free:
            break
        members = draw(st.lists(st.sampled_from(free), min_size=1, max_size=3, unique=True))
        free = [name for name in free if name not in members] + [f"g{number}"]
        count = draw(st.sampled_from(["any", "all", str(draw(st.integers(1, len(members))))]))
        lines.append(f"group g{number} {count} {' '.join(members)}")
        known.append(f"g{number}")
    return "\n".join([*lines, f"quorum {draw(st.sampled_from([*known, 'none']))}", ""])


@given(policies(), st.sets(st.sampled_from(NAMES)))
@settings(max_examples=200, deadline=None)
def test_a_quorum_is_met_exactly_when_the_hubs_own_reading_says_so(
    quorum: str, confirmed: set[str]
) -> None:
    """Two implementations of tlog-policy, one answer."""
    text = TRUSTED.policy(quorum)
    keys = [TRUSTED.witness_key(f"{name}.example") for name in confirmed]
    assert Anchor.parse(text.encode()).is_met_by(confirmed) == Policy.parse(text).is_met_by(keys)


@given(st.integers(1, 200), st.data())
@settings(max_examples=150, deadline=None)
def test_an_entry_is_in_the_tree_with_its_own_path_alone(size: int, data: st.DataObject) -> None:
    """Every leaf of every tree is found; no other leaf, index or path passes for it."""
    leaves = [f"entry {number}".encode() for number in range(size)]
    whole = CompactRange()
    for leaf in leaves:
        whole.append(leaf_hash(leaf))
    tree = Tree(b"", ORIGIN, size, whole.root())
    index = data.draw(st.integers(0, size - 1))

    def read(_level: int, _index: int, width: int) -> bytes:
        return b"".join(leaf_hash(one) for one in leaves[:width])

    path = inclusion_proof(index, size, read)
    check_inclusion(index, leaves[index], path, tree)
    other = data.draw(st.integers(-2, size + 2).filter(lambda one: one != index))
    for wrong_index, entry, wrong_path in (
        (other, leaves[index], path),
        (index, b"another", path),
        (index, leaves[index], [*path, bytes(32)]),
        (index, leaves[index], path[:-1] if path else [bytes(32)]),
    ):
        with pytest.raises(RefutedError):
            check_inclusion(wrong_index, entry, wrong_path, tree)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["log LOG"], "no log or no quorum"),
        (["quorum none"], "no log or no quorum"),
        (["log LOG", "quorum none", "quorum none"], "line 3 of the policy"),
        (["log LOG", "quorum w9"], "line 2 of the policy"),
        (["log W1", "quorum none"], "cannot stand there"),
        (["witness a LOG", "quorum none"], "cannot stand there"),
        (["log LOG", "witness a W1", "witness b W1"], "line 3 of the policy repeats"),
        (["log LOG", "witness a W1", "witness a W2"], "line 3 of the policy"),
        (["log LOG", "witness none W1"], "line 2 of the policy"),
        (["log LOG", "witness a W1", "group g 2 a"], "there is no such group"),
        (["log LOG", "witness a W1", "group g 0 a"], "there is no such group"),
        (["log LOG", "witness a W1", "group g any a a"], "there is no such group"),
        (["log LOG", "witness a W1", "group g any b"], "there is no such group"),
        (["log LOG", "witness a W1", "group g any"], "line 3 of the policy"),
        (["log LOG", "trust me"], "line 2 of the policy"),
        (["log LOG+", "quorum none"], "is not a vkey"),
        (["log BADID", "quorum none"], "a key id that is not its own"),
    ],
)
def test_a_policy_that_says_nothing_clear_is_unusable(lines: Sequence[str], said: str) -> None:
    """Each rule of the format, with the line that breaks it."""
    log, first, second = (
        TRUSTED.log_key.vkey,
        TRUSTED.witness_key("w1.example").vkey,
        TRUSTED.witness_key("w2.example").vkey,
    )
    bad = re.sub(r"\+[0-9a-f]{8}\+", "+00000000+", log)
    text = "\n".join(lines).replace("LOG", log).replace("W1", first).replace("W2", second)
    with pytest.raises(UnusableError, match=re.escape(said)):
        Anchor.parse(text.replace("BADID", bad).encode())


@pytest.mark.parametrize("kind", [2, 3, 5, 0xFF])
def test_a_key_of_an_unknown_type_is_refused(kind: int) -> None:
    """Only types 1, 4 and 6 can stand in an anchor."""
    key = NoteKey("x.example", kind, bytes(32))
    material = base64.b64encode(bytes([kind]) + bytes(32)).decode()
    with pytest.raises(UnusableError, match="cannot stand there"):
        NoteKey.parse(f"x.example+{key.key_id.hex()}+{material}", (1, 4, 6))


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"origin\n5\n\n",
        b"origin\n05\nAAAA\n\n\xe2\x80\x94 x AAAAAAAA\n",
        b"\xff",
        b"o\n1\n" + b"A" * 43 + b"=\n\nx y z\n",
        b"o\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 x AAAAAAAA",
    ],
)
def test_a_malformed_checkpoint_is_refuted(note: bytes) -> None:
    """Origin, size without leading zero, root of 32 bytes, signature lines."""
    with pytest.raises(RefutedError):
        Tree.parse(note)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_checkpoint_or_proof_are_refuted_and_nothing_worse(data: bytes) -> None:
    """Whatever the bytes are, RefutedError is all that can come out."""
    with pytest.raises(RefutedError):
        Tree.parse(data)
    with pytest.raises(RefutedError):
        read_proof(data, 0)


def test_a_proof_of_another_index_is_refuted() -> None:
    """The proof's own index counts, with or without extra data."""
    for extra in (None, b"entry"):
        note = f"o\n4\n{'A' * 43}=\n\n— o AAAAAAAA\n"
        text = ProofFile(3, (bytes(32),), note, extra).render().encode()
        assert read_proof(text, 3)[0] == [bytes(32)]
        with pytest.raises(RefutedError, match="not one of this index"):
            read_proof(text, 4)
        with pytest.raises(RefutedError, match="32 bytes"):
            read_proof(text.replace(b"A" * 43 + b"=\n\n", b"AAAA\n\n", 1), 3)
