"""A client written from the document alone, with another JOSE library, against a real hub."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwcrypto.jwk import JWK

from keys import base64url
from tests.docs.protocol_client import HUB, Client, key_of
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import approach, authorization, block, proposal, seeded_signer

HELLO = {
    "software": "a client from the document",
    "protocol_versions": ["itmo-exchange/1"],
    "binding": "json",
    "delivery_mode": "pull",
}


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubUnderTest]:
    """Run a real hub on SQLite with its participants registered and active."""
    url = f"sqlite:///{tmp_path}/hub.db"
    register(url)
    running = await HubUnderTest(url, tmp_path).start()
    yield running
    await running.kill()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


async def joined(code: str, hub: HubUnderTest, http: aiohttp.ClientSession) -> Client:
    """Return a client that knows its own key and the hub's, and has said hello."""
    own, anchor = seeded_signer(code), seeded_signer(HUB)
    pem = own._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    document = {
        "key_id": anchor.key_id,
        "participant": HUB,
        "public_key": base64url.encode(anchor.public_key_der),
    }
    keys = {anchor.key_id: key_of(document)}
    client = Client(code, JWK.from_pem(pem), own.key_id, hub.address, http, keys)
    await client.learn_keys()
    assert (await client.say(HUB, "participant.hello", HELLO))["outcome"] == "accepted"
    return client


async def test_a_client_from_the_document_completes_a_transfer(
    hub: HubUnderTest, http: aiohttp.ClientSession
) -> None:
    """Hello, records, proposal, pull, acceptance, notices: each signature and digest checked."""
    thailand = await joined("THA01", hub, http)
    switzerland = await joined("CHE01", hub, http)
    for type_, body in (approach(), authorization()):
        assert (await thailand.say(HUB, type_, body))["outcome"] == "accepted"

    proposed = await thailand.say("CHE01", *proposal("THA01-1", block(1, 100)))
    assert (proposed["code"], proposed["result"]["state"]) == (0, "proposed")

    await switzerland.pull()
    ((proposal_sha256, message),) = switzerland.received
    assert (message["type"], message["body"]["quantity"]) == ("transfer.proposal", 100)
    answer = {
        "transfer_id": "THA01-1",
        "decision": "accept",
        "previous_sha256": proposal_sha256,
        "reasons": [],
    }
    accepted = await switzerland.say("THA01", "transfer.acknowledgement", answer)
    assert accepted["result"]["state"] == "completed"

    for client in (thailand, switzerland):
        await client.pull()
        completed = [one for one in client.notices if one["type"] == "transfer.completed"]
        assert [one["body"]["transfer_id"] for one in completed] == ["THA01-1"]
    hub.prove()


async def test_a_client_from_the_document_is_refused_with_what_to_do(
    hub: HubUnderTest, http: aiohttp.ClientSession
) -> None:
    """A refused message comes with the rule, the place in the body and the remedy."""
    thailand = await joined("THA01", hub, http)
    type_, body = proposal("THA01-2", block(1, 100), quantity=99)
    refused = await thailand.say("CHE01", type_, body)
    assert (refused["outcome"], refused["name"]) == ("refused", "QUANTITY_NOT_SUM")
    (finding,) = refused["findings"]
    assert (finding["severity"], finding["path"]) == ("stop", "/quantity")
    assert finding["remedy"]
