"""``itmo-hub log …``: what an operator sees of the log, proves of it, and decides about it."""

from datetime import UTC, time
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.services import log_standing
from hub.services.log_keys import choose
from hub.services.publish_log import LogPublisher
from hub.store import log_checkpoints
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCosignature
from hub.transparency_log.notes import SignatureType, VerifierKey
from hub.transparency_log.policies import Policy
from keys.algorithms import load_public_key
from tests.hub.commands.runner import done, refused, run
from tests.hub.log_world import Witness, policy_text, published
from tests.integration.hub_process import hub_key_variable
from tests.integration.peers import now, seeded_signer

ORIGIN = "itmo-hub.invalid/xhb01"


@pytest.fixture
def signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the hub its key, as its environment does."""
    monkeypatch.setenv("HUB_KEY", hub_key_variable())
    monkeypatch.setenv("ITMO_HUB_SIGNERS", '["env:HUB_KEY"]')


def publish(url: str) -> int:
    """Publish a checkpoint as the hub would; return its size."""
    database = Database(url)
    keys = choose(ORIGIN, [seeded_signer("XHB01")], None, None)
    checkpoint = LogPublisher(database, keys, time(0, 10, tzinfo=UTC)).publish(now())
    database.dispose()
    assert checkpoint is not None
    return checkpoint.size


def witness_key() -> VerifierKey:
    """Return the key of a witness."""
    raw = load_public_key(seeded_signer("CHE01").public_key_der)[1]
    assert hasattr(raw, "public_bytes_raw")
    return VerifierKey("che.invalid/w", SignatureType.COSIGNATURE_ED25519, raw.public_bytes_raw())


def test_the_log_is_shown_with_its_size_and_checkpoint(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after a checkpoint; a quorum that nobody met is told in words."""
    shown = done("log", "show", "--database", sqlite_url, "--json").document
    assert (shown["origin"], shown["checkpoint"], shown["halted"]) == (ORIGIN, None, None)
    assert shown["prompt_quorum"] == "none"
    size = publish(sqlite_url)
    policy = tmp_path / "policy"
    policy.write_text(f"witness CHE {witness_key().vkey}\nquorum CHE\n")
    monkeypatch.setenv("ITMO_HUB_WITNESS_POLICY", str(policy))
    lines = dict(done("log", "show", "--database", sqlite_url).lines)
    assert lines["size"] == lines["checkpoint"] == str(size)
    assert lines["prompt_quorum"] == "the witness 'CHE' has not cosigned"


def test_each_quorum_is_counted_over_its_own_checkpoint(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A settlement is met by who cosigned the settlement, not by who cosigned a later one."""
    che = Witness("che.invalid/w")
    policy = tmp_path / "policy"
    policy.write_text(policy_text(che))
    for name in ("WITNESS", "SETTLEMENT"):
        monkeypatch.setenv(f"ITMO_HUB_{name}_POLICY", str(policy))
    publish(sqlite_url)
    database = Database(sqlite_url)
    with database.writing() as connection:
        connection.execute(text("UPDATE log_checkpoint SET settlement = true"))
    newer = published(database)
    with database.writing() as connection:
        key_id = che.key.key_id.hex()
        line = che.cosign(newer.note)
        said = StoredCosignature(newer.size, che.name, key_id, line, now())
        log_checkpoints.add_cosignatures(connection, [said])
    database.dispose()
    shown = done("log", "show", "--database", sqlite_url, "--json").document
    assert shown["prompt_quorum"] == "met"
    assert "has 0 of the 1 it needs" in shown["settlement_quorum"]
    assert shown["cosigned_by"] == che.name


def test_the_policy_of_the_log_can_be_handed_to_whoever_verifies(
    sqlite_url: str, tmp_path: Path, signing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the log's key, the witnesses without their addresses, and the quorum."""
    (vkey,) = done("log", "vkey", "--database", sqlite_url).out.split()
    text_of = done("log", "policy", "--database", sqlite_url).out
    assert text_of == f"log {vkey}\nquorum none\n"
    path = tmp_path / "policy"
    path.write_text(
        f"witness CHE {witness_key().vkey} https://che.invalid/\ngroup all-of-them 1 CHE\n"
        "quorum all-of-them\n"
    )
    monkeypatch.setenv("ITMO_HUB_WITNESS_POLICY", str(path))
    for option in ((), ("--settlement",)):
        policy = Policy.parse(done("log", "policy", *option, "--database", sqlite_url).out)
        assert [key.vkey for key in policy.log_keys] == [vkey]
        assert policy.witness_keys == (witness_key(),)
        assert policy.witnesses["CHE"].url is None
        assert policy.is_met_by([witness_key()])
        assert not policy.is_met_by([])


def test_a_policy_that_cannot_be_read_is_named_with_its_line(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator sees the file, the line and what to write."""
    path = tmp_path / "policy"
    path.write_text("quorum nobody\n")
    monkeypatch.setenv("ITMO_HUB_SETTLEMENT_POLICY", str(path))
    said = refused("log", "show", "--database", sqlite_url)
    assert "line 1" in said
    assert str(path) in said


def test_a_whole_log_is_said_to_be_whole_and_a_damaged_one_is_not(
    sqlite_url: str, signing: None
) -> None:
    """Status 1 and a sentence with the index, as lines and as JSON."""
    size = publish(sqlite_url)
    words = ("log", "check", "--database", sqlite_url)
    assert f"the log of {size} entries is whole" in done(*words).out
    assert done(*words, "--json").document == {"size": size, "faults": []}
    with Database(sqlite_url).writing() as connection:
        connection.execute(text("UPDATE act SET document = 'something else' WHERE log_index = 2"))
    said = run(*words)
    assert said.status == 1
    assert said.out == "entry 2: the stored act is not the one it commits to\n"
    assert run(*words, "--json").status == 1


def test_a_halted_log_goes_on_when_the_operator_accepts_the_loss(sqlite_url: str) -> None:
    """The act says up to which size and why; it cannot be done without a cause."""
    words = ("log", "accept-loss", "--up-to", "120", "--reason", "the disk is gone")
    assert "not halted" in refused(*words, "--database", sqlite_url)
    database = Database(sqlite_url)
    with database.writing() as connection:
        log_standing.halt(
            connection,
            kind=log_standing.BEHIND_WITNESS,
            subject="che.invalid/w",
            detail="witness che.invalid/w cosigned 120 entries",
            at=now(),
        )
    shown = dict(done("log", "show", "--database", sqlite_url).lines)
    assert "120 entries" in shown["halted"]
    done(*words, "--database", sqlite_url)
    shown = dict(done("log", "show", "--database", sqlite_url).lines)
    assert (shown["halted"], shown["loss_accepted_up_to"]) == ("", "120")
