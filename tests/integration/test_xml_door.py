"""XML at the door of a real hub: what is no envelope gets a problem document and leaves no trace.

Wrong media types, documents that are not XML or too much of it, forged and wrapped signatures, keys
that may not sign XML, and a hub that has no key for it.
"""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from uuid_utils import uuid7

from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import MEDIA_TYPES, Binding, binding_of
from hub.services.administration.deeds import Act, AdministrationError
from hub.services.administration.participants import set_binding
from hub.store import head
from hub.store.database import Database
from keys.local_signer import LocalSigner
from keys.xml_signatures import sign_xml
from message_schemas.xml_codec import encode_document
from message_schemas.xml_forms import NAMESPACE
from tests.integration.conftest import StartHub
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import (
    Peer,
    now,
    payload_of,
    proposal,
    seeded_signer,
    seeded_xml_signer,
)
from tests.integration.test_two_bindings import hello
from tests.integration.worlds import codes, fresh_block, fresh_id, outcomes, record_world

XML_KEYS = ("XHB01", "THA01")
NOTE = ("administrator.note", {"subject": "a", "text": "b"})
XML_TYPE, JSON_TYPE = MEDIA_TYPES[Binding.XML], MEDIA_TYPES[Binding.JSON]
LIMIT = 1_048_576


def head_of(hub: HubUnderTest) -> int:
    """Return the index of the last entry of a hub's log."""
    database = Database(hub.database_url)
    with database.reading() as connection:
        index = head.read(connection).log_index
    database.dispose()
    return index


async def refused(peer: Peer, raw: bytes, media_type: str = XML_TYPE) -> tuple[int, str, str]:
    """Post bytes that are refused; return status, name and detail of the problem."""
    url, headers = peer.hub + "/v1/envelopes", {"Content-Type": media_type}
    async with peer.http.post(url, data=raw, headers=headers) as response:
        assert response.content_type == "application/problem+json"
        problem = json.loads(await response.read())
    assert problem["remedy"]
    return response.status, problem["name"], problem["detail"]


def signed(inside: str, signer: LocalSigner | None = None) -> bytes:
    """Return an envelope with anything in it, rightly signed by THA01."""
    raw = f'<envelope xmlns="{NAMESPACE}">{inside}</envelope>'.encode()
    return sign_xml(raw, signer or seeded_xml_signer("THA01"))


def wrapped(raw: bytes) -> bytes:
    """Return a signed envelope moved into another one that says something else."""
    start = raw.index(b"<ds:Signature")
    other = raw[:start].replace(b"CHE01", b"GHA01")
    return other + b"<protocol>" + raw + b"</protocol>" + raw[start:]


def hostile(thai: Peer) -> list[tuple[str, bytes, int, str]]:
    """Return what is posted, and how it is refused: why, bytes, status, name."""
    good = thai.envelope("CHE01", NOTE)
    text = good.decode()
    end = text.index("<ds:Signature")
    deep = signed("<x>" * 30 + "</x>" * 30)
    return [
        ("cut off", good[:-20], 400, "ENVELOPE_MALFORMED"),
        ("a document type", b"<!DOCTYPE envelope>" + good, 400, "ENVELOPE_MALFORMED"),
        (
            "an entity",
            b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + good,
            400,
            "ENVELOPE_MALFORMED",
        ),
        ("a comment", good.replace(b"<sender>", b"<!-- --><sender>"), 400, "ENVELOPE_MALFORMED"),
        ("unsigned", (text[:end] + "</envelope>").encode(), 400, "ENVELOPE_MALFORMED"),
        (
            "signed twice",
            (text[:end] + text[end:].replace("</e", text[end:-11] + "</e")).encode(),
            400,
            "ENVELOPE_MALFORMED",
        ),
        ("wrapped", wrapped(good), 400, "ENVELOPE_MALFORMED"),
        ("changed", good.replace(b">CHE01<", b">GHA01<"), 401, "SIGNATURE_INVALID"),
        ("another root", good.replace(b"envelope", b"receipt"), 400, "ENVELOPE_MALFORMED"),
        ("two bytes a character", good.decode().encode("utf-16"), 400, "ENVELOPE_MALFORMED"),
        ("deep", b"<a>" * 100_000, 400, "ENVELOPE_MALFORMED"),
        ("deep and signed", deep, 422, "PAYLOAD_NOT_AN_ENVELOPE"),
        ("empty and signed", signed(""), 422, "PAYLOAD_NOT_AN_ENVELOPE"),
        ("of an unknown key", signed("", seeded_xml_signer("GHA01")), 401, "KEY_UNKNOWN"),
        ("of nobody", signed("", seeded_xml_signer("ZZZ01")), 401, "SENDER_UNKNOWN"),
        ("another protocol", signed("<protocol>other/1</protocol>"), 422, "PROTOCOL_NOT_SUPPORTED"),
        (
            "somebody else's word",
            sealed_as("CHE01", "THA01"),
            401,
            "KEY_OF_ANOTHER_PARTICIPANT",
        ),
        (
            "many attributes",
            b"<envelope " + b" ".join(b'a%d=""' % n for n in range(50_000)) + b"/>",
            400,
            "ENVELOPE_MALFORMED",
        ),
        ("too large", b"<" + b"x" * LIMIT, 413, "ENVELOPE_TOO_LARGE"),
    ]


def sealed_as(sender: str, signer: str) -> bytes:
    """Return an envelope that says it is from one and is signed by another."""
    nobody: Any = None
    raw = payload_of(Peer(sender, "", nobody).in_xml.envelope("GHA01", NOTE), "itmo-envelope+jws")
    return sign_xml(encode_document("envelope", raw), seeded_xml_signer(signer))


async def test_bad_xml_is_a_problem_and_leaves_no_trace(hub: HubUnderTest, thailand: Peer) -> None:
    """Each for its own reason, never a 5xx; the log does not grow; honest XML goes on."""
    thai = thailand.in_xml
    before = head_of(hub)
    for why, raw, status, name in hostile(thai):
        found = await refused(thailand, raw, XML_TYPE if binding_of(raw) == "xml" else JSON_TYPE)
        assert found[:2] == (status, name), (why, found)
    assert head_of(hub) == before
    status, _ = await thai.post(thai.envelope("CHE01", NOTE))
    assert status == 200


async def test_the_media_type_must_be_that_of_the_bytes(hub: HubUnderTest, thailand: Peer) -> None:
    """The problem names both; an unknown one is refused; text/xml and UTF-8 in words are taken."""
    in_xml, in_json = thailand.in_xml.envelope("CHE01", NOTE), thailand.envelope("CHE01", NOTE)
    before = head_of(hub)
    for raw, media_type, said in (
        (in_xml, JSON_TYPE, f"{JSON_TYPE} announces json, the body is xml; send {XML_TYPE}"),
        (in_json, XML_TYPE, f"{XML_TYPE} announces xml, the body is json; send {JSON_TYPE}"),
        (in_xml, "text/plain", f"send {JSON_TYPE} or {XML_TYPE}"),
        (in_xml, f"{XML_TYPE}; charset=utf-16", "UTF-8"),
    ):
        status, name, detail = await refused(thailand, raw, media_type)
        assert (status, name) == (415, "MEDIA_TYPE_NOT_SUPPORTED")
        assert said in detail
    assert head_of(hub) == before
    for media_type in ("text/xml", f"{XML_TYPE}; charset=UTF-8"):
        url, headers = thailand.hub + "/v1/envelopes", {"Content-Type": media_type}
        async with thailand.http.post(url, data=in_xml, headers=headers) as response:
            assert (response.status, response.content_type) == (200, XML_TYPE)


async def test_one_bad_message_does_not_spoil_its_neighbours(thailand: Peer) -> None:
    """A body that breaks the form is refused in the receipt, by the place in it."""
    await record_world(thailand)
    thai = thailand.in_xml
    said = proposal(fresh_id("THA01"), fresh_block(2))
    document = payload_of(thai.envelope("CHE01", said, NOTE, NOTE), "itmo-envelope+jws")
    raw = encode_document("envelope", document)
    raw = raw.replace(b"<quantity>2</quantity><metric>", b"<quantity>two</quantity><metric>")
    raw = raw[::-1].replace(b">txet/<b>txet<", b">txet/<>x/<>x<b>txet<", 1)[::-1]
    status, answer = await thai.post(sign_xml(raw, seeded_xml_signer("THA01")))
    assert status == 200, answer
    receipt = payload_of(answer, "itmo-receipt+jws")
    assert outcomes(receipt) == ["refused", "accepted", "refused"]
    assert codes(receipt) == [3003, 0, 3003]
    assert receipt["outcomes"][0]["findings"][0]["path"] == "/blocks/0/quantity"


async def test_a_participant_without_a_key_for_xml_may_still_receive_it(ghana: Peer) -> None:
    """GHA01 signs with Ed25519: a signature in XML names a key that cannot have made it."""
    raw = signed("").replace(
        seeded_xml_signer("THA01").key_id.encode(), seeded_signer("GHA01").key_id.encode()
    )
    status, name, detail = await refused(ghana, raw)
    assert (status, name) == (401, "SIGNATURE_INVALID")
    assert "ES256" in detail
    assert codes(await ghana.say("XHB01", hello("xml"))) == [0]
    assert codes(await ghana.say("XHB01", hello("json"))) == [0]


async def test_the_schemas_are_served(hub: HubUnderTest, thailand: Peer) -> None:
    """As they lie in the package, listed by name; nothing else of the machine."""
    async with thailand.http.get(hub.address + "/v1/schemas") as response:
        names = (await response.json())["xml_schemas"]
    assert {"common", "envelope", "itmo-exchange", "transfer.proposal"} <= set(names)
    for name in names:
        async with thailand.http.get(f"{hub.address}/v1/schemas/xml/v1/{name}.xsd") as response:
            assert (response.status, response.content_type) == (200, XML_TYPE)
            assert b"<xs:schema" in await response.read()
    for name in ("envelope", "../common.xsd", "..%2fcommon.xsd", "nothing.xsd"):
        async with thailand.http.get(f"{hub.address}/v1/schemas/xml/v1/{name}") as response:
            assert response.status == 404


async def test_a_hub_without_a_key_for_xml_takes_json_alone(
    tmp_path: Path, hubs: StartHub, http: aiohttp.ClientSession
) -> None:
    """415 with the remedy, a hello for XML refused, and so is the operator's word for it."""
    url = f"sqlite:///{tmp_path}/hub.db"
    register(url, xml=("THA01",))
    hub = await hubs(url)
    thai = Peer("THA01", hub.address, http)
    raw = thai.in_xml.envelope("XHB01", NOTE, envelope_id=str(uuid7()))
    status, name, detail = await refused(thai, raw)
    assert (status, name) == (415, "MEDIA_TYPE_NOT_SUPPORTED")
    assert "xml_signer" in detail
    receipt = await thai.say("XHB01", hello("xml"))
    assert codes(receipt) == [ResponseCode.BINDING_NOT_AVAILABLE]
    with pytest.raises(AdministrationError, match="--algorithm ES256"):
        hub.administration().do(set_binding("THA01", "xml"), Act("tests", "wants XML", now()))
    assert codes(await thai.say("XHB01", hello("json"))) == [0]
