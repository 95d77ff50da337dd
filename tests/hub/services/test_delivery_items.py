"""Items in either binding: content beside what cannot be read, and nothing that stops a mailbox."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocol.limits import Limits
from hub.protocol.signed_objects import Binding, SigningKeys, binding_of
from hub.services import delivery_items
from hub.services.administration.participants import add_key, revoke_key, set_binding
from hub.store import mailboxes
from hub.store.mailboxes import Delivery, ReadyItem
from keys.public_keys import KeyRecord, PublicKey
from message_schemas import examples, xml_codec
from message_schemas.validation import schema_errors
from message_schemas.xml_values import write_map
from tests.hub.services.test_deliver import acknowledgement
from tests.hub.world import HUB, World, accepted, act
from tests.integration.peers import Said, now, payload_of, seeded_signer, seeded_xml_signer

DEEP_LEVELS = 18
NOTE: Said = ("administrator.note", {"subject": "a", "text": "b"})


@pytest.fixture
def world(xml_world: World) -> World:
    """Return a hub whose participant CHE01 gets XML."""
    xml_world.administration.do(set_binding("CHE01", "xml"), act())
    return xml_world


def next_of(world: World, recipient: str = "CHE01") -> tuple[Delivery, Any]:
    """Return the delivery to push next, and what it says."""
    (made,) = world.maker.prepare(world.database, [recipient], now())
    assert made.body is not None
    payload = payload_of(made.body, "itmo-delivery+jws")
    assert schema_errors("delivery", 1, payload) == ()
    return made, payload


def faulty(body: Any) -> Said:
    """Return a message that breaks its schema, so that it travels as it is."""
    return "administrator.note", {"subject": "a", "text": "b", "more": body}


def test_each_recipient_gets_its_binding_from_one_transaction(world: World) -> None:
    """CHE01 XML, GHA01 JSON; notices alone have no envelope to explain."""
    accepted(world.say("THA01", HUB, ("administrator.note", {"subject": "x", "text": "y"})))
    for code in ("CHE01", "GHA01"):
        accepted(world.say("THA01", code, NOTE))
    made = world.maker.prepare(world.database, ["CHE01", "GHA01"], now())
    bindings = {one.recipient: binding_of(one.body or b"") for one in made}
    assert bindings == {"CHE01": Binding.XML, "GHA01": Binding.JSON}
    world.prove()


@pytest.mark.parametrize(
    "text",
    [
        "]]> <!-- & \" ' \n\t",
        "xmlns xmlns='a' " * 60,
        "\U0001f600 \u0e01\u0e33 \u202e",
        "\ufffd" * 99,
    ],
    ids=["markup", "namespaces", "letters", "replacement"],
)
def test_any_text_of_a_message_crosses(world: World, text: str) -> None:
    """Whatever the JSON Schemas take, XML holds, and the same value comes out."""
    said = ("administrator.note", {"subject": "a", "text": text})
    accepted(world.say("THA01", "CHE01", said))
    made, payload = next_of(world)
    assert binding_of(made.body or b"") is Binding.XML
    assert payload["items"][0]["content"]["messages"][0]["body"]["text"] == text


def test_refused_messages_with_characters_xml_lacks_cross_too(world: World) -> None:
    """They break their schema and go as generic values, with escapes; the item goes out."""
    odd: dict[str, Any] = {
        "\u0000\ufffe": ["\u0001", "\\u0001", "\r\n", "\U0001f600", "", {}, [], None, -(2**63)]
    }
    receipt = world.say("THA01", "CHE01", NOTE, faulty(odd))
    assert [one["outcome"] for one in receipt["outcomes"]] == ["accepted", "refused"]
    made, payload = next_of(world)
    assert binding_of(made.body or b"") is Binding.XML
    assert payload["items"][0]["content"]["messages"][1]["body"]["more"] == odd


def test_content_that_would_not_fit_is_left_out_and_the_item_goes_out(world: World) -> None:
    """Lists nested too deep, and a megabyte that would be ten in XML; by push and by pull."""
    deep: Any = 1
    for _ in range(DEEP_LEVELS):
        deep = [deep]
    for odd in (deep, [1] * 255_000):
        raw = world.envelope("THA01", "CHE01", NOTE, faulty(odd))
        (answer,) = world.record(raw).answers
        assert isinstance(answer, bytes)
        made, payload = next_of(world)
        (item,) = payload["items"]
        assert binding_of(made.body or b"") is Binding.XML
        assert "content" not in item
        assert item["envelope"].encode() == raw
        accepted(world.say("CHE01", HUB, acknowledgement(made)))
    world.prove()


def test_many_small_values_are_left_out_by_their_count_before_any_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work that is not done: neither reading, nor the schema of a body, nor a byte of XML."""
    small = world.envelope("THA01", "CHE01", NOTE, faulty([[]] * 100))
    many = world.envelope("THA01", "CHE01", NOTE, faulty([[1]] * 20_000))
    world.record(small, many)
    count = 0
    write = xml_codec.encode_document

    def counted(type_: str, document: dict[str, Any]) -> bytes:
        nonlocal count
        count += 1
        return write(type_, document)

    monkeypatch.setattr(xml_codec, "encode_document", counted)
    items = delivery_items.written(ready_items(world), Binding.XML, 500_000)
    assert ["content" in one for one in items] == [True, False]
    assert count == 1
    # A lower bound only: with room enough, the same item has its content.
    items = delivery_items.written(ready_items(world), Binding.XML, 2_000_000)
    assert ["content" in one for one in items] == [True, True]


def ready_items(world: World) -> list[ReadyItem]:
    """Return what waits for CHE01."""
    with world.database.reading() as connection:
        return mailboxes.items_after(connection, "CHE01", 0, 100)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner),
)


@given(value=values, indent=st.sampled_from([None, 1]))
def test_the_count_of_values_is_never_too_high(value: Any, indent: int | None) -> None:
    """Whatever stands in strings, however it is indented; and XML takes 11 bytes for each."""

    def size(part: Any) -> int:
        inner = part.values() if isinstance(part, dict) else part
        return 1 + (sum(map(size, inner)) if isinstance(part, dict | list) else 0)

    count = delivery_items.values_at_least(json.dumps(value, indent=indent).encode())
    assert 1 <= count <= size(value)
    if not isinstance(value, str | dict) and '"' not in json.dumps(value):
        assert count == size(value)
    parts: list[str] = []
    write_map({"a": value}, parts.append)
    assert len("".join(parts)) >= 11 * count


@pytest.mark.parametrize("example", examples.VALID, ids=lambda one: f"{one.type}-{one.name}")
def test_every_published_example_takes_11_bytes_of_xml_for_each_value(example: Any) -> None:
    """So the bound holds for typed bodies as for generic ones."""
    count = delivery_items.values_at_least(json.dumps(example.document).encode())
    assert len(xml_codec.encode_document(example.type, example.document)) >= 11 * count


def test_content_counts_as_bytes_of_the_delivery(world: World) -> None:
    """What fits one delivery in the sender's binding takes two in the other."""
    for _ in range(4):
        accepted(world.say("THA01", "CHE01", NOTE, NOTE, NOTE))
        accepted(world.say("THA01", "GHA01", NOTE, NOTE, NOTE))
    size = len(world.envelope("THA01", "GHA01", NOTE, NOTE, NOTE)) + 1_000
    narrow = World(world.database, limits=Limits(delivery_bytes_max=4 * size), keys=world.keys)
    assert len(next_of(narrow, "GHA01")[1]["items"]) == 4
    items = next_of(narrow)[1]["items"]
    assert 1 <= len(items) < 4
    assert all("content" in item for item in items)


def test_without_a_key_for_xml_what_waits_leaves_in_json(world: World) -> None:
    """An operator took the key away: nothing stands still, and receipts come too."""
    accepted(world.say("THA01", "CHE01", NOTE))
    poor = World(world.database, keys=SigningKeys.of([seeded_signer(HUB)]))
    made, payload = next_of(poor)
    assert binding_of(made.body or b"") is Binding.JSON
    assert payload["items"][0]["envelope"]
    assert "content" not in payload["items"][0]


def test_a_delivery_of_a_revoked_xml_key_is_sealed_again_in_the_binding_of_today(
    world: World,
) -> None:
    """The same items; content is written for the new binding, or no more needed."""
    raw = world.envelope("THA01", "CHE01", NOTE)
    world.record(raw)
    old, payload = next_of(world)
    assert "content" in payload["items"][0]
    fresh = seeded_signer(HUB, "second")
    record = KeyRecord.of(PublicKey.from_der(HUB, fresh.public_key_der), now())
    administration = world.administration
    administration.do(add_key(record), act("the next key"))
    administration.do(revoke_key(seeded_xml_signer(HUB).key_id), act("stolen"))
    administration.do(set_binding("CHE01", "json"), act())
    again = World(world.database, keys=SigningKeys.of([fresh]))
    new, payload = next_of(again)
    assert binding_of(new.body or b"") is Binding.JSON
    assert payload["replaces"] == [old.log_index]
    assert payload["items"][0]["envelope"].encode() == raw
    assert "content" not in payload["items"][0]
    world.prove()


def test_what_is_sealed_again_in_the_other_binding_does_not_outgrow_a_delivery(
    world: World,
) -> None:
    """All items must stay in it, so content is left out of those for which there is no room."""
    world.administration.do(set_binding("CHE01", "json"), act())
    for _ in range(8):
        raw = world.envelope("THA01", "CHE01", NOTE, faulty([1] * 20_000))
        world.record(raw)
    bytes_max = 20 * len(raw)
    narrow = World(world.database, limits=Limits(delivery_bytes_max=bytes_max), keys=world.keys)
    assert len(next_of(narrow)[1]["items"]) == 8
    fresh, fresh_xml = seeded_signer(HUB, "second"), seeded_xml_signer(HUB)
    record = KeyRecord.of(PublicKey.from_der(HUB, fresh.public_key_der), now())
    world.administration.do(add_key(record), act("the next key"))
    world.administration.do(revoke_key(seeded_signer(HUB).key_id), act("stolen"))
    world.administration.do(set_binding("CHE01", "xml"), act())
    again = World(world.database, limits=narrow.limits, keys=SigningKeys.of([fresh], fresh_xml))
    new, payload = next_of(again)
    assert binding_of(new.body or b"") is Binding.XML
    assert len(payload["items"]) == 8
    assert len(new.body or b"") < 1.1 * bytes_max
    assert 0 < sum("content" in one for one in payload["items"]) < 8
    world.prove()
