"""The log over HTTP: caching, compression, problem documents, and cosignatures that are brought."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from hub.transparency_log.checkpoints import open_checkpoint
from hub.transparency_log.cosignatures import cosigners
from hub.transparency_log.notes import Note
from hub.transparency_log.policies import Policy
from hub.transparency_log.proof_files import ProofFile, verify_proof
from hub.transparency_log.tiles import decode_bundle
from keys.jws import open_signed
from tests.hub.http.test_routes import fetch
from tests.hub.log_world import ORIGIN, Witness, log_keys, policy_text
from tests.integration.hub_process import HubUnderTest, register

CHE = Witness("che.invalid/w")


@pytest.fixture(scope="module")
def log_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubUnderTest]:
    """Run a hub whose one witness cannot be reached from it."""
    folder: Path = tmp_path_factory.mktemp("log-hub")
    url = f"sqlite:///{folder}/hub.db"
    register(url)
    policy = folder / "policy"
    policy.write_text(policy_text(CHE, urls=False))
    environment = {"ITMO_HUB_WITNESS_POLICY": str(policy)}
    hub = HubUnderTest(url, folder, environment=environment).start_now()
    yield hub
    hub.kill_now()
    hub.prove()


def checkpoint_of(hub: HubUnderTest) -> tuple[int, str]:
    """Return the size and the note of the hub's checkpoint."""
    status, _, body = fetch(hub.address + "/checkpoint")
    assert status == 200
    signed = open_checkpoint(body, log_keys().verifiers)
    assert signed.checkpoint.origin == ORIGIN
    return signed.checkpoint.size, body.decode()


def problem(hub: HubUnderTest, path: str, status: int, body: bytes | None = None) -> str:
    """Return the detail of the problem document that answers a request."""
    found, headers, raw = fetch(hub.address + path, body)
    assert (found, headers.get_content_type()) == (status, "application/problem+json"), raw
    document = json.loads(raw)
    assert document["remedy"]
    return str(document["detail"])


def test_the_checkpoint_may_be_kept_for_a_second(log_hub: HubUnderTest) -> None:
    """Signed by the log's key; asked again with its tag it is not sent twice."""
    status, headers, _ = fetch(log_hub.address + "/checkpoint")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cache-Control"] == "max-age=1"
    tag = {"If-None-Match": headers["ETag"]}
    assert fetch(log_hub.address + "/checkpoint", None, **tag)[0] == 304


def test_tiles_and_bundles_may_be_kept_for_ever(log_hub: HubUnderTest) -> None:
    """Immutable, with a tag; bundles with gzip for whoever accepts it."""
    size, _ = checkpoint_of(log_hub)
    for path in (f"/tile/0/000.p/{size}", f"/tile/entries/000.p/{size}"):
        status, headers, body = fetch(log_hub.address + path)
        assert status == 200
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Content-Encoding" not in headers
        tag = {"If-None-Match": headers["ETag"]}
        again = fetch(log_hub.address + path, None, **tag)
        assert (again[0], again[1]["Cache-Control"]) == (304, headers["Cache-Control"])
    assert len(decode_bundle(body)) == size
    for accepted in ("gzip", "br, gzip;q=0.5", "*"):
        status, headers, zipped = fetch(
            log_hub.address + path, None, **{"Accept-Encoding": accepted}
        )
        assert (headers["Content-Encoding"], headers["Vary"]) == ("gzip", "Accept-Encoding")
        assert gzip.decompress(zipped) == body
    for accepted in ("identity", "gzip;q=0", "br"):
        status, headers, plain = fetch(
            log_hub.address + path, None, **{"Accept-Encoding": accepted}
        )
        assert plain == body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tile/0/001", 404),
        ("/tile/0/000", 404),
        ("/tile/entries/999", 404),
        ("/tile/63/000", 404),
        ("/tile/0/1", 400),
        ("/tile/x/000", 400),
        ("/tile/0/000.p/0", 400),
        ("/tile/0/000.p/256", 400),
        ("/tile/0/" + "x000/" * 500 + "000", 400),
        ("/tile/" + quote("../" * 5 + "checkpoint", safe=""), 400),
        ("/tile/%ff", 400),
        ("/v1/log/proof/99999", 404),
        ("/v1/log/proof/01", 400),
        ("/v1/log/proof/-1", 400),
        ("/v1/log/proof/one", 400),
        ("/v1/log/proof/" + "9" * 400, 400),
        ("/v1/log/proof/1?quorum=some", 400),
        ("/v1/log/proof/1?quorum=settlement", 503),
        ("/v1/log/consistency/1/99999", 404),
        ("/v1/log/consistency/2/1", 400),
        ("/v1/log/consistency/a/1", 400),
        ("/v1/log/policy?quorum=", 400),
        ("/v1/log/consistency/1", 404),
    ],
)
def test_a_wrong_address_is_answered_with_the_rule_and_a_remedy(
    log_hub: HubUnderTest, path: str, status: int
) -> None:
    """400 for what is no address of the log, 404 for what the published log does not have."""
    assert problem(log_hub, path, status)


def test_a_proof_and_the_policy_are_all_it_takes_to_verify(log_hub: HubUnderTest) -> None:
    """The policy's log key is that of the signed list of participants."""
    policy = Policy.parse(fetch(log_hub.address + "/v1/log/policy")[2])
    assert policy.witness_keys == (CHE.key,)
    raw = fetch(log_hub.address + "/v1/participants")[2]
    listed = json.loads(open_signed(raw, "itmo-participants+jws").payload)["log"]
    assert listed == {"origin": ORIGIN, "vkeys": [key.vkey for key in policy.log_keys]}
    status, headers, body = fetch(log_hub.address + "/v1/log/proof/3")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    proof = ProofFile.parse(body)
    assert proof.extra is not None
    verify_proof(proof, proof.extra, policy.log_keys)


def test_a_witness_that_cannot_be_reached_brings_its_cosignature(log_hub: HubUnderTest) -> None:
    """It is in the next checkpoint served, and in proofs; then the quorum of the policy is met."""
    size, note = checkpoint_of(log_hub)
    body = f"{size}\n{CHE.cosign(note)}".encode()
    status, _, answer = fetch(log_hub.address + "/v1/log/cosignatures", body)
    assert (status, json.loads(answer)) == (200, {"stored": 1})
    cosigned = Note.parse(checkpoint_of(log_hub)[1])
    assert cosigners(cosigned, [CHE.key]).keys() == {CHE.name}
    policy = Policy.parse(fetch(log_hub.address + "/v1/log/policy")[2])
    policy.open(ProofFile.parse(fetch(log_hub.address + "/v1/log/proof/1")[2]).checkpoint_note)
    settled = fetch(log_hub.address + "/v1/log/proof/1?quorum=settlement")
    assert settled[0] == 200  # there is no settlement policy: the prompt one is as good


def test_cosignatures_that_are_none_are_refused(log_hub: HubUnderTest) -> None:
    """By a stranger, of another size, not of the form, or far too long."""
    size, note = checkpoint_of(log_hub)
    path = "/v1/log/cosignatures"
    stranger = Witness("stranger.invalid/w")
    line = CHE.cosign(note)
    assert "witness" in problem(log_hub, path, 400, f"{size}\n{stranger.cosign(note)}".encode())
    assert "kept" in problem(log_hub, path, 404, f"{size + 9}\n{line}".encode())
    assert problem(log_hub, path, 400, b"nonsense")
    assert "65536" in problem(log_hub, path, 400, f"{size}\n{line * 2_000}".encode())
    assert fetch(log_hub.address + path)[0] == 405
