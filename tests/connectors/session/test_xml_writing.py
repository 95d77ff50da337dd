"""The XML binding at a session: what it writes, what it tells the hub, and where it reads."""

import threading
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils import uuid7

from connectors.session import outbox_states
from connectors.session.hello import say_hello
from connectors.session.opening import open_aside
from connectors.session.outbox import build_envelope
from connectors.session.session import Session
from connectors.session.settings import SessionSettings
from hub.protocol.response_codes import ResponseCode
from hub.protocol.signed_objects import Binding, SigningKeys, binding_of, open_object
from keys.errors import SignerError
from keys.trust import TrustStore
from message_schemas import examples
from message_schemas.json_codec import decode_body
from message_schemas.validation import schema_errors
from tests.connectors.session.conftest import World, in_xml, until
from tests.connectors.session.ledger_handler import LedgerHandler, note
from tests.connectors.worlds import XML_LABEL, make_record, make_signer


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
