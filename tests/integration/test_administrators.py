"""Administrators beside a running hub: what two agree on has effect with its next commit."""

import json
from pathlib import Path

import aiohttp
import pytest

from keys.signing import open_signer
from tests.hub.commands.runner import done, key_document, refused
from tests.integration.conftest import StartHub
from tests.integration.hub_process import register
from tests.integration.peers import Peer, proposal, seeded_signer
from tests.integration.worlds import codes, fresh_block, fresh_id, record_world

pytestmark = pytest.mark.slow


def as_administrator(folder: Path, name: str) -> dict[str, str]:
    """Make a key file as an administrator does; return the environment to act with."""
    words = ("--participant", "XHB01", "--name", name, "--out", str(folder), "--json")
    secret = {"PASSPHRASE": "twelve characters or more"}
    made = done("keys", "generate", *words, "--passphrase-env", "PASSPHRASE", **secret).document
    return secret | {
        "ITMO_HUB_ADMINISTRATOR": name,
        "ITMO_HUB_ADMINISTRATOR_SIGNER": made["uri"],
    }


async def test_a_key_that_two_administrators_gave_opens_the_door_and_their_own_do_not(
    hubs: StartHub, http: aiohttp.ClientSession, database_url: str, tmp_path: Path
) -> None:
    """Proposed it opens nothing; approved it does at once, and still after a restart."""
    register(database_url)
    hub = await hubs(database_url)
    where = ("--database", database_url)
    alice, bob = (as_administrator(tmp_path, name) for name in ("alice", "bob"))
    add, why = ("administrator", "add"), ("--reason", "appointed", *where)
    done(*add, "alice", str(tmp_path / "alice.proof.jws"), *why)
    done(*add, "bob", str(tmp_path / "bob.proof.jws"), *why, **alice)

    await record_world(Peer("THA01", hub.address, http))
    new = Peer("THA01", hub.address, http, [seeded_signer("THA01", "new")])
    key_add = ("participant", "key-add", str(key_document(tmp_path, "THA01", "new")), *why)
    assert "takes two administrators" in refused(*key_add, **alice)
    ((_, proposal_id, *_),) = done(*key_add, "--propose", **alice).lines

    def offer(peer: Peer) -> bytes:
        return peer.envelope("CHE01", proposal(fresh_id("THA01"), fresh_block(1)))

    assert (await new.post(offer(new)))[0] == 401
    done("administrator", "approve", proposal_id, *where, **bob)
    assert codes(await new.say("CHE01", proposal(fresh_id("THA01"), fresh_block(1)))) == [0]

    for salt in ("alice", "bob"):
        signer = open_key(tmp_path, salt)
        for code in ("XHB01", "THA01"):
            intruder = Peer(code, hub.address, http, [signer])
            status, body = await intruder.post(offer(intruder))
            assert (status, json.loads(body)["code"]) == (401, 1005)

    await hub.kill()
    await hub.start()
    again = Peer("THA01", hub.address, http, [seeded_signer("THA01", "new")])
    assert codes(await again.say("CHE01", proposal(fresh_id("THA01"), fresh_block(1)))) == [0]
    assert done("act", "check", *where).out == "every act holds\n"
    hub.prove()


def open_key(folder: Path, name: str) -> object:
    """Open an administrator's key to misuse it at the door."""
    uri = f"file:{folder / name}.key?passphrase-env=PASSPHRASE"
    secret = {"PASSPHRASE": "twelve characters or more"}
    return open_signer(uri, participant="XHB01", environment=secret)
