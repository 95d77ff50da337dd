"""The XML binding at a session: what it believes, what it refuses, and what it writes."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from uuid_utils import uuid7

from connectors.session import inbox, outbox_states
from connectors.session.hello import say_hello
from connectors.session.opening import open_aside
from connectors.session.outbox import build_envelope
from connectors.session.session import Session
from connectors.session.settings import SessionSettings
from connectors.session.tables import outbox_envelope
from hub.protocol.envelopes import MEDIA_TYPE, digest
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import MEDIA_TYPES, Binding, SigningKeys, binding_of, open_object
from keys.errors import SignerError
from keys.trust import TrustStore
from message_schemas import examples
from message_schemas.envelopes import DeliveryItem, Envelope
from message_schemas.json_codec import decode_body, decode_envelope
from message_schemas.messages.participants import AdministratorNote
from message_schemas.validation import schema_errors
from tests.connectors.fake_answers import SPOILERS, TWISTS
from tests.connectors.fake_hub import HUB
from tests.connectors.session.conftest import World, alarms_of, in_xml, until
from tests.connectors.session.ledger_handler import LedgerHandler, effects, note
from tests.connectors.session.test_deliveries import Pushed, pushed
from tests.connectors.worlds import XML_LABEL, make_record, make_signer

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


# --- what we write -------------------------------------------------------------------------------


def _full_proposals(count: int) -> list[tuple[str, object, str]]:
    """Return proposals with every member that one may have."""
    (full,) = [
        example
        for example in examples.VALID
        if (example.type, example.name) == ("transfer.proposal", "full")
    ]
    return [
        (
            "transfer.proposal",
            decode_body(full.type, 1, {**full.document, "transfer_id": f"THA01-{number}"}),
            str(number),
        )
        for number in range(1, count + 1)
    ]


@in_xml
async def test_full_batches_of_full_proposals_stay_below_the_limit_of_an_envelope(
    world: World,
) -> None:
    """1,000 proposals travel in XML, in order, in few envelopes that the door takes."""
    peer = await world.peer(request_seconds_max=10.0)
    await peer.submit("CHE01", _full_proposals(1000))
    await until(lambda: sum(len(envelope.messages) for envelope in world.hub.seen) == 1000)
    said = [m.message.body["transfer_id"] for e in world.hub.seen for m in e.messages]
    assert said == [f"THA01-{number}" for number in range(1, 1001)]
    assert all(binding_of(raw) is Binding.XML for raw in world.hub.posts)
    assert all(len(raw) <= peer.settings.envelope_bytes_max for raw in world.hub.posts)
    assert len(world.hub.seen) <= 3


@in_xml
async def test_messages_that_grow_in_xml_are_sealed_with_fewer_of_them(world: World) -> None:
    """An ampersand takes five bytes in XML: what turns out too large is split, and stays XML."""
    peer = await world.peer(envelope_bytes_max=60_000)
    await peer.submit("CHE01", [note(text="&" * 2000) for _ in range(30)])
    await until(lambda: sum(len(envelope.messages) for envelope in world.hub.seen) == 30)
    assert all(binding_of(raw) is Binding.XML for raw in world.hub.posts)
    assert all(len(raw) <= 60_000 for raw in world.hub.posts)


@in_xml
async def test_a_message_that_is_too_large_in_xml_leaves_as_json(world: World) -> None:
    """No message stops the line by its form: the hub takes JSON from everybody."""
    peer = await world.peer(handler=LedgerHandler(), envelope_bytes_max=9_000)
    await peer.submit("CHE01", [note(text="&" * 2000)])
    await peer.submit("CHE01", [note()])
    await until(lambda: len(world.hub.seen) == 2)
    assert [binding_of(raw) for raw in world.hub.posts] == [Binding.JSON, Binding.XML]
    await until(partial(_is_idle, peer))


def test_what_is_beyond_the_limits_of_xml_is_sealed_as_json() -> None:
    """A value as deep as no reader of XML takes it; the same a little less deep is XML."""
    keys = SigningKeys.of([make_signer("THA01", XML_LABEL)])
    settings = SessionSettings(participant="THA01", hub_url="http://h", binding=Binding.XML)
    found: list[Binding] = []
    for depth in (20, 40):
        deep: Any = 1
        for _ in range(depth):
            deep = [deep]
        body = {"subject": "deep", "text": "t", "extensions": {"example.org/n": deep}}
        messages = [(str(uuid7()), "administrator.note", body)]
        _, raw = build_envelope(settings, keys, "CHE01", messages, datetime.now(UTC))
        found.append(binding_of(raw))
    assert found == [Binding.XML, Binding.JSON]


async def test_xml_is_refused_without_one_es256_key(world: World) -> None:
    """The error names the key, its algorithm and the remedy, before anything is started."""
    settings = SessionSettings(participant="THA01", hub_url="http://h", binding=Binding.XML)
    database = world.database("THA01")
    ed25519, es256 = make_signer("THA01"), make_signer("THA01", XML_LABEL)
    for signers in ([ed25519], [ed25519, es256]):
        with pytest.raises(SignerError, match=r"one ES256 key, not with .*Ed25519.*--algorithm"):
            Session(settings, database, signers, world.hub.anchor)


async def test_a_change_of_binding_is_announced_once(world: World) -> None:
    """JSON, a restart, then XML with a new key, a restart: two hellos, and deliveries follow."""
    hub = world.hub
    hub.records["CHE01"].append(make_record("CHE01", XML_LABEL))
    for xml in ((), (), ("CHE01",), ("CHE01",)):
        hub.xml = frozenset(xml)
        peer = await world.peer("CHE01", delivery_mode="pull")
        await say_hello(peer)
        await until(partial(_is_idle, peer))
        await peer.stop()
    said = [
        message.message.body["binding"]
        for envelope in hub.seen
        for message in envelope.messages
        if message.message.type == "participant.hello"
    ]
    assert said == ["json", "xml"]


async def test_a_hello_that_was_refused_is_said_again_after_a_restart(world: World) -> None:
    """The hub had no key for XML yet: nothing of the settings changed, and it is news again."""
    world.hub.refusals["participant.hello"] = (ResponseCode.SCHEMA_VIOLATED, "not yet")
    said: list[bool] = []
    for _ in range(3):
        peer = await world.peer("CHE01", delivery_mode="pull")
        said.append(await say_hello(peer))
        await until(partial(_is_idle, peer))
        await peer.stop()
        world.hub.refusals.pop("participant.hello", None)
    assert said == [True, True, False]


async def _is_idle(peer: Session) -> bool:
    return not any((await peer.database.read(outbox_states.count_open)).values())


@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=50), max_size=8))
def test_what_was_submitted_is_what_the_hub_reads_in_either_binding(texts: list[str]) -> None:
    """Whatever a schema lets pass: the same messages, in order, signed by us."""
    bodies: list[dict[str, Any]] = [{"subject": "any", "text": text} for text in texts]
    bodies = [body for body in bodies if not schema_errors("administrator.note", 1, body)]
    bodies += [{"subject": "any", "text": "at least one"}]
    keys = SigningKeys.of([make_signer("THA01", XML_LABEL)])
    for binding in Binding:
        settings = SessionSettings(participant="THA01", hub_url="http://h", binding=binding)
        messages = [(str(uuid7()), "administrator.note", body) for body in bodies]
        _, raw = build_envelope(settings, keys, "CHE01", messages, datetime.now(UTC))
        opened = open_object(raw, "envelope")
        opened.verify(TrustStore([make_record("THA01", XML_LABEL)]), "THA01", datetime.now(UTC))
        assert opened.binding is binding
        said = opened.read().document["messages"]
        assert [(one["message_id"], one["type"], one["body"]) for one in said] == messages


# --- threads -------------------------------------------------------------------------------------


async def test_xml_is_opened_in_a_thread_that_ends() -> None:
    """libxml2 keeps names for the life of a thread; JSON needs none."""
    here = threading.current_thread()
    found: list[threading.Thread] = []

    def look() -> int:
        found.append(threading.current_thread())
        return 1

    assert await open_aside(look, [b'{"payload":""}']) == 1
    assert await open_aside(look, [b'{"payload":""}', b" <envelope/>"]) == 1
    assert found[0] is here
    assert found[1] is not here
    await until(lambda: not found[1].is_alive())
