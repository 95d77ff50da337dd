"""The hub's own keys: one that was revoked or has ended signs nothing more, in any process."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from hub.protocol.errors import UnavailableError
from hub.protocol.signed_objects import Binding, SigningKeys, binding_of, open_object
from hub.services.administration.participants import add_key, revoke_key, set_binding
from hub.services.own_keys import RETRY_AFTER_SECONDS, OwnKeys
from hub.services.receive_envelopes import Answer
from hub.store import head as heads
from hub.store import reference
from hub.store.mailboxes import Delivery
from keys.public_keys import KeyRecord, PublicKey
from keys.trust import TrustStore
from tests.hub.services.test_answer_queries import questions
from tests.hub.world import HUB, World, accepted, act, receipt_of
from tests.integration.peers import Said, approach, now, seeded_signer, seeded_xml_signer

NOTE: Said = ("administrator.note", {"subject": "a", "text": "b"})
JSON_KEY, XML_KEY = seeded_signer(HUB), seeded_xml_signer(HUB)
KEY_OF = {Binding.JSON: JSON_KEY, Binding.XML: XML_KEY}


def revoke(world: World, binding: Binding) -> None:
    """Revoke the hub's key for a binding."""
    world.administration.do(revoke_key(KEY_OF[binding].key_id), act("stolen"))


def replace(world: World, binding: Binding) -> None:
    """Register another key for a binding, and start the hub again with it."""
    of_xml = binding is Binding.XML
    new = seeded_xml_signer(HUB, "next") if of_xml else seeded_signer(HUB, "next")
    record = KeyRecord.of(PublicKey.from_der(HUB, new.public_key_der), now())
    world.administration.do(add_key(record), act("the next key"))
    json, xml = (JSON_KEY, new) if of_xml else (new, XML_KEY)
    world.restart(SigningKeys.of([json], xml))


def written(world: World, binding: Binding, *said: Said, recipient: str = HUB) -> bytes:
    """Return an envelope of THA01 in a binding."""
    peer = world.peers["THA01"]
    return (peer.in_xml if binding is Binding.XML else peer).envelope(recipient, *said)


def log_index(world: World) -> int:
    """Return the index of the log's last leaf."""
    with world.database.reading() as connection:
        return heads.read(connection).log_index


def is_later(answer: Answer) -> bool:
    """Tell whether an answer is 503 with the time to come again."""
    if not isinstance(answer, UnavailableError):
        return False
    assert answer.retry_after_seconds == RETRY_AFTER_SECONDS
    assert "Nothing was recorded" in answer.detail
    return True


def key_ids(raw: bytes | None, kind: Any) -> set[str]:
    """Return the keys that signed."""
    assert raw is not None
    return set(open_object(raw, kind).key_ids)


@pytest.mark.parametrize("closed", list(Binding))
def test_a_revoked_key_of_the_hub_signs_no_receipt_from_the_next_commit_on(
    xml_world: World, closed: Binding
) -> None:
    """503 in its binding and nothing recorded; the other goes on; a good key takes the envelope."""
    other = next(one for one in Binding if one is not closed)
    raw = written(xml_world, closed, approach())
    revoke(xml_world, closed)
    size = log_index(xml_world)
    assert is_later(xml_world.post(raw))
    assert log_index(xml_world) == size
    answer = xml_world.post(written(xml_world, other, approach("CA0002")))
    accepted(receipt_of(answer))
    assert isinstance(answer, bytes)
    assert key_ids(answer, "receipt") == {KEY_OF[other].key_id}
    replace(xml_world, closed)
    answer = xml_world.post(raw)
    accepted(receipt_of(answer))
    assert isinstance(answer, bytes)
    assert key_ids(answer, "receipt").isdisjoint({JSON_KEY.key_id, XML_KEY.key_id})
    xml_world.prove()


def test_another_process_of_the_hub_stops_with_its_next_batch(xml_world: World) -> None:
    """It opened the envelopes before the revocation; under the lock it sees it."""
    other = xml_world.beside()
    trust, at = other.data.trust, now()
    raws = [
        written(xml_world, Binding.XML, NOTE, recipient="CHE01"),
        written(xml_world, Binding.JSON, NOTE, recipient="CHE01"),
    ]
    opened = other.open_batch(raws, trust, at)
    revoke(xml_world, Binding.XML)
    refused, answered = other.record_batch(raws, opened, trust, at).answers
    assert is_later(refused)
    accepted(receipt_of(answered))


@pytest.mark.parametrize("binding", list(Binding))
async def test_questions_are_answered_by_no_revoked_key(xml_world: World, binding: Binding) -> None:
    """Neither one that was opened before, nor one whose wait for news outlasts the key."""
    raw = written(xml_world, binding, ("mailbox.fetch", {"after_sequence": 0, "wait_seconds": 5}))
    (opened,) = xml_world.receiver.open_batch([raw], xml_world.receiver.data.trust, now())
    assert not isinstance(opened, Exception)

    async def meanwhile(_participant: str, _seconds: float) -> bool:
        revoke(xml_world, binding)
        return False

    asked = questions(xml_world)
    asked._wait_for_news = meanwhile
    for _ in range(2):  # the first is overtaken while it waits, the second comes too late
        with pytest.raises(UnavailableError):
            await asked.answer(opened)


@pytest.mark.parametrize("closed", list(Binding))
def test_deliveries_wait_for_a_good_key_and_the_others_go_on(
    xml_world: World, closed: Binding
) -> None:
    """CHE01 takes XML, GHA01 JSON. Nothing is lost, and what was sealed is sealed again."""
    xml_world.administration.do(set_binding("CHE01", "xml"), act())
    waiting, served = ("CHE01", "GHA01") if closed is Binding.XML else ("GHA01", "CHE01")
    accepted(xml_world.say("THA01", HUB, approach()))

    def prepared() -> dict[str, Delivery]:
        made = xml_world.maker.prepare(xml_world.database, ["CHE01", "GHA01"], now())
        return {one.recipient: one for one in made}

    first = prepared()
    assert set(first) == {"CHE01", "GHA01"}
    revoke(xml_world, closed)
    assert {code: one.body for code, one in prepared().items()} == {served: first[served].body}
    with pytest.raises(UnavailableError):
        xml_world.maker.fetch(xml_world.database, waiting, 0, now())
    replace(xml_world, closed)
    again = prepared()
    assert again[waiting].first_sequence == first[waiting].first_sequence
    assert binding_of(again[waiting].body or b"") is closed
    assert key_ids(again[waiting].body, "delivery").isdisjoint({KEY_OF[closed].key_id})
    xml_world.prove()


def test_a_key_whose_window_ends_signs_until_then(xml_world: World) -> None:
    """By the clock alone: no act and no new version of the trust data tells it."""
    ends_at = now() + timedelta(hours=1)
    with xml_world.database.writing() as connection:
        reference.end_key(connection, XML_KEY.key_id, ends_at)
    xml_world.restart(xml_world.keys)
    raw = written(xml_world, Binding.XML, NOTE, recipient="CHE01")
    again = written(xml_world, Binding.XML, NOTE, recipient="CHE01")
    accepted(receipt_of(xml_world.post(raw, at=ends_at - timedelta(milliseconds=1))))
    assert is_later(xml_world.post(again, at=ends_at))


def own(*records: KeyRecord) -> Callable[[OwnKeys], str | None]:
    """Return what closes JSON, by the given trust data."""

    def judge(keys: OwnKeys) -> str | None:
        fault = keys.fault(TrustStore(records), Binding.JSON, now())
        return None if fault is None else fault[1]

    return judge


def test_both_halves_of_a_hybrid_must_count_and_be_known_as_the_hubs() -> None:
    """Unknown, revoked (by a clock ahead of ours too) or another's: none of them signs."""
    second = seeded_signer(HUB, "second")
    keys = OwnKeys(HUB, SigningKeys.of([JSON_KEY, second]))
    good, other = (
        KeyRecord.of(PublicKey.from_der(HUB, one.public_key_der), now() - timedelta(days=1))
        for one in (JSON_KEY, second)
    )
    assert own(good, other)(keys) is None
    assert "not registered" in str(own(good)(keys))
    assert "revoked" in str(own(good, other.revoked(now() + timedelta(seconds=9)))(keys))
    assert "valid until" in str(own(good.ended_at(now() - timedelta(hours=1)), other)(keys))


def test_the_operator_is_told_which_key_it_is_and_what_to_do_once_a_minute(
    xml_world: World,
) -> None:
    """However many envelopes come; and again while it lasts."""
    revoke(xml_world, Binding.XML)
    xml_world.receiver.look_again()
    raw, at = written(xml_world, Binding.XML, NOTE, recipient="CHE01"), now()
    with capture_logs() as lines:
        for seconds in (0, 1, 59, 61, 62):
            xml_world.post(raw, at=at + timedelta(seconds=seconds))
    told = [line for line in lines if line.get("setting") == "xml_signer"]
    assert len(told) == 2
    assert XML_KEY.key_id in told[0]["detail"]
    assert "was revoked at" in told[0]["detail"]
    assert "participant key-add" in told[0]["remedy"]
