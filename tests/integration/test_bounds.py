"""What one small envelope may cost, and what two messages of one envelope may not do."""

import asyncio
from datetime import timedelta

from keys.possession import sign_possession
from message_schemas import timestamps
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Body, Peer, block, now, payload_of, proposal, seeded_signer
from tests.integration.worlds import record_world


async def test_an_envelope_may_ask_ten_questions_and_fetch_once(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """Eight kilobytes of questions must not make gigabytes of answers."""
    status = ("transfer.status", {"transfer_id": "THA01-404"})
    fetch = ("mailbox.fetch", {"after_sequence": 0, "wait_seconds": 0})
    for said, expected in (
        ([status] * 10, 200),
        ([status] * 11, 422),
        ([fetch], 200),
        ([fetch, fetch], 422),
    ):
        code, _ = await thailand.post(thailand.envelope("XHB01", *said))
        assert code == expected


async def test_a_participant_may_hold_eight_questions_open(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """The ninth long poll is told to come again; a hub is not a place to park."""
    fetch: tuple[str, Body] = ("mailbox.fetch", {"after_sequence": 10**6, "wait_seconds": 2})
    posts = [thailand.post(thailand.envelope("XHB01", fetch)) for _ in range(12)]
    statuses = sorted(status for status, _ in await asyncio.gather(*posts))
    assert statuses == [200] * 8 + [503] * 4


async def test_two_rotations_in_one_envelope_do_not_both_wait(
    hub: HubUnderTest, ghana: Peer
) -> None:
    """One waiting key of a kind at a time, also within a batch; the same key twice is known."""
    starts_at = now() + timedelta(hours=1)

    def rotation(salt: str) -> tuple[str, Body]:
        document = sign_possession(seeded_signer("GHA01", salt), "GHA01", valid_from=starts_at)
        body = {
            "key_document": document.decode(),
            "starts_at": timestamps.render(starts_at),
            "overlap_seconds": 3_600,
        }
        return "key.rotate", body

    receipt = await ghana.say("XHB01", rotation("next"), rotation("next"), rotation("other"))
    assert [one["code"] for one in receipt["outcomes"]] == [0, 4012, 4012]


async def test_naming_one_block_a_thousand_times_is_answered_at_once(
    hub: HubUnderTest, thailand: Peer
) -> None:
    """Overlapping ranges are read once, then refused by their rule."""
    await record_world(thailand)
    pieces = [block(number * 10 + 1, number * 10 + 10) for number in range(500)]
    await thailand.say("CHE01", proposal("THA01-7001", *pieces))
    spans = [block(number + 1, 5_000) for number in range(900)]
    raw = thailand.envelope("CHE01", proposal("THA01-7002", *spans))
    started = now()
    status, answer = await thailand.post(raw)
    assert now() - started < timedelta(seconds=5)
    assert status == 200
    outcome = payload_of(answer, "itmo-receipt+jws")["outcomes"][0]
    assert (outcome["outcome"], outcome["code"]) == ("refused", 3005)
