"""Policies: the grammar of C2SP tlog-policy, its limits, and what each error tells its reader."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.transparency_log.checkpoints import Checkpoint, CheckpointError
from hub.transparency_log.notes import SignatureType, VerifierKey
from hub.transparency_log.policies import Policy, PolicyError, PolicyKey
from tests.hub.transparency_log.signers import LOG, LOG_PQ, ORIGIN, W1, W2, W2_PQ, seeded, signed
from tests.hub.transparency_log.trees import mth

ED = SignatureType.COSIGNATURE_ED25519
WITNESSES = {name: seeded(f"{name}.example", ED) for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")}
KEY = {name: witness.key for name, witness in WITNESSES.items()}
EXAMPLE = f"""log {LOG.key.vkey}

witness X1 {KEY["X1"].vkey}
witness X2 {KEY["X2"].vkey} https://x2.example/
witness X3 {KEY["X3"].vkey}
group X-witnesses 2 X1 X2 X3

\t # a comment
witness Y1 {KEY["Y1"].vkey}
witness\tY2   {KEY["Y2"].vkey}
  witness Y3 {KEY["Y3"].vkey}\t
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
HEAD = Checkpoint(ORIGIN, 7, mth(0, 7))


def test_the_policy_of_the_specification_is_read() -> None:
    """Two levels of groups, any blanks, comments and empty lines."""
    policy = Policy.parse(EXAMPLE)
    assert policy.logs == (PolicyKey(LOG.key, None),)
    assert policy.log_keys == (LOG.key,)
    assert list(policy.witnesses) == list(KEY)
    assert policy.witness_keys == tuple(KEY.values())
    assert policy.witnesses["X2"].url == "https://x2.example/"
    assert {name: group.threshold for name, group in policy.groups.items()} == {
        "X-witnesses": 2,
        "Y-witnesses": 1,
        "X-and-Y": 2,
    }
    assert policy.quorum == "X-and-Y"
    assert Policy.parse(EXAMPLE.encode()) == policy


@given(names=st.sets(st.sampled_from(sorted(KEY))))
def test_the_quorum_is_two_of_one_group_and_one_of_the_other(names: set[str]) -> None:
    """By keys, by key names and by key ids alike; what is missing is empty if and only if met."""
    policy = Policy.parse(EXAMPLE)
    wanted = len(names & {"X1", "X2", "X3"}) >= 2 and bool(names & {"Y1", "Y2", "Y3"})
    verified = {KEY[name] for name in names}
    assert policy.is_met_by(verified) == wanted
    assert policy.is_met_by({key.name for key in verified}) == wanted
    assert policy.is_met_by({key.key_id for key in verified}) == wanted
    assert (policy.missing(verified) == "") == wanted
    assert not policy.is_met_by({LOG.key, W1.key})


def test_what_is_missing_is_said_in_words() -> None:
    """Each group that lacks somebody, with how many and who."""
    assert Policy.parse(EXAMPLE).missing({KEY["X1"], KEY["Y3"]}) == (
        "'X-and-Y' has 1 of the 2 it needs (not yet: 'X-witnesses'); "
        "'X-witnesses' has 1 of the 2 it needs (not yet: 'X2', 'X3')"
    )
    single = Policy.parse(f"witness only {W1.key.vkey}\nquorum only\n")
    assert single.missing([]) == "the witness 'only' has not cosigned"
    assert single.is_met_by([W1.key])


def test_no_quorum_is_met_by_nobody() -> None:
    """`quorum none`, without any log or witness."""
    policy = Policy.parse("quorum none\n")
    assert policy.is_met_by([])
    assert policy.missing([]) == ""
    assert not policy.logs
    assert not policy.witnesses


def test_a_name_that_two_keys_share_counts_for_neither() -> None:
    """A witness with two algorithms has one name: its keys say which has cosigned."""
    text = f"witness e {W2.key.vkey}\nwitness p {W2_PQ.key.vkey}\ngroup g all e p\nquorum g\n"
    policy = Policy.parse(text)
    assert not policy.is_met_by([W2.key.name])
    assert not policy.is_met_by([W2.key])
    assert policy.is_met_by([W2.key, W2_PQ.key])
    assert policy.is_met_by([W2.key.key_id, W2_PQ.key.key_id])


def test_a_checkpoint_is_opened_if_a_log_signed_and_a_quorum_cosigned() -> None:
    """The whole of what a policy says, over one note."""
    policy = Policy.parse(EXAMPLE)
    enough = [WITNESSES[name].cosign(HEAD) for name in ("X1", "X3", "Y2")]
    assert policy.open(signed(HEAD, *enough)).checkpoint == HEAD
    with pytest.raises(PolicyError, match="lacks its quorum"):
        policy.open(signed(HEAD, *enough[:2]))
    with pytest.raises(CheckpointError):
        policy.open(signed(HEAD, *enough, by=LOG_PQ))


def test_names_are_opaque_octets() -> None:
    """A Kelvin sign is no K, and octets that are no UTF-8 are names like others."""
    witness = W1.key.vkey.encode()
    kelvin = b"witness \xe2\x84\xaa " + witness + b"\n"
    with pytest.raises(PolicyError, match="line 2: no witness or group 'K'"):
        Policy.parse(kelvin + b"quorum K\n")
    assert Policy.parse(kelvin + b"quorum \xe2\x84\xaa\n").is_met_by([W1.key])
    odd = b"# \xff\nwitness \xff\x80 " + witness + b" http://\xfe/\nquorum \xff\x80\n"
    assert Policy.parse(odd).is_met_by([W1.key])
    assert "not cosigned" in Policy.parse(odd).missing([])
    with pytest.raises(PolicyError, match="line 3"):
        Policy.parse(odd.replace(b"quorum \xff\x80", b"quorum \xff\x81"))


LOG_LINE, LOG_PQ_LINE = f"log {LOG.key.vkey}\n", f"log {LOG_PQ.key.vkey}\n"
A, B = f"witness A {W1.key.vkey}\n", f"witness B {W2.key.vkey}\n"
SAME_KEY = VerifierKey("other.example", W1.key.type, W1.key.public_key).vkey
SAME_LOG = VerifierKey("other.example", LOG.key.type, LOG.key.public_key).vkey
END = "quorum none\n"
REFUSED = [
    ("", "no quorum line: add"),
    (A, "no quorum line: add"),
    (END + END, "line 2: the quorum is 'none' already"),
    (A + "quorum B\n", "line 2: no witness or group 'B' stands above"),
    ("quorum A\n" + A, "line 1: no witness or group 'A' stands above"),
    ("quorum\n", "line 1: write 'quorum"),
    (A + B + "quorum A B\n", "line 3: write 'quorum"),
    ("quorum none", "line 1: no newline at its end"),
    (A + A.replace("A", "C", 1) + END, "line 2: .* has the public key of"),
    (A + f"witness C {SAME_KEY}\n" + END, "line 2: 'other.example' has the public key of"),
    (LOG_LINE + LOG_LINE + END, "line 2: .* has the public key of"),
    (LOG_LINE + f"log {SAME_LOG}\n" + END, "line 2: .* has the public key of"),
    (A + B.replace(" B ", " A ") + END, "line 2: 'A' is defined above already"),
    (A + "group A any A\n" + END, "line 2: 'A' is defined above already"),
    (A.replace(" A ", " none ") + END, "line 1: 'none' is predefined"),
    (A + "group none any A\n" + END, "line 2: 'none' is predefined"),
    (A + "group g any A none\n" + END, "line 2: no witness or group 'none'"),
    (A + "group g any g\n" + END, "line 2: no witness or group 'g'"),
    (A + "group g any A A\n" + END, "line 2: 'A' is a member of 'g' already"),
    (A + "group g any A\ngroup h any A\n" + END, "line 3: 'A' is a member of 'g' already"),
    (A + "group g any\n" + END, "line 2: write 'group"),
    (A + "group g 0 A\n" + END, "line 2: '0' is not 'all', 'any' or a decimal"),
    (A + "group g 01 A\n" + END, "line 2: '01' is not"),
    (A + "group g +1 A\n" + END, "line 2: '\\+1' is not"),
    (A + "group g ANY A\n" + END, "line 2: 'ANY' is not"),
    (A + "group g 2 A\n" + END, "line 2: 2 of 1 members can never cosign"),
    ("log\n" + END, "line 1: write 'log"),
    (LOG_LINE.replace("\n", " a b\n") + END, "line 1: write 'log"),
    ("witness A\n" + END, "line 1: write 'witness"),
    ("log nonsense\n" + END, "line 1: 'nonsense' is not a vkey"),
    (f"log {W1.key.vkey}\n" + END, "line 1: a log's key has type 1 or 6, .* has 4"),
    (f"witness A {LOG.key.vkey}\n" + END, "line 1: a witness's key has type 4 or 6, .* has 1"),
    ("Quorum none\n", "line 1: 'Quorum' begins no line"),
    ("quorum none # text\n", "line 1: write 'quorum"),
    ("quorum none\r\n", "line 1: the octet 0x0D at 12: remove it"),
    ("#\x00\n" + END, "line 1: the octet 0x00 at 2"),
    ("#\x7f\n" + END, "line 1: the octet 0x7F at 2"),
    (LOG_LINE + "\n# c\nlog\u00a0x\n" + END, "line 4: .* begins no line"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=lambda item: repr(item[-40:]))
def test_what_is_wrong_is_told_with_its_line_and_remedy(text: str, message: str) -> None:
    """One pass from the top; the first fault ends it."""
    with pytest.raises(PolicyError, match=f"^{message}"):
        Policy.parse(text)


def test_a_log_and_a_witness_may_share_a_key_and_a_log_may_have_two() -> None:
    """Duplicates are looked for among logs and among witnesses, each for itself."""
    raw = LOG.key.public_key
    text = LOG_LINE + LOG_PQ_LINE + f"witness A {VerifierKey('w.example', ED, raw).vkey}\n" + END
    assert Policy.parse(text).log_keys == (LOG.key, LOG_PQ.key)


def test_a_policy_of_two_hundred_witnesses_is_no_trouble() -> None:
    """Two thirds of 200; and groups in groups a thousand deep."""
    keys = [seeded(f"w{number}.example", ED).key for number in range(200)]
    lines = [f"witness w{number} {key.vkey}" for number, key in enumerate(keys)]
    lines.append("group all-of-them 134 " + " ".join(f"w{number}" for number in range(200)))
    names = ["all-of-them", *(f"g{number}" for number in range(1000))]
    lines += [f"group {name} any {inner}" for inner, name in pairwise(names)]
    policy = Policy.parse("\n".join([*lines, f"quorum {names[-1]}", ""]))
    assert policy.is_met_by(keys[:134])
    assert not policy.is_met_by(keys[:133])
    assert "has 133 of the 134 it needs" in policy.missing(keys[:133])


def test_a_group_may_be_called_any() -> None:
    """Names are names: only 'none' is taken."""
    policy = Policy.parse(A + "group any any A\ngroup all all any\nquorum all\n")
    assert policy.is_met_by([W1.key])
