"""The same message twice is one message, whoever repeats it, wherever and however often."""

import asyncio
import json

import aiohttp
import pytest

from hub.store import alerts
from hub.store.database import Database
from tests.integration.conftest import StartHub
from tests.integration.hub_process import HubUnderTest, register
from tests.integration.peers import Peer, payload_of, proposal
from tests.integration.worlds import (
    acknowledgement,
    codes,
    fetched,
    fresh_block,
    fresh_id,
    last_sequence,
    mailbox,
    outcomes,
    record_world,
)

ENVELOPE_COUNT = 20
POST_COUNT = 8


async def test_a_repeated_envelope_gets_the_first_receipt_byte_for_byte(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """Accepted or refused, now or after a kill and a restart: the stored receipt, unchanged."""
    await record_world(thailand)
    accepted = thailand.envelope("CHE01", proposal(fresh_id("THA01"), fresh_block(5)))
    refused = thailand.envelope("CHE01", proposal(fresh_id("GHA01"), fresh_block(5)))
    first = [await thailand.post(raw) for raw in (accepted, refused)]
    assert [status for status, _ in first] == [200, 200]
    assert [outcomes(payload_of(body, "itmo-receipt+jws")) for _, body in first] == [
        ["accepted"],
        ["refused"],
    ]
    assert [await thailand.post(raw) for raw in (accepted, refused)] == first
    hub.kill_now()
    await hub.start()
    assert [await thailand.post(raw) for raw in (accepted, refused)] == first


async def test_a_used_envelope_id_with_other_bytes_is_refused_and_alarmed(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """The second content is not taken, its sender learns so, and the secretariat is told."""
    await record_world(thailand)
    raw = thailand.envelope("CHE01", proposal(fresh_id("THA01"), fresh_block(5)))
    assert (await thailand.post(raw))[0] == 200
    envelope_id = payload_of(raw, "itmo-envelope+jws")["envelope_id"]
    other = thailand.envelope(
        "CHE01", proposal(fresh_id("THA01"), fresh_block(6)), envelope_id=envelope_id
    )
    before = await last_sequence(Peer("CHE01", thailand.hub, thailand.http))
    for _ in range(2):
        status, body = await thailand.post(other)
        problem = json.loads(body)
        assert (status, problem["code"], problem["retry"]) == (409, 1012, False)
    assert await last_sequence(Peer("CHE01", thailand.hub, thailand.http)) == before
    database = Database(hub.database_url)
    with database.reading() as connection:
        raised = [
            alert for alert in alerts.newest(connection) if alert.subject.endswith(envelope_id)
        ]
    database.dispose()
    assert [(alert.kind, alert.count) for alert in raised] == [("envelope-id-reused", 2)]


async def test_two_contents_racing_for_one_envelope_id_leave_one_winner(thailand: Peer) -> None:
    """Posted at once, one content is taken and the other refused; no third outcome."""
    await record_world(thailand)
    raws = []
    for _ in range(10):
        one = thailand.envelope("CHE01", proposal(fresh_id("THA01"), fresh_block(1)))
        same_id = payload_of(one, "itmo-envelope+jws")["envelope_id"]
        other = proposal(fresh_id("THA01"), fresh_block(1))
        raws.append((one, thailand.envelope("CHE01", other, envelope_id=same_id)))
    answers = await asyncio.gather(*(thailand.post(raw) for pair in raws for raw in pair))
    statuses = [status for status, _ in answers]
    for at in range(0, len(statuses), 2):
        assert sorted(statuses[at : at + 2]) == [200, 409]


async def test_an_act_under_a_known_id_is_a_duplicate_or_names_the_field_that_differs(
    thailand: Peer,
) -> None:
    """The same words again are ``duplicate-of`` with the first result; others are refused."""
    await record_world(thailand)
    said = proposal(fresh_id("THA01"), fresh_block(5))
    first = await thailand.say("CHE01", said)
    again = await thailand.say("CHE01", said)
    assert again["outcomes"][0]["outcome"] == "duplicate-of"
    assert again["outcomes"][0]["result"] == first["outcomes"][0]["result"]
    changed = (said[0], said[1] | {"acquiring_account": "CH-2"})
    differs = await thailand.say("CHE01", changed)
    assert codes(differs) == [4002]
    assert differs["outcomes"][0]["findings"][0]["path"] == "/acquiring_account"
    assert "acquiring_account" in differs["outcomes"][0]["findings"][0]["text"]
    elsewhere = await thailand.say("GHA01", said)
    assert codes(elsewhere) == [4002]


async def test_acknowledgements_with_a_wrong_or_missing_digest_are_refused(
    thailand: Peer, switzerland: Peer, ghana: Peer
) -> None:
    """Only the digest of the delivery that ends at the item moves the mailbox on."""
    await record_world(thailand)
    await thailand.say("CHE01", proposal(fresh_id("THA01"), fresh_block(5)))
    mine, others = await fetched(switzerland), await fetched(ghana)
    assert mine is not None
    assert others is not None
    last = acknowledgement(mine)[1]["up_to_sequence"]

    async def acknowledge(**body: object) -> int:
        receipt = await switzerland.say("XHB01", ("delivery.acknowledgement", body))
        return codes(receipt)[0]

    wrong = acknowledgement(others)[1]["delivery_sha256"]
    assert await acknowledge(up_to_sequence=last, delivery_sha256=wrong) == 4009
    assert await acknowledge(up_to_sequence=last) == 3003
    assert await acknowledge(up_to_sequence=last + 1000, delivery_sha256=wrong) == 4008
    assert await acknowledge(**acknowledgement(mine)[1]) == 0
    assert await acknowledge(**acknowledgement(mine)[1]) == 0


@pytest.mark.postgres
async def test_eight_posts_at_once_to_two_hubs_have_one_effect_and_eight_equal_receipts(
    hubs: StartHub, http: aiohttp.ClientSession, postgres_database_url: str
) -> None:
    """Twenty envelopes, each posted eight times at once to two processes of one database."""
    register(postgres_database_url)
    first = await hubs(postgres_database_url)
    second = await hubs(postgres_database_url)
    thailand = Peer("THA01", first.address, http)
    switzerland = Peer("CHE01", first.address, http)
    await record_world(thailand)
    names = [fresh_id("THA01") for _ in range(ENVELOPE_COUNT)]
    raws = [thailand.envelope("CHE01", proposal(name, fresh_block(3))) for name in names]
    posts = [(raw, (first, second)[turn % 2].address) for turn in range(POST_COUNT) for raw in raws]
    answers = await asyncio.gather(*(thailand.post(raw, address) for raw, address in posts))
    assert {status for status, _ in answers} == {200}
    for at in range(ENVELOPE_COUNT):
        receipts = {body for _, body in answers[at::ENVELOPE_COUNT]}
        assert len(receipts) == 1
        assert outcomes(payload_of(receipts.pop(), "itmo-receipt+jws")) == ["accepted"]
    items = [item for item in await mailbox(switzerland) if "envelope" in item]
    delivered = [
        payload_of(item["envelope"].encode(), "itmo-envelope+jws")["messages"][0]["body"][
            "transfer_id"
        ]
        for item in items
    ]
    assert sorted(delivered) == sorted(names)
    first.prove()
