"""Evidence from a real hub's log, on both databases: exported, erased, verified."""

import json
from collections.abc import Iterator, Sequence
from datetime import time, timedelta
from pathlib import Path

import pytest

from hub.evidence import bundles
from hub.evidence.anchor_files import write as write_anchor
from hub.evidence.reports import Report
from hub.evidence.verification import verify
from hub.international_registry.accounts import Account, AccountStatus
from hub.protocol.signed_objects import SigningKeys, binding_of
from hub.services import expire_transfers
from hub.services.administration.accounts import open_account
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.participants import revoke_key
from hub.services.collect_cosignatures import Policies
from hub.services.erase_bodies import erase_part
from hub.services.export_evidence import EvidenceError, EvidenceExporter, NotCoveredYetError
from hub.services.log_duties import policy_file
from hub.services.log_keys import LogKeys, choose
from hub.services.publish_log import LogPublisher
from hub.store import log_checkpoints, reference
from hub.store.database import Database
from hub.store.log_checkpoints import StoredCosignature
from hub.transparency_log.checkpoints import read_checkpoint
from hub.transparency_log.cosignatures import cosign
from hub.transparency_log.notes import SignatureType, VerifierKey
from hub.transparency_log.policies import Policy
from keys.algorithms import load_public_key
from keys.local_signer import LocalSigner
from keys.possession import sign_possession
from message_schemas import timestamps
from tests.hub.world import HUB, World, accepted
from tests.integration.hub_process import register
from tests.integration.peers import (
    Peer,
    acceptance,
    block,
    now,
    proposal,
    seeded_signer,
    seeded_xml_signer,
)
from tests.integration.worlds import acknowledgement, rejection

ORIGIN = "itmo-hub.invalid/xhb01"
TRANSFER = "THA01-1"


@pytest.fixture
def world(registered_url: str) -> Iterator[World]:
    """Return a hub with the agreement and the authorization recorded."""
    database = Database(registered_url)
    made = World(database)
    made.begin()
    yield made
    database.dispose()


def log_keys() -> LogKeys:
    """Return the keys of the hub's log."""
    return choose(ORIGIN, [seeded_signer(HUB)], None, None)


def publish(world: World) -> None:
    """Sign a checkpoint of everything that is in the log now."""
    LogPublisher(world.database, log_keys(), time.fromisoformat("00:10+00:00")).publish(now())


def collect_deliveries(world: World, *codes: str) -> list[bytes]:
    """Deliver what waits for the registries, and let them acknowledge it."""
    bodies = []
    for delivery in world.maker.prepare(world.database, codes, now()):
        assert delivery.body is not None
        accepted(world.say(delivery.recipient, HUB, acknowledgement(delivery.body)))
        bodies.append(delivery.body)
    return bodies


def exporter(world: World, policies: Policies | None = None) -> EvidenceExporter:
    """Return what exports from the world's database."""
    return EvidenceExporter(world.database, HUB, ORIGIN, policies or Policies())


def anchor(world: World, policy: Policy | None = None, *, pin: Sequence[str] = ()) -> bytes:
    """Return the anchor that the hub hands out, with keys of some participants pinned."""
    with world.database.reading() as connection:
        keys = {one.key_id: one.public_key_der for one in reference.key_records(connection)}
    return write_anchor(
        policy_file(log_keys(), policy),
        {name: der for name, der in keys.items() if name.startswith(HUB)},
        {name: der for name, der in keys.items() if name[:5] in pin},
    )


def false_lines(report: Report) -> list[str]:
    """Return what a report calls false."""
    return [one.text for one in report.findings if one.status == "FAILED"]


def proved(report: Report) -> str:
    """Return what a report calls proved."""
    return "\n".join(one.text for one in report.findings if one.status == "PROVED")


def completed(world: World) -> None:
    """Play a transfer from the proposal to the last acknowledgement, among other traffic."""
    digest = world.propose(TRANSFER, 1, 1900)
    world.propose("THA01-2", 2001, 2100)
    collect_deliveries(world, "THA01", "CHE01")
    accepted(world.say("CHE01", "THA01", acceptance(TRANSFER, digest)))
    collect_deliveries(world, "THA01", "CHE01")


def test_a_completed_transfer_is_proved_with_everything_that_was_said(world: World) -> None:
    """Proposal, acceptance, deliveries, acknowledgements and the keys' registrations."""
    completed(world)
    publish(world)
    bundle = exporter(world).export(TRANSFER, now())
    report = verify(bundle, anchor(world, pin=["THA01", "CHE01"]))
    assert (report.verdict, report.outcome, false_lines(report)) == ("proved", "completed", [])
    roles = [one.role for one in bundles.read(bundle).items]
    assert {"proposal", "acceptance", "key of THA01", "key of CHE01", "key of XHB01"} <= set(roles)
    assert sum(role.startswith("delivery to") for role in roles) == 3
    assert sum(role.startswith("acknowledgement by") for role in roles) == 3
    assert "CHE01 signed the acceptance of that very proposal" in proved(report)
    assert "the hub told THA01 under its signature: completed" in proved(report)


def test_keys_rest_on_the_acts_that_registered_them(world: World) -> None:
    """Without pinned keys each key is proved by the act in the log that named it whole."""
    completed(world)
    publish(world)
    report = verify(exporter(world).export(TRANSFER, now()), policy_file(log_keys(), None))
    assert report.verdict == "proved"
    assert "is THA01's: the hub registered it, entry" in proved(report)


@pytest.mark.parametrize("speaking", [("THA01",), ("CHE01",), ("THA01", "CHE01")])
def test_evidence_is_in_the_binding_that_each_party_spoke(
    tmp_path: Path, speaking: Sequence[str]
) -> None:
    """XML originals, receipts and deliveries, beside JSON ones: one story, proved as ever."""
    url = f"sqlite:///{tmp_path}/hub.db"
    register(url, xml=[HUB, *speaking])
    keys = SigningKeys.of([seeded_signer(HUB)], seeded_xml_signer(HUB))
    world = World(Database(url), keys=keys)
    for code in speaking:
        world.peers[code] = world.peers[code].in_xml
        body = {
            "software": "tests",
            "protocol_versions": ["itmo-exchange/1"],
            "binding": "xml",
            "delivery_mode": "pull",
        }
        accepted(world.say(code, HUB, ("participant.hello", body)))
    world.begin()
    completed(world)
    publish(world)
    bundle = exporter(world).export(TRANSFER, now())
    report = verify(bundle, anchor(world, pin=["THA01", "CHE01"]))
    assert (report.verdict, report.outcome, false_lines(report)) == ("proved", "completed", [])
    for item in bundles.read(bundle).items:
        told = json.loads(item.entry)
        for name in item.contents.keys() & {"envelope", "receipt", "delivery"}:
            raw = item.contents[name] or b""
            speaker = told["recipient"] if name == "delivery" else told["sender"]
            assert binding_of(raw) == ("xml" if speaker in speaking else "json")
    report = verify(bundle, policy_file(log_keys(), None))
    assert (report.verdict, false_lines(report)) == ("proved", [])
    world.database.dispose()


@pytest.mark.parametrize("ending", ["rejected", "cancelled", "expired", "open"])
def test_every_other_end_is_proved_too(world: World, ending: str) -> None:
    """Rejected by the acquirer, withdrawn by the initiator, ended by the deadline, still open."""
    late = timestamps.render(now() + timedelta(seconds=61))
    digest = world.propose(TRANSFER, 1, 10, respond_by=late)
    if ending == "rejected":
        accepted(world.say("CHE01", "THA01", rejection(TRANSFER, digest)))
    elif ending == "cancelled":
        body = {"transfer_id": TRANSFER, "previous_sha256": digest}
        accepted(world.say("THA01", "CHE01", ("transfer.cancellation", body)))
    elif ending == "expired":
        done, _ = expire_transfers.expire_due(
            world.database,
            identity=world.identity,
            limits=world.limits,
            now=now() + timedelta(seconds=120),
        )
        assert done == 1
    collect_deliveries(world, "THA01", "CHE01")
    publish(world)
    report = verify(exporter(world).export(TRANSFER, now()), anchor(world, pin=["THA01"]))
    assert (report.verdict, report.outcome, false_lines(report)) == ("proved", ending, [])


def test_a_transfer_that_nobody_knows_is_refused_in_words(world: World) -> None:
    """The operator learns that there is none, and where to look."""
    publish(world)
    with pytest.raises(EvidenceError, match="there is no transfer THA01-404; `itmo-hub transfer"):
        exporter(world).export("THA01-404", now())


def test_nothing_is_exported_that_no_published_tree_covers(world: World) -> None:
    """A proof needs a checkpoint; the message says to wait for one."""
    publish(world)
    world.propose(TRANSFER, 1, 10)
    with pytest.raises(NotCoveredYetError, match="covers entry"):
        exporter(world).export(TRANSFER, now())
    publish(world)
    assert exporter(world).export(TRANSFER, now())


def witness_key(code: str, signer: LocalSigner) -> VerifierKey:
    """Return the key of a witness."""
    _, native = load_public_key(signer.public_key_der)
    raw = native.public_bytes_raw()  # type: ignore[union-attr]  # no EC key cosigns
    return VerifierKey(f"{code.lower()}.example", SignatureType.COSIGNATURE_ED25519, raw)


def test_the_checkpoint_of_the_quorum_is_taken(world: World) -> None:
    """With a policy the tree is one that enough witnesses confirmed, or there is no export."""
    signers = {code: seeded_signer(code, "witness") for code in ("CHE01", "GHA01", "THA01")}
    named = {code: witness_key(code, signer) for code, signer in signers.items()}
    lines = [f"witness {code} {key.vkey}" for code, key in named.items()]
    text = "\n".join([*lines, "group two 2 CHE01 GHA01 THA01", "quorum two", ""])
    policy = Policy.parse(text)
    completed(world)
    publish(world)
    exporting = exporter(world, Policies(prompt=policy))
    with pytest.raises(NotCoveredYetError, match="of the quorum"):
        exporting.export(TRANSFER, now())
    with world.database.writing() as connection:
        newest = log_checkpoints.newest(connection)
        assert newest is not None
        checkpoint, _ = read_checkpoint(newest.note)
        added = []
        for code in ("CHE01", "THA01"):
            key, seconds = named[code], int(now().timestamp())
            line = cosign(checkpoint, key, signers[code].sign, seconds).line
            added.append(StoredCosignature(newest.size, key.name, key.key_id.hex(), line, now()))
        log_checkpoints.add_cosignatures(connection, added)
    world.say("GHA01", HUB, ("administrator.note", {"subject": "later", "text": "later"}))
    publish(world)
    report = verify(exporting.export(TRANSFER, now()), anchor(world, policy))
    assert false_lines(report) == []
    assert f"2 of 3 witnesses confirm the tree of {newest.size}" in proved(report)


def test_erased_bodies_leave_existence_time_and_parties(world: World) -> None:
    """After the time of retention the same command exports what still stands."""
    completed(world)
    publish(world)
    whole = exporter(world).export(TRANSFER, now())
    erase_everything(world)
    bundle = exporter(world).export(TRANSFER, now())
    report = verify(bundle, anchor(world, pin=["THA01", "CHE01"]))
    assert (report.verdict, report.outcome, false_lines(report)) == (
        "proved in part",
        "unknown",
        [],
    )
    assert "an entry of kind envelope, CHE01 to THA01, told of: CHE01 and THA01" in proved(report)
    assert verify(whole, anchor(world)).verdict == "proved", "the earlier bundle stays proof"


def erase_everything(world: World) -> None:
    """Erase every body, as if its time of retention were over."""
    later = now() + timedelta(days=4000)
    while erase_part(world.database, hub=HUB, retention_days=3653, now=later):
        pass


def test_without_deliveries_their_entries_stay(world: World) -> None:
    """What else a registry was told in the same delivery is not shown to the reader."""
    completed(world)
    publish(world)
    bundle = exporter(world).export(TRANSFER, now(), deliveries=False)
    assert b"THA01-2" not in b"".join(
        raw or b"" for one in bundles.read(bundle).items for raw in one.contents.values()
    )
    report = verify(bundle, anchor(world, pin=["THA01", "CHE01"]))
    assert (report.verdict, report.outcome) == ("proved in part", "completed")


def test_a_rotated_key_comes_with_the_envelope_that_named_it(world: World) -> None:
    """And that envelope's key with its act: the chain is whole, and a pin on its start holds."""
    first, second = world.peers["THA01"].signers[0], seeded_signer("THA01", "second")
    start = now() + timedelta(seconds=1)
    body = {
        "key_document": sign_possession(second, "THA01", valid_from=start).decode(),
        "starts_at": timestamps.render(start),
        "overlap_seconds": 60,
    }
    accepted(world.say("THA01", HUB, ("key.rotate", body)))
    world.peers["THA01"] = Peer("THA01", "", world.peers["THA01"].http, [second])
    raw = world.envelope("THA01", "CHE01", proposal(TRANSFER, block(1, 10)))
    at = start + timedelta(seconds=5)
    assert not isinstance(world.post(raw, at), Exception)
    collect_deliveries(world, "CHE01")
    publish(world)
    bundle = exporter(world).export(TRANSFER, now())
    with world.database.reading() as connection:
        keys = {one.key_id: one.public_key_der for one in reference.key_records(connection)}
    hub = {name: der for name, der in keys.items() if name.startswith(HUB)}
    pins = {first.key_id: first.public_key_der}
    report = verify(bundle, write_anchor(policy_file(log_keys(), None), hub, pins))
    assert false_lines(report) == []
    assert f"the key {second.key_id} (Ed25519) is THA01's: THA01 named it" in proved(report)


def test_a_key_revoked_later_stays_good_for_what_it_signed_before(world: World) -> None:
    """The revocation is in the bundle, and ends the key only from then on."""
    completed(world)
    key_id = world.peers["THA01"].signers[0].key_id
    administration = Administration(world.database, world.identity)
    administration.do(revoke_key(key_id), Act("Ada", "the token was lost", now()))
    publish(world)
    bundle = exporter(world).export(TRANSFER, now())
    report = verify(bundle, anchor(world))
    assert (report.verdict, false_lines(report)) == ("proved", [])
    assert f"did key.revoke {key_id}: the token was lost" in proved(report)


def test_a_transfer_into_the_hubs_own_registry_ends_where_it_is_proposed(world: World) -> None:
    """The international registry is the acquirer: one envelope proposes and completes."""
    account = Account("CHE-1", "XIR01", 100, "CHE", None, None, "GHG", AccountStatus.OPEN)
    world.administration.do(open_account(account), Act("Ada", "opened", now()))
    said = proposal(TRANSFER, block(1, 10), acquiring_account="CHE-1")
    accepted(world.say("THA01", "XIR01", said))
    collect_deliveries(world, "THA01")
    publish(world)
    report = verify(exporter(world).export(TRANSFER, now()), anchor(world))
    assert (report.verdict, report.outcome, false_lines(report)) == ("proved", "completed", [])
