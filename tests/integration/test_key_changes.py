"""Keys change without a gap: announced, overlapping, ended; lost or stolen, replaced at once."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.protocol.signed_objects import open_object
from keys.possession import sign_possession
from message_schemas import timestamps
from tests.integration.conftest import StartHub
from tests.integration.hub_process import (
    HubUnderTest,
    hub_key_variable,
    register,
    xml_key_variables,
)
from tests.integration.peers import Peer, now, payload_of, seeded_signer
from tests.integration.worlds import codes, mailbox, notices, outcomes, record_world

NOTE = ("administrator.note", {"subject": "key test", "text": "Which key is this?"})


def with_signer(peer: Peer, signer: Any) -> Peer:
    """Return the same participant signing with another key."""
    return Peer(peer.code, peer.hub, peer.http, [signer])


async def answer_code(peer: Peer, hub: str | None = None) -> int:
    """Return the code a note signed by the peer gets: 0, or that of the problem."""
    import json

    status, body = await peer.post(peer.envelope("XMR01", NOTE), hub)
    if status == 200:
        return codes(payload_of(body, "itmo-receipt+jws"))[0]
    return int(json.loads(body)["code"])


async def test_a_rotation_has_an_overlap_in_which_both_keys_speak(
    thailand: Peer, switzerland: Peer, hub: HubUnderTest
) -> None:
    """Before the start only the old key speaks, then both, then only the new one; all are told."""
    old = thailand
    signer = seeded_signer("THA01", f"rotated at {hub.address}")
    new = with_signer(old, signer)
    assert await answer_code(new) == 1005
    starts_at = now() + timedelta(seconds=2)
    said = rotation(signer, "THA01", starts_at, overlap_seconds=3)
    assert codes(await old.say("XHB01", said)) == [0]
    assert (await answer_code(old), await answer_code(new)) == (0, 1006)
    await sleep_until(starts_at + timedelta(seconds=0.2))
    assert (await answer_code(old), await answer_code(new)) == (0, 0)
    await sleep_until(starts_at + timedelta(seconds=3.2))
    assert (await answer_code(old), await answer_code(new)) == (1007, 0)
    told = notices(await mailbox(switzerland), "key.changed")
    assert (signer.key_id, "added") in {
        (notice["body"]["key_id"], notice["body"]["change"]) for notice in told
    }


def rotation(
    signer: Any, code: str, starts_at: Any, overlap_seconds: int
) -> tuple[str, dict[str, object]]:
    """Return the message that announces a new key."""
    document = sign_possession(signer, code, valid_from=starts_at)
    return "key.rotate", {
        "key_document": document.decode(),
        "starts_at": timestamps.render(starts_at),
        "overlap_seconds": overlap_seconds,
    }


async def sleep_until(at: Any) -> None:
    """Sleep until an instant."""
    await asyncio.sleep(max(0.0, (at - now()).total_seconds()))


async def test_a_rotation_that_proves_nothing_is_refused(ghana: Peer, switzerland: Peer) -> None:
    """Another's key, a key already known, a start in the past: 4012, the old key goes on."""
    later = now() + timedelta(hours=1)
    for said in (
        rotation(seeded_signer("CHE01"), "CHE01", later, 3600),
        rotation(seeded_signer("GHA01"), "GHA01", later, 3600),
        rotation(seeded_signer("GHA01", "late"), "GHA01", now() - timedelta(days=1), 3600),
    ):
        assert codes(await ghana.say("XHB01", said)) == [4012]
    foreign = ("key.revoke", {"key_id": seeded_signer("CHE01").key_id, "reason": "malice"})
    assert codes(await ghana.say("XHB01", foreign)) == [4012]
    assert await answer_code(ghana) == 0
    assert await answer_code(switzerland) == 0


async def test_the_emergency_path_replaces_a_lost_key(
    hub: HubUnderTest, ghana: Peer, tmp_path: Path
) -> None:
    """An operator adds a key and revokes the stolen one by command; both act at once."""
    signer = seeded_signer("GHA01", f"emergency at {hub.address}")
    document = tmp_path / "key.jws"
    document.write_bytes(sign_possession(signer, "GHA01", valid_from=now()))
    added = await command(hub, "participant", "key-add", str(document), "--reason", "key lost")
    assert signer.key_id in added
    new = with_signer(ghana, signer)
    assert (await answer_code(ghana), await answer_code(new)) == (0, 0)
    stolen = ghana.signers[0].key_id
    await command(hub, "participant", "key-revoke", stolen, "--reason", "key stolen")
    assert (await answer_code(ghana), await answer_code(new)) == (1008, 0)


async def command(hub: HubUnderTest, *words: str) -> str:
    """Run an operator's command beside the running hub; return what it printed."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "hub", *words, "--database", hub.database_url],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
async def test_a_revoked_key_of_the_hub_stops_its_binding_until_a_start_with_a_good_one(
    hubs: StartHub, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """503 for JSON while XML goes on; no start with the old key; then the same bytes are taken."""
    url = f"sqlite:///{tmp_path}/hub.db"
    register(url, xml=("XHB01", "THA01"))
    hub = await hubs(url, **xml_key_variables())
    thailand = Peer("THA01", hub.address, http)
    old, new = seeded_signer("XHB01"), seeded_signer("XHB01", "next")
    waiting = thailand.envelope("XMR01", NOTE)
    await command(hub, "participant", "key-revoke", old.key_id, "--reason", "stolen")

    in_json = {"Content-Type": "application/jose+json"}
    url = f"{hub.address}/v1/envelopes"
    async with http.post(url, data=waiting, headers=in_json) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "60")
    async with http.get(f"{hub.address}/v1/participants") as response:
        assert response.status == 503
    assert await answer_code(thailand.in_xml) == 0
    async with http.get(f"{hub.address}/health/ready") as response:
        assert response.status == 200
        assert (await response.json())["keys"].startswith(f"json: {old.key_id} was revoked at")
    assert "participant key-add" in hub.log.read_text()

    document = tmp_path / "key.jws"
    document.write_bytes(sign_possession(new, "XHB01", valid_from=now()))
    await command(hub, "participant", "key-add", str(document), "--reason", "the next key")
    await hub.stop()
    with pytest.raises(AssertionError, match=f"`signers` names the key {old.key_id}"):
        await hub.start()
    hub.environment["ITMO_TEST_HUB_KEY"] = hub_key_variable(new)
    await hub.start()
    status, receipt = await thailand.post(waiting, hub.address)
    assert status == 200
    assert open_object(receipt, "receipt").key_ids == (new.key_id,)
    hub.prove()


@pytest.mark.postgres
async def test_a_revocation_takes_effect_at_once_in_every_hub_process(
    hubs: StartHub, http: aiohttp.ClientSession, postgres_database_url: str
) -> None:
    """Revoked through one process, the key is refused by the other: to record, and to ask."""
    register(postgres_database_url)
    first, second = await hubs(postgres_database_url), await hubs(postgres_database_url)
    thailand = Peer("THA01", first.address, http)
    await record_world(thailand)
    assert await answer_code(thailand, second.address) == 0
    key_id = thailand.signers[0].key_id
    said = ("key.revoke", {"key_id": key_id, "reason": "stolen"})
    assert outcomes(await thailand.say("XHB01", said)) == ["accepted"]
    question = thailand.envelope("XHB01", ("transfer.status", {"transfer_id": "THA01-1"}))
    assert (await thailand.post(question, second.address))[0] == 401
    assert (await thailand.post(question, first.address))[0] == 401
    assert await answer_code(thailand, second.address) == 1008
    assert await answer_code(thailand, first.address) == 1008
