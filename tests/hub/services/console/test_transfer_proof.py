"""Evidence checked at the console: true of a true database, and false where a row was changed."""

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from hub.evidence.reports import FAILED, PROVED
from hub.evidence.verification import verify
from hub.protocol.console_policy import ConsolePolicy
from hub.services import erase_bodies
from hub.services.collect_cosignatures import Policies
from hub.services.console.transfers import transfer_proof
from hub.services.console.transfers.transfer_proof import (
    EvidenceError,
    LogKeyUnknownError,
    NotCoveredYetError,
    Proof,
    ProofBusyError,
    TransferProofs,
)
from hub.services.export_evidence import EvidenceExporter
from hub.services.log_keys import choose
from hub.services.publish_log import LogPublisher
from hub.store import log_checkpoints, transfers
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCosignature
from hub.store.tables import act, delivery, envelope, log_entry, participant_key, transfer
from hub.transparency_log.checkpoints import read_checkpoint
from hub.transparency_log.policies import Policy
from tests.hub.log_world import (
    ORIGIN,
    SETTLEMENT_AT,
    Witness,
    grow,
    policy_text,
    publisher,
)
from tests.hub.services.console.test_transfer_story import ground
from tests.hub.services.test_export_evidence import completed
from tests.hub.world import HUB, World
from tests.integration.peers import now, seeded_signer

TRANSFER = "THA01-1"
Tamper = Callable[[Any, int], None]


@pytest.fixture(scope="module")
def played(registered_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database with a completed transfer whose evidence can be made."""
    path = tmp_path_factory.mktemp("played") / "hub.db"
    shutil.copy(registered_file, path)
    database = Database(f"sqlite:///{path}")
    play(database)
    database.dispose()
    return path


def play(database: Database) -> World:
    """Complete a transfer, and publish the log."""
    made = World(database)
    made.begin()
    completed(made)
    publisher(database).publish(now())
    return made


@pytest.fixture
def world(played: Path, tmp_path: Path) -> Iterator[World]:
    """Return a copy of that database."""
    shutil.copy(played, tmp_path / "hub.db")
    database = Database(f"sqlite:///{tmp_path}/hub.db")
    yield World(database)
    database.dispose()


def check(world: World, **changes: Any) -> Proof:
    """Check the transfer's evidence."""
    return TransferProofs(ground(world, **changes)).check(TRANSFER, "somebody")


def failed(proof: Proof) -> list[tuple[str, str]]:
    """Return what failed, and about which part."""
    return [(one.kind, one.about) for one in proof.failures]


def proposed_at(world: World) -> int:
    """Return the log index of the proposal."""
    with world.database.reading() as connection:
        return transfers.load(connection, [TRANSFER])[TRANSFER].proposed_log_index


def test_every_step_of_a_true_transfer_holds_in_order(registered_url: str) -> None:
    """The tree first, then each entry, the story and the keys at last; on either database."""
    world = play(Database(registered_url))
    proof = check(world)
    assert (proof.verdict, proof.outcome, failed(proof)) == ("proved", "completed", [])
    assert proof.steps[0].kind == "tree"
    about = f"entry {proposed_at(world)}"
    kinds = [one.kind for one in proof.steps if one.about == about]
    assert kinds == ["leaf", "content", "signature", "receipt"]
    assert {"delivery", "act", "story", "keys"} <= {one.kind for one in proof.steps}
    assert any("asks for no witness" in one.text for one in proof.limits)
    assert proof.entry_count > 5


def test_what_is_taken_away_is_what_the_command_line_writes(world: World) -> None:
    """The same bytes at the same moment, with and without deliveries."""
    at = now()
    proofs = TransferProofs(ground(world, clock=lambda: at))
    exporter = EvidenceExporter(world.database, HUB, ORIGIN, Policies())
    assert proofs.evidence(TRANSFER) == exporter.export(TRANSFER, at)
    less = proofs.evidence(TRANSFER, deliveries=False)
    assert less == exporter.export(TRANSFER, at, deliveries=False)
    assert len(less) < len(proofs.evidence(TRANSFER))


def _other_body(connection: Any, index: int) -> None:
    body = connection.execute(
        select(envelope.c.body).where(envelope.c.log_index == index)
    ).scalar_one()
    changed = bytes(body).replace(b'"signature":"', b'"signature":"A', 1)
    connection.execute(update(envelope).where(envelope.c.log_index == index).values(body=changed))


def _other_receipt(connection: Any, index: int) -> None:
    connection.execute(
        update(envelope).where(envelope.c.log_index == index).values(receipt=b'{"a":1}')
    )


def _other_entry(connection: Any, index: int) -> None:
    entry = connection.execute(
        select(log_entry.c.entry).where(log_entry.c.log_index == index)
    ).scalar_one()
    changed = bytes(entry).replace(b'"sender":"THA01"', b'"sender":"GHA01"')
    connection.execute(
        update(log_entry).where(log_entry.c.log_index == index).values(entry=changed)
    )


def _no_json(connection: Any, index: int) -> None:
    connection.execute(
        update(log_entry).where(log_entry.c.log_index == index).values(entry=b"\xff no entry")
    )


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (_other_body, "content"),
        (_other_receipt, "content"),
        (_other_entry, "leaf"),
        (_no_json, "leaf"),
    ],
)
def test_a_row_that_was_changed_fails_the_step_that_is_about_it(
    world: World, tamper: Tamper, kind: str
) -> None:
    """The check says FAILED, and where."""
    index = proposed_at(world)
    with world.database.writing() as connection:
        tamper(connection, index)
    proof = check(world)
    assert proof.verdict == "failed"
    assert (kind, f"entry {index}") in failed(proof)


def test_a_quantity_changed_in_the_table_of_transfers_proves_nothing_of_it(world: World) -> None:
    """What counts is what was signed; the state that the table claims must be what was signed."""
    with world.database.writing() as connection:
        connection.execute(update(transfer).values(state="cancelled", quantity=1))
    proof = check(world)
    assert (proof.verdict, proof.outcome) == ("proved", "completed")
    assert any("1,900 units" in one.text for one in proof.steps if one.status == PROVED)


def test_a_delivery_and_an_act_that_were_changed_are_found(world: World) -> None:
    """Not the messages alone: whatever the evidence has."""
    with world.database.writing() as connection:
        connection.execute(update(delivery).values(body=b'{"payload":"x"}'))
        connection.execute(
            update(act).where(act.c.kind == "participant.add").values(document=b"{}")
        )
    kinds = {kind for kind, _ in failed(check(world))}
    assert "content" in kinds


def test_an_entry_that_is_gone_is_a_failure_and_no_defect(world: World) -> None:
    """The evidence cannot be put together; the page says so and what to do."""
    with world.database.writing() as connection:
        connection.execute(delete(log_entry).where(log_entry.c.log_index == 1))
    proof = check(world)
    assert proof.verdict == "failed"
    assert "itmo-hub log check" in proof.failures[0].text


def test_another_key_under_the_same_name_is_found(world: World) -> None:
    """Keys rest on the log's entries, not on the table of keys."""
    with world.database.writing() as connection:
        theirs = participant_key.c.participant == "THA01"
        der = connection.execute(
            select(participant_key.c.public_key).where(participant_key.c.participant == "CHE01")
        ).scalar_one()
        connection.execute(update(participant_key).where(theirs).values(public_key=der))
    assert check(world).verdict == "failed"


def test_what_was_erased_is_proved_in_part(world: World) -> None:
    """Places and times hold; what was said cannot be shown any more."""
    later = now() + timedelta(days=400)
    while erase_bodies.erase_part(world.database, hub=HUB, retention_days=365, now=later):
        pass
    publisher(world.database).publish(now())
    proof = check(world)
    assert proof.verdict == "proved in part"
    assert failed(proof) == []


def test_the_quorum_of_witnesses_is_a_step(world: World) -> None:
    """Named, with the times; below the quorum nothing can be taken away yet."""
    witnesses = [Witness("w.example/one"), Witness("w.example/two")]
    policy = Policy.parse(policy_text(*witnesses, threshold=2).encode())
    changes = {"policies": Policies(prompt=policy)}
    with pytest.raises(NotCoveredYetError):
        check(world, **changes)
    with world.database.writing() as connection:
        newest = log_checkpoints.newest(connection)
        assert newest is not None
        assert read_checkpoint(newest.note)[0].origin == ORIGIN
        log_checkpoints.add_cosignatures(
            connection,
            [
                StoredCosignature(
                    newest.size, one.name, one.key.key_id.hex(), one.cosign(newest.note), now()
                )
                for one in witnesses
            ],
        )
    proof = check(world, **changes)
    (step,) = [one for one in proof.steps if one.kind == "cosignatures"]
    assert (step.status, proof.verdict) == (PROVED, "proved")
    assert "2 of 2 witnesses confirm" in step.text


def test_without_the_log_s_key_the_check_says_where_an_anchor_comes_from(world: World) -> None:
    """A log that is signed by a key of its own is not called false."""
    grow(world.database, 1)
    own = choose(ORIGIN, [], seeded_signer(HUB, "the log's own"), None)
    LogPublisher(world.database, own, SETTLEMENT_AT).publish(now())
    with pytest.raises(LogKeyUnknownError, match="itmo-hub evidence anchor"):
        check(world)
    named = ConsolePolicy(log_keys=tuple(own.vkeys))
    assert check(world, console=named).verdict == "proved"


def test_there_is_no_evidence_of_what_is_no_transfer(world: World) -> None:
    """Said as such."""
    with pytest.raises(EvidenceError, match="there is no transfer THA01-77"):
        TransferProofs(ground(world)).check("THA01-77", "somebody")


def test_one_check_at_a_time_for_a_person(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one is refused while the first runs; another person's is not."""
    proofs = TransferProofs(ground(world))
    began, go_on = threading.Event(), threading.Event()

    def slowly(bundle: bytes, anchor: bytes) -> Any:
        if threading.current_thread() is not threading.main_thread():
            began.set()
            assert go_on.wait(20)
        return verify(bundle, anchor)

    monkeypatch.setattr(transfer_proof, "verify", slowly)
    found: list[Proof] = []
    first = threading.Thread(target=lambda: found.append(proofs.check(TRANSFER, "somebody")))
    first.start()
    assert began.wait(20)
    with pytest.raises(ProofBusyError):
        proofs.check(TRANSFER, "somebody")
    assert proofs.check(TRANSFER, "somebody else").verdict == "proved"
    go_on.set()
    first.join()
    assert found[0].verdict == "proved"
    assert proofs.check(TRANSFER, "somebody").verdict == "proved"
    assert not any(one.status == FAILED for one in found[0].steps)
