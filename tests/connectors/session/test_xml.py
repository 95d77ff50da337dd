"""The XML binding at a session: what it believes and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from connectors.session import inbox, trust
from connectors.session.session import Session
from connectors.session.tables import outbox_envelope
from hub.protocol.envelopes import MEDIA_TYPE, digest
from hub.protocol.signed_objects import (
    MEDIA_TYPES,
    Binding,
    ObjectRefusedError,
    SigningKeys,
    binding_of,
    open_object,
)
from keys.errors import KeysError
from keys.trust import TrustStore
from keys.xml_signatures import sign_xml
from message_schemas.envelopes import DeliveryItem, Envelope
from message_schemas.json_codec import decode_envelope
from message_schemas.messages.participants import AdministratorNote
from message_schemas.xml_forms import NAMESPACE
from tests.connectors.fake_answers import SPOILERS, TWISTS
from tests.connectors.fake_hub import HUB
from tests.connectors.session.conftest import World, alarms_of, in_xml, until
from tests.connectors.session.ledger_handler import LedgerHandler, effects, note
from tests.connectors.session.test_deliveries import Pushed, pushed
from tests.connectors.worlds import KEY_EPOCH, XML_LABEL, make_record, make_signer

__all__ = ["pushed"]

ACROSS = pytest.mark.parametrize(
    "world", [("CHE01",), ("THA01",)], ids=["json-to-xml", "xml-to-json"], indirect=True
)


async def outcomes(session: Session) -> list[str]:
    """Return what the handler was told of our messages, in order."""
    return await session.database.read(effects, "outcome")


# --- receipts ------------------------------------------------------------------------------------


@in_xml
@pytest.mark.parametrize(
    "fault",
    [*TWISTS, "receipt-wrong-digest", "receipt-other-key", "receipt-of-a-party", "receipt-no-salt"],
)
async def test_a_forged_xml_receipt_is_refused_and_asked_for_again(
    world: World, fault: str
) -> None:
    """Altered, wrapped, another key, other bytes: an alarm, and the right one comes later."""
    world.hub.faults.append(fault)
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note()])
    await until(lambda: outcomes(peer))
    assert [alarm.kind for alarm in await alarms_of(peer)] == ["receipt-invalid"]
    assert await outcomes(peer) == ["note accepted"]
    assert len(set(world.hub.posts)) == 1


@in_xml
async def test_a_receipt_of_the_same_words_in_other_bytes_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts are the bytes that were sent, not that JSON would have said the same."""

    def of_the_twin(receipt: dict[str, Any]) -> None:
        document = open_object(world.hub.posts[-1], "envelope").read().document
        twin = SigningKeys.of([make_signer("THA01", XML_LABEL)]).seal("envelope", document)
        receipt.update(envelope_sha256=digest(twin))

    monkeypatch.setitem(SPOILERS, "receipt-of-the-twin", of_the_twin)
    world.hub.faults.append("receipt-of-the-twin")
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note()])
    await until(lambda: outcomes(peer))
    assert [alarm.kind for alarm in await alarms_of(peer)] == ["receipt-invalid"]
    (stored,) = await peer.database.read(
        lambda connection: connection.execute(select(outbox_envelope.c.receipt)).scalars().all()
    )
    assert binding_of(stored) is Binding.XML
    told = open_object(stored, "receipt").read().document
    assert told["envelope_sha256"] == digest(world.hub.posts[-1])


@pytest.mark.parametrize(
    ("world", "answers"),
    [(("THA01",), Binding.JSON), ((), Binding.XML)],
    ids=["json", "xml"],
    indirect=["world"],
)
async def test_a_receipt_in_the_other_binding_is_believed_all_the_same(
    world: World, answers: Binding
) -> None:
    """What counts is the hub's signature and the digest of what was sent."""
    world.hub.answers_in = answers
    peer = await world.peer(handler=LedgerHandler())
    await peer.submit("CHE01", [note()])
    await until(lambda: outcomes(peer))
    assert binding_of(world.hub.posts[0]) is not answers
    assert not await alarms_of(peer)


# --- deliveries ----------------------------------------------------------------------------------


def _items(pushed: Pushed) -> tuple[DeliveryItem, ...]:
    return tuple(pushed.world.hub.mailboxes["CHE01"].items)


def _signed_by(code: str, label: str) -> Callable[[Pushed], bytes]:
    def build(pushed: Pushed) -> bytes:
        signers = [make_signer(code, label)]
        return pushed.world.hub.sign_delivery("CHE01", _items(pushed), signers=list(signers))

    return build


def _altered(pushed: Pushed) -> bytes:
    raw = pushed.world.hub.delivery("CHE01", 1, 3)
    return raw.replace(b"<last_sequence>3", b"<last_sequence>4", 1)


def _wrapped(pushed: Pushed) -> bytes:
    """Another delivery around the signed one, and its signature behind it."""
    hub = pushed.world.hub
    raw = hub.delivery("CHE01", 1, 3)
    end = raw.index(b"<ds:Signature")
    other = hub.delivery("CHE01", 1, 1)
    said = other[: other.index(b"<ds:Signature")]
    return said + raw + raw[end:]


def _with_a_comment(pushed: Pushed) -> bytes:
    raw = pushed.world.hub.delivery("CHE01", 1, 3)
    return raw.replace(b"</recipient>", b"<!-- --></recipient>", 1)


def _without_signature(pushed: Pushed) -> bytes:
    raw = pushed.world.hub.delivery("CHE01", 1, 3)
    return raw[: raw.index(b"<ds:Signature")] + b"</delivery>"


def _a_receipt(pushed: Pushed) -> bytes:
    return next(iter(pushed.world.hub.receipts.values()))[1]


def _with_original(change: Callable[[bytes], bytes]) -> Callable[[Pushed], bytes]:
    def build(pushed: Pushed) -> bytes:
        first, *others = _items(pushed)
        assert first.envelope is not None
        item = replace(first, envelope=change(first.envelope.encode()).decode())
        return pushed.world.hub.sign_delivery("CHE01", (item, *others))

    return build


def _original_wrapped(raw: bytes) -> bytes:
    end = raw.index(b"<ds:Signature")
    said = raw[:end].replace(b"<text>1</text>", b"<text>9</text>", 1)
    return said + raw + raw[end:]


def _original_in_anothers_name(raw: bytes) -> bytes:
    document = open_object(raw, "envelope").read().document
    signers = [make_signer("GHA01", XML_LABEL)]
    return SigningKeys.of(signers).seal("envelope", document, Binding.XML)


FORGED: dict[str, Callable[[Pushed], bytes]] = {
    "signed by an unknown hub key": _signed_by(HUB, f"{XML_LABEL} somebody"),
    "signed by a party": _signed_by("THA01", XML_LABEL),
    "altered": _altered,
    "wrapped": _wrapped,
    "with a comment": _with_a_comment,
    "without its signature": _without_signature,
    "a receipt": _a_receipt,
    "an original altered": _with_original(
        lambda raw: raw.replace(b"<text>1</text>", b"<text>9</text>", 1)
    ),
    "an original wrapped": _with_original(_original_wrapped),
    "an original in another's name": _with_original(_original_in_anothers_name),
}


@in_xml
@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_xml_delivery_is_refused_and_nothing_applied(
    pushed: Pushed, name: str
) -> None:
    """401, an alarm, no effect; the right delivery still works afterwards."""
    status, _ = await pushed.push(FORGED[name](pushed))
    assert status == 401
    assert await pushed.items() == []
    assert await pushed.alarms() == ["delivery-forged"]
    status, _ = await pushed.push(pushed.world.hub.delivery("CHE01", 1, 3))
    assert status == 200
    assert await pushed.items() == ["1", "2", "3"]


def _content(item: DeliveryItem) -> Envelope:
    """Return what an original says."""
    assert item.envelope is not None
    return decode_envelope(open_object(item.envelope.encode(), "envelope").read().document)


def _with_body(said: Envelope, **members: object) -> Envelope:
    """Return the envelope with other members in the body of its first message."""
    first = said.messages[0]
    changed = replace(first, body={**first.body, **members})
    return replace(said, messages=(changed, *said.messages[1:]))


LIES: dict[str, Callable[[Envelope], Envelope]] = {
    "another text": lambda said: _with_body(said, text="something else"),
    "a member that is not there": lambda said: _with_body(said, extensions={"n": 1}),
    "another sender": lambda said: replace(said, sender="GHA01"),
    "a message less": lambda said: replace(said, messages=said.messages[:1]),
    "another order": lambda said: replace(said, messages=said.messages[::-1]),
}


@ACROSS
@pytest.mark.parametrize("name", LIES)
async def test_content_that_differs_from_the_original_is_refused(pushed: Pushed, name: str) -> None:
    """The hub may translate, not invent: 422, an alarm, no effect."""
    first, *others = _items(pushed)
    lie = replace(first, content=LIES[name](_content(first)))
    status, _ = await pushed.push(pushed.world.hub.sign_delivery("CHE01", (lie, *others)))
    assert status == 422
    assert await pushed.items() == []
    assert await pushed.alarms() == ["delivery-invalid"]


@pytest.mark.parametrize("world", [("CHE01",)], ids=["json-to-xml"], indirect=True)
async def test_true_in_content_is_not_1_in_the_original(pushed: Pushed) -> None:
    """Equal in Python, and not what was signed."""
    sender = await pushed.world.peer("GHA01")
    said = AdministratorNote(subject="s", text="t", extensions={"example.org/n": 1})
    await sender.submit("CHE01", [("administrator.note", said, "n")])
    await until(lambda: len(_items(pushed)) == 4)
    *others, last = _items(pushed)
    for value, status in ((True, 422), (1, 200)):
        item = replace(
            last, content=_with_body(_content(last), extensions={"example.org/n": value})
        )
        raw = pushed.world.hub.sign_delivery("CHE01", (*others, item))
        assert (await pushed.push(raw))[0] == status


@ACROSS
@pytest.mark.parametrize("is_told", [True, False])
async def test_content_that_agrees_or_is_left_out_is_taken(pushed: Pushed, is_told: bool) -> None:
    """We read both bindings: what the hub does not say again, the original says."""
    pushed.world.hub.tells_content = is_told
    status, _ = await pushed.push(pushed.world.hub.delivery("CHE01", 1, 3))
    assert status == 200
    assert await pushed.items() == ["1", "2", "3"]
    entries = await pushed.peer.database.read(inbox.list_items, 0, 10)
    assert ["content" in entry.item for entry in entries] == [is_told] * 3
    originals = [item.envelope for item in _items(pushed)]
    assert [entry.item["envelope"] for entry in entries] == originals
    assert [entry.envelope_sha256 for entry in entries] == [
        digest(o.encode()) for o in originals if o
    ]


async def test_the_same_items_in_the_other_binding_are_the_same_history(pushed: Pushed) -> None:
    """After a change of binding the hub may tell again what it told; but not something else."""
    hub = pushed.world.hub
    await pushed.push(hub.delivery("CHE01", 1, 3))
    status, _ = await pushed.push(hub.sign_delivery("CHE01", _items(pushed), binding=Binding.XML))
    assert status == 200
    assert not await pushed.alarms()
    first, *others = _items(pushed)
    other = replace(first, log_index=first.log_index + 7)
    await pushed.push(hub.sign_delivery("CHE01", (other, *others), binding=Binding.XML))
    assert await pushed.items() == ["1", "2", "3"]
    assert await pushed.alarms() == ["history-differs"]


@in_xml
async def test_xml_of_a_key_that_ended_counts_if_it_was_written_in_time(pushed: Pushed) -> None:
    """Stored bytes are sent again after a rotation; a revoked key counts for nothing."""
    hub = pushed.world.hub
    raw, ends = hub.delivery("CHE01", 1, 2), hub.clock() + timedelta(minutes=1)
    second = f"{XML_LABEL} second"
    hub.hub_records = [
        make_record(HUB),
        make_record(HUB, XML_LABEL, valid_until=ends),
        make_record(HUB, second),
    ]
    await pushed.peer.refresh_participants()
    hub.xml_signer = make_signer(HUB, second)
    hub.clock.turn(minutes=2)
    assert (await pushed.push(raw))[0] == 200
    late = _signed_by(HUB, XML_LABEL)(pushed)
    assert (await pushed.push(late))[0] == 401
    hub.hub_records[2] = make_record(HUB, second, revoked_at=hub.clock())
    stored = hub.delivery("CHE01", 3, 3)
    assert await pushed.peer.refresh_participants()
    assert (await pushed.push(stored))[0] == 401
    assert await pushed.items() == ["1", "2"]


@in_xml
async def test_a_push_is_what_it_is_announced_as(pushed: Pushed) -> None:
    """XML in the name of JSON is 415, and the other way round; we answer in our own binding."""
    raw = pushed.world.hub.delivery("CHE01", 1, 3)
    json_raw = pushed.world.hub.sign_delivery("CHE01", _items(pushed), binding=Binding.JSON)
    async with aiohttp.ClientSession() as client:
        for body, announced, status in (
            (raw, MEDIA_TYPE, 415),
            (raw, "text/plain", 415),
            (json_raw, "application/xml", 415),
            (json_raw, "application/jose+json", 200),
            (raw, "text/xml; charset=utf-8", 200),
        ):
            headers = {"Content-Type": announced}
            async with client.post(pushed.url, data=body, headers=headers) as response:
                answer = await response.read()
                assert response.status == status, answer
                if status == 200:
                    assert response.content_type == MEDIA_TYPES[Binding.XML]
                    assert binding_of(answer) is Binding.XML


def test_long_xml_that_the_hub_did_not_sign_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anybody may push sixteen megabytes; what has no signature of the hub costs nothing."""
    signer, other = make_signer(HUB, XML_LABEL), make_signer("THA01", XML_LABEL)
    store = TrustStore([make_record(HUB, XML_LABEL), make_record("THA01", XML_LABEL)])
    at = KEY_EPOCH + timedelta(days=1)
    body = f'<delivery xmlns="{NAMESPACE}">{"<a/>" * 10_000}</delivery>'.encode()
    with pytest.raises(ObjectRefusedError):
        trust.open_hub_word(sign_xml(body, signer), "delivery", store, HUB, at)

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("the document was read")

    monkeypatch.setattr(trust, "open_object", read)
    for raw in (body, sign_xml(body, other)):
        with pytest.raises(KeysError):
            trust.open_hub_word(raw, "delivery", store, HUB, at)
