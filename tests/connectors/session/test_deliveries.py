"""Deliveries by push: real HTTP into the session's endpoint, real signatures, real forgeries."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import func, select

from connectors.session import inbox, state
from connectors.session.receiver import Acknowledged
from connectors.session.session import Session
from connectors.session.tables import inbox_item
from hub.protocol.envelopes import MEDIA_TYPE, digest
from keys.jws import sign
from message_schemas.envelopes import DeliveryItem, Notice
from message_schemas.messages.session import DeliveryResend
from tests.connectors.fake_hub import HUB
from tests.connectors.session.conftest import World, alarms_of, in_each_binding, until
from tests.connectors.session.ledger_handler import LedgerHandler, effects, note
from tests.connectors.worlds import make_record, make_signer


def _has_items(world: World, count: int) -> bool:
    return len(world.hub.mailboxes["CHE01"].items) == count


class Pushed:
    """A peer with a push address, the handler behind it, and a client that plays the hub."""

    def __init__(self, world: World, peer: Session, handler: LedgerHandler, url: str) -> None:
        self.world = world
        self.peer = peer
        self.handler = handler
        self.url = url

    async def push(self, raw: bytes) -> tuple[int, bytes]:
        """Push bytes; return the status and the body."""
        async with aiohttp.ClientSession() as client:
            return await self.world.hub.push(client, self.url, raw)

    async def items(self) -> list[str]:
        """Return what was applied, in order."""
        return await self.peer.database.read(effects, "item")

    async def alarms(self) -> list[str]:
        """Return the kinds of the open alarms."""
        return [alarm.kind for alarm in await alarms_of(self.peer)]


@pytest.fixture
async def pushed(world: World) -> Pushed:
    """CHE01 takes pushes; THA01 has sent it three notes in three envelopes."""
    handler = LedgerHandler()
    sender = await world.peer("THA01")
    for number in (1, 2, 3):
        await sender.submit("CHE01", [note(text=str(number)), note(text=f"and {number}")])
        await until(partial(_has_items, world, number))
    peer = await world.peer("CHE01", handler=handler, delivery_mode="push")
    await peer.refresh_participants()
    application = web.Application()
    application.router.add_post("/deliveries", peer.handle_push)
    server = TestServer(application)
    await server.start_server()
    world.stack.push_async_callback(server.close)
    return Pushed(world, peer, handler, str(server.make_url("/deliveries")))


@in_each_binding
async def test_a_delivery_is_applied_and_acknowledged(pushed: Pushed) -> None:
    """The answer is a signed acknowledgement of exactly these bytes, after the commit."""
    raw = pushed.world.hub.delivery("CHE01", 1, 3)
    status, _ = await pushed.push(raw)
    assert status == 200
    (acknowledged,) = pushed.world.hub.acknowledgements
    assert (acknowledged.up_to_sequence, acknowledged.delivery_sha256) == (3, digest(raw))
    assert await pushed.items() == ["1", "2", "3"]
    assert not await pushed.alarms()


async def test_the_same_delivery_again_has_no_second_effect(pushed: Pushed) -> None:
    """Five times the same bytes: one effect, five acknowledgements that say the same."""
    raw = pushed.world.hub.delivery("CHE01", 1, 3)
    for _ in range(5):
        status, _ = await pushed.push(raw)
        assert status == 200
    assert await pushed.items() == ["1", "2", "3"]
    assert len(pushed.world.hub.acknowledgements) == 5
    assert len(set(pushed.world.hub.acknowledgements)) == 1


async def test_an_overlapping_delivery_applies_only_what_is_new(pushed: Pushed) -> None:
    """Items 1 and 2, then 2 and 3: each has its effect once."""
    await pushed.push(pushed.world.hub.delivery("CHE01", 1, 2))
    await pushed.push(pushed.world.hub.delivery("CHE01", 2, 3))
    assert await pushed.items() == ["1", "2", "3"]
    assert not await pushed.alarms()


async def test_a_gap_is_not_applied_and_asked_for_once(pushed: Pushed) -> None:
    """Item 3 before items 1 and 2: refused, and one `delivery.resend` goes to the hub."""
    for _ in range(3):
        status, _ = await pushed.push(pushed.world.hub.delivery("CHE01", 3, 3))
        assert status == 409
    hub = pushed.world.hub
    await until(lambda: any(e.envelope.recipient == HUB for e in hub.seen))
    asked = [m.body for e in hub.seen for m in e.messages if m.message.type == "delivery.resend"]
    assert asked == [DeliveryResend(from_sequence=1, to_sequence=2)]
    assert await pushed.items() == []
    assert await pushed.alarms() == ["delivery-gap"]


async def test_history_told_twice_differently_raises_an_alarm(pushed: Pushed) -> None:
    """The hub may repeat an item, not change it."""
    await pushed.push(pushed.world.hub.delivery("CHE01", 1, 1))
    item = pushed.world.hub.mailboxes["CHE01"].items[0]
    other = replace(item, log_index=item.log_index + 7)
    status, _ = await pushed.push(pushed.world.hub.sign_delivery("CHE01", (other,)))
    assert status == 200
    assert await pushed.items() == ["1"]
    assert await pushed.alarms() == ["history-differs"]


def _other_hub_key(pushed: Pushed) -> bytes:
    hub = pushed.world.hub
    items = tuple(hub.mailboxes["CHE01"].items)
    return hub.sign_delivery("CHE01", items, signers=[make_signer(HUB, "somebody")])


def _key_of_a_party(pushed: Pushed) -> bytes:
    hub = pushed.world.hub
    items = tuple(hub.mailboxes["CHE01"].items)
    return hub.sign_delivery("CHE01", items, signers=[make_signer("THA01")])


def _one_byte_changed(pushed: Pushed) -> bytes:
    raw = bytearray(pushed.world.hub.delivery("CHE01", 1, 3))
    position = raw.index(b'"payload":"') + 40
    raw[position] = ord("A") if raw[position] != ord("A") else ord("B")
    return bytes(raw)


def _for_another_recipient(pushed: Pushed) -> bytes:
    return pushed.world.hub.sign_delivery("GHA01", tuple(pushed.world.hub.mailboxes["CHE01"].items))


def _from_the_future(pushed: Pushed) -> bytes:
    hub = pushed.world.hub
    late = hub.clock() + timedelta(hours=1)
    return hub.sign_delivery("CHE01", tuple(hub.mailboxes["CHE01"].items), created_at=late)


def _with_item(change: Callable[[DeliveryItem], DeliveryItem]) -> Callable[[Pushed], bytes]:
    def build(pushed: Pushed) -> bytes:
        first, *others = pushed.world.hub.mailboxes["CHE01"].items
        return pushed.world.hub.sign_delivery("CHE01", (change(first), *others))

    return build


def _signed_by_another_party(item: DeliveryItem) -> DeliveryItem:
    payload = _payload_of(item)
    text = sign(payload, "itmo-envelope+jws", [make_signer("GHA01")]).decode()
    return replace(item, envelope=text)


def _signed_with_an_unregistered_key(item: DeliveryItem) -> DeliveryItem:
    payload = _payload_of(item)
    text = sign(payload, "itmo-envelope+jws", [make_signer("THA01", "made up")]).decode()
    return replace(item, envelope=text)


def _addressed_elsewhere(item: DeliveryItem) -> DeliveryItem:
    payload = _payload_of(item).replace(b'"CHE01"', b'"GHA01"')
    text = sign(payload, "itmo-envelope+jws", [make_signer("THA01")]).decode()
    return replace(item, envelope=text)


def _from_the_hub_itself(item: DeliveryItem) -> DeliveryItem:
    payload = _payload_of(item).replace(b'"THA01"', b'"XHB01"')
    text = sign(payload, "itmo-envelope+jws", [make_signer(HUB)]).decode()
    return replace(item, envelope=text)


def _payload_of(item: DeliveryItem) -> bytes:
    from keys.jws import open_signed

    assert item.envelope is not None
    return open_signed(item.envelope.encode(), "itmo-envelope+jws").payload


def _without_a_verdict(item: DeliveryItem) -> DeliveryItem:
    return replace(item, verdicts=item.verdicts[:1])


def _with_a_verdict_twice(item: DeliveryItem) -> DeliveryItem:
    return replace(item, verdicts=(item.verdicts[0], item.verdicts[0]))


def _with_another_sequence(item: DeliveryItem) -> DeliveryItem:
    return replace(item, sequence=2)


FORGED: dict[str, Callable[[Pushed], bytes]] = {
    "signed by an unknown hub key": _other_hub_key,
    "signed by a party": _key_of_a_party,
    "one byte changed": _one_byte_changed,
    "for another recipient": _for_another_recipient,
    "from the future": _from_the_future,
    "an item signed by another party": _with_item(_signed_by_another_party),
    "an item signed by an unregistered key": _with_item(_signed_with_an_unregistered_key),
    "an item for another recipient": _with_item(_addressed_elsewhere),
    "an item in the hub's own name": _with_item(_from_the_hub_itself),
    "not signed at all": lambda _: b'{"payload":"e30","signatures":[]}',
    "not JSON": lambda _: b"<delivery/>",
}


def _with_a_malformed_notice(item: DeliveryItem) -> DeliveryItem:
    notice = Notice(type="transfer.rejected", version=1, body={"transfer_id": "THA01-1"})
    return replace(item, notices=(notice,))


def _without_its_salt(item: DeliveryItem) -> DeliveryItem:
    return replace(item, entry_salt=None)


INVALID: dict[str, Callable[[Pushed], bytes]] = {
    "an envelope without the salt of its entry": _with_item(_without_its_salt),
    "a verdict missing": _with_item(_without_a_verdict),
    "a malformed notice": _with_item(_with_a_malformed_notice),
    "a verdict twice": _with_item(_with_a_verdict_twice),
    "a hole in the sequence": _with_item(_with_another_sequence),
    "another payload": lambda p: sign(b'{"a":1}', "itmo-delivery+jws", p.world.hub.signers),
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_delivery_is_refused_and_nothing_applied(pushed: Pushed, name: str) -> None:
    """401, an alarm that keeps the bytes, no effect; the right delivery still works afterwards."""
    status, _ = await pushed.push(FORGED[name](pushed))
    assert status == 401
    assert await pushed.items() == []
    assert await pushed.alarms() == ["delivery-forged"]
    status, _ = await pushed.push(pushed.world.hub.delivery("CHE01", 1, 3))
    assert status == 200
    assert await pushed.items() == ["1", "2", "3"]


@pytest.mark.parametrize("name", INVALID)
async def test_a_signed_delivery_that_is_none_is_refused(pushed: Pushed, name: str) -> None:
    """422, an alarm, no effect."""
    status, _ = await pushed.push(INVALID[name](pushed))
    assert status == 422
    assert await pushed.items() == []
    assert await pushed.alarms() == ["delivery-invalid"]


async def test_a_new_key_of_a_sender_is_looked_up_once(pushed: Pushed) -> None:
    """A key registered after our list was fetched is found in a fresh list, without an alarm."""
    hub = pushed.world.hub
    hub.records["THA01"].append(make_record("THA01", "second"))
    first, *others = hub.mailboxes["CHE01"].items
    payload = _payload_of(first)
    text = sign(payload, "itmo-envelope+jws", [make_signer("THA01", "second")]).decode()
    fetched = hub.participants_fetched
    raw = hub.sign_delivery("CHE01", (replace(first, envelope=text), *others))
    status, _ = await pushed.push(raw)
    assert status == 200
    assert hub.participants_fetched > fetched
    assert not await pushed.alarms()


async def test_an_unknown_key_without_a_list_is_not_yet_refused(pushed: Pushed) -> None:
    """When the list cannot be fetched nobody can tell: 503, and no alarm."""
    pushed.world.hub.participants_fault = "down"
    status, _ = await pushed.push(FORGED["an item signed by an unregistered key"](pushed))
    assert status == 503
    assert not await pushed.alarms()


async def test_a_list_signed_by_somebody_else_is_not_believed(pushed: Pushed) -> None:
    """A forged list makes no key trusted, and raises an alarm."""
    pushed.world.hub.participants_fault = "other-key"
    assert not await pushed.peer.refresh_participants()
    assert await pushed.alarms() == ["participants-invalid"]


async def test_a_key_of_a_sender_that_expired_later_still_counts(pushed: Pushed) -> None:
    """The sender is judged at the time at which the hub recorded its envelope."""
    hub = pushed.world.hub
    hub.records["THA01"] = [make_record("THA01", valid_until=hub.clock() + timedelta(minutes=1))]
    await pushed.peer.refresh_participants()
    raw = hub.delivery("CHE01", 1, 3)
    hub.clock.turn(minutes=2)
    status, _ = await pushed.push(raw)
    assert status == 200


async def test_a_delivery_stored_before_the_hub_changed_its_key_is_taken(pushed: Pushed) -> None:
    """The same bytes are sent until acknowledged, also when the key's window ended meanwhile."""
    hub = pushed.world.hub
    raw = hub.delivery("CHE01", 1, 3)
    hub.hub_records = [
        make_record(HUB, valid_until=hub.clock() + timedelta(minutes=1)),
        make_record(HUB, "second"),
    ]
    hub.signers = [make_signer(HUB)]
    await pushed.peer.refresh_participants()
    hub.signers = [make_signer(HUB, "second")]
    hub.clock.turn(minutes=2)
    status, _ = await pushed.push(raw)
    assert status == 200
    late = hub.sign_delivery(
        "CHE01", tuple(hub.mailboxes["CHE01"].items), signers=[make_signer(HUB)]
    )
    status, _ = await pushed.push(late)
    assert status == 401


async def test_a_revoked_hub_key_counts_for_nothing(pushed: Pushed) -> None:
    """A stolen key may write any date: once revoked, nothing it signed is taken at the door."""
    hub = pushed.world.hub
    raw = hub.delivery("CHE01", 1, 3)
    hub.hub_records = [make_record(HUB), make_record(HUB, "second")]
    assert await pushed.peer.refresh_participants()
    hub.hub_records[0] = make_record(HUB, revoked_at=hub.clock())
    hub.signers = [make_signer(HUB, "second")]
    assert await pushed.peer.refresh_participants()
    status, _ = await pushed.push(raw)
    assert status == 401
    assert await pushed.items() == []


async def test_a_defect_of_the_registry_applies_nothing(pushed: Pushed) -> None:
    """If the handler fails at the second of three items, none of the three is there."""
    pushed.handler.fail_at = 2
    status, _ = await pushed.push(pushed.world.hub.delivery("CHE01", 1, 3))
    assert status == 500
    assert await pushed.items() == []
    stored = await pushed.peer.database.read(
        lambda connection: connection.execute(
            select(func.count()).select_from(inbox_item)
        ).scalar_one()
    )
    assert stored == 0
    pushed.handler.fail_at = None
    status, _ = await pushed.push(pushed.world.hub.delivery("CHE01", 1, 3))
    assert status == 200
    assert await pushed.items() == ["1", "2", "3"]


async def test_answers_of_the_registry_are_durable_with_the_item(pushed: Pushed) -> None:
    """What the handler submits while it applies an item is sent without further ado."""
    pushed.handler.answer_to = "THA01"
    await pushed.push(pushed.world.hub.delivery("CHE01", 1, 3))
    mailbox = pushed.world.hub.mailboxes["THA01"]
    await until(lambda: mailbox.items)
    sent = [e for e in pushed.world.hub.seen if e.envelope.recipient == "THA01"]
    texts = [m.message.body["text"] for e in sent for m in e.messages]
    assert texts == ["to item 1", "to item 2", "to item 3"]


async def test_what_is_no_delivery_is_refused_by_its_label_and_size(pushed: Pushed) -> None:
    """The wrong media type is 415; more than the limit is 413, before anything is parsed."""
    async with aiohttp.ClientSession() as client:
        async with client.post(pushed.url, data=b"{}") as response:
            assert response.status == 415
        big = b"x" * (pushed.peer.settings.delivery_bytes_max + 1)
        headers = {"Content-Type": MEDIA_TYPE}
        async with client.post(pushed.url, data=big, headers=headers) as response:
            assert response.status == 413


async def test_the_inbox_gives_items_as_delivered_and_remembers_confirmation(
    pushed: Pushed,
) -> None:
    """A registry reads after N in order, confirms, and cannot confirm what never came."""
    await pushed.push(pushed.world.hub.delivery("CHE01", 1, 3))
    entries = await pushed.peer.database.read(inbox.list_items, 1, 10)
    assert [entry.sequence for entry in entries] == [2, 3]
    assert entries[0].sender == "THA01"
    await pushed.peer.write("inbox.confirm", lambda t: inbox.confirm(t.connection, 2))
    with pytest.raises(ValueError, match="has not arrived"):
        await pushed.peer.write("inbox.confirm", lambda t: inbox.confirm(t.connection, 4))
    confirmed = await pushed.peer.database.read(state.load_int, state.CONFIRMED_THROUGH)
    assert confirmed == 2


async def test_a_sign_of_life_ends_the_back_off(pushed: Pushed) -> None:
    """A push from the hub makes what waits for the hub due at once."""
    hub = pushed.world.hub
    hub.faults.append("500")
    handler = LedgerHandler()
    waiting = await pushed.world.peer(
        "GHA01", handler=handler, retry_delay_seconds_min=60.0, retry_delay_seconds_max=60.0
    )
    await waiting.submit("CHE01", [note(reference="patient")])
    await until(lambda: len(hub.mailboxes["CHE01"].items) == 3 and not hub.faults)
    await waiting.refresh_participants()
    sender = await pushed.world.peer("THA01", delivery_mode="none")
    await sender.submit("GHA01", [note()])
    await until(lambda: hub.mailboxes["GHA01"].items)
    await waiting.receive(hub.delivery("GHA01", 1, 1))
    await until(lambda: waiting.database.read(effects, "outcome"))
    assert await waiting.database.read(effects, "outcome") == ["patient accepted"]


async def test_the_list_believed_last_outlives_a_restart(pushed: Pushed) -> None:
    """A hub key known only from an earlier list is still believed after a restart, offline."""
    hub = pushed.world.hub
    hub.hub_records = [make_record(HUB), make_record(HUB, "second")]
    assert await pushed.peer.refresh_participants()
    hub.signers = [make_signer(HUB, "second")]
    assert await pushed.peer.refresh_participants()
    await pushed.peer.stop()
    hub.participants_fault = "down"
    again = await pushed.world.peer("CHE01", handler=pushed.handler, delivery_mode="push")
    assert isinstance(await again.receive(hub.delivery("CHE01", 1, 3)), Acknowledged)


async def test_a_notice_of_a_type_not_known_here_is_kept_without_effect(pushed: Pushed) -> None:
    """A newer hub may tell more than we understand: the mailbox goes on."""
    first, *others = pushed.world.hub.mailboxes["CHE01"].items
    notice = Notice(type="moon.phase", version=1, body={"phase": "full"})
    item = replace(first, notices=(notice,))
    status, _ = await pushed.push(pushed.world.hub.sign_delivery("CHE01", (item, *others)))
    assert status == 200
    entries = await pushed.peer.database.read(inbox.list_items, 0, 10)
    assert entries[0].item["notices"][0]["body"] == {"phase": "full"}
