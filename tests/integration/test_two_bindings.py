"""One peer speaks XML, the other JSON, and neither notices: a real hub on either database.

THA01 reads and writes XML in these tests, CHE01 JSON. Both read what reaches them in their own
binding alone, as a partner's software would.
"""

import asyncio
import hashlib
import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.protocol.signed_objects import MEDIA_TYPES, Binding, binding_of
from hub.services.administration.deeds import Act
from hub.services.administration.participants import set_binding
from hub.store import evidence
from hub.store.database import Database
from keys.algorithms import load_public_key
from message_schemas import timestamps
from message_schemas.validation import schema_errors
from tests.integration.endpoint import Endpoint, endpoint_of, well_behaved
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import (
    Body,
    Peer,
    Said,
    acceptance,
    now,
    payload_of,
    proposal,
    seeded_xml_signer,
)
from tests.integration.worlds import (
    acknowledgement,
    codes,
    fetched,
    fresh_block,
    fresh_id,
    last_sequence,
    outcomes,
    record_world,
    until,
)
from tests.tools import needs_xmllint, needs_xmlsec1

XML_KEYS = ("XHB01", "THA01", "CHE01")
SCHEMAS = Path(__file__).resolve().parents[2] / "message_schemas/xml/v1"
BATCH_COUNT = 500


def hello(binding: str, mode: str = "pull") -> Said:
    """Return a hello that asks for deliveries in a binding."""
    return "participant.hello", {
        "software": "tests 1",
        "protocol_versions": ["itmo-exchange/1"],
        "binding": binding,
        "delivery_mode": mode,
    }


@pytest.fixture
async def thai(hub: HubUnderTest, thailand: Peer) -> Peer:
    """Return THA01, which writes XML and has asked for it."""
    await record_world(thailand)
    assert codes(await thailand.in_xml.say("XHB01", hello("xml"))) == [0]
    return thailand.in_xml


@pytest.fixture
async def swiss(switzerland: Peer) -> Peer:
    """Return CHE01, which writes JSON and gets it."""
    assert codes(await switzerland.say("XHB01", hello("json"))) == [0]
    return switzerland


def item_of(delivery: bytes, log_index: int) -> Body:
    """Return the item of a delivery that an entry of the log means."""
    items = payload_of(delivery, "itmo-delivery+jws")["items"]
    (found,) = (one for one in items if one["log_index"] == log_index)
    return dict(found)


async def posted(peer: Peer, raw: bytes) -> Any:
    """Post exact bytes; return the receipt, in the same binding and all accepted."""
    status, answer = await peer.post(raw)
    assert status == 200, answer
    assert binding_of(answer) is binding_of(raw)
    receipt = payload_of(answer, "itmo-receipt+jws")
    assert schema_errors("receipt", 1, receipt) == ()
    assert set(outcomes(receipt)) == {"accepted"}, receipt
    return receipt


def told_the_same(item: Body, raw: bytes) -> None:
    """The item holds the original bytes, and beside them what they say."""
    assert item["envelope"].encode() == raw
    assert item["content"] == payload_of(raw, "itmo-envelope+jws")
    assert item["verdicts"]


async def test_a_trade_from_xml_to_json_and_back_by_pull(
    hub: HubUnderTest, thai: Peer, swiss: Peer
) -> None:
    """Proposal in XML, fetched in JSON; acceptance in JSON, fetched in XML; digests of bytes."""
    transfer, before = fresh_id("THA01"), (await last_sequence(thai), await last_sequence(swiss))
    proposed = thai.envelope("CHE01", proposal(transfer, fresh_block(10)))
    receipt = await posted(thai, proposed)
    assert receipt["envelope_sha256"] == hashlib.sha256(proposed).hexdigest()
    delivery = await fetched(swiss, before[1])
    assert delivery is not None
    assert binding_of(delivery) is Binding.JSON
    assert schema_errors("delivery", 1, payload_of(delivery, "itmo-delivery+jws")) == ()
    told_the_same(item_of(delivery, receipt["log_index"]), proposed)
    assert codes(await swiss.say("XHB01", acknowledgement(delivery))) == [0]

    accepted = swiss.envelope("THA01", acceptance(transfer, receipt["envelope_sha256"]))
    answer = await posted(swiss, accepted)
    returned = await fetched(thai, before[0])
    assert returned is not None
    assert binding_of(returned) is Binding.XML
    assert schema_errors("delivery", 1, payload_of(returned, "itmo-delivery+jws")) == ()
    item = item_of(returned, answer["log_index"])
    told_the_same(item, accepted)
    assert [one["type"] for one in item["notices"]] == ["transfer.completed"]
    assert codes(await thai.say("XHB01", acknowledgement(returned))) == [0]
    with Database(hub.database_url).reading() as connection:
        for raw, said in ((proposed, receipt), (accepted, answer)):
            kept = evidence.content_at(connection, said["log_index"])
            assert kept is not None
            assert kept.contents["envelope"] == raw


async def test_a_trade_by_push_in_each_ones_own_binding(
    hub: HubUnderTest, thai: Peer, swiss: Peer
) -> None:
    """Each endpoint gets its own media type; the answer to a push may be in the other binding."""
    for sender, recipient, media_type in ((swiss, thai, "xml"), (thai, swiss, "json")):
        after = await last_sequence(recipient)
        other = recipient.in_xml if media_type == "json" else recipient
        async with endpoint_of(hub, other, well_behaved) as endpoint:
            note = ("administrator.note", {"subject": "hello", "text": "Zwölf & <drei>\n]]>"})
            raw = sender.envelope(recipient.code, note)
            receipt = await posted(sender, raw)
            await until(partial(_has_come, endpoint, after))
            assert set(endpoint.media_types) == {MEDIA_TYPES[Binding(media_type)]}
            (item,) = (one for one in endpoint.items if one["log_index"] == receipt["log_index"])
            told_the_same(item, raw)
            assert item["content"]["messages"][0]["body"] == note[1]
        listed = await last_sequence(recipient)
        assert listed >= item["sequence"]


def _has_come(endpoint: Endpoint, after: int) -> bool:
    return any(one["sequence"] > after for one in endpoint.items)


async def test_an_original_in_the_recipients_binding_stands_alone(thai: Peer, swiss: Peer) -> None:
    """Content is for what the recipient could not read; it may post in another binding itself."""
    after = await last_sequence(thai)
    raw = swiss.in_xml.envelope("THA01", ("administrator.note", {"subject": "a", "text": "b"}))
    receipt = await posted(swiss, raw)
    delivery = await fetched(thai, after)
    assert delivery is not None
    item = item_of(delivery, receipt["log_index"])
    assert item["envelope"].encode() == raw
    assert "content" not in item


async def test_the_same_envelope_again_gets_the_same_receipt_and_another_none(thai: Peer) -> None:
    """Byte for byte in XML too; the same id with other bytes, even in JSON, is refused."""
    said = proposal(fresh_id("THA01"), fresh_block(1))
    raw = thai.envelope("CHE01", said)
    first, again = await thai.post(raw), await thai.post(raw)
    assert first == again
    assert first[0] == 200
    envelope = payload_of(raw, "itmo-envelope+jws")
    same = {name: envelope[name] for name in ("envelope_id", "sent_at", "messages")}
    in_json = Peer("THA01", thai.hub, thai.http)
    for peer, changes in ((in_json, same), (thai, same | {"sent_at": timestamps.render(now())})):
        status, body = await peer.post(peer.envelope("CHE01", said, **changes))
        assert (status, json.loads(body)["name"]) == (409, "ENVELOPE_ID_REUSED")


async def test_a_full_batch_crosses_in_both_directions(thai: Peer, swiss: Peer) -> None:
    """500 proposals of one envelope, XML to JSON and JSON to XML, with extensions."""
    extensions = {"a.example/b": {"odd \u0001 key": ["\ufffe", None, True, {"": "\\"}]}}
    for sender, recipient in ((thai, swiss), (swiss, thai)):
        after = await last_sequence(recipient)
        notes: list[Said] = [
            (
                "administrator.note",
                {"subject": f"number {n}", "text": "x", "extensions": extensions},
            )
            for n in range(BATCH_COUNT)
        ]
        raw = sender.envelope(recipient.code, *notes)
        receipt = await posted(sender, raw)
        assert len(receipt["outcomes"]) == BATCH_COUNT
        delivery = await fetched(recipient, after)
        assert delivery is not None
        item = item_of(delivery, receipt["log_index"])
        told_the_same(item, raw)
        assert item["content"]["messages"][-1]["body"]["extensions"] == extensions
        assert codes(await recipient.say("XHB01", acknowledgement(delivery))) == [0]


async def test_a_change_of_binding_is_for_deliveries_made_after_it(
    hub: HubUnderTest, thai: Peer, swiss: Peer
) -> None:
    """What was made stays byte for byte, and is acknowledged as it is; an operator changes it."""
    after = await last_sequence(swiss)
    raw = thai.envelope("CHE01", ("administrator.note", {"subject": "a", "text": "b"}))
    await posted(thai, raw)
    made = await fetched(swiss, after)
    assert made is not None
    hub.administration().do(set_binding("CHE01", "xml"), Act("tests", "speaks XML now", now()))
    assert await fetched(swiss, after) == made
    assert await fetched(swiss.in_xml, after) == made
    assert codes(await swiss.say("XHB01", acknowledgement(made))) == [0]
    await posted(
        thai, thai.envelope("CHE01", ("administrator.note", {"subject": "c", "text": "d"}))
    )
    following = await fetched(swiss, acknowledgement(made)[1]["up_to_sequence"])
    assert following is not None
    assert binding_of(following) is Binding.XML
    assert codes(await swiss.say("XHB01", acknowledgement(following), hello("json"))) == [0, 0]


@needs_xmlsec1
@needs_xmllint
async def test_other_tools_verify_and_validate_what_the_hub_writes(
    thai: Peer, swiss: Peer, tmp_path: Path
) -> None:
    """xmlsec1 finds the hub's signature right, xmllint finds each document of its schema."""
    after = await last_sequence(thai)
    status, receipt = await thai.post(
        thai.envelope("CHE01", proposal(fresh_id("THA01"), fresh_block(5)))
    )
    assert status == 200
    await posted(
        swiss, swiss.envelope("THA01", ("administrator.note", {"subject": "a", "text": "d"}))
    )
    delivery = await fetched(thai, after)
    assert delivery is not None
    signer = seeded_xml_signer("XHB01")
    _, key = load_public_key(signer.public_key_der)
    pem = tmp_path / "hub.pem"
    pem.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for name, raw in (("receipt", receipt), ("delivery", delivery)):
        document = tmp_path / f"{name}.xml"
        document.write_bytes(raw)
        verifying = ["xmlsec1", "--verify", f"--pubkey-pem:{signer.key_id}", str(pem)]
        whole = SCHEMAS / "itmo-exchange.xsd"
        validating = ["xmllint", "--noout", "--nonet", "--schema", str(whole)]
        for command in (verifying, validating):
            done = await asyncio.to_thread(
                subprocess.run, [*command, str(document)], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
