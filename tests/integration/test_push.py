"""Deliveries that are pushed: in order, the same bytes until acknowledged, never dropped.

Whatever the endpoint does, the hub waits longer and longer, and goes on at once when the recipient
shows that it lives or an operator says so.
"""

import asyncio

import pytest
from aiohttp import web

from hub.store import mailboxes
from hub.store.database import Database
from hub.store.mailboxes import Mailbox
from tests.integration import endpoint as manners
from tests.integration.endpoint import Manner, endpoint_of, well_behaved
from tests.integration.hub_process import HubUnderTest
from tests.integration.peers import Body, Peer, payload_of, proposal
from tests.integration.worlds import (
    acknowledgement,
    codes,
    fetched,
    fresh_block,
    fresh_id,
    last_sequence,
    outcomes,
    record_world,
)

HUB_ENVIRONMENT = {
    "ITMO_HUB_PUSH_TIMEOUT_SECONDS": "0.5",
    "ITMO_HUB_RETRY": '{"base_seconds": 0.2, "cap_seconds": 600.0, "circuit_failure_count": 3}',
}
PATIENT = 3  # failures after which the next wait is long enough to be watched


def mailbox_of(hub: HubUnderTest, code: str) -> Mailbox:
    """Return a participant's mailbox row."""
    database = Database(hub.database_url)
    with database.reading() as connection:
        found = mailboxes.load(connection, [code])[code]
    database.dispose()
    return found


async def until_acknowledged(hub: HubUnderTest, code: str) -> Mailbox:
    """Wait until a participant has acknowledged everything."""
    async with asyncio.timeout(20):
        while True:
            box = mailbox_of(hub, code)
            if box.acknowledged_sequence == box.last_sequence:
                return box
            await asyncio.sleep(0.05)


async def offer(thailand: Peer, recipient: str = "CHE01") -> None:
    """Give the recipient's mailbox one more item."""
    receipt = await thailand.say(recipient, proposal(fresh_id("THA01"), fresh_block(1)))
    assert outcomes(receipt) == ["accepted"]


@pytest.mark.parametrize(
    "manner",
    [
        manners.broken,
        manners.hanging,
        manners.closing,
        manners.garbled,
        manners.flooding,
        manners.redirecting,
        manners.digest_wrong,
        manners.signed_by_another,
        manners.talking_past,
    ],
    ids=lambda manner: manner.__name__,
)
async def test_a_misbehaving_endpoint_gets_the_same_bytes_again_until_it_acknowledges(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer, manner: Manner
) -> None:
    """The failure is written down with the time of the next attempt; nothing is dropped."""
    await record_world(thailand)
    async with endpoint_of(hub, switzerland, manner) as endpoint:
        await offer(thailand)
        await endpoint.until_pushed(2)
        await asyncio.sleep(0.1)
        box = mailbox_of(hub, "CHE01")
        assert box.acknowledged_sequence < box.last_sequence
        assert box.failure_count >= 1
        assert box.last_error
        assert box.next_attempt_at is not None
        assert len(set(endpoint.pushed[:2])) == 1
        endpoint.manner = well_behaved
        hub.administration().try_now("CHE01")
        box = await until_acknowledged(hub, "CHE01")
        assert (box.failure_count, box.last_error, box.next_attempt_at) == (0, None, None)
        sequences = [item["sequence"] for item in endpoint.items]
        assert sequences == list(range(sequences[0], box.last_sequence + 1))


async def test_another_participants_acknowledgement_does_not_count(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer, ghana: Peer
) -> None:
    """A valid one, of a mailbox further ahead: the push failed, and is not repeated in haste."""
    await record_world(thailand)
    behind = mailbox_of(hub, "CHE01").last_sequence - mailbox_of(hub, "GHA01").last_sequence
    await asyncio.gather(*(offer(thailand, "GHA01") for _ in range(max(behind, 0) + 5)))
    newest, after = b"", 0
    while (raw := await fetched(ghana, after)) is not None:
        newest, after = raw, acknowledgement(raw)[1]["up_to_sequence"]

    async def vouching(endpoint: manners.Endpoint, raw: bytes) -> web.StreamResponse:
        return manners.signed(ghana.envelope("XHB01", acknowledgement(newest)))

    async with endpoint_of(hub, switzerland, vouching) as endpoint:
        await offer(thailand)
        await endpoint.until_pushed(2)
        await asyncio.sleep(1)
        box = mailbox_of(hub, "CHE01")
        assert box.acknowledged_sequence < box.last_sequence
        assert "GHA01" in (box.last_error or "")
        assert len(endpoint.pushed) <= 5
        endpoint.manner = well_behaved
        hub.administration().try_now("CHE01")
        await until_acknowledged(hub, "CHE01")


async def test_waits_double_and_new_items_do_not_cut_them_short(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """A recipient that is down is not tried once for each new item: no storm, no lost order."""
    await record_world(thailand)
    async with endpoint_of(hub, switzerland, manners.broken) as endpoint:
        await offer(thailand)
        await endpoint.until_pushed(PATIENT + 1)
        count = len(endpoint.pushed)
        for _ in range(20):
            await offer(thailand)
        assert len(endpoint.pushed) <= count + 1
        gaps = [b - a for a, b in zip(endpoint.times, endpoint.times[1:], strict=False)]
        # Waits of 0.2, 0.4, 0.8 s, each shortened by at most half.
        assert all(gap >= 0.1 * 2**at for at, gap in enumerate(gaps[:PATIENT]))
        endpoint.manner = well_behaved
        hub.administration().try_now("CHE01")
        box = await until_acknowledged(hub, "CHE01")
        sequences = [item["sequence"] for item in endpoint.items]
        assert sequences == list(range(sequences[0], box.last_sequence + 1))


async def test_the_back_off_survives_a_restart_of_the_hub(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """Killed and started again, the hub neither forgets the delivery nor storms the endpoint."""
    await record_world(thailand)
    async with endpoint_of(hub, switzerland, manners.broken) as endpoint:
        await offer(thailand)
        await endpoint.until_pushed(PATIENT + 2)
        await asyncio.sleep(0.1)
        before = mailbox_of(hub, "CHE01")
        hub.kill_now()
        await hub.start()
        after = mailbox_of(hub, "CHE01")
        assert after.failure_count >= before.failure_count >= PATIENT
        endpoint.manner = well_behaved
        hub.administration().try_now("CHE01")
        await until_acknowledged(hub, "CHE01")
        assert len(set(endpoint.pushed)) <= 2


@pytest.mark.parametrize("sign", ["an envelope that records", "a question"])
async def test_any_word_of_the_recipient_ends_its_back_off(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer, sign: str
) -> None:
    """It comes back, says anything, and has its deliveries without waiting for the next attempt."""
    await record_world(thailand)
    async with endpoint_of(hub, switzerland, manners.broken) as endpoint:
        await offer(thailand)
        await endpoint.until_pushed(PATIENT + 3)
        await asyncio.sleep(0.3)
        waiting = mailbox_of(hub, "CHE01").next_attempt_at
        assert waiting is not None
        count = len(endpoint.pushed)
        endpoint.manner = well_behaved
        if sign == "a question":
            await switzerland.say("XHB01", ("transfer.status", {"transfer_id": "THA01-1"}))
        else:
            note = ("administrator.note", {"subject": "hello", "text": "We are back."})
            await switzerland.say("THA01", note)
        await endpoint.until_pushed(count + 1, seconds=3)
        await until_acknowledged(hub, "CHE01")


async def test_one_dead_endpoint_keeps_nobody_else_waiting(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer, ghana: Peer
) -> None:
    """Each recipient has its own queue: one hangs, the other gets its items at once."""
    await record_world(thailand)
    async with (
        endpoint_of(hub, switzerland, manners.hanging) as dead,
        endpoint_of(hub, ghana, well_behaved),
    ):
        await offer(thailand, "CHE01")
        await dead.until_pushed(1)
        for _ in range(5):
            await offer(thailand, "GHA01")
            async with asyncio.timeout(5):
                await until_acknowledged(hub, "GHA01")
        dead.manner = well_behaved
        hub.administration().try_now("CHE01")
        await until_acknowledged(hub, "CHE01")


async def test_a_participant_switches_between_push_and_pull_by_hello(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """The same items in the same deliveries, whichever way they go."""

    def hello(mode: str) -> tuple[str, dict[str, object]]:
        return (
            "participant.hello",
            {
                "software": "test registry 1.0",
                "protocol_versions": ["itmo-exchange/1"],
                "binding": "json",
                "delivery_mode": mode,
            },
        )

    await record_world(thailand)
    async with endpoint_of(hub, switzerland, well_behaved) as endpoint:
        await offer(thailand)
        box = await until_acknowledged(hub, "CHE01")
        assert codes(await switzerland.say("XHB01", hello("pull"))) == [0]
        pushed_count = len(endpoint.pushed)
        await offer(thailand)
        pulled = await fetched(switzerland, box.acknowledged_sequence, wait_seconds=5)
        assert pulled is not None
        await asyncio.sleep(0.5)
        assert len(endpoint.pushed) == pushed_count
        assert codes(await switzerland.say("XHB01", hello("push"))) == [0]
        await endpoint.until_pushed(pushed_count + 1)
        assert endpoint.pushed[pushed_count] == pulled
        await until_acknowledged(hub, "CHE01")


async def test_what_was_acknowledged_is_sent_again_on_request_with_identical_bytes(
    hub: HubUnderTest, thailand: Peer, switzerland: Peer
) -> None:
    """``delivery.resend`` replays stored deliveries; beyond the last item it is refused."""
    await record_world(thailand)
    async with endpoint_of(hub, switzerland, well_behaved) as endpoint:
        first = mailbox_of(hub, "CHE01").last_sequence + 1
        for _ in range(3):
            await offer(thailand)
            await until_acknowledged(hub, "CHE01")
        originals = [raw for raw in endpoint.pushed if _first_of(raw) >= first]
        assert len(originals) == 3
        count = len(endpoint.pushed)
        asked = {"from_sequence": first, "to_sequence": first + 2}
        assert codes(await switzerland.say("XHB01", ("delivery.resend", asked))) == [0]
        await endpoint.until_pushed(count + 3)
        assert endpoint.pushed[count:] == originals
        beyond = {"from_sequence": first, "to_sequence": first + 1000}
        assert codes(await switzerland.say("XHB01", ("delivery.resend", beyond))) == [4008]
    for raw in originals:
        assert await fetched(switzerland, _first_of(raw) - 1) == raw


def _first_of(raw: bytes) -> int:
    return int(payload_of(raw, "itmo-delivery+jws")["first_sequence"])


async def test_a_long_poll_is_answered_as_soon_as_there_is_something(
    thailand: Peer, ghana: Peer
) -> None:
    """A waiting fetch returns at once with a new item, and empty when its time is over."""
    await record_world(thailand)
    loop = asyncio.get_running_loop()
    items: list[Body] = []
    while (delivery := await ghana.fetch(len(items))) is not None:
        items.extend(delivery["items"])
    started = loop.time()
    assert await ghana.fetch(len(items), wait_seconds=1) is None
    assert loop.time() - started >= 0.9
    waiting = asyncio.create_task(ghana.fetch(len(items), wait_seconds=30))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    told = loop.time()
    await offer(thailand, "GHA01")
    delivery = await waiting
    assert loop.time() - told < 5
    assert delivery["first_sequence"] == len(items) + 1


async def test_a_fetch_takes_no_more_items_than_it_asked_for(thailand: Peer, ghana: Peer) -> None:
    """New deliveries keep to the bound; what was stored before stays as it was, byte for byte."""
    await record_world(thailand)
    start = await last_sequence(ghana)
    for _ in range(5):
        await offer(thailand, "GHA01")
    sizes, after = [], start
    while (raw := await fetched(ghana, after, items_max=2)) is not None:
        delivery = payload_of(raw, "itmo-delivery+jws")
        sizes.append(len(delivery["items"]))
        assert await fetched(ghana, after) == raw
        after = delivery["last_sequence"]
    assert sizes == [2, 2, 1]
